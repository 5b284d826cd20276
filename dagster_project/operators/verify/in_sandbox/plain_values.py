"""Values of Python's own types as JSON, between two processes that do not trust each other."""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` takes longer to load than most tests to run
if TYPE_CHECKING:
    from typing import Any

ATOMS = (str, int, float)
"""Types whose values are written as they are, and None, True and False."""


class NotPlain(Exception):
    """A value that is none of Python's own types."""


def written(value: Any) -> Any:
    """A value as JSON has it; what a class derives from one of these types counts as that type.

    Raises:
        NotPlain: when there is more in it than None, Booleans, numbers, texts, bytes, lists, tuples,
            sets and dictionaries.
    """
    if value is None or value is True or value is False:
        return value
    kind = type(value)
    for atom in ATOMS:
        if issubclass(kind, atom):
            return {str: str.__str__, int: int.__int__, float: float.__float__}[atom](value)
    if issubclass(kind, complex):
        exact = complex.__pos__(value)
        return ["complex", exact.real, exact.imag]
    if issubclass(kind, bytes):
        return ["bytes", bytes.hex(value)]
    if issubclass(kind, dict):
        return ["dict", *([written(key), written(item)] for key, item in dict.items(value))]
    for sequence in (list, tuple, set, frozenset):
        if issubclass(kind, sequence):
            return [sequence.__name__, *map(written, sequence.__iter__(value))]
    raise NotPlain(kind.__name__)


def read(value: Any) -> Any:
    """The value that was written.

    Raises:
        ValueError, TypeError: when it was not written by `written`.
    """
    if not isinstance(value, list):
        return value
    name, *items = value
    if name == "complex":
        return complex(*items)
    if name == "bytes":
        return bytes.fromhex(*items)
    if name == "dict":
        return {read(key): read(item) for key, item in items}
    kinds = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}
    return kinds[name](map(read, items))
