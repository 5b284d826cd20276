"""Programs that take all they can get. Each ends, within its limits, and leaves nothing behind."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest


def test_an_endless_loop(sandboxed) -> None:
    outcome = sandboxed("while True: pass", seconds=0.4)
    assert (outcome.exit_code, outcome.ended_by) == (None, "seconds")
    assert 0.4 <= outcome.seconds < 2


def test_sleep_without_end(sandboxed) -> None:
    assert sandboxed("import time; time.sleep(1e6)", seconds=0.3).ended_by == "seconds"


def test_a_program_that_ignores_signals(sandboxed) -> None:
    code = """
import signal
for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
print("ignoring", flush=True)
while True: pass
"""
    outcome = sandboxed(code, seconds=0.5)
    assert (outcome.ended_by, outcome.stdout) == ("seconds", "ignoring\n")


def test_a_program_that_closes_its_outputs_and_goes_on(sandboxed) -> None:
    code = "import os, time\nfor file in range(3): os.close(file)\ntime.sleep(1e6)"
    assert sandboxed(code, seconds=0.4).ended_by == "seconds"


@pytest.mark.parametrize("hold", ["", "os.close(1); os.close(2)"])
def test_orphans_end_with_the_program(sandboxed, hold: str) -> None:
    code = f"""
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        {hold or "pass"}
        time.sleep(1e6)
    os._exit(0)
os.wait()
print("done")
"""
    outcome = sandboxed(code, seconds=5)
    assert (outcome.exit_code, outcome.stdout) == (0, "done\n")
    assert outcome.seconds < 3


def test_a_fork_bomb(sandboxed) -> None:
    code = """
import os, time
try:
    while True:
        os.fork()
except OSError as error:
    os.write(1, b"x")
    time.sleep(9)
"""
    outcome = sandboxed(code, seconds=0.6, processes=8)
    assert outcome.ended_by == "seconds"
    assert 1 <= len(outcome.stdout) <= 8


def test_a_bomb_of_threads(sandboxed) -> None:
    code = """
import threading, time
count = 1
try:
    while True:
        threading.Thread(target=time.sleep, args=(9,), daemon=True).start()
        count += 1
except RuntimeError:
    print(count, flush=True)
"""
    assert int(sandboxed(code, processes=8).stdout) <= 8


def test_memory_of_one_process(sandboxed) -> None:
    outcome = sandboxed("held = bytearray(1 << 40)")
    assert (outcome.exit_code, outcome.stderr.splitlines()[-1]) == (1, "MemoryError")
    outcome = sandboxed("held = []\nwhile True: held.append(bytearray(1 << 20))", memory_mb=128)
    assert outcome.exit_code == 1 or outcome.ended_by == "memory"


def test_memory_of_many_processes(sandboxed) -> None:
    code = """
import os, time
for _ in range(5):
    if os.fork() == 0:
        break
held = []
for _ in range(60):
    held.append(bytearray(os.urandom(1 << 20)))
time.sleep(5)
"""
    assert sandboxed(code, memory_mb=160, seconds=9).ended_by == "memory"


def test_memory_that_processes_share(sandboxed) -> None:
    code = """
import mmap, os, time
for _ in range(3):
    shared = mmap.mmap(-1, 100 << 20)
    if os.fork() == 0:
        for at in range(0, 100 << 20, 4096):
            shared[at] = 1
        time.sleep(5)
    shared.close()
time.sleep(5)
"""
    assert sandboxed(code, memory_mb=160, seconds=9).ended_by == "memory"


def test_a_full_folder(sandboxed) -> None:
    code = """
try:
    file = open("large", "wb", buffering=0)
    while True: file.write(bytes(1 << 20))
except OSError as error:
    print(error.errno, file.tell() >> 20)
for number in range(9):
    open(f"more{number}", "wb").write(bytes(60 << 20))
"""
    outcome = sandboxed(code)
    assert outcome.exit_code == 1 and "No space left" in outcome.stderr
    assert int(outcome.stdout.split()[1]) <= 64


def test_a_sparse_file(sandboxed) -> None:
    outcome = sandboxed("open('sparse', 'wb').truncate(1 << 40)")
    assert "File too large" in outcome.stderr


def test_a_bomb_of_empty_files(sandboxed) -> None:
    code = "number = 0\nwhile True:\n    open(str(number), 'w').close()\n    number += 1"
    assert sandboxed(code, seconds=20).ended_by == "memory"


def test_a_bomb_of_open_files(sandboxed) -> None:
    code = """
import os
held = []
try:
    while True: held.append(os.pipe())
except OSError as error:
    print(len(held), error.errno)
"""
    count, number = map(int, sandboxed(code).stdout.split())
    assert count <= 32 and number == 24


@pytest.mark.parametrize("file", [1, 2])
def test_a_flood_of_output(sandboxed, file: int) -> None:
    outcome = sandboxed(f"import os\nwhile True: os.write({file}, b'x' * 65536)", output_bytes=1000)
    assert outcome.ended_by == "output" and outcome.seconds < 3
    assert {len(outcome.stdout), len(outcome.stderr)} == {0, 1000}


def test_output_is_text_whatever_it_is(sandboxed) -> None:
    code = "import os; os.write(1, b'\\xff\\x00\\xe2\\x82'); os.write(2, b'\\xc3\\xa9')"
    outcome = sandboxed(code)
    assert (outcome.stdout, outcome.stderr) == ("\ufffd\0\ufffd", "é")


def test_a_crash(sandboxed) -> None:
    assert sandboxed("import ctypes; ctypes.string_at(0)").ended_by == "signal 11"
    assert sandboxed("import os; os.abort()").ended_by == "signal 6"
    assert not list(Path.cwd().glob("core*"))


def test_locked_memory(sandboxed) -> None:
    code = "import ctypes; print(ctypes.CDLL(None).mlockall(3))"
    assert sandboxed(code).stdout == "-1\n"


def test_no_temporary_file_is_left(sandboxed) -> None:
    before = len(os.listdir("/proc/self/fd"))
    mounts = Path("/proc/self/mountinfo").read_text()
    sandboxed("open('x', 'w').write('x')", files={"a/b.txt": "1"})
    time.sleep(0.05)
    assert len(os.listdir("/proc/self/fd")) == before
    assert Path("/proc/self/mountinfo").read_text() == mounts
