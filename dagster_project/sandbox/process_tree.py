"""How much memory a sandbox uses, seen from outside."""

from __future__ import annotations

import os
from collections.abc import Iterator

MOST_FILES = 10_000
"""Files and folders that a sandbox may make: each takes memory that nothing else counts."""

PAGE = os.sysconf("SC_PAGE_SIZE")


def memory_used(init: int, folder: str) -> float:
    """Bytes that the processes of a sandbox and its folder take; infinite with too many files.

    Args:
        init: the sandbox's first process, of which all others descend.
        folder: the sandbox's folder, as it is called inside.
    """
    tree = list(_descendants(init))
    held = 0.0
    for process in tree:
        try:
            status = os.statvfs(f"/proc/{process}/root{folder}")
        except OSError:
            continue
        if status.f_files - status.f_ffree > MOST_FILES:
            return float("inf")
        held = (status.f_blocks - status.f_bfree) * status.f_frsize
        break
    return held + sum(map(_own_memory, tree))


def _descendants(process: int) -> Iterator[int]:
    waiting = [process]
    while waiting:
        process = waiting.pop()
        yield process
        for task in _listed(f"/proc/{process}/task"):
            waiting += map(int, _read(f"/proc/{process}/task/{task}/children").split())


def _own_memory(process: int) -> int:
    """Resident bytes, those that processes share divided by how many share them."""
    for line in _read(f"/proc/{process}/smaps_rollup").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    fields = _read(f"/proc/{process}/statm").split()
    return (int(fields[1]) - int(fields[2])) * PAGE if fields else 0


def _listed(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""
