"""The candidates that were generated from rows."""

from __future__ import annotations

from collections.abc import Collection

from dagster_project.warehouse.reading import OpenSnapshot, Reader


def candidates_from(
    reader: Reader, snapshot: OpenSnapshot, seeds: int, rows: Collection[int]
) -> dict[int, set[int]]:
    """Candidates by generated input: those made from rows of some seeds, and from such candidates.

    Args:
        reader: that opened the snapshot.
        snapshot: where they were made.
        seeds: the number of the seeds.
        rows: their row or record numbers.
    """
    if not rows:
        return {}
    table = snapshot.table("generations")
    found: dict[int, set[int]] = {}
    for number, row in reader.all(
        f"SELECT parent_input, parent_row_id FROM {table} "
        f"WHERE seed_input = {seeds} AND {_any_of('seed_row_ids', rows)}"
    ):
        found.setdefault(number, set()).add(row)
    for number, known in found.items():
        latest = known
        while latest:
            made = reader.all(
                f"SELECT parent_row_id FROM {table} WHERE parent_input = {number} "
                f"AND {_any_of('made_from', latest)}"
            )
            latest = {row for (row,) in made} - known
            known.update(latest)
    return found


def _any_of(column: str, numbers: Collection[int]) -> str:
    listed = ", ".join(str(int(number)) for number in sorted(numbers))
    return f"list_has_any({column}, [{listed}]::BIGINT[])"
