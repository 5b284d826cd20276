"""Asks the subject, and takes no answer for more than it is."""

from __future__ import annotations

import ast
import json
import marshal
import os
import select
import time
from types import CodeType

TYPE_CHECKING = False  # `typing` takes longer to load than most tests to run
if TYPE_CHECKING:
    from typing import Any

MOST_BYTES = 4_000_000
"""Longest answer."""


class Lost(Exception):
    """The subject answers no more.

    Args:
        end: `seconds`, `died` (it has ended itself) or `nonsense` (it does not keep to the protocol).
    """

    def __init__(self, end: str) -> None:
        super().__init__(end)
        self.end = end


class Questioning:
    """The examiner's end of the pipes.

    Args:
        requests, answers: the pipes.
        seconds: how long all questions may take.
    """

    def __init__(self, requests: int, answers: int, seconds: float) -> None:
        self.requests, self.answers = requests, answers
        self.deadline = time.monotonic() + seconds
        self.flags = 0
        """Of the compiler, from the code's `__future__` imports."""

    def ask(self, do: str, code: CodeType | None = None) -> dict[str, Any]:
        """The answer to a request, as the subject tells it.

        Raises:
            Lost: when there is none.
        """
        token = os.urandom(8).hex()
        request = {"do": do, "token": token, "code": marshal.dumps(code).hex() if code else ""}
        self._write(json.dumps(request).encode() + b"\n")
        try:
            answer = json.loads(self._line())
        except (ValueError, RecursionError):
            raise Lost("nonsense") from None
        if not isinstance(answer, dict) or answer.pop("token", None) != token:
            raise Lost("nonsense")
        return answer

    def run(self, tree: ast.Module) -> dict[str, Any]:
        """Have statements run.

        Raises:
            Lost: when there is no answer.
        """
        return self.ask("run", self.compiled(tree, "exec"))

    def compiled(self, tree: ast.AST, mode: str, name: str = "<test>") -> CodeType:
        return compile(tree, name, mode, self.flags, dont_inherit=True)  # pyright: ignore

    def _write(self, line: bytes) -> None:
        try:
            while line:
                line = line[os.write(self.requests, line) :]
        except OSError:
            raise Lost("died") from None

    def _line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            left = self.deadline - time.monotonic()
            if left <= 0 or not select.select([self.answers], [], [], left)[0]:
                raise Lost("seconds")
            chunk = os.read(self.answers, 65_536)
            if not chunk:
                raise Lost("died")
            line += chunk
            if len(line) > MOST_BYTES:
                raise Lost("nonsense")
        return line
