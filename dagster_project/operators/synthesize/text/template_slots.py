"""What the slots of templates are filled with."""

from __future__ import annotations

import datetime
import inspect
from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from random import Random
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dagster_project.operators.base import OperatorMisuse
from dagster_project.recipe.problems import nearest

FAKER_TOPICS = (
    *("address", "bank", "barcode", "color", "company", "credit_card", "currency", "emoji"),
    *("file", "geo", "internet", "isbn", "job", "lorem", "person", "phone_number", "sbn"),
)
"""Faker's topics that are loaded. Dates and times are not: they are counted from today, and whatever
is made of them changes with it. Numbers of persons and cars are not either: in some locales they
have a date in them, or chance of their own."""

CHANGING = frozenset(["businesses_ogrn", "individuals_ogrn"])
"""What has a date in it all the same."""

PATTERN_PROVIDERS = ("bothify", "hexify", "lexify", "numerify")


class _Slot(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False
    )


Values = Annotated[tuple[Any, ...], Field(min_length=1)]
"""One of given values, all equally likely, written as a list."""


class Range(_Slot):
    """A number or a day of an evenly spaced range, written `{from: 1, to: 9, step: 2}`."""

    start: int | float | datetime.date = Field(alias="from", description="The first one.")
    to: int | float | datetime.date = Field(description="No one is above it.")
    step: int | float = Field(default=1, gt=0, description="From one to the next; of days, days.")

    @model_validator(mode="after")
    def _one_kind(self) -> Range:
        days = [isinstance(end, datetime.date) for end in (self.start, self.to)]
        if any(days) and (not all(days) or not isinstance(self.step, int)):
            raise ValueError("a range of days goes from day to day, with a step of whole days")
        if self.size < 1:
            raise ValueError(f"a range from {self.start} to {self.to} is empty")
        return self

    @property
    def size(self) -> int:
        """How many there are."""
        if isinstance(self.start, datetime.date) and isinstance(self.to, datetime.date):
            return (self.to - self.start).days // int(self.step) + 1
        return (_exact(self.to) - _exact(self.start)) // _exact(self.step) + 1

    def at(self, index: int) -> int | float | datetime.date:
        """The one of a number."""
        if isinstance(self.start, datetime.date):
            return self.start + datetime.timedelta(days=index * int(self.step))
        if isinstance(self.start, int) and isinstance(self.step, int):
            return self.start + index * self.step
        return float(_exact(self.start) + index * _exact(self.step))


class Fake(_Slot):
    """What one of Faker's providers makes up, written `{faker: name}`."""

    faker: str = Field(description="The provider, such as `first_name` or `street_address`.")
    arguments: dict[str, Any] = Field(default={}, description="Its keyword arguments.")
    locale: str | None = Field(default=None, description="Default: the generator's `locale`.")


def _exact(number: Any) -> Fraction:
    """A number as it is written: 0.1 is a tenth."""
    return Fraction(str(number))


def size_of(slot: Values | Range) -> int:
    """How many values there are."""
    return slot.size if isinstance(slot, Range) else len(slot)


def value_at(slot: Values | Range, index: int) -> Any:
    """The value of a number."""
    return slot.at(index) if isinstance(slot, Range) else slot[index]


def fill(slots: Mapping[str, Fake], locale: str, draw: Random) -> dict[str, Any]:
    """A made-up value for each slot.

    Args:
        slots: by name.
        locale: of slots that name none.
        draw: chance; the same values for the same chance and version of Faker.

    Raises:
        OperatorMisuse: when Faker has no such provider or locale.
    """
    found: dict[str, Any] = {}
    for name, slot in slots.items():
        faker = _faker(slot.locale or locale)
        faker.seed_instance(draw.getrandbits(64))
        try:
            found[name] = getattr(faker, slot.faker)(**slot.arguments)
        except (TypeError, ValueError, AttributeError, KeyError) as error:
            raise OperatorMisuse(
                f"slot `{name}`: Faker's {slot.faker} with {dict(slot.arguments)}: {error}"
            ) from None
    return found


def require_faker(slots: Mapping[str, Fake], locale: str) -> None:
    """Refuse slots that Faker cannot fill, or not the same way again.

    Raises:
        OperatorMisuse: as `fill` does, and for providers whose answers change with the day.
    """
    for name, slot in slots.items():
        used = slot.locale or locale
        known = _providers(used)
        if slot.faker not in known:
            near = nearest(slot.faker, known)
            raise OperatorMisuse(
                f"slot `{name}`: Faker has no provider {slot.faker!r} for {used} that gives the same "
                "answers every day"
                + (f"; did you mean {near!r}?" if near else "")
                + "; days are drawn from a range, `{from: 2024-01-01, to: 2024-12-31}`"
            )


@cache
def _faker(locale: str) -> Any:
    from faker import Faker

    try:
        return Faker(locale, providers=[f"faker.providers.{topic}" for topic in FAKER_TOPICS])
    except AttributeError:
        raise OperatorMisuse(f"Faker has no locale {locale!r}; write it as `de_DE`") from None


@cache
def _providers(locale: str) -> frozenset[str]:
    """The names of providers that can be used."""
    found: set[str] = {*PATTERN_PROVIDERS}
    for provider in _faker(locale).get_providers():
        for kind in type(provider).__mro__:
            if kind.__module__.startswith("faker.providers."):
                found.update(
                    name for name, value in vars(kind).items() if inspect.isfunction(value)
                )
    return frozenset(name for name in found - CHANGING if not name.startswith("_"))
