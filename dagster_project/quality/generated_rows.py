"""Expectations about generated rows: how many, how many to real ones, how deep, by whom, from what."""

from __future__ import annotations

from pydantic import Field

from dagster_project.quality.audited import Audited, CannotCheck, Subject
from dagster_project.quality.expectation import (
    Finding,
    SqlExpectation,
    counted,
    percent,
    some_rows,
)
from dagster_project.warehouse.connect import identifier, literal


class RowsAsked(SqlExpectation):
    """Each input whose rows are made has as many as were asked for, or at least as many as its
    `at_least` says are enough. Every version with such an input is checked."""

    def expected(self) -> str:
        return "every input whose rows are made has enough of them"

    def look(self, audited: Audited, subject: Subject) -> Finding:
        made = audited.connection.execute(
            "SELECT name, accepted, asked, enough, candidates, stopped_by FROM generated_inputs "
            "JOIN inputs USING (input) ORDER BY input"
        ).fetchall()
        said = [
            f"input `{name}`: {accepted:,} of {asked:,} rows from {candidates:,} candidates"
            + (f", stopped by {stopped}" if accepted < asked else "")
            for name, accepted, asked, _, candidates, stopped in made
        ]
        short = any(accepted < enough for _, accepted, _, enough, *_ in made)
        return Finding(passed=not short, observed="; ".join(said) or "no rows are made")


class SyntheticShare(SqlExpectation):
    """Not more than a share of rows is generated, here or upstream."""

    max: float = Field(ge=0, le=1, description="Largest share of rows.")

    def expected(self) -> str:
        return f"at most {percent(self.max)} of rows are generated"

    def look(self, audited: Audited, subject: Subject) -> Finding:
        (total,) = audited.row("SELECT count(*) FROM rows")
        return some_rows(
            audited,
            "SELECT row_id FROM synthetic",
            total=total,
            most=self.max * total,
            shown_sql="SELECT row_id, depth, teachers FROM synthetic",
            noun="rows are generated",
        )


class GenerationDepth(SqlExpectation):
    """No row was generated from rows that were generated from rows, and so on, too often: models
    that are trained on their own answers again and again forget (Shumailov et al. 2024)."""

    max: int = Field(ge=0, description="Largest depth; 1 for rows made from real ones.")

    def expected(self) -> str:
        return f"no row is deeper than {self.max}"

    def look(self, audited: Audited, subject: Subject) -> Finding:
        (total,) = audited.row("SELECT count(*) FROM rows")
        (deepest,) = audited.row("SELECT coalesce(max(depth), 0) FROM synthetic")
        failing = f"SELECT row_id FROM synthetic WHERE depth > {self.max}"
        return some_rows(
            audited,
            failing,
            total=total,
            most=0,
            shown_sql="SELECT row_id, depth FROM synthetic",
            noun="rows are deeper",
            more=f"; the deepest is {deepest}",
        )


class TeacherLicence(SqlExpectation):
    """Every generated row comes from models whose answers may be used. A model's licence is what the
    recipe that asked it says; one that says nothing is not allowed."""

    allowed: tuple[str, ...] = Field(
        min_length=1, description="Licences, or names of terms, under which answers may be used."
    )

    def expected(self) -> str:
        return f"answers of models are under {', '.join(self.allowed)}"

    def look(self, audited: Audited, subject: Subject) -> Finding:
        (total,) = audited.row("SELECT count(*) FROM rows")
        listed = ", ".join(literal(name) for name in self.allowed)
        refused = audited.connection.execute(
            "SELECT teacher, any_value(licence) FROM teachers GROUP BY teacher "
            f"HAVING NOT coalesce(bool_and(licence IN ({listed})), false) ORDER BY teacher"
        ).fetchall()
        names = ", ".join(literal(teacher) for teacher, _ in refused)
        failing = f"SELECT row_id FROM synthetic WHERE list_has_any(teachers, [{names}]::VARCHAR[])"
        said = ", ".join(
            f"{name} ({licence or 'no licence declared'})" for name, licence in refused
        )
        return some_rows(
            audited,
            failing,
            total=total,
            most=0,
            shown_sql="SELECT row_id, teachers FROM synthetic",
            noun="rows come from models that are not allowed",
            more=f": {said}" if said else "",
        )


class RealRowsReplaced(SqlExpectation):
    """Real rows were not replaced by generated ones since the snapshot before. Where data accumulates,
    error stays bounded; where it is replaced, it grows (Gerstgrasser et al. 2024, arXiv 2404.01413).
    Passes when there is no earlier snapshot."""

    max: float = Field(
        ge=0, le=1, description="Largest share of the real rows of before that are gone."
    )

    def expected(self) -> str:
        return f"at most {percent(self.max)} of real rows give way to generated ones"

    def look(self, audited: Audited, subject: Subject) -> Finding:
        if not audited.has_previous():
            return Finding(True, "there is no earlier snapshot to compare with")
        now, made = _real(audited, "audited")
        before, made_before = _real(audited, "previous")
        gone = max(0, before - now)
        replaced = made > made_before and gone > self.max * before
        more = f"; generated rows: {made:,}, before {made_before:,}"
        return Finding(not replaced, counted(gone, before, "real rows are gone") + more)


