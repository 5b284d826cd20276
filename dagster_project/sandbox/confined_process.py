"""Starts a sandbox, reads what its program says, and ends it."""

from __future__ import annotations

import json
import os
import select
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import BinaryIO

from dagster_project.operators.calls import CallFailed, Outcome, Program
from dagster_project.sandbox.bubblewrap import (
    ENVIRONMENT,
    FOLDER,
    INSTALL,
    Command,
    bubblewrap,
)
from dagster_project.sandbox.process_tree import memory_used

LOOK_EVERY = 0.05
"""Seconds between two looks at the memory that is used."""

READ_BYTES = 65_536
SIGNALLED = 128
"""What Bubblewrap adds to a signal to tell it as an exit code."""


def confined(program: Program, cancelled: threading.Event) -> Outcome:
    """Run a program in a sandbox, and wait for its end. No process of the sandbox is left then.

    Args:
        program: what to run.
        cancelled: ends it when it is set.

    Raises:
        CallFailed: when there is no sandbox to run it in.
        ValueError: when a file's path leads out of the program's folder.
    """
    with ExitStack() as opened:
        status, status_end = _pipe(opened)
        go = _gate(opened)
        call = opened.enter_context(bubblewrap(program, status_end.fileno(), go))
        process = opened.enter_context(_started(call))
        status_end.close()
        first = status.readline()
        if not first:
            raise _unsafe(process.communicate()[1])
        watch = opened.enter_context(_watch(program, process, first, cancelled))
        os.write(go, b"1")
        begun = time.monotonic()
        watch.until_the_end()
        seconds = time.monotonic() - begun
        exit_code, ended_by = None, watch.ended_by
        if ended_by is None:
            told = status.readline()
            if not told:
                raise _unsafe(watch.said["stderr"])
            exit_code = json.loads(told)["exit-code"]
            if exit_code > SIGNALLED:
                exit_code, ended_by = None, f"signal {exit_code - SIGNALLED}"
        texts = [watch.said[name].decode("utf-8", "replace") for name in ("stdout", "stderr")]
        return Outcome(exit_code, ended_by, texts[0], texts[1], seconds)


class _Watch:
    """Reads a sandbox's outputs, and ends it when it takes more than it may.

    Attributes:
        ended_by: the limit that ended it.
        said: what is kept of its outputs.
    """

    def __init__(
        self,
        program: Program,
        process: subprocess.Popen[bytes],
        init: int,
        sandbox: int,
        bubblewrap_ends: int,
        cancelled: threading.Event,
    ) -> None:
        self.program, self.init, self.cancelled = program, init, cancelled
        self._sandbox, self._bubblewrap_ends = sandbox, bubblewrap_ends
        self.outputs = {"stdout": process.stdout, "stderr": process.stderr}
        self.said = {name: bytearray() for name in self.outputs}
        self.ended_by: str | None = None

    def until_the_end(self) -> None:
        """Read, and watch, until no process is left."""
        begun = looked = time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(self._bubblewrap_ends, selectors.EVENT_READ)
            for name, output in self.outputs.items():
                assert output is not None
                selector.register(output, selectors.EVENT_READ, name)
            ended = False
            while not ended:
                left = begun + self.program.seconds - time.monotonic()
                for key, _ in selector.select(min(LOOK_EVERY, max(left, 0.0))):
                    if key.data is None:
                        ended = True
                    elif not self._read(key.fd, key.data):
                        selector.unregister(key.fileobj)
                now = time.monotonic()
                if ended:
                    break
                if now - begun >= self.program.seconds:
                    self.end("seconds")
                elif self.cancelled.is_set():
                    self.end("cancelled")
                elif now - looked >= LOOK_EVERY:
                    looked = now
                    if memory_used(self.init, FOLDER) > self.program.memory_mb << 20:
                        self.end("memory")
            self.end()
            selector.unregister(self._bubblewrap_ends)
            gone = select.poll()
            gone.register(self._sandbox)
            gone.poll()
            for key in selector.get_map().values():
                while self._read(key.fd, key.data):
                    pass

    def _read(self, file: int, name: str) -> bool:
        chunk = os.read(file, READ_BYTES)
        kept = self.said[name]
        room = self.program.output_bytes - len(kept)
        kept += chunk[:room]
        if len(chunk) > room:
            self.end("output")
        return bool(chunk)

    def end(self, limit: str | None = None) -> None:
        """Kill the sandbox's first process, and so all of them."""
        self.ended_by = self.ended_by or limit
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._sandbox, signal.SIGKILL)


@contextmanager
def _watch(
    program: Program, process: subprocess.Popen[bytes], told: bytes, cancelled: threading.Event
) -> Iterator[_Watch]:
    """The watch over a sandbox that waits to begin; the sandbox ends with the context."""
    init = json.loads(told)["child-pid"]
    with ExitStack() as opened:
        try:
            bubblewrap_ends = os.pidfd_open(process.pid)
            opened.callback(os.close, bubblewrap_ends)
            sandbox = os.pidfd_open(init)
            opened.callback(os.close, sandbox)
        except OSError:  # no more files can be opened
            os.kill(init, signal.SIGKILL)  # nobody has waited for it, so the number is its own
            raise
        watch = _Watch(program, process, init, sandbox, bubblewrap_ends, cancelled)
        opened.callback(watch.end)
        yield watch


@contextmanager
def _started(call: Command) -> Iterator[subprocess.Popen[bytes]]:
    """A call of Bubblewrap, which is killed at the end."""
    with subprocess.Popen(
        call.arguments,
        stdin=call.stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=call.inherited,
        env=ENVIRONMENT,
        cwd="/",
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _pipe(opened: ExitStack) -> tuple[BinaryIO, BinaryIO]:
    reading, writing = os.pipe()
    return (
        opened.enter_context(os.fdopen(reading, "rb")),
        opened.enter_context(os.fdopen(writing, "wb", buffering=0)),
    )


def _gate(opened: ExitStack) -> int:
    """A pipe of one end: who reads from it waits, even when there is nobody left to write."""
    reading, writing = _pipe(opened)
    with reading, writing:
        gate = os.open(f"/proc/self/fd/{reading.fileno()}", os.O_RDWR | os.O_CLOEXEC)
    opened.callback(os.close, gate)
    return gate


def _unsafe(said: bytes | bytearray) -> CallFailed:
    why = said.decode("utf-8", "replace").strip()[:500] or "Bubblewrap ended without a word"
    return CallFailed("unsafe", f"programs cannot be isolated: {why}; {INSTALL}")
