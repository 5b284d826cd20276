"""Money in whole picodollars, so that sums are exact."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

from dagster_project.recipe.models import Prices

PICODOLLARS = 10**12


def picodollars(dollars: float) -> int:
    """Dollars as picodollars, rounded up."""
    return int((Decimal(str(dollars)) * PICODOLLARS).to_integral_value(ROUND_CEILING))


def dollars(amount: int) -> float:
    """Picodollars as dollars."""
    return amount / PICODOLLARS


def cost(prices: Prices | None, tokens_in: int, tokens_out: int) -> int:
    """What so many tokens cost, in picodollars; nothing where the price is not known."""
    if prices is None:
        return 0
    return tokens_in * _a_token(prices.input) + tokens_out * _a_token(prices.output)


def _a_token(dollars_a_million: float) -> int:
    return int((Decimal(str(dollars_a_million)) * 10**6).to_integral_value(ROUND_CEILING))
