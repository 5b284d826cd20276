"""Say rows with slips, noise and other words, while what they are labelled with stays true."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Sequence
from random import Random
from typing import ClassVar, Literal

import polars as pl
from pydantic import Field, field_validator, model_validator

from dagster_project.operators.base import SYSTEM_PREFIX, OperatorMisuse
from dagster_project.operators.calls import Calls
from dagster_project.operators.generator import (
    Candidate,
    Generator,
    Motive,
    Origin,
    Rejection,
    Row,
)
from dagster_project.operators.process.column_kinds import column_type, require_new, require_text
from dagster_project.operators.synthesize.text.distractors import inserted, stands_alone
from dagster_project.operators.synthesize.text.protected_spans import (
    PATTERNS,
    Edit,
    Protected,
    edited,
    free_characters,
    protected_spans,
)
from dagster_project.operators.synthesize.text.same_label import (
    LABEL_CHANGED,
    changed_matches,
    changed_values,
    left_over_entities,
)
from dagster_project.operators.synthesize.text.sentences import sentences
from dagster_project.operators.synthesize.text.text_noise import (
    Keyboard,
    Typo,
    other_case,
    other_marks,
    other_spaces,
    typos,
)
from dagster_project.operators.synthesize.text.text_places import (
    Place,
    require_texts,
    texts_in,
    with_texts,
)
from dagster_project.operators.synthesize.text.word_swaps import other_entities, swapped, synonyms

Kind = Literal["entities", "synonyms", "typos", "case", "punctuation", "spaces", "distractor"]
KINDS: tuple[Kind, ...] = (
    *("entities", "synonyms", "typos", "case", "punctuation", "spaces", "distractor"),
)
"""In the order in which they are applied; only the last one adds something to what is said."""

UNCHANGED, REPEATED = "unchanged", "repeated"


class PerturbText(Generator):
    """Says rows with slips, noise and other words, while what they are labelled with stays true.

    Each attempt makes `versions` of one seed. Each has `kinds_at_once` of these kinds, drawn among
    those of `kinds` that change anything in the row:

    | kind | does |
    |---|---|
    | `typos` | a letter for its neighbour on the keyboard, two letters swapped, one dropped or doubled \
(Belinkov & Bisk, 2018), in words of `min_word` letters and more, so that "not" stays "not" |
    | `case` | all lower, all capitals, capitals at the start of words, or some words in capitals |
    | `punctuation`, `spaces` | marks left out, doubled or mistaken; spaces doubled or left out |
    | `synonyms` | words of the mapping `synonyms` (EDA, Wei & Zou, 2019) |
    | `entities` | each entity of `entities` that is named, for another of its kind, the same one \
throughout the row; in `entity_columns` too, such as the answer |
    | `distractor` | a sentence beside the point, in front or between two others, not before one with a \
pronoun (GSM-IC, Shi et al., 2023): one of `distractors`, or a statement of another seed's \
`distractor_column` without pronouns, digits, and words of the row but stop words; told in English |

    New rows have all columns of the seed. What `protect` names is never touched, nor the characters
    next to it; that is code, formulas, links, placeholders and numbers. Numbers in words are words.
    In chats the messages of `roles` are edited. Rules turn down what is no other row of the same label:

    | rule | when |
    |---|---|
    | `unchanged` | there is nothing in the row that any of the kinds could change |
    | `label_changed` | protected text, or what `invariant` matches, is not the same any more; a value \
