"""Code that is wrong and wants to pass. None of it may."""

from __future__ import annotations

import asyncio

import pytest

from dagster_project.operators.verify import examination
from dagster_project.operators.verify.examination import (
    Examination,
    examine_doctests,
    examine_tests,
)
from dagster_project.sandbox.run import run

ANSWER = '{"value": 4, "true": true, "printed": "4\\\\n"}'

FORGERIES = {
    "leaving": "import sys\nsys.exit(0)",
    "leaving at once": "import os\nos._exit(0)",
    "leaving when called": "def f(x):\n    import sys\n    sys.exit(0)",
    "leaving at once when called": "def f(x):\n    import os\n    os._exit(0)",
    "leaving with what is right": "def f(x):\n    raise SystemExit(4)",
    "closing pipes": "import os\nos.closerange(0, 64)\ndef f(x): return 4",
    "printing an answer": f"print('''{ANSWER}''')\ndef f(x):\n    print('''{ANSWER}''')\n    return 5",
    "writing an answer everywhere": f"""
import os
def f(x):
    for file in range(64):
        try:
            os.write(file, b'''{ANSWER}\\n''')
        except OSError:
            pass
    return 5
""",
    "answering with the token, before it is asked": """
import json, os, sys
def f(x):
    frame = sys._getframe()
    while "request" not in frame.f_locals:
        frame = frame.f_back
    answer = {"token": frame.f_locals["request"]["token"], "printed": "", "true": True}
    for value in (5, True, None, "", [], "passed"):
        for file in range(3, 64):
            try:
                os.write(file, json.dumps(answer | {"value": value}).encode() + b"\\n")
            except OSError:
                pass
    return 5
""",
    "replacing what tells its answers": """
import json
json.dumps = lambda answer: '{"token": "%s", "value": true, "true": true, "printed": "True\\\\n"}' % (
    answer["token"])
def f(x): return 5
""",
    "claiming that all is well": """
import sys
module = sys.modules["__main__"]
module.report = lambda *_: {"end": "finished", "run": 1, "failed": 0, "trusting": 0, "told": []}
module._count = lambda *_: None
def f(x): return 5
""",
    "replacing Python's functions": """
import builtins, math, operator
for name in ("abs", "all", "any", "bool", "eval", "isinstance", "len", "max", "min", "round", "sum"):
    setattr(builtins, name, lambda *_, **__: True)
math.isclose = operator.eq = lambda *_: True
def f(x): return 5
""",
    "poisoning modules": """
import sys
import os
for name in [*sys.modules]:
    if name != "os":
        sys.modules[name] = None
claim = "import os; os.write(1, b'{\\\"end\\\": \\\"finished\\\", \\\"run\\\": 1}'); os._exit(0)"
for folder, _, names in os.walk("."):
    for name in (*names, "traceback.py", "pickle.py", "difflib.py", "tokenize.py"):
        try:
            path = os.path.join(folder, name)
            os.path.exists(path) and os.remove(path)
            open(path, "w").write(claim)
        except OSError:
            pass
def f(x): return 5
""",
    "equal to everything": """
class Anything:
    __hash__ = None
    def same(self, *_): return True
    __eq__ = __le__ = __lt__ = __ge__ = __gt__ = __contains__ = __bool__ = same
    def less(self, *_): return 0
    __sub__ = __rsub__ = __abs__ = less
def f(x): return Anything()
""",
    "a number that is equal to everything": """
class Anything(int):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    __hash__ = int.__hash__
def f(x): return Anything(5)
""",
    "a number that says it is another": """
class Four(int):
    def __int__(self): return 4
    def __index__(self): return 4
    def __reduce__(self): return (int, (4,))
def f(x): return Four(5)
""",
    "something that says it is a number": """
class Four:
    __class__ = int
    def __int__(self): return 4
    __index__ = __int__
    def __eq__(self, other): return True
def f(x): return Four()
""",
    "killing the examiner": "import os\nos.kill(os.getppid(), 9)\ndef f(x): return 5",
    "every signal to the examiner": """
import os
def f(x):
    for number in (*range(1, 9), *range(10, 18), *range(21, 32)):
        try:
            os.kill(os.getppid(), number)
        except OSError:
            pass
    return 5
""",
    "stopping the examiner": "import os\nos.kill(os.getppid(), 19)\ndef f(x): return 5",
    "killing everything": "import os\ndef f(x):\n    os.kill(-1, 9)",
    "limiting the examiner": """
import os, resource
for limit in (resource.RLIMIT_CPU, resource.RLIMIT_AS, resource.RLIMIT_NOFILE):
    try:
        resource.prlimit(os.getppid(), limit, (1, 1))
    except OSError:
        pass
def f(x): return 5
""",
    "reading what is expected in its docstring": '''
def f(x):
    """
    >>> f(2)
    4
    """
    return int((f.__doc__ or "5").split()[-1])
''',
    "looking for what is expected": """
import gc, os, re, sys
def f(x):
    seen = sys.stdin.read() + "".join(open(name).read() for name in os.listdir() if "job" in name)
    for file in range(64):
        try:
            os.lseek(file, 0, 0)
            seen += os.read(file, 9999).decode()
        except OSError:
            pass
    frame = sys._getframe()
    while frame:
        seen += repr(frame.f_locals)
        frame = frame.f_back
    seen += "".join(each for each in gc.get_objects() if isinstance(each, str))
    found = re.search(r"== (\\d)|f\\(2\\)\\s+(\\d)", seen)
    return int(found[1] or found[2]) if found else 5
""",
    "reading the examiner's memory": """
import ctypes, os
def f(x):
    parent = os.getppid()
    try:
        with open(f"/proc/{parent}/mem", "rb") as memory:
            return 4
    except OSError:
        pass
    libc = ctypes.CDLL(None)
    buffer = ctypes.create_string_buffer(8)
    class Span(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
    mine, other = Span(ctypes.addressof(buffer), 8), Span(id(f), 8)
    read = libc.process_vm_readv(parent, ctypes.byref(mine), 1, ctypes.byref(other), 1, 0)
    return 4 if read > 0 or libc.ptrace(16, parent, 0, 0) == 0 else 5
""",
    "a twin that answers": """
import os
if os.fork():
    os._exit(0)
def f(x): return 5
""",
    "waiting": "def f(x):\n    while True: pass",
    "an endless answer": "def f(x):\n    return [0] * 10_000_000",
    "a deep answer": "def f(x):\n    made = 4\n"
    "    for _ in range(90_000): made = [made]\n    return made",
    "a number without end": "def f(x):\n    return 10 ** 100_000",
    "nonsense in an answer": """
import json
json.dumps = lambda answer: '{"token": "%s", "value": ["set", ["list"]]}' % answer["token"]
def f(x): return 5
""",
    "lies about exceptions": """
import json
json.dumps = lambda answer: '{"token": "%s", "raised": 4}' % answer["token"]
def f(x): return 5
""",
    "other hooks": """
import sys, builtins
sys.displayhook = sys.excepthook = lambda *_: None
sys.settrace(lambda *_: None)
builtins.print = builtins.repr = lambda *_: "4"
def f(x): return 5
""",
    "a test's name": "def f(x): return 5\ndef check(candidate): pass\ntest_f = check",
    "another exception of that name": "class AssertionError(Exception): pass\n"
    "def f(x): raise AssertionError(4)",
}

