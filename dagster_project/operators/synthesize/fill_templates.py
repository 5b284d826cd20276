"""Make rows by filling templates."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from random import Random
from typing import Any, ClassVar, Self

import polars as pl
from jinja2 import Environment
from jinja2.meta import find_undeclared_variables
from jinja2.nodes import Filter
from pydantic import BaseModel, ConfigDict, Field, model_validator

from dagster_project.operators.base import OperatorMisuse
from dagster_project.operators.calls import Calls
from dagster_project.operators.generator import (
    Candidate,
    Generator,
    Motive,
    Origin,
    Rejection,
    Row,
)
from dagster_project.operators.prompt import Prompt, rendered
from dagster_project.operators.synthesize.text.template_slots import (
    Fake,
    Range,
    Values,
    fill,
    require_faker,
    size_of,
    value_at,
)
from dagster_project.recipe.problems import nearest

EMPTY, REPEATED, NOT_FILLED = "empty", "repeated", "not_filled"


class Turn(BaseModel):
    """A message of a chat."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: str = Field(description="Who says it.")
    content: Prompt = Field(description="The template of what is said.")


class FillTemplates(Generator):
    """Makes rows by filling templates.

    Each of `templates` is a column: a Jinja template, or a list of chat messages with one each. Their
    slots are filled with one of a list of values (which may be objects: `{{ item.price }}`), with
    numbers or days of a range, or with what Faker makes up, such as names and addresses of nobody: a
    way to have rows that look real where real ones are private. All columns of a row are filled with
    the same values, so that an answer can be computed: `{{ n * price }}`.

    Without Faker there is one attempt. It gives all combinations of the slots' values in a random order,
    each once, or `most` of them where there are more. With Faker an attempt is a draw of all slots, and
    there is no end to them. Results depend on Faker's version. Its providers that look at the clock, for
    dates above all, are refused, and so are the filter `random` and `lipsum` of Jinja: the same recipe
    gives the same rows.

    | rule | when |
    |---|---|
    | `empty` | a template came to nothing but white space: a way to leave combinations out, \
`{% if eaten < n %}…{% endif %}` |
    | `repeated` | the row came out before in the same attempt |
    | `not_filled` | a template cannot be filled with these values, such as a division by zero |

    Example:
        generate:
          fill_templates:
            templates:
              question: "{{ name }} buys {{ n }} {{ thing }} at {{ price }} cents. What is the sum?"
              answer: "{{ n * price }} cents"
            slots:
              name: {faker: first_name}
              n: {from: 2, to: 12}
              thing: [apples, pens, stamps]
              price: {from: 20, to: 95, step: 5}
        rows: 500

    Raises:
        OperatorMisuse: when Faker has no such provider or locale.
    """

    origin: ClassVar[Origin] = "synthesised"
    rule_names: ClassVar[tuple[str, ...]] = (EMPTY, REPEATED, NOT_FILLED)
    libraries: ClassVar[tuple[str, ...]] = ("jinja2", "faker")

    motive: Motive = Field(default="coverage", description="What the new rows are for.")
    templates: dict[str, Prompt | tuple[Turn, ...]] = Field(
        min_length=1, description="By column: a template of text, or chat messages."
    )
    slots: dict[str, Fake | Range | Values] = Field(
        min_length=1, description="What templates may use, by name."
    )
    locale: str = Field(default="en_US", description="Whose names and addresses Faker makes up.")
    most: int = Field(
        default=10_000,
        ge=1,
        le=1_000_000,
        description="Most combinations that are made without Faker; somewhat more than the rows that "
        "are wanted.",
    )

    @model_validator(mode="after")
    def _slots_are_used(self) -> Self:
        used = set[str]().union(*map(_names, self._texts()))
        if unknown := sorted(used - set(self.slots)):
            near = nearest(unknown[0], self.slots)
            raise ValueError(
                f"a template uses `{unknown[0]}`, which is no slot"
                + (f"; did you mean `{near}`?" if near else "")
            )
        if unused := sorted(set(self.slots) - used):
            raise ValueError(f"slot `{unused[0]}` is used in no template")
        return self

    @model_validator(mode="after")
    def _installed(self) -> Self:
        if self._fakes and find_spec("faker") is None:
            raise ValueError(
                "made-up values need Faker; install it with `pip install 'seedbed[faker]'`"
            )
        return self

    def runs_with(self) -> Sequence[str]:
        return self.libraries if self._fakes else ("jinja2",)

    def seeds(self) -> int:
        return 0

    def attempts(self, seeds: int) -> int | None:
        return None if self._fakes else 1

    def produces(self, seeds: pl.Schema) -> pl.Schema:
        require_faker(self._fakes, self.locale)
        message = pl.Struct({"role": pl.String(), "content": pl.String()})
        return pl.Schema(
            {
                column: pl.String() if isinstance(template, str) else pl.List(message)
                for column, template in self.templates.items()
            }
        )

    async def attempt(
        self, seeds: Sequence[Row], draw: Random, calls: Calls
    ) -> Sequence[Candidate]:
        return list(self._candidates(self._combinations(draw)))

    def _combinations(self, draw: Random) -> Iterator[Mapping[str, Any]]:
        """Values by slot."""
        fakes = self._fakes
        given = {name: slot for name, slot in self.slots.items() if not isinstance(slot, Fake)}
        sizes = [size_of(slot) for slot in given.values()]
        numbers = [0] if fakes else _numbers(math.prod(sizes), self.most, draw)
        for number in numbers:
            places = [draw.randrange(size) for size in sizes] if fakes else _places(number, sizes)
            values = {
                name: value_at(slot, place)
                for (name, slot), place in zip(given.items(), places, strict=True)
            }
            yield values | fill(fakes, self.locale, draw)

    def _candidates(self, combinations: Iterable[Mapping[str, Any]]) -> Iterator[Candidate]:
        seen: set[str] = set()
        for values in combinations:
            try:
                row = {name: _filled(each, values) for name, each in self.templates.items()}
            except (OperatorMisuse, ArithmeticError, TypeError, ValueError, LookupError) as error:
                told = ", ".join(f"{name}={value}" for name, value in values.items())
                yield Candidate({}, Rejection(NOT_FILLED, f"{told}: {error}"[:300], "a text"))
                continue
            why = None
            if nothing := next((name for name, each in row.items() if _is_empty(each)), None):
                why = Rejection(EMPTY, nothing, "a text")
            elif (key := json.dumps(row, sort_keys=True)) in seen:
                why = Rejection(REPEATED, "an earlier row", "one of its own")
            else:
                seen.add(key)
            yield Candidate(row, why)

    @property
    def _fakes(self) -> dict[str, Fake]:
        return {name: slot for name, slot in self.slots.items() if isinstance(slot, Fake)}

    def _texts(self) -> Iterator[str]:
        for template in self.templates.values():
            yield from [template] if isinstance(template, str) else (t.content for t in template)