of `invariant_columns` does not occur as often; or an entity that was swapped still stands in another \
column or message |
    | `repeated` | it is an earlier version of the seed |

    There are as many attempts as seeds: for more rows than seeds, raise `versions`. A slip can make
    another word, "form" of "from"; no list of words is looked at. `synonym_rate` is EDA's.

    Example:
        generate: {perturb_text: {columns: [question], kinds: [typos, case, spaces], versions: 2}}
        seeds: {version: grade_school/v1}
        rows: 500

    Raises:
        OperatorMisuse: when a column holds neither text nor chat messages, or is there already.
    """

    origin: ClassVar[Origin] = "augmented"
    rule_names: ClassVar[tuple[str, ...]] = (UNCHANGED, LABEL_CHANGED, REPEATED)

    motive: Motive = Field(default="coverage", description="What the new rows are for.")
    columns: tuple[str, ...] = Field(
        min_length=1, description="Columns of text or chat messages that are edited."
    )
    roles: tuple[str, ...] = Field(
        default=("user",), min_length=1, description="Whose messages are edited in chats."
    )
    kinds: tuple[Kind, ...] = Field(
        default=("typos", "case", "punctuation", "spaces"),
        min_length=1,
        description="Kinds that are drawn from, all equally likely.",
    )
    kinds_at_once: int = Field(default=1, ge=1, le=7, description="Kinds in one version.")
    versions: int = Field(default=1, ge=1, le=100, description="Versions of each seed.")
    rate: float = Field(
        default=0.02, gt=0, le=1, description="Typos for each character, at least one a text."
    )
    mark_rate: float = Field(
        default=0.1,
        gt=0,
        le=1,
        description="Share of punctuation marks, and of spaces, that are mistaken; at least one.",
    )
    edits: int | None = Field(
        default=None, ge=1, description="Slips in each text, instead of these two."
    )
    typos: tuple[Typo, ...] = Field(
        default=("neighbour", "swap", "drop", "double"),
        min_length=1,
        description="Typos that are drawn from.",
    )
    min_word: int = Field(default=4, ge=1, description="Fewest letters of a word that gets a typo.")
    keyboard: Keyboard = Field(default="qwerty", description="Tells which letters are neighbours.")
    synonyms: dict[str, tuple[str, ...]] = Field(
        default={}, description="Other words by word or phrase, without case."
    )
    synonym_rate: float = Field(
        default=0.1, gt=0, le=1, description="Share of a text's words, at least one word."
    )
    entities: dict[str, tuple[str, ...]] = Field(
        default={}, description="Entities by kind, such as `city: [Oslo, Lima, Perth]`."
    )
    entity_columns: tuple[str, ...] = Field(
        default=(), description="Columns in which entities are swapped as well, in all roles."
    )
    distractors: tuple[str, ...] = Field(default=(), description="Sentences beside the point.")
    distractor_column: str | None = Field(
        default=None, description="The seeds' column that sentences beside the point come from."
    )
    protect: tuple[Protected, ...] = Field(
        default=tuple(PATTERNS), description="What is never touched."
    )
    protect_patterns: tuple[str, ...] = Field(
        default=(), description="Python regular expressions of what else is never touched."
    )
    invariant: tuple[str, ...] = Field(
        default=(), description="Python regular expressions of what must still be there."
    )
    invariant_columns: tuple[str, ...] = Field(
        default=(), description="Columns whose values must still occur in the texts if they did."
    )
    perturbation: str | None = Field(
        default=None, description="A new column for the kinds of a row, such as `case+typos`."
    )

    @field_validator("protect_patterns", "invariant")
    @classmethod
    def _patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
        return patterns

    @model_validator(mode="after")
    def _has_material(self) -> PerturbText:
        needs = {
            "synonyms": any(self.synonyms.values()),
            "entities": any(self.entities.values()),
            "distractor": bool(self.distractors) or self.distractor_column is not None,
        }
        fields = {"distractor": "distractors` or `distractor_column"}
        for kind in self.kinds:
            if not needs.get(kind, True):
                raise ValueError(f"kind `{kind}` needs `{fields.get(kind, kind)}`")
        if self.distractors and self.distractor_column:
            raise ValueError("give `distractors` or `distractor_column`, not both")
        return self

    def seeds(self) -> int:
        return 2 if "distractor" in self.kinds and self.distractor_column else 1

    def attempts(self, seeds: int) -> int | None:
        return seeds

    def produces(self, seeds: pl.Schema) -> pl.Schema:
        require_texts(self, seeds, (*self.columns, *self.entity_columns))
        for column in self.invariant_columns:
            column_type(self, seeds, column)
        if self.distractor_column:
            require_text(self, seeds, self.distractor_column)
        for column in self.carry:
            if column in (*self.columns, *self.entity_columns, self.perturbation):
                raise OperatorMisuse(
                    f"{self.operator_name()}: `carry` names {column!r}, which is edited; leave "
                    "`carry` out: all columns of the seed are there anyway"
                )
        kept = {
            name: kind
            for name, kind in seeds.items()
            if not name.startswith(SYSTEM_PREFIX) and name not in self.carry
        }
        if self.perturbation:
            require_new(self, seeds, self.perturbation, "perturbation")
            kept[self.perturbation] = pl.String()
        return pl.Schema(kept)

    async def attempt(
        self, seeds: Sequence[Row], draw: Random, calls: Calls
    ) -> Sequence[Candidate]:
        row = seeds[0]
        if not texts_in(row, self.columns, self.roles):
            return ()
        found: list[Candidate] = []
        for _ in range(self.versions):
            changed, done = self._version(seeds, draw)
            values = {name: value for name, value in changed.items() if name not in self.carry}
            if self.perturbation:
                values[self.perturbation] = "+".join(done)
            why = self._no_other_row(row, changed, done)
            if why is None and any(self._same_texts(values, one.values) for one in found):
                why = Rejection(REPEATED, "an earlier version", "one of its own")
            strange = "distractor" in done and self.distractor_column is not None
            found.append(Candidate(values, why, (0, 1) if strange else (0,)))
        return found

    def _version(self, seeds: Sequence[Row], draw: Random) -> tuple[Row, list[Kind]]:
        """A seed with other texts, and the kinds that made them, in the order of their names."""
        row, chosen = seeds[0], set[Kind]()
        for kind in draw.sample(self.kinds, len(self.kinds)):
            if len(chosen) < self.kinds_at_once and self._changed(kind, row, seeds, draw) != row:
                chosen.add(kind)
        done: list[Kind] = []
        for kind in KINDS:
            if kind in chosen and (changed := self._changed(kind, row, seeds, draw)) != row:
                row = changed
                done.append(kind)
        return row, sorted(done)

    def _changed(self, kind: Kind, row: Row, seeds: Sequence[Row], draw: Random) -> Row:
        """A row, changed in one way."""
        texts = texts_in(row, self.columns, self.roles)
        if kind == "entities":
            texts |= texts_in(row, self.entity_columns)
            swaps = other_entities(list(texts.values()), self.entities, draw)
        elif kind == "distractor":
            beside = self._beside_the_point(seeds, texts.values(), draw)
        changed: dict[Place, str] = {}
        for place, text in texts.items():
            free = free_characters(text, protected_spans(text, self._protected))
            if kind == "entities":
                edits = swapped(text, swaps)
            elif kind == "distractor":
                edits = inserted(text, free, beside, draw)
            else:
                edits = self._edits(kind, text, free, draw)
            changed[place] = edited(text, edits, free)
        return with_texts(row, changed)

    def _edits(self, kind: Kind, text: str, free: Sequence[int], draw: Random) -> list[Edit]:
        match kind:
            case "typos":
                count = self.edits or max(1, round(self.rate * len(text)))
                return typos(text, free, count, self.typos, self.min_word, self.keyboard, draw)
            case "punctuation":
                return other_marks(text, free, self.edits, self.mark_rate, draw)
            case "spaces":
                return other_spaces(text, free, self.edits, self.mark_rate, draw)
            case "synonyms":
                return synonyms(text, free, self.synonyms, self.synonym_rate, draw)
            case _:
                return other_case(text, free, draw)

    def _beside_the_point(self, seeds: Sequence[Row], texts: Collection[str], draw: Random) -> str:
        """A sentence that none of the texts has; empty where there is none."""
        pool: Sequence[str] = self.distractors
        if self.distractor_column:
            other = (seeds[1].get(self.distractor_column) or "") if len(seeds) > 1 else ""
            pool = [said for said in sentences(other) if stands_alone(said, texts)]
        said = [sentence.strip() for sentence in pool]
        new = [one for one in said if one and not any(one in text for text in texts)]
        return draw.choice(new) if new else ""

    @property
    def _protected(self) -> list[re.Pattern[str]]:
        own = [re.compile(pattern) for pattern in self.protect_patterns]
        return [*(PATTERNS[name] for name in self.protect), *own]

    def _no_other_row(self, row: Row, changed: Row, done: Sequence[Kind]) -> Rejection | None:
        if not done:
            return Rejection(UNCHANGED, "nothing", "a change")
        added = "distractor" in done
        before, after = (texts_in(each, self.columns, self.roles) for each in (row, changed))
        patterns = [*self._protected, *map(re.compile, self.invariant)]
        values = {column: row.get(column) for column in self.invariant_columns}
        why = changed_matches(before, after, patterns, added)
        why = why or changed_values(before, after, values, added)
        if why is None and "entities" in done:
            why = left_over_entities(row, changed, itertools.chain(*self.entities.values()))
        return why

    def _same_texts(self, one: Row, other: Row) -> bool:
        return all(one.get(column) == other.get(column) for column in self.columns)
