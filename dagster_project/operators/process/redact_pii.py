"""Personal data and secrets, found and replaced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal

import polars as pl
from polars.exceptions import PolarsError
from pydantic import Field, field_validator

from dagster_project.operators.base import RowOperator, Rule
from dagster_project.operators.process.column_kinds import text_or_messages
from dagster_project.operators.process.pii_patterns import ALLOWED, KINDS

KindName = Literal["secret", "email", "iban", "credit_card", "ssn", "ip", "phone"]
MARK = "\0"
ROW = "__row"


class RedactPii(RowOperator):
    """Finds personal data and secrets in texts, and replaces them.

    Works on texts, and on the `content` of each message of a chat column. The kinds, in the order
    in which they are looked for, each in what the one before has left:

    - `secret`: keys in the forms of well-known services, JSON Web Tokens, private keys, bearer
      tokens, passwords in URLs, and what is assigned to names such as `password` or `api_key`;
    - `email`;
    - `iban`: with the length of its country and right check digits (ISO 7064); in capitals;
    - `credit_card`: 14 to 19 digits of a known issuer with a right sum (Luhn, ISO/IEC 7812);
    - `ssn`: US social security numbers of ranges that were issued; with hyphens, or named as such;
    - `ip`: IPv4, and IPv6 of the ranges in use;
    - `phone`: international (`+` or `00`), North American, and national numbers with a leading
      0, if written in groups; any number of 7 to 14 digits that is named as a telephone's.

    Values that match `allow` stay. So do lookalikes: dates, versions, sums of money, decimals,
    identifiers, and code such as `a @ b`. Names of persons, postal addresses and spelled-out
    addresses (`ann at example dot com`) are not looked for: that takes a model.

    Adds an annotation for each kind, `pii_secret`, `pii_email` and so on: how many values were
    replaced in the row. A null holds none. The values themselves are in no annotation and no error.
    Applying it twice is applying it once.

    Rule `pii`, if `max_found` is given: rows in which more was found, of all kinds together, go.

    Example:
        - redact_pii: {columns: [messages], replacement: consistent, max_found: 20}

    Raises:
        OperatorMisuse: for a column that holds neither text nor chat messages.
    """

    columns: tuple[str, ...] = Field(min_length=1, description="Columns of text or chat messages.")
    kinds: tuple[KindName, ...] = Field(
        default=("secret", "email", "iban", "credit_card", "ssn", "ip", "phone"),
        min_length=1,
        description="What is looked for; default: all.",
    )
    replacement: Literal["placeholder", "consistent"] = Field(
        default="placeholder",
        description="`placeholder` writes `<EMAIL>`; `consistent` numbers the values of a row, in all "
        "columns together, so that one value is always `<EMAIL_1>` and the next `<EMAIL_2>`.",
    )
    allow: tuple[str, ...] = Field(
        default=ALLOWED,
        description="Rust regular expressions of whole values that stay. Default: addresses and "
        "numbers reserved for examples, private and local networks, versions of four single digits.",
    )
    max_found: int | None = Field(
        default=None, ge=0, description="Most values in a row; rows with more are removed."
    )
    prefix: str = Field(default="pii_", description="Put before the names of the annotations.")

    @field_validator("allow")
    @classmethod
    def _regular(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            try:
                pl.Series([""]).str.contains(pattern)
            except PolarsError as error:
                what = str(error).split("\n\nThis error occurred")[0].strip()
                raise ValueError(f"{pattern!r} is not a regular expression: {what}") from error
        return value

    def reads(self) -> Sequence[str]:
        return self.columns

    def annotations(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        for name in self.columns:
            text_or_messages(self, schema, name)
        return {
            f"{self.prefix}{kind}": pl.map_batches(
                self.columns, partial(self._count, kind), return_dtype=pl.Int64
            )
            for kind in self._ordered()
        }

    def edits(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        return {
            name: pl.map_batches(
                [*self.columns, *self._counts()],
                partial(self._redacted, name),
                return_dtype=schema[name],
            )
            for name in self.columns
        }

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        if self.max_found is None:
            return []
        return [Rule("pii", self._found() <= self.max_found, self._found(), f"<= {self.max_found}")]

    def _ordered(self) -> list[str]:
        return [kind for kind in KINDS if kind in self.kinds]

    def _counts(self) -> list[str]:
        """The annotations, in the order of the kinds."""
        return [f"{self.prefix}{kind}" for kind in self._ordered()]

    def _found(self) -> pl.Expr:
        return pl.sum_horizontal(self._counts())

    def _count(self, kind: str, columns: Sequence[pl.Series]) -> pl.Series:
        """How many values of a kind are in each row, after the kinds before it were replaced."""
        rows = pl.DataFrame(columns).with_row_index(ROW)
        texts = _texts(rows, self.columns).filter(pl.col("text").str.contains(KINDS[kind].hint))
        if texts.is_empty():
            return pl.Series(kind, [0], pl.Int64).new_from_index(0, rows.height)
        order = self._ordered()
        for earlier in order[: order.index(kind)]:
            texts = self._replaced(texts, earlier)
        values = self._candidates(texts, kind).filter("valid")
        found = rows.select(ROW).join(
            values.group_by(ROW).len("found"), on=ROW, how="left", maintain_order="left"
        )
        return found["found"].fill_null(0).cast(pl.Int64)

    def _redacted(self, column: str, columns: Sequence[pl.Series]) -> pl.Series:
        """A column without the values that were counted."""
        rows = pl.DataFrame(columns).with_row_index(ROW)
        hit = rows.filter(self._found() > 0)
        texts = _texts(hit, self.columns)
        for kind, count in zip(self._ordered(), self._counts(), strict=True):
            holding = texts[ROW].is_in(hit.filter(pl.col(count) > 0)[ROW].implode())
            done = self._replaced(texts.filter(holding), kind)
            texts = pl.concat([done, texts.filter(~holding)]).sort("place")
        new = texts.filter(column=self.columns.index(column))["text"]
        if rows.schema[column] == pl.String:
            edited = hit.select(ROW, new.alias("edited"))
        else:
            message = pl.col(column)
            with_content = message.struct.with_fields(pl.lit(new).alias("content"))
            edited = (
                hit.select(ROW, column)
                .filter(message.list.len() > 0)
                .explode(column)
                .select(ROW, pl.when(message.is_not_null()).then(with_content).alias("edited"))
                .group_by(ROW, maintain_order=True)
                .all()
            )
        joined = rows.join(edited, on=ROW, how="left", maintain_order="left")
        return joined.select(pl.coalesce("edited", column))["edited"]

    def _candidates(self, texts: pl.DataFrame, kind: str) -> pl.DataFrame:
        """What looks like a value of a kind, cut into its parts, and whether it is one (`valid`)."""
        looks = KINDS[kind]
        matches = pl.col("text").str.extract_all(_splitting(kind))
        before, value = pl.col("before"), pl.col("value")
        allowed = value.str.contains(f"^(?:{'|'.join(f'(?:{each})' for each in self.allow)})$")
        valid = looks.valid(before, value) & (value != MARK)
        return (
            texts.filter(pl.col("text").str.contains(looks.hint))
            .select(ROW, "place", matches.alias("match"))
            .filter(pl.col("match").list.len() > 0)
            .explode("match")
            .with_columns(pl.col("match").str.extract_groups(looks.parts).struct.unnest())
            .with_columns(
                (valid & ~allowed if self.allow else valid).fill_null(False).alias("valid")
            )
        )

    def _replaced(self, texts: pl.DataFrame, kind: str) -> pl.DataFrame:
        """`texts` with the values of a kind replaced."""
        candidates = self._candidates(texts, kind)
        if not candidates["valid"].any():
            return texts
        written = pl.concat_str("before", self._placeholder(kind), "after")
        pieces = (
            candidates.with_row_index("index")
            .with_columns(KINDS[kind].same(pl.col("value")).alias("same"))
            .select("place", pl.when("valid").then(written).otherwise("match").alias("piece"))
            .group_by("place", maintain_order=True)
            .all()
        )
        between = pl.col("text").str.replace_all(_splitting(kind), MARK).str.split(MARK)
        edited = (
            texts.join(pieces, on="place", how="inner")
            .select("place", between.alias("between"), pl.col("piece").list.concat(pl.lit("")))
            .explode("between", "piece")
            .group_by("place")
            .agg(pl.concat_str("between", "piece").str.join("").alias("edited"))
        )
        return (
            texts.join(edited, on="place", how="left", maintain_order="left")
            .with_columns(pl.coalesce("edited", "text").alias("text"))
            .drop("edited")
        )

    def _placeholder(self, kind: str) -> pl.Expr:
        """What is written for a valid candidate; numbers count values in order of appearance."""
        if self.replacement == "placeholder":
            return pl.lit(f"<{kind.upper()}>")
        first = pl.when("valid").then("index").min().over(ROW, "same")
        number = first.rank("dense").over(ROW)
        return pl.format(f"<{kind.upper()}_{{}}>", number)


def _texts(rows: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """All texts and contents of messages one below the other: row, number of the column, place."""
    content = pl.element().struct.field("content")
    parts = []
    for number, name in enumerate(columns):
        part = rows.select(ROW, pl.lit(number).alias("column"), pl.col(name).alias("text"))
        if part.schema["text"] != pl.String:
            part = part.filter(pl.col("text").list.len() > 0)
            part = part.with_columns(pl.col("text").list.eval(content)).explode("text")
        parts.append(part)
    return pl.concat(parts).with_row_index("place")


def _splitting(kind: str) -> str:
    """What texts are split at: candidates, and the mark that then stands for them."""
    return rf"\x00|{KINDS[kind].pattern}"
