"""All that an inspection tells of a snapshot."""

from __future__ import annotations

from collections.abc import Mapping

from dagster_project.engine.inspection.column_shifts import ColumnShift, column_shifts
from dagster_project.engine.inspection.distributions import Distribution, distributions
from dagster_project.engine.inspection.months import Months, months
from dagster_project.engine.inspection.outliers import Outliers, outliers
from dagster_project.engine.inspection.overview import Overview, overview
from dagster_project.engine.inspection.pairs_to_read import StepPairs, pairs_to_read
from dagster_project.engine.inspection.rows_looked_at import MOST_READ, MOST_ROWS, look
from dagster_project.engine.inspection.rows_to_read import RuleRows, rows_to_read
from dagster_project.engine.inspection.source_rows import SourceRows
from dagster_project.engine.inspection.step_effects import StepEffects, step_effects
from dagster_project.engine.inspection.step_operators import step_operators
from dagster_project.engine.inspection.step_order import OrderAdvice, step_order
from dagster_project.engine.inspection.values import Values, languages, values
from dagster_project.errors import SeedbedError
from dagster_project.operators.base import Operator
from dagster_project.recipe.problems import no_such
from dagster_project.warehouse.address import Answer, Snapshot, SnapshotAddress
from dagster_project.warehouse.reading import Reader, reading
from dagster_project.warehouse.store import Store


class NothingToInspect(SeedbedError):
    """A column, step or rule that the snapshot does not have."""


class Inspection(Answer):
    """An account of a snapshot.

    Attributes:
        snapshot: which.
        status: published, rejected or trial.
        rows: it has.
        looked_at: rows in which columns, distributions and outliers were counted.
        read: rows in which words and letters were counted.
        seed: of all samples.
        overview, distributions, values, months, shifts, effects, outliers, rules, pairs, order: what
            each of the package's modules tells.
    """

    snapshot: Snapshot
    status: str
    rows: int
    looked_at: int
    read: int
    seed: int
    overview: Overview
    distributions: tuple[Distribution, ...]
    values: tuple[Values, ...]
    months: tuple[Months, ...]
    shifts: tuple[ColumnShift, ...]
    effects: StepEffects
    outliers: tuple[Outliers, ...]
    rules: tuple[RuleRows, ...]
    pairs: tuple[StepPairs, ...]
    order: OrderAdvice


def inspect(
    store: Store | Reader,
    address: SnapshotAddress,
    catalogue: Mapping[str, type[Operator]],
    *,
    column: str | None = None,
    step: str | None = None,
    rule: str | None = None,
    rows: int = 3,
    seed: int = 0,
    whole: bool = False,
) -> Inspection:
    """Inspect a snapshot. Nothing is run again but a language detector, on 500 rows.

    Args:
        store: where; or an open reader of it.
        address: which snapshot; the current one of its version if no id is given.
        catalogue: operators by name, to ask rules of rows that stayed.
        column: only distributions and outliers of this column; a measured one, too.
        step: only rows to read of this step.
        rule: only rows to read of this rule.
        rows: to read, of each kind.
        seed: of what is drawn at random; the same seed, the same rows.
        whole: look at all rows, however many there are; else at 100,000 of the snapshot and of each
            input at most, and at the words and letters of 20,000.

    Raises:
        NothingToInspect: when there is no such column, step or rule.
        NotPublished: when the version has no current snapshot.
        SnapshotDamaged, ManifestDamaged: when a file is not as it was written.
    """
    with reading(store) as reader:
        snapshot = reader.open(address)
        sources = SourceRows(reader, snapshot)
        seen = look(
            reader, snapshot, seed, None if whole else MOST_ROWS, None if whole else MOST_READ
        )
        if column is not None and column not in (known := [*seen.schema, *seen.scores]):
            raise NothingToInspect(f"{snapshot.address}: {no_such('column', column, known)}")
        steps = step_operators(reader, snapshot, catalogue)
        if step is not None and step not in (names := [each.name for each in steps]):
            raise NothingToInspect(f"{snapshot.address}: {no_such('step', step, names)}")
        if rule is not None:
            _require_rule(reader, snapshot.table("steps"), str(snapshot.address), rule)
        only = (column,) if column else ()
        detected = None if column else languages(seen)
        return Inspection(
            snapshot=snapshot.address,
            status=snapshot.manifest.status,
            rows=snapshot.manifest.rows,
            looked_at=seen.rows,
            read=seen.read,
            seed=seed,
            overview=overview(seen),
            distributions=distributions(seen, only),
            values=(*values(seen, only), *([detected] if detected else [])),
            months=() if column else months(seen),
            shifts=column_shifts(seen, sources, None if whole else MOST_ROWS),
            effects=step_effects(sources, seed, None if whole else MOST_ROWS),
            outliers=outliers(seen, sources, rows, only),
            rules=rows_to_read(sources, steps, rows, seed, step, rule),
            pairs=pairs_to_read(sources, steps, rows, step) if rule is None else (),
            order=step_order(reader, snapshot, steps),
        )


def _require_rule(reader: Reader, steps: str, owner: str, rule: str) -> None:
    found = reader.all(f"SELECT DISTINCT unnest(rule_names) AS rule FROM {steps} ORDER BY rule")
    known = [name for (name,) in found]
    if rule not in (*known, "error"):
        raise NothingToInspect(f"{owner}: {no_such('rule', rule, known)}")
