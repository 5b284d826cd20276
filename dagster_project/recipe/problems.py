"""What is wrong with a declaration, said so that a person can mend it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagster_project.errors import SeedbedError

MOST_LISTED = 30
"""Names that a message lists at most."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong in a file: where, what was found, what is allowed."""

    file: Path
    line: int
    field: str
    message: str
    found: Any = None
    allowed: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}"
        parts = [
            f"{where}: {self.field}: {self.message}" if self.field else f"{where}: {self.message}"
        ]
        if self.found is not None:
            text = repr(self.found)
            parts.append(f"found {text if len(text) <= 80 else text[:77] + '…'}")
            near = nearest(self.found, self.allowed)
            if near:
                parts.append(f"did you mean {near!r}?")
        if self.allowed:
            shown = list(self.allowed[:MOST_LISTED])
            more = len(self.allowed) - len(shown)
            parts.append(f"allowed: {', '.join(shown)}" + (f" and {more} more" if more else ""))
        return "; ".join(parts)


class DeclarationError(SeedbedError):
    """A recipe or suite that cannot be used, with all its problems."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def nearest(found: Any, allowed: Iterable[str]) -> str | None:
    """The allowed name closest to what was found, if one is close."""
    close = difflib.get_close_matches(str(found).lower(), list(allowed), n=1, cutoff=0.55)
    return close[0] if close else None


def no_such(what: str, name: str, known: Iterable[str], where: str = "") -> str:
    """A message: there is no `what` of this name, the nearest one, and all that there are."""
    known = list(known)
    near = nearest(name, known)
    return (
        f"there is no {what} {name!r}{where}"
        + (f"; did you mean {near!r}?" if near else ".")
        + f" There are: {', '.join(known[:MOST_LISTED]) or 'none'}"
        + (f" and {len(known) - MOST_LISTED} more" if len(known) > MOST_LISTED else "")
    )