class BenchmarkTaint(SqlExpectation):
    """No row comes, through any number of versions and generations, from an evaluation set."""

    evaluations: tuple[str, ...] = Field(
        min_length=1,
        description="Versions, or external inputs as recipes refer to them, that are for evaluation.",
    )

    def expected(self) -> str:
        return f"no row comes from {', '.join(self.evaluations)}"

    def look(self, audited: Audited, subject: Subject) -> Finding:
        (total,) = audited.row("SELECT count(*) FROM rows")
        listed = ", ".join(literal(name) for name in self.evaluations)
        tainted = f"SELECT input FROM ancestors WHERE reference IN ({listed})"
        return some_rows(
            audited,
            f"SELECT row_id FROM lineage WHERE parent_input IN ({tainted})",
            total=total,
            most=0,
            shown_sql=(
                "SELECT l.row_id, i.name AS input, a.reference FROM lineage l "
                "JOIN inputs i ON i.input = l.parent_input "
                f"JOIN ancestors a ON a.input = i.input WHERE a.reference IN ({listed})"
            ),
            noun="rows come from them",
        )


class SliceDrift(SqlExpectation):
    """Generated rows are spread over the values of a column as real ones are: half the sum of the
    absolute differences of shares (total variation distance), from 0 for equal to 1 for disjoint."""

    column: str = Field(description="A column with few values, such as a topic or a language.")
    max: float = Field(ge=0, le=1, description="Largest distance.")

    def expected(self) -> str:
        return f"`{self.column}` of generated rows is within {self.max:g} of that of real ones"

    def look(self, audited: Audited, subject: Subject) -> Finding:
        audited.require("rows", [self.column])
        column = identifier(self.column)
        counts = audited.connection.execute(
            f"SELECT {column}::VARCHAR, count(*) FILTER (s.row_id IS NULL), "
            "count(s.row_id) FROM rows r LEFT JOIN (SELECT DISTINCT row_id FROM synthetic) s "
            "USING (row_id) GROUP BY ALL ORDER BY ALL"
        ).fetchall()
        real, made = (sum(row[part] for row in counts) for part in (1, 2))
        if not made:
            return Finding(True, "no row is generated")
        if not real:
            raise CannotCheck("there is no real row to compare generated ones with")
        apart = [(abs(row[2] / made - row[1] / real), row) for row in counts]
        distance = sum(each for each, _ in apart) / 2
        _, (value, is_real, is_made) = max(apart, key=lambda each: each[0])
        return Finding(
            distance <= self.max,
            f"distance {distance:.3f}; furthest apart: {value!r:.60}, "
            f"{percent(is_made / made)} of generated and {percent(is_real / real)} of real rows",
        )


class Diversity(SqlExpectation):
    """Generated rows say as many different things as real ones: the share of different word pairs
    among all word pairs (distinct-2; Li et al. 2016) of generated rows, against that of as many real
    ones."""

    column: str = Field(description="A column of text.")
    min_ratio: float = Field(
        default=0.8, ge=0, description="Least distinct-2, as a share of that of real rows."
    )
    rows: int = Field(default=2000, ge=10, description="Most rows of each kind that are looked at.")

    def expected(self) -> str:
        return (
            f"distinct-2 of `{self.column}` of generated rows is at least {percent(self.min_ratio)} "
            "of that of real ones"
        )

    def look(self, audited: Audited, subject: Subject) -> Finding:
        if audited.columns("rows").get(self.column) != "VARCHAR":
            audited.require("rows", [self.column])
            raise CannotCheck(f"`{self.column}` is not a column of text")
        made, real = audited.row(
            "SELECT count(DISTINCT s.row_id), count(*) FILTER (s.row_id IS NULL) "
            "FROM rows LEFT JOIN synthetic s USING (row_id)"
        )
        count = min(made, real, self.rows)
        if not made:
            return Finding(True, "no row is generated")
        if count < 10:
            raise CannotCheck(f"there are {real:,} real rows; 10 are needed to compare with")
        shares = [
            audited.row(
                "WITH chosen AS (SELECT row_id, string_split_regex(lower("
                f"{identifier(self.column)}), '[^\\p{{L}}\\p{{N}}]+') AS words FROM rows "
                f"{kind} JOIN synthetic USING (row_id) ORDER BY md5(row_id::VARCHAR) LIMIT {count}), "
                "pairs AS (SELECT unnest(list_zip(words[:-2], words[2:])) AS pair FROM chosen) "
                "SELECT count(DISTINCT pair) / greatest(count(*), 1) FROM pairs"
            )[0]
            for kind in ("SEMI", "ANTI")
        ]
        ratio = shares[0] / shares[1] if shares[1] else 1.0
        return Finding(
            ratio >= self.min_ratio,
            f"distinct-2 of {count:,} generated rows {shares[0]:.3f}, of as many real ones "
            f"{shares[1]:.3f}: {percent(ratio)}",
        )


def _real(audited: Audited, database: str) -> tuple[int, int]:
    rows, made = audited.row(
        f"SELECT (SELECT count(*) FROM {database}.main.rows), "
        f"(SELECT count(DISTINCT row_id) FROM {database}.main.synthetic)"
    )
    return rows - made, made
