"""Trees of topics as recipes write them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

Path = tuple[str, ...]
"""A topic, after those that it is part of."""


def leaves(tree: Any, above: Path = ()) -> Iterator[Path]:
    """The topics that have none below them, in the order of the tree.

    Args:
        tree: a mapping of topics to what is below them, a list of topics or of such mappings, one
            topic, or nothing.
        above: topics over it.

    Raises:
        ValueError: when there is anything else in it, saying where.
    """
    if isinstance(tree, Mapping) and tree:
        for topic, below in tree.items():
            yield from leaves(below, (*above, _topic(topic, above)))
    elif isinstance(tree, list | tuple) and tree:
        for part in tree:
            yield from (
                leaves(part, above)
                if isinstance(part, Mapping)
                else [(*above, _topic(part, above))]
            )
    elif tree is None or tree in ({}, [], ()):
        if above:
            yield above
    else:
        yield (*above, _topic(tree, above))


def _topic(value: Any, above: Path) -> str:
    if isinstance(value, str | int | float) and str(value).strip():
        return " ".join(str(value).split())
    where = f" under {' / '.join(above)!r}" if above else ""
    raise ValueError(f"{value!r}{where} is no topic; topics are texts, nested as mappings or lists")


def _read(tree: Any) -> Any:
    found = list(leaves(tree))
    twice = next((path for place, path in enumerate(found) if path in found[:place]), None)
    if twice is not None:
        raise ValueError(f"the topic {' / '.join(twice)!r} is there twice")
    if not found:
        raise ValueError("there is no topic")
    return tree


TopicTree = Annotated[Any, BeforeValidator(_read)]
"""A field that holds a tree of topics, refused where it is none."""
