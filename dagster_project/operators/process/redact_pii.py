"""Personal data and secrets, found and replaced."""

from __future__ import annotations

from typing import Literal

import polars as pl
from pydantic import Field

from dagster_project.operators.process.pii_patterns import ALLOWED, KINDS
from dagster_project.operators.process.redaction import ROW, _Redacts

KindName = Literal["secret", "email", "iban", "credit_card", "ssn", "ip", "phone"]
MARK = "\0"


class RedactPii(_Redacts):
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
    identifiers, and code such as `a @ b`. Postal addresses and spelled-out ones (`ann at example dot
    com`) are not looked for; names of persons are by `redact_names`.

    Adds an annotation for each kind, `pii_secret`, `pii_email` and so on: how many values were
    replaced in the row. A null holds none. The values themselves are in no annotation and no error.
    Applying it twice is applying it once.

    Rule `pii`, if `max_found` is given: rows in which more was found, of all kinds together, go.

    Example:
        - redact_pii: {columns: [messages], replacement: consistent, max_found: 20}

    Raises:
        OperatorMisuse: for a column that holds neither text nor chat messages.
    """

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

    def _ordered(self) -> list[str]:
        return [kind for kind in KINDS if kind in self.kinds]

    def _rows_of(self, texts: pl.DataFrame, kind: str) -> pl.Series:
        """The row of each value of a kind, after the kinds before it were replaced."""
        texts = texts.filter(pl.col("text").str.contains(KINDS[kind].hint))
        if not texts.is_empty():
            order = self._ordered()
            for earlier in order[: order.index(kind)]:
                texts = self._replaced(texts, earlier)
        return self._candidates(texts, kind).filter("valid")[ROW]

    def _candidates(self, texts: pl.DataFrame, kind: str) -> pl.DataFrame:
        """What looks like a value of a kind, cut into its parts, and whether it is one (`valid`)."""
        looks = KINDS[kind]
        matches = pl.col("text").str.extract_all(_splitting(kind))
        before, value = pl.col("before"), pl.col("value")
        valid = looks.valid(before, value) & (value != MARK)
        return (
            texts.filter(pl.col("text").str.contains(looks.hint))
            .select(ROW, "place", matches.alias("match"))
            .filter(pl.col("match").list.len() > 0)
            .explode("match")
            .with_columns(pl.col("match").str.extract_groups(looks.parts).struct.unnest())
            .with_columns((valid & ~self._allowed(value)).fill_null(False).alias("valid"))
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


def _splitting(kind: str) -> str:
    """What texts are split at: candidates, and the mark that then stands for them."""
    return rf"\x00|{KINDS[kind].pattern}"
