"""What differs between two versions, row by row, and why."""

from __future__ import annotations

from typing import Literal

import polars as pl
from pydantic import ConfigDict, Field

from dagster_project.warehouse.address import Answer, Row, RowAddress, Snapshot, SnapshotAddress
from dagster_project.warehouse.common_origin import DISPOSITION_BITS, CommonOrigin, Side
from dagster_project.warehouse.connect import literal
from dagster_project.warehouse.reading import Reader, resolve
from dagster_project.warehouse.schema import ERASE_STEP, LANDING_STEP
from dagster_project.warehouse.store import Store
from dagster_project.workspace import VersionName

EXAMPLES = 5

Change = Literal["changed", "entered", "left"]


class ColumnChange(Answer):
    """A column that one side does not have, or has with another type."""

    column: str
    before: str | None
    after: str | None


class Cause(Answer):
    """Rows that differ for one reason.

    Attributes:
        change: changed (same origin, other content), entered (only in b) or left (only in a).
        cause: for changed rows "steps". For others: "removed" by the other side; "generated" here;
            "new source": of an input, or a record of it, that the other side did not read; "other
            part" of an origin of which the other side has other rows; "no common origin".
        snapshot: which snapshot removed them.
        step, operator, disposition, rule, threshold: how it removed them.
        changed_in_a, changed_in_b: names of the steps that changed them on the way from their
            common origin.
        rows: how many.
        examples: the first of them; in b where they are there, else in a.
    """

    change: Change
    cause: str
    snapshot: str | None
    step: str | None
    operator: str | None
    disposition: str | None
    rule: str | None
    threshold: str | None
    changed_in_a: str | None
    changed_in_b: str | None
    rows: int
    examples: tuple[Row, ...]


