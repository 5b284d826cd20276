"""What a model made of a text, remembered: a slow model is asked once for equal texts, over steps,
versions and runs, and a run that was stopped goes on where it was.

Who runs operators gives a memory with `remembering`; without one, everything is computed.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

EVERY = 2.0
"""Seconds after which what was made is kept, at the latest when more of it is."""


class Memory(Protocol):
    """Keeps bytes by key. It may forget, but gives nothing back that it was not given."""

    def recall(self, keys: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Those of the keys that it has, with what was kept."""
        ...

    def keep(self, made: Mapping[bytes, bytes]) -> None:
        """Keep values of new keys."""
        ...


_memories: list[Memory] = []


@contextmanager
def remembering(memory: Memory) -> Iterator[None]:
    """Until the end of the block, what models make in this process is looked up and kept there."""
    _memories.append(memory)
    try:
        yield
    finally:
        _memories.remove(memory)


def made_once(
    model: str,
    asked: Sequence[str],
    make: Callable[[Sequence[int]], Iterator[tuple[int, bytes]]],
) -> list[bytes]:
    """What a model makes of each of some texts: remembered, or made now and kept bit by bit.

    Args:
        model: names it, its settings, and versions of libraries that can change what it makes.
        asked: what it is asked, each different.
        make: given the positions of those that are not remembered, makes each of them, in any order.
    """
    memory = _memories[-1] if _memories else None
    if memory is None:
        made = dict(make(range(len(asked))))
        return [made[position] for position in range(len(asked))]
    keys = [
        hashlib.blake2b(text.encode(), digest_size=16, key=_short(model)).digest() for text in asked
    ]
    known = dict(memory.recall(keys))
    new: dict[bytes, bytes] = {}
    kept = time.monotonic()
    try:
        for position, value in make([at for at, key in enumerate(keys) if key not in known]):
            known[keys[position]] = new[keys[position]] = value
            if time.monotonic() - kept > EVERY:
                memory.keep(new)
                new, kept = {}, time.monotonic()
    finally:
        memory.keep(new)
    return [known[key] for key in keys]


def _short(model: str) -> bytes:
    return hashlib.blake2b(model.encode(), digest_size=32).digest()
