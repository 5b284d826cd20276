"""What calls cost or may cost, and the places that a budget has for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Charge(NamedTuple):
    """Tokens and what they cost, in picodollars."""

    tokens_in: int = 0
    tokens_out: int = 0
    picodollars: int = 0

    @property
    def tokens(self) -> int:
        """In and out."""
        return self.tokens_in + self.tokens_out

    def plus(self, other: Charge, times: int = 1) -> Charge:
        """The sum with `times` the other."""
        return Charge(*(one + times * more for one, more in zip(self, other, strict=True)))


NOTHING = Charge()


class Cause(NamedTuple):
    """What a charge is for.

    Attributes:
        model: its name in the recipe.
        purpose: of the question.
        request_hash: of the request.
    """

    model: str
    purpose: str
    request_hash: str


@dataclass(frozen=True)
class Caps:
    """The most that a version may spend; None for no limit."""

    picodollars: int | None = None
    tokens: int | None = None

    def room_for(self, spent: Charge, more: Charge) -> bool:
        """Whether `more` fits, with `spent` gone."""
        return (
            self.picodollars is None
            or spent.picodollars + more.picodollars <= self.picodollars
            or more.picodollars == 0
        ) and (self.tokens is None or spent.tokens + more.tokens <= self.tokens)


@dataclass(frozen=True)
class Reservation:
    """A place in the budget for one call.

    Attributes:
        id: of its charge.
        worst: the most that it can cost.
        batch: the key of the batch that the call is in already, if it is.
    """

    id: int
    worst: Charge
    batch: str | None = None


@dataclass(frozen=True)
class NoRoom:
    """A call that does not fit the budget.

    Attributes:
        settled: what is spent.
        under_way: the most that calls cost that are being made.
        abandoned: the most that calls cost whose processes died.
        may_come: whether there can be room when those calls are settled that are being made.
    """

    settled: Charge
    under_way: Charge
    abandoned: Charge
    may_come: bool


@dataclass(frozen=True)
class Elsewhere:
    """A question that another caller is asking at this moment."""

    caller: str


@dataclass(frozen=True)
class Books:
    """What a version has spent over all time.

    Attributes:
        calls: settled calls.
        settled: what they cost.
        reservations: calls that are under way, or were when their process died.
        reserved: what those may cost.
    """

    calls: int = 0
    settled: Charge = NOTHING
    reservations: int = 0
    reserved: Charge = NOTHING