class Diff(Answer):
    """What differs between two snapshots.

    Attributes:
        a, b: which.
        related: whether they have a common origin; if not, rows are matched by content alone.
        rows_a, rows_b: how many rows each has.
        unchanged, changed, entered, left: rows_a = unchanged + changed + left, and rows_b =
            unchanged + changed + entered.
        columns: that differ.
        causes: of all changes, most rows first.
        rows: every row that differs: `change`, `a_row`, `b_row`, and the columns of `Cause` with
            the value that was `measured`, the `similarity` to the survivor, and the `error`. Not
            part of the JSON.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    a: Snapshot
    b: Snapshot
    related: bool
    rows_a: int
    rows_b: int
    unchanged: int
    changed: int
    entered: int
    left: int
    columns: tuple[ColumnChange, ...]
    causes: tuple[Cause, ...]
    rows: pl.DataFrame = Field(exclude=True, repr=False)


def diff(
    store: Store,
    a: VersionName | SnapshotAddress,
    b: VersionName | SnapshotAddress,
    examples: int = EXAMPLES,
) -> Diff:
    """Compare the rows of two versions or snapshots.

    Rows correspond when they come from the same row or record of the nearest common origin (b itself
    made from a, or both from the same snapshots or landed records); what is left over corresponds
    when its content is equal.

    Args:
        store: where.
        a, b: versions (their current snapshots) or snapshots.
        examples: how many rows to name for each cause, at least 1.

    Raises:
        NotPublished: when a version has no current snapshot.
        SnapshotDamaged, ManifestDamaged: when a file they need is not as it was written.
    """
    first, second = (
        resolve(store, SnapshotAddress(each) if isinstance(each, VersionName) else each)
        for each in (a, b)
    )
    with Reader(store) as reader:
        rows_a, rows_b = (reader.open(each).manifest.rows for each in (first, second))
        common = CommonOrigin.of(reader, first, second)
        _sides(reader, common)
        _match(reader)
        _explain(reader, common)
        frame = reader.connection.sql("FROM differing ORDER BY change, b_row, a_row").pl()
        counted = dict(reader.all("SELECT change, count(*) FROM differing GROUP BY 1"))
        return Diff(
            a=first,
            b=second,
            related=common.related,
            rows_a=rows_a,
            rows_b=rows_b,
            unchanged=rows_a - counted.get("changed", 0) - counted.get("left", 0),
            changed=counted.get("changed", 0),
            entered=counted.get("entered", 0),
            left=counted.get("left", 0),
            columns=_columns(reader, first, second),
            causes=_causes(reader, first, second, examples),
            rows=frame,
        )


def _sides(reader: Reader, common: CommonOrigin) -> None:
    """`a` and `b`: each row once, with its content hash and its first origin that was not
    generated (null if there is none)."""
    for side in (common.a, common.b):
        hashes = reader.open(side.address).table("row_hashes")
        if not common.related:
            reader.all(
                f"CREATE TEMP TABLE {side.name} AS SELECT row_id AS id, content_hash AS hash, "
                f"NULL::USMALLINT AS node, NULL::BIGINT AS origin, '' AS steps, "
                f"false AS generated FROM {hashes}"
            )
            continue
        rows = f"{side.name}_rows"
        once = f"FROM {rows}"
        if reader.all(f"SELECT count(*) > count(DISTINCT id) FROM {rows}")[0][0]:
            once = (
                "SELECT id, first.node AS node, first.origin AS origin, "
                "steps, generated FROM (SELECT id, "
                "min({'node': node, 'origin': origin}) FILTER (NOT generated) AS first, "
                "string_agg(DISTINCT steps, ', ' ORDER BY steps) FILTER (steps <> '') AS steps, "
                f"bool_and(generated) AS generated FROM {rows} GROUP BY id)"
            )
        reader.all(
            f"CREATE TEMP TABLE {side.name} AS SELECT h.row_id AS id, h.content_hash AS hash, "
            "CASE WHEN NOT o.generated THEN o.node END AS node, "
            "CASE WHEN NOT o.generated THEN o.origin END AS origin, coalesce(o.steps, '') AS steps, "
            f"coalesce(o.generated, false) AS generated FROM {hashes} h "
            f"LEFT JOIN ({once}) o ON o.id = h.row_id"
        )


def _match(reader: Reader) -> None:
    """`matched(a_row, b_row, same)`: by origin and content, then by origin, then by content."""
    reader.all(
        "CREATE TEMP TABLE matched AS SELECT a.id AS a_row, b.id AS b_row, true AS same "
        "FROM a JOIN b USING (node, origin, hash) WHERE false"
    )
    for keys, same in (
        (("node", "origin", "hash"), True),
        (("node", "origin"), False),
        (("hash",), True),
    ):
        columns = ", ".join(keys)
        for side in ("a", "b"):
            reader.all(
                f"CREATE OR REPLACE TEMP TABLE {side}_left AS SELECT id, {columns}, "
                f"row_number() OVER (PARTITION BY {columns} ORDER BY id) AS nth "
                f"FROM {side} ANTI JOIN matched ON matched.{side}_row = {side}.id "
                f"WHERE {keys[0]} IS NOT NULL"
            )
        reader.all(
            f"INSERT INTO matched SELECT a.id, b.id, {same} FROM a_left a "
            f"JOIN b_left b USING ({columns}, nth)"
        )


def _explain(reader: Reader, common: CommonOrigin) -> None:
    """`differing`: every row that changed, entered or left, with its cause."""
    for mine, other in ((common.a, common.b), (common.b, common.a)):
        reader.all(
            f"CREATE TEMP TABLE {mine.name}_only AS SELECT {mine.name}.* FROM {mine.name} "
            f"ANTI JOIN matched ON matched.{mine.name}_row = {mine.name}.id"
        )
        _removals(reader, mine, other, common.related)
    unmatched = [
        f"""SELECT '{change}' AS change, {a_row} AS a_row, {b_row} AS b_row,
            CASE WHEN o.generated THEN 'generated' WHEN r.id IS NOT NULL THEN 'removed'
            {known} ELSE '{else_}' END AS cause, r.* EXCLUDE (id)
            FROM {mine}_only o LEFT JOIN {mine}_removals r USING (id)"""
        for change, mine, a_row, b_row in (
            ("left", "a", "o.id", "NULL::BIGINT"),
            ("entered", "b", "NULL::BIGINT", "o.id"),
        )
        for other in ("b" if mine == "a" else "a")
        for known, else_ in (
            (
                f"WHEN EXISTS (FROM {other}_rows k WHERE k.node = o.node AND k.origin = o.origin) "
                "THEN 'other part'",
                "new source",
            )
            if common.related
            else ("", "no common origin"),
        )
    ]
    changed = """SELECT 'changed' AS change, a_row, b_row, 'steps' AS cause,
        nullif(a.steps, '') AS changed_in_a, nullif(b.steps, '') AS changed_in_b
        FROM matched JOIN a ON a.id = a_row JOIN b ON b.id = b_row WHERE NOT same"""
    union = " UNION ALL BY NAME ".join([changed, *unmatched])
    reader.all(f"CREATE TEMP TABLE differing AS {union}")


def _removals(reader: Reader, mine: Side, other: Side, related: bool) -> None:
    """`<mine>_removals`: how the other side removed the origin of each row that only mine has."""
    details = """SELECT c.id, {snapshot} AS snapshot, {step}, s.operator, d.disposition, d.rule,
        d.threshold, d.measured, d.similarity, d.error
        FROM {chosen} c JOIN {dispositions} d ON d.rowid = c.position
        LEFT JOIN {steps} s ON s.step = d.step WHERE c.place = {place}"""
    chosen = f"{mine.name}_chosen"
    low = (1 << DISPOSITION_BITS) - 1
    origin = f"{other.name}_removed r ON r.node = o.node AND r.origin = o.origin"
    reader.all(
        f"CREATE TEMP TABLE {chosen} AS SELECT id, first >> {DISPOSITION_BITS} AS place, "
        f"first & {low} AS position FROM (SELECT o.id, min(r.id) AS first "
        f"FROM {mine.name}_only o JOIN {origin} GROUP BY o.id)"
        if related
        else f"CREATE TEMP TABLE {chosen} (id BIGINT, place BIGINT, position BIGINT)"
    )
    parts = []
    for place, at in enumerate(other.expanded or [other.address]):
        snapshot = reader.open(at)
        parts.append(
            details.format(
                snapshot=literal(str(at)),
                step=f"CASE d.step WHEN {LANDING_STEP} THEN 'landing' WHEN {ERASE_STEP} THEN 'erase' "
                "ELSE s.name END AS step",
                chosen=chosen,
                dispositions=snapshot.table("dispositions"),
                steps=snapshot.table("steps"),
                place=place,
            )
        )
    reader.all(f"CREATE TEMP TABLE {mine.name}_removals AS {' UNION ALL '.join(parts)}")


def _columns(reader: Reader, a: SnapshotAddress, b: SnapshotAddress) -> tuple[ColumnChange, ...]:
    before, after = (
        {name: kind for name, kind, *_ in reader.all(f"DESCRIBE {reader.open(at).table('rows')}")}
        for at in (a, b)
    )
    return tuple(
        ColumnChange(column=name, before=before.get(name), after=after.get(name))
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    )


def _causes(
    reader: Reader, a: SnapshotAddress, b: SnapshotAddress, examples: int
) -> tuple[Cause, ...]:
    fields = [name for name in Cause.model_fields if name not in ("rows", "examples")]
    found = reader.all(
        f"SELECT {', '.join(fields)}, count(*) AS n, "
        f"min(coalesce(b_row, a_row), {max(1, int(examples))}) "
        f"FROM differing GROUP BY ALL ORDER BY n DESC, {', '.join(fields)}"
    )
    return tuple(
        Cause(
            **dict(zip(fields, values, strict=True)),
            rows=rows,
            examples=tuple(
                RowAddress(at.version, at.snapshot_id, row)
                for at in ((a if values[0] == "left" else b),)
                for row in first
            ),
        )
        for *values, rows, first in found
    )
