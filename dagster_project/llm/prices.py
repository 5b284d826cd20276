"""What models cost."""

from __future__ import annotations

import ipaddress
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from dagster_project.recipe.models import Model, Prices

TABLE = Path(__file__).with_name("prices.yaml")
FREE = Prices(input=0, output=0)


def prices_of(model: Model) -> Prices | None:
    """What a model costs; None where that is not known.

    What the recipe says comes first. An embedded model, and one at an address of this machine, costs
    nothing. Of others, those are known that the table `prices.yaml` lists under this host by exactly
    this name; in batches they cost the share of that which the table says.
    """
    if model.prices is not None:
        return model.prices
    if model.base_url is None or is_loopback(model.base_url):
        return FREE
    listed = _table().get((urlsplit(model.base_url).hostname or "").lower(), {"models": {}})
    price = listed["models"].get(model.model)
    if price is None:
        return None
    share = listed.get("in_batches", 1) if model.batch else 1
    return Prices(input=price["input"] * share, output=price["output"] * share)


def is_loopback(base_url: str) -> bool:
    """Whether a URL is one of this machine."""
    host = urlsplit(base_url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@cache
def _table() -> dict[str, Any]:
    return yaml.safe_load(TABLE.read_text("utf-8"))
