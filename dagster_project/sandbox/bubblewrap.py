"""How Bubblewrap is called: what a program sees, and what it may use."""

from __future__ import annotations

import fcntl
import math
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

from dagster_project.operators.calls import CallFailed, Program
from dagster_project.sandbox.python_installation import hidden, interpreter, links, readable
from dagster_project.sandbox.system_calls import seccomp_filter

FOLDER = "/program"
FOLDER_MB = 64
"""Size of the program's folder, and of the largest file, in MiB."""

OPEN_FILES = 64
DEVICES = (Path("/dev/null"), Path("/dev/urandom"))
NOBODIES = 1 << 30
"""Where the users begin that nobody is. Root starts each program as one of them, because nothing
limits the number of root's processes; others start it as themselves, in a namespace of users."""

ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
}

ISOLATED = (
    *("--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup"),
    *("--hostname", "sandbox", "--new-session", "--die-with-parent"),
)
FOR_USERS = ("--unshare-user", "--uid", "1000", "--gid", "1000")
FOR_ROOT = ("--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID")

INSTALL = (
    "install Bubblewrap (Debian and Ubuntu: `apt install bubblewrap`) and util-linux, and let users "
    "make user namespaces (sysctl `kernel.unprivileged_userns_clone=1`, "
    "`kernel.apparmor_restrict_unprivileged_userns=0`; a container needs a seccomp profile that "
    "allows them)"
)


@dataclass(frozen=True)
class Command:
    """A call of Bubblewrap.

    Attributes:
        arguments: the command line.
        stdin: an open file.
        inherited: other open files that it needs.
    """

    arguments: tuple[str, ...]
    stdin: int
    inherited: tuple[int, ...]


@contextmanager
def bubblewrap(program: Program, status: int, go: int) -> Iterator[Command]:
    """The call for a program; its files are open as long as the context.

    Args:
        program: what to run.
        status: an open file, to which Bubblewrap writes what becomes of it.
        go: an open file, from which it waits for a byte before it starts.

    Raises:
        CallFailed: when this machine has not what it takes.
        ValueError: when a file's path leads out of the program's folder.
    """
    tools = _tools()
    opened: list[int] = []

    def sealed(content: bytes) -> int:
        opened.append(_sealed(content))
        return opened[-1]

    try:
        arguments = [
            *(str(tools.bwrap), *ISOLATED, *(FOR_ROOT if tools.setpriv else FOR_USERS)),
            *("--json-status-fd", str(status), "--block-fd", str(go)),
            *("--seccomp", str(sealed(tools.refused))),
            *_mounts(tools),
            *("--perms", "0777", "--size", str(FOLDER_MB << 20), "--tmpfs", FOLDER),
            *_files(program, sealed),
            *("--remount-ro", "/", "--chdir", FOLDER, "--"),
            *_limited(tools, program),
        ]
        inherited = (*opened, status, go)
        stdin = sealed(program.stdin.encode("utf-8", "surrogatepass"))
        yield Command(tuple(arguments), stdin, inherited)
    finally:
        for file in opened:
            os.close(file)


@dataclass(frozen=True)
class _Tools:
    bwrap: Path
    prlimit: Path
    setpriv: Path | None
    refused: bytes


@cache
def _tools() -> _Tools:
    refused = seccomp_filter()
    if refused is None:
        raise CallFailed("unsafe", "programs cannot be isolated on this kind of processor")
    bwrap, prlimit = _found("bwrap"), _found("prlimit")
    return _Tools(bwrap, prlimit, _found("setpriv") if os.geteuid() == 0 else None, refused)


def _found(tool: str) -> Path:
    path = shutil.which(tool)
    if path is None:
        raise CallFailed("unsafe", f"programs cannot be isolated: no `{tool}`; {INSTALL}")
    return Path(path).resolve()


def _mounts(tools: _Tools) -> Iterator[str]:
    """What of this machine can be read; nothing can be written."""
    shown = [*readable(), tools.prlimit, *([tools.setpriv] if tools.setpriv else [])]
    for path in (*shown, *DEVICES):
        for folder in (*path.parents,)[-2::-1]:
            yield from ("--dir", str(folder))  # nobody may enter those that are made on the way
        yield from ("--dev-bind" if path in DEVICES else "--ro-bind", str(path), str(path))
    for target, path in links():
        yield from ("--symlink", target, path)
    for path in hidden():
        yield from ("--tmpfs", str(path), "--remount-ro", str(path))


def _files(program: Program, sealed: Callable[[bytes], int]) -> Iterator[str]:
    for name, content in program.files.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name:
            raise ValueError(f"a program's file must be in its folder, not at {name!r}")
        file = sealed(content.encode("utf-8", "surrogatepass"))
        yield from ("--file", str(file), f"{FOLDER}/{path}")


def _limited(tools: _Tools, program: Program) -> Iterator[str]:
    """The program's command, under limits that hold for each of its processes, and for their number."""
    limits = {
        "as": program.memory_mb << 20,
        "core": 0,
        "cpu": math.ceil(program.seconds * (os.cpu_count() or 1)) + 1,
        "fsize": FOLDER_MB << 20,
        "memlock": 0,
        "msgqueue": 0,
        "nofile": OPEN_FILES,
        "nproc": program.processes + (0 if tools.setpriv else 1),  # Bubblewrap's own
    }
    if tools.setpriv:
        user = NOBODIES + threading.get_native_id()  # no other sandbox has it at this time
        yield from (
            str(tools.setpriv),
            f"--reuid={user}",
            f"--regid={user}",
            "--clear-groups",
            "--",
        )
    yield str(tools.prlimit)
    yield from (f"--{name}={most}" for name, most in limits.items())
    yield "--"
    yield from (str(interpreter()) if word == "python" else word for word in program.command[:1])
    yield from program.command[1:]


def _sealed(content: bytes) -> int:
    """An open file that nobody can change."""
    file = os.memfd_create("sandbox", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with open(file, "wb", closefd=False) as written:
        written.write(content)
    os.lseek(file, 0, os.SEEK_SET)
    seals = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, seals)
    return file
