"""What models cost: as the recipe says, nothing here, as the table says, or not known."""

from __future__ import annotations

import datetime

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.llm.money import cost, dollars, picodollars
from dagster_project.llm.prices import FREE, TABLE, prices_of
from dagster_project.recipe.models import Model, Prices

GIVEN = Prices(input=1, output=2)


@pytest.mark.parametrize(
    ("base_url", "model", "prices"),
    [
        ("https://api.openai.com/v1", "gpt-4o-mini", Prices(input=0.15, output=0.6)),
        ("https://API.openai.com:443/v1/", "gpt-4o-mini", Prices(input=0.15, output=0.6)),
        ("https://api.openai.com/v1", "gpt-4o-mini-2031", None),
        ("https://other.test/v1", "gpt-4o-mini", None),
        ("https://api.openai.com.other.test/v1", "gpt-4o-mini", None),
        ("http://127.0.0.1:8000/v1", "anything", FREE),
        ("http://127.9.9.9/v1", "anything", FREE),
        ("http://[::1]:8000/v1", "anything", FREE),
        ("http://localhost:11434/v1", "anything", FREE),
        ("http://localhost.other.test/v1", "anything", None),
        ("http://10.0.0.7:8000/v1", "anything", None),
    ],
)
def test_whose_prices_are_known(base_url: str, model: str, prices: Prices | None) -> None:
    assert prices_of(Model(model=model, base_url=base_url)) == prices
    assert prices_of(Model(model=model, base_url=base_url, prices=GIVEN)) == GIVEN


def test_an_embedded_model_is_free() -> None:
    assert prices_of(Model(provider="embedded")) == FREE
    assert prices_of(Model(provider="embedded", prices=GIVEN)) == GIVEN


def test_each_price_has_a_source_and_a_day() -> None:
    for host, listed in yaml.safe_load(TABLE.read_text("utf-8")).items():
        assert "." in host and listed["source"].startswith("https://")
        assert isinstance(listed["as_of"], datetime.date)
        for name, price in listed["models"].items():
            declared = Model(model=name, base_url=f"https://{host}/v1")
            assert prices_of(declared) == Prices(**price)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=50))
def test_sums_of_money_are_exact(calls: list[tuple[int, int]]) -> None:
    prices = Prices(input=0.15, output=0.6)
    one_by_one = sum(cost(prices, *tokens) for tokens in calls)
    read, written = (sum(each) for each in zip(*calls, strict=True)) if calls else (0, 0)
    assert one_by_one == cost(prices, read, written)
    assert dollars(one_by_one) == pytest.approx((0.15 * read + 0.6 * written) / 1e6)
    assert picodollars(0.1) == 10**11
