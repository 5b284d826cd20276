"""Runs Python text in a real sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from dagster_project.operators.calls import Outcome, Program
from dagster_project.sandbox.run import run

PYTHON = ("python", "-s", "-S", "-P", "-c")


@pytest.fixture(scope="session")
def sandboxed() -> Callable[..., Outcome]:
    """`sandboxed(code, **limits)`: what becomes of Python code. Asserts that nothing of it is left."""

    def start(code: str, files: dict[str, str] | None = None, **limits: Any) -> Outcome:
        mark = f"# {uuid4()}"
        program = Program(files or {}, (*PYTHON, f"{code}\n{mark}"), **limits)
        outcome = asyncio.run(run(program))
        assert not running(mark), "a process of the sandbox is left"
        return outcome

    return start


def running(mark: str) -> list[str]:
    """Processes of this machine in whose command line a text stands."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "cmdline").read_bytes():
                found.append(process.name)
        except OSError:
            continue
    return found