TESTS = """
def check(candidate):
    assert candidate(2) == 4
    assert not candidate(2) != 4 and abs(candidate(2) - 4) < 1e-6
"""
DOCTESTS = ">>> f(2)\n4\n"


class Calls:
    run = staticmethod(run)


def of_tests(code: str) -> Examination:
    return asyncio.run(examine_tests(code, TESTS, Calls, entry_point="f", seconds=1))  # pyright: ignore


def of_doctests(code: str) -> Examination:
    return asyncio.run(examine_doctests(code, Calls, doctests=DOCTESTS, seconds=1))  # pyright: ignore


@pytest.fixture(autouse=True)
def _soon(monkeypatch) -> None:
    monkeypatch.setattr(examination, "STARTING_SECONDS", 1.0)


@pytest.mark.parametrize("name", FORGERIES)
def test_does_not_pass(name: str) -> None:
    for result in (of_tests(FORGERIES[name]), of_doctests(FORGERIES[name])):
        assert not result.passed, result


def test_what_is_right_passes() -> None:
    noisy = f"print('''{ANSWER}''')\ndef f(x):\n    return x + x"
    for result in (of_tests(noisy), of_doctests(noisy)):
        assert result.passed and result.trusting == 0, result


def test_what_only_the_code_can_judge_is_told() -> None:
    """A loop is run where the code is, which may make it pass; so that is told."""
    cheat = "import builtins\nbuiltins.range = lambda *_: []\ndef f(x): return 5"
    tests = "for i in range(3):\n    assert f(i) == 2 * i"
    told = asyncio.run(examine_tests(cheat, tests, Calls, seconds=3))  # pyright: ignore
    assert (told.run, told.failed, told.trusting) == (1, 0, 1)
