"""Runs programs in sandboxes, as many at once as there are processors."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from dagster_project.operators.calls import CallFailed, Outcome, Program
from dagster_project.sandbox.bubblewrap import INSTALL
from dagster_project.sandbox.confined_process import confined

PROBE = """
import ctypes, os, resource
process = ctypes.CDLL(None)
no_new_privileges, filtered = process.prctl(39, 0, 0, 0, 0), process.prctl(21, 0, 0, 0, 0)
assert (no_new_privileges, filtered) == (1, 2), (no_new_privileges, filtered)
files = []
for file in range(256):
    try:
        os.fstat(file)
        files.append(file)
    except OSError:
        pass
assert files == [0, 1, 2], files
assert os.getuid() == os.getgid() and os.getuid() >= 1000, "a user that somebody is"
assert os.getpid() < 10 and os.uname().nodename == "sandbox", "the machine's own namespaces"
for change in (lambda: os.setuid(0), lambda: os.setgroups([0]), lambda: os.chown(".", 0, 0)):
    try:
        change()
    except OSError:
        continue
    raise SystemExit("it may become another user")
started = 0
try:
    while started < 5:
        if os.fork() == 0:
            os.read(0, 1) or __import__("time").sleep(9)
        started += 1
except BlockingIOError:
    pass
assert started < 3, "the limit of processes does not hold"
for path in ("/", "/dev", "/usr"):
    try:
        open(path + "/written", "w")
    except OSError:
        continue
    raise SystemExit(path + " can be written")
open("written", "w").close()
print("isolated")
"""


async def run(program: Program) -> Outcome:
    """Run a program where it can do no harm.

    It sees Python and its standard library, its own folder, `/dev/null` and `/dev/urandom`, and nothing
    else of this machine: no network, no other process, no `/proc`, no home.

    `memory_mb` bounds the address space of each process at all times. What all of them and the folder
    take together is looked at twenty times a second; between two looks it may be as much as
    `processes` times that. Buffers of pipes and sockets, some MiB for each process, are not counted.

    The program ends with the process that started it. Should that be killed in the very millisecond in
    which a program begins, it goes on: as isolated, with as little CPU time, memory and processes, but
    without its limit of time.

    Args:
        program: what to run, and how much it may take.

    Raises:
        CallFailed: when it cannot be isolated on this machine, saying what to install.
        ValueError: when a file's path leads out of the program's folder.
    """
    cancelled = threading.Event()
    try:
        return await asyncio.wrap_future(_pool().submit(_isolated, program, cancelled))
    except asyncio.CancelledError:
        cancelled.set()
        raise


def _isolated(program: Program, cancelled: threading.Event) -> Outcome:
    _prove()
    return confined(program, cancelled)


@cache
def _prove() -> None:
    """Try whether a sandbox isolates; once in a process."""
    command = ("python", "-s", "-S", "-P", "-c", PROBE)
    outcome = confined(Program({}, command, processes=2), threading.Event())
    if outcome.stdout != "isolated\n":
        why = (outcome.stderr.strip().splitlines() or [str(outcome.ended_by)])[-1]
        raise CallFailed("unsafe", f"programs cannot be isolated: {why}; {INSTALL}")


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(len(os.sched_getaffinity(0)), thread_name_prefix="sandbox")


os.register_at_fork(after_in_child=_pool.cache_clear)
