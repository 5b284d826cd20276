"""Great Expectations over a snapshot, in DuckDB's SQL.

Importing Great Expectations takes seconds of CPU, so only the functions here import it, when a
check needs it. It writes no file and reports nothing to anybody.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from string import Template
from types import ModuleType
from typing import Any

import duckdb

from dagster_project.quality.audited import SUBSET, Audited, Subject
from dagster_project.quality.expectation import Finding
from dagster_project.quality.great_expectations_result import (
    columns_of,
    finding_of,
    raised_by,
    reason_of,
)
from dagster_project.quality.suite import Check

PRIVATE_ARGUMENTS = frozenset(
    {
        *("id", "meta", "notes", "description", "severity", "batch_id", "windows"),
        *("result_format", "catch_exceptions", "rendered_content", "library_metadata"),
        *("row_condition", "condition_parser"),
    }
)
"""Fields of Great Expectations' models that a suite does not set. Its `row_condition` ignores,
silently, what follows an `and`; suites have `where` instead."""

VALUES = 5
"""Unexpected values that are fetched for each expectation."""

Outcome = tuple[str, Finding | str]
"""What a check expects, and what was found or why nothing was."""


def core_expectations() -> dict[str, tuple[list[str], list[str]]]:
    """Required and optional arguments of every core expectation, by its name."""
    _great_expectations()
    from great_expectations.expectations import core

    found = {}
    for model in vars(core).values():
        if getattr(model, "expectation_type", None):
            fields = {k: f for k, f in model.__fields__.items() if k not in PRIVATE_ARGUMENTS}
            required = sorted(name for name, field in fields.items() if field.required)
            found[model.expectation_type] = (required, sorted(set(fields) - set(required)))
    return dict(sorted(found.items()))


def validate(audited: Audited, checks: Sequence[Check]) -> list[Outcome]:
    """Run checks whose expectations are Great Expectations' own.

    Args:
        audited: the snapshot.
        checks: to run.

    Returns:
        One outcome for each, in order; what goes wrong with one does not touch the others.
    """
    gx = _great_expectations()
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = gx.data_context.types.base.ProgressBarsConfig(globally=False)
    members: dict[Subject, dict[int, Check]] = {}
    for index, check in enumerate(checks):
        members.setdefault(Subject(check.table, check.where), {})[index] = check
    outcomes: dict[int, Outcome] = {}
    for number, (subject, together) in enumerate(members.items()):
        outcomes |= _validate(gx, context, f"subject {number}", audited, subject, together)
    return [outcomes[index] for index in range(len(checks))]


def _validate(
    gx: ModuleType,
    context: Any,
    name: str,
    audited: Audited,
    subject: Subject,
    checks: Mapping[int, Check],
) -> dict[int, Outcome]:
    """Run the checks of one subject, together: so Great Expectations asks more in one query."""
    expected = {index: check.text for index, check in checks.items()}
    found: dict[int, Any] = {}
    expectations: dict[int, Any] = {}
    for index, check in checks.items():
        try:
            expectation = _expectation(check, index)
            expected[index] = _expected(expectation) or check.text
            audited.require(subject.table, columns_of(check, to_read=True))
            expectations[index] = expectation
        except Exception as error:
            found[index] = error
    cursors: list[duckdb.DuckDBPyConnection] = []
    try:
        if expectations:
            batch = _batch(context, name, audited, subject, cursors)
            has_row_id = "row_id" in audited.columns(subject.table)
            found |= _results(gx, batch, expectations, has_row_id)
    except Exception as error:
        found |= dict.fromkeys(expectations, error)
    finally:
        for cursor in cursors:
            cursor.close()
    return {
        index: (expected[index], _finding(audited, subject, check, found[index]))
        for index, check in checks.items()
    }


def _finding(audited: Audited, subject: Subject, check: Check, result: Any) -> Finding | str:
    """The finding of a result; for an error, why there is none."""
    if isinstance(result, Exception):
        return reason_of(result)
    try:
        return finding_of(audited, subject, check, result)
    except Exception as error:
        return reason_of(error)


def _great_expectations() -> ModuleType:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    from great_expectations.expectations.metrics import util

    # It looks for a value in its SQL to tell whether it is inlined: for 1 it takes `$1`, and leaves
    # it so. Saying that values are never inlined makes SQLAlchemy inline them, as literals.
    util._check_has_unsubstituted_params = lambda *_: True
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)  # results say it all
    return gx


def _batch(
    context: Any,
    name: str,
    audited: Audited,
    subject: Subject,
    cursors: list[duckdb.DuckDBPyConnection],
) -> Any:
    """The subject's rows as Great Expectations reads them: through cursors of the audited connection,
    which are added to `cursors` to be closed."""
    from duckdb_sqlalchemy import ConnectionWrapper

    if subject.relation == SUBSET:
        audited.connection.execute(f"CREATE OR REPLACE VIEW {SUBSET} AS {subject.select}")

    def cursor() -> Any:
        cursors.append(audited.connection.cursor())
        return ConnectionWrapper(cursors[-1])

    source = context.data_sources.add_sql(
        name,
        connection_string="duckdb:///:memory:",
        create_temp_table=False,
        kwargs={
            "creator": cursor,
            "isolation_level": "AUTOCOMMIT",  # a rollback would empty results before they are read
            "skip_autocommit_rollback": True,
        },
    )
    asset = source.add_table_asset(subject.relation, table_name=subject.relation)
    return asset.add_batch_definition_whole_table("all").get_batch()


def _expectation(check: Check, index: int) -> Any:
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    return ExpectationConfiguration(
        type=check.expectation, kwargs=dict(check.arguments), meta={"check": index}
    ).to_domain_obj()


def _expected(expectation: Any) -> str:
    """What Great Expectations says that it expects; empty when it does not find words."""
    from great_expectations.render.renderer.inline_renderer import InlineRenderer

    try:
        (content, *_) = InlineRenderer(
            render_object=expectation.configuration
        ).get_rendered_content()
        said: Any = content.value
        values = {name: parameter["value"] for name, parameter in said.params.items()}
        return Template(said.template).safe_substitute(values).rstrip(".")
    except Exception:
        return ""


def _results(
    gx: ModuleType, batch: Any, expectations: Mapping[int, Any], has_row_id: bool
) -> dict[int, Any]:
    """Results, or errors, by check. They come in no order; and where one query serves several
    expectations, its error falls on all of them, so those with an error are run again, alone."""
    wanted: dict[str, Any] = {"result_format": "BASIC", "partial_unexpected_count": VALUES}
    if has_row_id:
        wanted |= {
            "return_unexpected_index_query": True,
            "unexpected_index_column_names": ["row_id"],
        }
    results: dict[int, Any] = {}
    try:
        suite = gx.ExpectationSuite(name="audit", expectations=list(expectations.values()))
        for result in batch.validate(suite, result_format=wanted).results:
            results[result.expectation_config.meta["check"]] = result
    except Exception:
        results.clear()
    for index, expectation in expectations.items():
        if index not in results or raised_by(results[index]):
            try:
                results[index] = batch.validate(expectation, result_format=wanted)
            except Exception as error:
                results[index] = error
    return results
