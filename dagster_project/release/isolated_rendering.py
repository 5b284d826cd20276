"""Templates that others wrote, rendered in a process of their own.

Jinja's sandbox keeps a template from what it must not see, but not from using all the time and memory
there is. The process may: use `SECONDS` of CPU for a chat, `MEMORY` bytes of address space, open no
file and write none. A template that wants more ends its process, not this one.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from datetime import date
from importlib import import_module
from typing import IO, Any

from dagster_project.release.template_rendering import (
    ChatRefused,
    Messages,
    Rendered,
    Rendering,
    TemplateRefused,
    Tools,
)

SECONDS = 5.0
"""CPU time for one chat, and for compiling."""
MEMORY = 2**30
"""Bytes of address space."""

LOADED_LATE = ("encodings.unicode_escape", "jinja2.debug", "pprint", "textwrap")
"""Modules that Jinja loads when a template needs them, which is when no file can be opened."""

_REFUSED = {kind.__name__: kind for kind in (ChatRefused, TemplateRefused)}


class IsolatedRendering:
    """What `Rendering` is, in a process of its own; `close` ends it.

    Args:
        source, variables, today: as `Rendering` takes them.

    Raises:
        TemplateRefused: as there, and when the template uses too much time or memory.
    """

    def __init__(
        self, source: str, variables: Mapping[str, Any] | None = None, today: date | None = None
    ) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": "0"},
        )
        day = today.isoformat() if today else None
        self.marks_answers: bool = self._ask([source, dict(variables or {}), day, SECONDS])

    def render(
        self, messages: Messages, tools: Tools | None, add_generation_prompt: bool
    ) -> Rendered:
        """As `Rendering.render`.

        Raises:
            ChatRefused: as there, and when the chat holds what JSON has no word for.
            TemplateRefused: as there, and when the template uses too much time or memory.
        """
        try:
            text, spans = self._ask([messages, tools, add_generation_prompt])
        except TypeError as error:
            raise ChatRefused(f"it is not JSON: {error}") from error
        return Rendered(text, [(start, end) for start, end in spans])

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def _ask(self, question: list[Any]) -> Any:
        asked, answers = self._process.stdin, self._process.stdout
        assert asked is not None and answers is not None
        line = json.dumps(question).encode() + b"\n"
        try:
            asked.write(line)
            asked.flush()
            answer = answers.readline()
        except (OSError, ValueError):
            answer = b""
        if not answer.endswith(b"\n"):
            raise TemplateRefused(self._why_it_ended())
        refused, value = json.loads(answer)
        if refused:
            raise _REFUSED[refused](value)
        return value

    def _why_it_ended(self) -> str:
        self.close()
        if self._process.returncode == -signal.SIGPROF:
            return f"the template takes more than {SECONDS:g} s for a chat; does it end?"
        return f"the template's process ended ({self._process.returncode}); is it out of memory?"


def _serve(questions: IO[bytes], answers: IO[bytes]) -> None:
    """Compile the template of the first line, then render the chat of each further one."""
    rendering: Rendering | None = None
    seconds = SECONDS
    for line in questions:
        question = json.loads(line)
        if rendering is None:
            source, variables, day, seconds = question
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            if rendering is None:
                rendering = Rendering(source, variables, date.fromisoformat(day) if day else None)
                answer = [None, rendering.marks_answers]
            else:
                answer = [None, rendering.render(*question)]
            written = json.dumps(answer).encode()
        except (ChatRefused, TemplateRefused) as error:
            written = json.dumps([type(error).__name__, str(error)[:2000]]).encode()
        except MemoryError:
            told = f"the template takes more than {MEMORY:,} bytes"
            written = json.dumps([TemplateRefused.__name__, told]).encode()
        signal.setitimer(signal.ITIMER_PROF, 0)
        answers.write(written + b"\n")
        answers.flush()


def _confine() -> None:
    """Give up what a template has no need of."""
    import resource

    for module in LOADED_LATE:
        import_module(module)
    for kind, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 3),
    ):
        resource.setrlimit(kind, (most, most))


if __name__ == "__main__":
    _confine()
    _serve(sys.stdin.buffer, sys.stdout.buffer)
