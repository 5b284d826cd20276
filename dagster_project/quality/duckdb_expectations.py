"""Great Expectations' expectations that its SQL engine cannot do on DuckDB, in DuckDB's SQL.

Names, arguments and meaning are its own: nulls are not looked at, and `mostly` is a share of the
values that are not null. Regular expressions are RE2 and may match anywhere in a value; types are
those that `DESCRIBE` shows.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import duckdb
from pydantic import AfterValidator, Field

from dagster_project.quality.audited import Audited, Subject, told
from dagster_project.quality.expectation import Finding, SqlExpectation, percent, some_rows
from dagster_project.warehouse.connect import identifier, literal


def _regex(value: str) -> str:
    with duckdb.connect() as connection:
        try:
            connection.execute("SELECT regexp_matches('', ?)", [value])
        except duckdb.Error as error:
            reason = str(error).removeprefix("Invalid Input Error: ")
            raise ValueError(f"not a regular expression of RE2: {reason}") from error
    return value


def _type(value: str) -> str:
    try:
        duckdb.type(value)
    except duckdb.Error as error:
        raise ValueError(f"not a DuckDB type, such as BIGINT: {told(error)}") from error
    return value


Regex = Annotated[str, AfterValidator(_regex)]
Regexes = Annotated[tuple[Regex, ...], Field(min_length=1)]
Patterns = Annotated[tuple[str, ...], Field(min_length=1)]
MatchOn = Literal["any", "all"]
DuckDBType = Annotated[str, AfterValidator(_type)]


class _OfValues(SqlExpectation):
    """The values of one column pass a condition."""

    of_a_table: ClassVar[bool] = True

    column: str
    mostly: float = Field(default=1.0, ge=0, le=1)

    def passes(self, column: str) -> str:
        """An SQL condition on a value that is not null."""
        raise NotImplementedError

    def must(self) -> str:
        """What a value must do, for a person to read."""
        raise NotImplementedError

    def expected(self) -> str:
        share = f", at least {percent(self.mostly)} of them" if self.mostly < 1 else ""
        return f"values of `{self.column}` must {self.must()}{share}"

    def look(self, audited: Audited, subject: Subject) -> Finding:
        audited.require(subject.table, ["row_id", self.column])
        column = identifier(self.column)
        values = f"FROM {identifier(subject.relation)} WHERE {column} IS NOT NULL"
        (total,) = audited.row(f"{subject.prefix}SELECT count(*) {values}")
        return some_rows(
            audited,
            f"{subject.prefix}SELECT row_id {values} AND NOT ({self.passes(column)})",
            total=total,
            most=total - self.mostly * total,
            shown_sql=f"{subject.prefix}SELECT row_id, {column} {values}",
            noun="values fail",
        )


class _Matching(_OfValues):
    """The values of one column match any or all of some patterns, or do not."""

    negated: ClassVar[bool] = False

    def patterns(self) -> tuple[str, ...]:
        """What they are matched with."""
        raise NotImplementedError

    def matches(self, column: str, pattern: str) -> str:
        """An SQL condition."""
        raise NotImplementedError

    def needed(self) -> MatchOn:
        """How many of the patterns must match."""
        return "any"

    def passes(self, column: str) -> str:
        conditions = [f"({self.matches(column, pattern)})" for pattern in self.patterns()]
        matched = (" OR " if self.needed() == "any" else " AND ").join(conditions)
        return f"NOT ({matched})" if self.negated else matched

    def must(self) -> str:
        listed = (" or " if self.needed() == "any" else " and ").join(self.patterns())
        return f"{'not ' if self.negated else ''}match {listed}"


class _Regex(_Matching):
    def matches(self, column: str, pattern: str) -> str:
        return f"regexp_matches({column}, {literal(pattern)})"


class MatchRegex(_Regex):
    """Values match a regular expression."""

    regex: Regex

    def patterns(self) -> tuple[str, ...]:
        return (self.regex,)


class NotMatchRegex(MatchRegex):
    """Values do not match a regular expression."""

    negated = True


class NotMatchRegexList(_Regex):
    """Values match none of some regular expressions."""

    negated = True
    regex_list: Regexes

    def patterns(self) -> tuple[str, ...]:
        return self.regex_list


class MatchRegexList(NotMatchRegexList):
    """Values match any, or all, of some regular expressions."""

    negated = False
    match_on: MatchOn = "any"

    def needed(self) -> MatchOn:
        return self.match_on


class _Like(_Matching):
    escape: Annotated[str, Field(min_length=1, max_length=1)] | None = None

    def matches(self, column: str, pattern: str) -> str:
        escape = f" ESCAPE {literal(self.escape)}" if self.escape else ""
        return f"{column} LIKE {literal(pattern)}{escape}"


class MatchLikePattern(_Like):
    """Values match a LIKE pattern."""

    like_pattern: str

    def patterns(self) -> tuple[str, ...]:
        return (self.like_pattern,)


class NotMatchLikePattern(MatchLikePattern):
    """Values do not match a LIKE pattern."""

    negated = True


class NotMatchLikePatternList(_Like):
    """Values match none of some LIKE patterns."""

    negated = True
    like_pattern_list: Patterns

    def patterns(self) -> tuple[str, ...]:
        return self.like_pattern_list


class MatchLikePatternList(NotMatchLikePatternList):
    """Values match any, or all, of some LIKE patterns."""

    negated = False
    match_on: MatchOn = "any"

    def needed(self) -> MatchOn:
        return self.match_on


class JsonParseable(_OfValues):
    """Values are JSON."""

    def passes(self, column: str) -> str:
        return f"json_valid({column})"

    def must(self) -> str:
        return "be JSON"


class StrftimeFormat(_OfValues):
    """Values are times written in a format of `strptime`."""

    strftime_format: str

    def passes(self, column: str) -> str:
        return f"try_strptime({column}, {literal(self.strftime_format)}) IS NOT NULL"

    def must(self) -> str:
        return f"be times as {self.strftime_format}"


class _OfType(SqlExpectation):
    of_a_table: ClassVar[bool] = True

    column: str

    def types(self) -> tuple[str, ...]:
        """DuckDB types that the column may have."""
        raise NotImplementedError

    def expected(self) -> str:
        return f"the type of `{self.column}` is {' or '.join(self.types())}"

    def look(self, audited: Audited, subject: Subject) -> Finding:
        audited.require(subject.table, [self.column])
        found = audited.columns(subject.table)[self.column]
        allowed = {str(duckdb.type(kind)) for kind in self.types()}
        return Finding(str(duckdb.type(found)) in allowed, f"it is {found}")


class ColumnType(_OfType):
    """A column has a DuckDB type."""

    type_: DuckDBType

    def types(self) -> tuple[str, ...]:
        return (self.type_,)


class ValuesOfType(ColumnType):
    """Values have a DuckDB type."""

    mostly: Literal[1] = 1


class ValuesInTypeList(_OfType):
    """Values have one of some DuckDB types."""

    type_list: Annotated[tuple[DuckDBType, ...], Field(min_length=1)]
    mostly: Literal[1] = 1

    def types(self) -> tuple[str, ...]:
        return self.type_list


IN_DUCKDB_SQL: dict[str, type[SqlExpectation]] = {
    "expect_column_values_to_match_regex": MatchRegex,
    "expect_column_values_to_not_match_regex": NotMatchRegex,
    "expect_column_values_to_match_regex_list": MatchRegexList,
    "expect_column_values_to_not_match_regex_list": NotMatchRegexList,
    "expect_column_values_to_match_like_pattern": MatchLikePattern,
    "expect_column_values_to_not_match_like_pattern": NotMatchLikePattern,
    "expect_column_values_to_match_like_pattern_list": MatchLikePatternList,
    "expect_column_values_to_not_match_like_pattern_list": NotMatchLikePatternList,
    "expect_column_values_to_be_json_parseable": JsonParseable,
    "expect_column_values_to_match_strftime_format": StrftimeFormat,
    "expect_column_type_to_be": ColumnType,
    "expect_column_values_to_be_of_type": ValuesOfType,
    "expect_column_values_to_be_in_type_list": ValuesInTypeList,
}
