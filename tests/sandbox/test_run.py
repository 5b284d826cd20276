"""Programs in sandboxes: files, inputs, many at once, and machines without a sandbox."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dagster_project.operators.calls import CallFailed, Program
from dagster_project.sandbox import bubblewrap
from dagster_project.sandbox import run as running
from dagster_project.sandbox.confined_process import confined
from dagster_project.sandbox.run import run
from dagster_project.sandbox.system_calls import seccomp_filter

ROOT = Path(__file__).parents[2]
DEBIAN = Path("/usr/bin/python3")


def test_files_inputs_and_arguments(sandboxed) -> None:
    code = (
        "import sys; from pathlib import Path\nprint(Path('a/b.txt').read_text(), sys.stdin.read())"
    )
    outcome = sandboxed(code, files={"a/b.txt": "é\0", "c": ""}, stdin="zß")
    assert outcome.stdout == "é\0 zß\n"
    program = Program(
        {"main.py": "import sys; sys.exit(int(sys.argv[1]))"}, ("python", "main.py", "7")
    )
    assert asyncio.run(run(program)).exit_code == 7


@pytest.mark.parametrize("name", ["/etc/x", "../x", "a/../../x", "", "."])
def test_files_stay_in_the_folder(name: str) -> None:
    with pytest.raises(ValueError, match="must be in its folder"):
        asyncio.run(run(Program({name: "x"}, ("python", "-c", ""))))


def test_no_such_command() -> None:
    outcome = asyncio.run(run(Program({}, ("no-such-command",))))
    assert outcome.exit_code == 127 and "no-such-command" in outcome.stderr


def test_the_standard_library_works(sandboxed) -> None:
    code = """
import asyncio, bz2, concurrent.futures, ctypes, decimal, hashlib, lzma, multiprocessing, sqlite3, ssl
import subprocess, sys, tempfile, zlib
tempfile.TemporaryFile().write(b"x")
print(asyncio.run(asyncio.sleep(0, "a")), subprocess.check_output([sys.executable, "-c", "print(1)"]))
print({"a", "b", "c", "d"}, hash("a"))
with concurrent.futures.ThreadPoolExecutor() as pool:
    print(list(pool.map(abs, [-1, 2])))
"""
    outcome = sandboxed(code)
    assert outcome.stderr == ""
    assert outcome.stdout == sandboxed(code).stdout, "set order differs from run to run"


def test_many_at_once_from_several_threads(sandboxed) -> None:
    program = Program({}, ("python", "-s", "-S", "-P", "-c", "import os; print(os.getpid())"))
    outcomes = []

    async def many() -> None:
        outcomes.extend(await asyncio.gather(*(run(program) for _ in range(8))))

    threads = [threading.Thread(target=lambda: asyncio.run(many())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [outcome.exit_code for outcome in outcomes] == [0] * 24


def test_a_cancelled_program_ends() -> None:
    async def cancelled() -> None:
        program = Program({}, ("python", "-c", "import time; time.sleep(60)  # cancelled"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(run(program), 0.4)

    asyncio.run(cancelled())
    deadline = time.monotonic() + 5
    while _running("import time; time.sleep(60)  # cancelled"):
        assert time.monotonic() < deadline
        time.sleep(0.05)


STARTED = """
import os, sys, threading, time
from dagster_project.operators.calls import Program
from dagster_project.sandbox.confined_process import confined
if "waiting" in sys.argv:
    os.write = lambda *_: time.sleep(60)  # it is never told to begin
