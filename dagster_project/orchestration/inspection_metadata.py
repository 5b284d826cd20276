"""What the Dagster UI shows of a snapshot for a person who decides what to do next."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from dagster_project.engine.inspection.column_shifts import ColumnShift, Lengths, column_shifts
from dagster_project.engine.inspection.outliers import Outliers, outliers
from dagster_project.engine.inspection.row_texts import RowToRead
from dagster_project.engine.inspection.rows_looked_at import look
from dagster_project.engine.inspection.rows_to_read import RuleRows, rows_to_read
from dagster_project.engine.inspection.source_rows import SourceRows
from dagster_project.engine.inspection.sparkline import sparkline
from dagster_project.engine.inspection.step_operators import step_operators
from dagster_project.engine.inspection.step_order import OrderAdvice, step_order
from dagster_project.engine.plan import Plan
from dagster_project.errors import SeedbedError
from dagster_project.warehouse.address import SnapshotAddress
from dagster_project.warehouse.manifest import Manifest
from dagster_project.warehouse.reading import Reader
from dagster_project.warehouse.store import Store
from dagster_project.workspace import VersionName

MOST_ROWS = 10_000
MOST_READ = 1_000
MOST_RULES = 10
MOST_MEASURES = 8
EACH = 3
REDACTING = frozenset({"redact_names", "redact_pii"})
BEFORE_REDACTION = "(before redaction)"


def inspection_metadata(store: Store, plan: Plan, manifest: Manifest) -> dict[str, Any]:
    """Metadata of a snapshot: lengths before and after by column, outliers, rows on either side of
    each rule's threshold, and a quicker order of filters if there is one.

    Lengths and outliers are told from 10,000 rows of the snapshot and of each input at most, which
    takes about half a second for 100,000 rows. Where a step redacts personal data, what removed rows
    say is left out: it is as it was before.

    Args:
        store: where the snapshot is.
        plan: that it was built by.
        manifest: of the snapshot.
    """
    try:
        tables = _tables(store, plan, manifest)
    except SeedbedError as error:  # such as an input that retention deleted since
        return {"inspection": f"not possible: {error}"}
    except Exception as error:  # the snapshot is published already; what is said may hold row text
        return {"inspection": f"not possible: {type(error).__name__}; this is a defect"}
    return {
        name: dg.MetadataValue.table([dg.TableRecord(record) for record in records])
        for name, records in tables.items()
        if records
    }


def _tables(store: Store, plan: Plan, manifest: Manifest) -> dict[str, list[Mapping[str, Any]]]:
    operators = [step.operator for step in plan.steps]
    catalogue = {type(each).operator_name(): type(each) for each in operators}
    address = SnapshotAddress(VersionName.parse(manifest.version), manifest.snapshot_id)
    with Reader(store) as reader:
        snapshot = reader.open(address)
        sources = SourceRows(reader, snapshot)
        steps = step_operators(reader, snapshot, catalogue)
        seen = look(reader, snapshot, most_rows=MOST_ROWS, most_read=MOST_READ)
        rules = rows_to_read(sources, steps, EACH)
        return {
            "lengths_before_and_after": _shifts(column_shifts(seen, sources, MOST_ROWS)),
            "outliers": _outliers(outliers(seen, sources, EACH)),
            "rows_near_thresholds": _sides(rules, redacted=not REDACTING.isdisjoint(catalogue)),
            "quicker_order": _order(step_order(reader, snapshot, steps)),
        }


def _shifts(shifts: Sequence[ColumnShift]) -> list[Mapping[str, Any]]:
    return [
        {
            "column": shift.column,
            "characters": side,
            "rows": lengths.rows,
            "median": float(lengths.median),
            "95 %": float(lengths.p95),
            f"0 to {shift.most:,}" if len(shifts) == 1 else "0 to most": sparkline(
                lengths.histogram
            ),
            "of": ", ".join(shift.origins) if side == "before" else shift.column,
        }
        for shift in shifts
        for side, lengths in _before_and_after(shift)
    ]


def _before_and_after(shift: ColumnShift) -> list[tuple[str, Lengths]]:
    before = [("before", shift.before)] if shift.before else []
    return [*before, ("after", shift.after)]


def _outliers(found: Sequence[Outliers]) -> list[Mapping[str, Any]]:
    far = sorted(found, key=lambda each: -each.farthest[0].distance)[:MOST_MEASURES]
    return [
        {
            "measure": f"{each.column} {each.unit}",
            "median": round(float(each.median), 3),
            "rows_as_far": each.rows,
            "value": round(float(row.value), 3),
            "deviations": round(row.distance, 1),
            "text": row.text,
            "row": str(row.row),
        }
        for each in far
        for row in each.farthest
    ]


def _sides(rules: Sequence[RuleRows], redacted: bool) -> list[Mapping[str, Any]]:
    most = sorted(rules, key=lambda rule: -rule.removed)[:MOST_RULES]
    return [
        {
            "step": rule.step,
            "rule": rule.rule,
            "wanted": rule.threshold or "",
            "row": side,
            "measured": _unless(hidden and not _is_number(row.measured), row.measured),
            "address": _address(row),
            "text": _unless(hidden, row.text),
        }
        for rule in rules
        if rule in most
        for side, hidden, rows in (
            ("removed", redacted, rule.just_removed or rule.at_random),
            ("stayed", False, rule.just_stayed),
        )
        for row in rows
    ]


def _unless(hidden: bool, text: str | None) -> str:
    return BEFORE_REDACTION if hidden else text or ""


def _is_number(text: str | None) -> bool:
    try:
        float(text or "0")
    except ValueError:
        return False
    return True


def _address(row: RowToRead) -> str:
    return str(row.row) if row.row is not None else f"{row.input}:{row.number}"


def _order(advice: OrderAdvice) -> list[Mapping[str, Any]]:
    return [
        {
            "now": ", ".join(each.step for each in order.now),
            "quicker": ", ".join(order.better),
            "seconds": round(order.seconds, 3),
            "then": round(order.better_seconds, 3),
            "saves": f"{order.saving:.0%} of all steps",
        }
        for order in advice.suggestions
    ]
