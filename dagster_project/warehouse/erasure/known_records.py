"""Records that were erased: how the store knows them again without keeping what they said.

An erasure remembers of each record its length and a keyed hash (HMAC-SHA256, with a key made at random
in this store). A build that meets the record again leaves it out.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

Fingerprint = tuple[int, str]
"""The length of what a record says, in bytes, and the keyed hash of it, hex."""


@dataclass(frozen=True)
class Blank:
    """What stands in the place of an erased record.

    Attributes:
        told: when it was erased, and why.
        raw: what there is instead of its text.
    """

    told: str
    raw: str | None = None


def said(parsed: pl.DataFrame, origin: pl.DataFrame) -> pl.Series:
    """What each record says: its text, its bytes in base64, or its columns as JSON."""
    texts = origin["raw"]
    if texts.null_count() == 0:
        return texts.rename("said")
    other = origin.select(
        pl.coalesce("raw", pl.col("raw_bytes").bin.encode("base64")).alias("said")
    )["said"]
    if other.null_count() == 0 or parsed.width == 0:
        return other.fill_null("")
    return pl.select(other.alias("said").fill_null(_as_json(parsed))).to_series()


def fingerprint(key: bytes, text: str) -> Fingerprint:
    """How a record is known again that says this."""
    data = text.encode()
    return len(data), hmac.digest(key, data, "sha256").hex()


def recognized(key: bytes, known: Mapping[Fingerprint, str], texts: pl.Series) -> dict[int, Blank]:
    """Which of some records were erased, by position.

    Args:
        key: of the store.
        known: what to tell of each erased record.
        texts: what the records say.
    """
    lengths = pl.Series(sorted({length for length, _ in known}), dtype=pl.UInt32)
    same_length = texts.str.len_bytes().is_in(lengths.implode()).arg_true()
    found = {}
    for position, text in zip(same_length, texts.gather(same_length), strict=True):
        told = known.get(fingerprint(key, text))
        if told is not None:
            found[position] = Blank(told)
    return found


def blanked(
    parsed: pl.DataFrame, origin: pl.DataFrame, erased: Mapping[int, Blank]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A block without what its erased records said: null in every column; file and line stay."""
    mark = pl.DataFrame(
        {
            "__row": list(erased),
            "__told": [blank.told for blank in erased.values()],
            "__raw": [blank.raw for blank in erased.values()],
        },
        schema={"__row": pl.UInt32, "__told": pl.String, "__raw": pl.String},
    )
    marked = pl.DataFrame({"__row": pl.int_range(origin.height, dtype=pl.UInt32, eager=True)}).join(
        mark, on="__row", how="left", maintain_order="left"
    )
    gone = marked["__told"].is_not_null()
    places = pl.int_range(origin.height, dtype=pl.UInt32, eager=True)
    kept = pl.select(pl.when(~gone).then(places)).to_series()
    if parsed.width:
        parsed = parsed.select(pl.all().gather(kept))
    origin = origin.with_columns(
        raw=pl.when(gone).then(marked["__raw"]).otherwise("raw"),
        raw_bytes=pl.when(gone).then(None).otherwise("raw_bytes"),
        error=pl.when(gone).then(marked["__told"]).otherwise("error"),
    )
    return parsed, origin


def _as_json(parsed: pl.DataFrame) -> pl.Series:
    """Each row as JSON; bytes in base64."""
    binary = [name for name, kind in parsed.schema.items() if kind == pl.Binary]
    plain = parsed.with_columns(pl.col(name).bin.encode("base64") for name in binary)
    return plain.select(pl.struct(pl.all()).struct.json_encode().alias("said")).to_series()
