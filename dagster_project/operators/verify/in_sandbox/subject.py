"""The process that runs code that nobody trusts. It answers requests; nothing it says is believed but
that the code has such a value, or prints such a text. It never sees what is expected."""

from __future__ import annotations

import io
import json
import marshal
import os
import sys
import types

from dagster_project.operators.verify.in_sandbox.plain_values import NotPlain, written

TYPE_CHECKING = False  # `typing` takes longer to load than most tests to run
if TYPE_CHECKING:
    from typing import Any

NAME = "subject"
"""What the module of the code is called."""

MOST_OUTPUT = 65_536
"""Characters that are kept of what a piece of code prints."""


class Subject:
    """A module of its own, and namespaces that begin as copies of it."""

    def __init__(self) -> None:
        self.module = types.ModuleType(NAME)
        self.module.__doc__ = None
        self.names: dict[str, Any] = self.module.__dict__
        sys.modules[NAME] = self.module

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what is asked: take `fresh` names or the `module`'s, `run` code, or tell a `value`."""
        if request["do"] in ("fresh", "module"):
            names = self.module.__dict__
            self.names = dict(names) if request["do"] == "fresh" else names
            return {}
        code = marshal.loads(bytes.fromhex(request["code"]))
        printed, out, err = io.StringIO(), sys.stdout, sys.stderr
        sys.stdout = printed
        answer: dict[str, Any] = {}
        try:
            if request["do"] == "value":
                answer |= _told(eval(code, self.names))
            else:
                exec(code, self.names)
        except BaseException as error:
            answer["raised"] = [type(error).__name__, _described(error)]
        finally:
            sys.stdout, sys.stderr = out, err
            answer["printed"] = printed.getvalue()[:MOST_OUTPUT]
        return answer


def _told(value: Any) -> dict[str, Any]:
    """A value, where it is plain, and else only its type."""
    try:
        return {"value": written(value), "true": bool(value)}
    except (NotPlain, RecursionError):
        return {"type": type(value).__name__, "true": bool(value)}


def _described(error: BaseException) -> str:
    import traceback

    said = "".join(traceback.format_exception_only(type(error), error)[-1:])
    return said.removeprefix(f"{NAME}.")[:MOST_OUTPUT]


def serve(requests: int, answers: int) -> None:
    """Answer requests, each a line of JSON, until there are no more."""
    subject = Subject()
    with os.fdopen(requests, "rb") as asked, os.fdopen(answers, "wb") as told:
        for line in asked:
            request = json.loads(line)
            answer = subject.answer(request) | {"token": request["token"]}
            try:
                text = json.dumps(answer)
            except ValueError as error:
                text = json.dumps({"token": request["token"], "raised": ["ValueError", str(error)]})
            told.write(text.encode() + b"\n")
            told.flush()
