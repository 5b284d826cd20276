"""Names of persons, found by a model and replaced."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, Literal, Self

import polars as pl
from pydantic import Field, model_validator

from dagster_project.operators.base import OperatorMisuse
from dagster_project.operators.models.name_recognizer import (
    LIBRARIES,
    MARKS,
    names_in,
    require_installed,
)
from dagster_project.operators.process.redaction import ROW, _Redacts

KIND = "name"
CAPITAL = r"\p{Lu}"
SPACES = r"[^\S\n]+"


class RedactNames(_Redacts):
    """Finds names of persons in English texts, and replaces them.

    Works on texts, and on the `content` of each message of a chat column. What the model takes for a
    person is a name if it is made of words of which one begins with a capital, and has no digits or
    signs as code has; titles (`Dr.`), possessive endings and signs around it are not part of it. **A
    name that is found once is replaced wherever it stands in the row**, as a whole word written the
    same: of 300 grade-school maths problems (GSM8K) with their answers, 55 would have kept a name in
    one place that they lost in another. A first name alone and the full name are two names. Names that
    match `allow` stay.

    Adds the annotation `pii_name`: how many names were replaced in the row. A null holds none. The
    names themselves are in no annotation and no error. Rule `pii`, if `max_found` is given: rows in
    which more was found go.

    **It is a statistical recogniser of English, and lowers a risk; it does not make a text anonymous.**
    The model is spaCy's small one, `en_core_web_sm` 3.8.0. Of 64 hand-written sentences it finds 16 of
    18 Western names, 18 of 31 from elsewhere (Rajesh, Ngozi, Kwame, Mehmet Yılmaz are missed), and none
    of 3 written without capitals or all in them: recall 0.65. Of what it finds there, 34 of 45 are names
    (precision 0.76), where 21 sentences are made to mislead it: it takes Pandas, Docker, Redis, Kafka,
    Rosemary and the language Ada for persons. It flags 65 of 100 questions of GSM8K, which are about
    people with first names: in the first 30 flagged, each of which does name someone, 34 of 36 names
    are right (`GB` is not), 3 are missed, and 5 more are missed in the 13 passed before them. So name
    in `allow` what your texts are about, and read what it replaces. Persons who are famous or made up
    are replaced too.

    Not for code: of 55 names in 300 programming tasks, 34 are words such as `Array`, `String` and
    `Java`. Code inside a text is read as text.

    Long texts are read in pieces; runs of 100 characters or more without white space are not read. A
    second pass may find more, as the model then reads another text. It needs `pip install
    'seedbed[names]'`, and reads some 130 texts of 236 characters in a second of a processor core.

    Example:
        - redact_names: {columns: [messages], replacement: consistent, allow: [Ada, Jupyter]}

    Raises:
        OperatorMisuse: for a column that holds neither text nor chat messages, or when the model is
            not installed or its files are not those that are meant.
    """

    libraries: ClassVar[tuple[str, ...]] = LIBRARIES

    replacement: Literal["placeholder", "consistent"] = Field(
        default="placeholder",
        description="`placeholder` writes `<NAME>`; `consistent` numbers the names of a row, in all "
        "columns together, so that one name is always `<NAME_1>` and the next `<NAME_2>`.",
    )
    allow: tuple[str, ...] = Field(
        default=(),
        description="Rust regular expressions of whole names that stay, such as `Ada|Jupyter`.",
    )

    @model_validator(mode="after")
    def _installed(self) -> Self:
        try:
            require_installed()
        except OperatorMisuse as missing:
            raise ValueError(str(missing)) from None
        return self

    def _ordered(self) -> Sequence[str]:
        return [KIND]

    def _rows_of(self, texts: pl.DataFrame, kind: str) -> pl.Series:
        written = self._written(texts)
        return written[ROW].repeat_by(written["found"]).explode().drop_nulls()

    def _replaced(self, texts: pl.DataFrame, kind: str) -> pl.DataFrame:
        return (
            texts.join(
                self._written(texts).drop(ROW), on="place", how="left", maintain_order="left"
            )
            .with_columns(pl.coalesce("new", "text").alias("text"))
            .drop("new", "found")
        )

    def _written(self, texts: pl.DataFrame) -> pl.DataFrame:
        """Of each text in a row with names: row, place, the text without them (`new`), and how many
        it had (`found`)."""
        readable = texts.filter(pl.col("text").str.contains(CAPITAL))
        names = pl.Series("names", names_in(readable["text"].to_list()), pl.List(pl.String))
        by_row = (
            readable.select(ROW, names)
            .explode("names")
            .drop_nulls()
            .unique(maintain_order=True)
            .with_columns(self._allowed(pl.col("names")).alias("stay"))
            .group_by(ROW, maintain_order=True)
            .all()
        )
        writers = {
            row: _Writer(names, stay, self.replacement == "consistent")
            for row, names, stay in by_row.iter_rows()
        }
        named = texts.filter(
            pl.col(ROW).is_in(by_row[ROW].implode()) & pl.col("text").is_not_null()
        )
        written = [
            (row, place, *writers[row].write(text))
            for row, place, text in named.select(ROW, "place", "text").iter_rows()
        ]
        schema = {ROW: texts.schema[ROW], "place": texts.schema["place"]}
        return pl.DataFrame(written, schema | {"new": pl.String, "found": pl.Int64}, orient="row")


class _Writer:
    """Writes the texts of one row without its names."""

    def __init__(self, names: Sequence[str], stay: Sequence[bool], consistent: bool) -> None:
        longest_first = sorted(names, key=len, reverse=True)
        written = "|".join(re.escape(name).replace(r"\ ", SPACES) for name in longest_first)
        self._pattern = re.compile(rf"(?<![\w{MARKS}])(?:{written})(?![\w{MARKS}])")
        self._staying = {name for name, stays in zip(names, stay, strict=True) if stays}
        self._numbers: dict[str, int] | None = {} if consistent else None
        self._found = 0

    def write(self, text: str) -> tuple[str, int]:
        """A text without names, and how many it had."""
        before = self._found
        new = self._pattern.sub(self._placeholder, text)
        return new, self._found - before

    def _placeholder(self, match: re.Match[str]) -> str:
        name = " ".join(match[0].split())
        if name in self._staying:
            return match[0]
        self._found += 1
        if self._numbers is None:
            return "<NAME>"
        return f"<NAME_{self._numbers.setdefault(name, len(self._numbers) + 1)}>"
