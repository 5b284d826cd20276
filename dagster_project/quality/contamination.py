"""The expectation that no row holds an item of an evaluation set."""

from __future__ import annotations

from pydantic import Field

from dagster_project.quality.audited import Audited, CannotCheck, Subject
from dagster_project.quality.expectation import Finding, SqlExpectation, percent, some_rows
from dagster_project.warehouse.connect import identifier


class Contamination(SqlExpectation):
    """No row, or few, hold an item of an evaluation set, as the step `decontaminate` or
    `decontaminate_semantic` marked them. Fails where no step looked for them."""

    max: float = Field(default=0, ge=0, le=1, description="Largest share of rows.")
    column: str = Field(
        default="contaminated", description="The annotation that marks them, with its prefix."
    )

    def expected(self) -> str:
        most = f"at most {percent(self.max)} of rows hold" if self.max else "no row holds"
        return f"{most} an item of an evaluation set"

    def look(self, audited: Audited, subject: Subject) -> Finding:
        if audited.columns("scores").get(self.column) != "BOOLEAN":
            raise CannotCheck(
                f"no step marked rows in {self.column!r}: add `decontaminate`, or name its annotation "
                "in `column`"
            )
        (total,) = audited.row("SELECT count(*) FROM rows")
        marked = identifier(self.column)
        failing = f"SELECT row_id FROM scores WHERE row_id IS NOT NULL AND {marked}"
        share, by = (
            identifier(self.column.removesuffix("contaminated") + name)
            for name in ("contamination", "contaminated_by")
        )
        known = audited.columns("scores")
        told = [name for name in (share, by) if name.strip('"') in known]
        return some_rows(
            audited,
            failing,
            total=total,
            most=self.max * total,
            shown_sql=f"SELECT row_id, {', '.join(told) or marked} FROM scores WHERE {marked}",
            noun="rows hold an item",
        )