def _names(template: str) -> set[str]:
    """The names that a template uses.

    Raises:
        ValueError: when it gives something else each time.
    """
    environment = Environment()
    del environment.globals["lipsum"]
    parsed = environment.parse(template)
    if any(one.name == "random" for one in parsed.find_all(Filter)):
        raise ValueError("the filter `random` gives other rows each time; use a slot")
    return find_undeclared_variables(parsed)


def _numbers(size: int, most: int, draw: Random) -> Iterable[int]:
    """Different numbers below a size in a random order: all of them, or as many as are wanted."""
    wanted = min(size, most)
    if size <= 2**40:
        return draw.sample(range(size), wanted)
    drawn = (draw.randrange(size) for _ in itertools.count())
    return itertools.islice(_unlike(drawn), wanted)


def _unlike(numbers: Iterable[int]) -> Iterator[int]:
    seen: set[int] = set()
    for number in numbers:
        if number not in seen:
            seen.add(number)
            yield number


def _places(number: int, sizes: Sequence[int]) -> list[int]:
    """A number's digits, where each has a base of its own."""
    places: list[int] = []
    for size in sizes:
        number, place = divmod(number, size)
        places.append(place)
    return places


def _filled(template: str | tuple[Turn, ...], values: Mapping[str, Any]) -> Any:
    if isinstance(template, str):
        return rendered(template, **values)
    return [{"role": turn.role, "content": rendered(turn.content, **values)} for turn in template]


def _is_empty(filled: Any) -> bool:
    texts = [filled] if isinstance(filled, str) else [message["content"] for message in filled]
    return not all(text.strip() for text in texts)