program = Program({}, ("python", "-c", "import time; time.sleep(60)  # " + sys.argv[1]), seconds=60)
confined(program, threading.Event())
"""


@pytest.mark.parametrize("when", ["running", "waiting"])
def test_a_program_ends_with_whoever_started_it(when: str) -> None:
    """Or never begins, when that is killed while the sandbox waits to begin."""
    last = f"import time; time.sleep(60)  # {when}"
    with subprocess.Popen([sys.executable, "-c", STARTED, when], cwd=ROOT) as process:
        deadline = time.monotonic() + 10
        while ("python" if when == "running" else "bwrap") not in _running(last):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(0.3)
        process.kill()
    time.sleep(0.3)
    left = _running(last)
    for number in left.get("bwrap", ()):
        os.kill(number, signal.SIGKILL)
    assert "python" not in left
    assert when == "waiting" or not left


def test_without_a_file_more_to_open_nothing_is_left() -> None:
    """Neither open files nor a sandbox that waits to begin."""
    program = Program({"a": "1"}, ("python", "-c", "import time; time.sleep(60)  # full"))
    asyncio.run(run(Program({}, ("python", "-c", ""))))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    os.close(free := os.dup(0))
    before = len(os.listdir("/proc/self/fd"))
    for more in range(1, 9):
        resource.setrlimit(resource.RLIMIT_NOFILE, (free + more, hard))
        try:
            with pytest.raises(OSError, match="Too many open files"):
                confined(program, threading.Event())
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert len(os.listdir("/proc/self/fd")) == before
    assert not _running("import time; time.sleep(60)  # full")


@pytest.fixture
def anew():
    """What is known of the machine is found out again, before and after."""

    def clear() -> None:
        running._prove.cache_clear()
        bubblewrap._tools.cache_clear()

    clear()
    yield
    clear()


def test_without_bubblewrap_nothing_runs(monkeypatch, tmp_path, anew) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CallFailed, match="no `bwrap`; install Bubblewrap") as failed:
        asyncio.run(run(Program({}, ("python", "-c", "print(1)"))))
    assert failed.value.kind == "unsafe"


@pytest.mark.parametrize(
    "script",
    [
        "exit 1",
        "echo 'bwrap: No permissions' >&2; exit 1",
        'while [ "$1" != -- ]; do shift; done; exec "$@"',
    ],
)
def test_bubblewrap_that_does_not_isolate(script: str, monkeypatch, tmp_path, anew) -> None:
    fake = tmp_path / "bwrap"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    written = tmp_path / "written"
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(CallFailed, match="cannot be isolated") as failed:
        asyncio.run(run(Program({}, ("python", "-c", f"open({str(written)!r}, 'w')"))))
    assert failed.value.kind == "unsafe" and not written.exists()


def test_other_processors(monkeypatch) -> None:
    assert seccomp_filter("riscv64") is None
    for machine in ("x86_64", "aarch64"):
        program = seccomp_filter(machine)
        assert program is not None and len(program) % 8 == 0 and len(program) // 8 < 4096


@pytest.mark.skipif(
    os.geteuid() != 0 or not DEBIAN.exists() or not os.access(ROOT, os.R_OK), reason="needs root"
)
def test_as_an_unprivileged_user_with_another_python() -> None:
    """Its Python is the distribution's; the sandbox is made with a namespace of users."""
    code = f"""
import asyncio, sys, threading
sys.path.insert(0, {str(ROOT)!r})
from dagster_project.operators.calls import Program
from dagster_project.sandbox.run import run
def out(code, **limits):
    return asyncio.run(run(Program({{}}, ("python", "-s", "-S", "-P", "-c", code), **limits)))
print(out("import os, ssl, sqlite3; print(os.getuid(), os.path.exists('/etc/passwd'))").stdout)
fork = "import os, time\\ntry:\\n  while 1: os.fork()\\nexcept OSError: os.write(1, b'x'); time.sleep(9)"
print(out(fork, seconds=0.5, processes=6))
fill = "import os, time\\nfor i in range(4):\\n  if os.fork() == 0: break\\n"
print(out(fill + "x = bytearray(os.urandom(90 << 20)); time.sleep(5)", memory_mb=160).ended_by)
"""
    command = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        str(DEBIAN),
        "-c",
        code,
    ]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd="/", env={"PATH": "/usr/bin"}
    )
    if "ModuleNotFoundError" in done.stderr or "Permission" in done.stderr:
        pytest.skip(done.stderr.splitlines()[-1])
    lines = done.stdout.splitlines()
    assert lines[0] == "1000 False", done.stderr
    assert (
        "ended_by='seconds'" in lines[2] and 1 <= lines[2].count("x") - lines[2].count("exit") <= 6
    )
    assert lines[3] == "memory"


def _running(last: str) -> dict[str, list[int]]:
    """The processes whose last argument is this, by name: `python` or `bwrap`."""
    found: dict[str, list[int]] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_text().split("\0")
        except OSError:
            continue
        if words[-2:-1] == [last]:
            found.setdefault(Path(words[0]).name.rstrip(".0123456789"), []).append(
                int(process.name)
            )
    return found
