"""Ways out of the sandbox. Each is tried, and must be refused."""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dagster_project.operators.calls import Outcome
from dagster_project.sandbox.system_calls import PROCESSORS, REFUSED

PRELUDE = """
import ctypes, errno, os, resource, signal, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    result = libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments))
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
def attempt():
{attempt}
try:
    print("ESCAPED", attempt())
except Exception as error:
    print("refused", type(error).__name__, error)
"""

NETWORK = {
    "tcp to this machine": "return socket.create_connection(('127.0.0.1', {port}), 2)",
    "tcp outside": "return socket.create_connection(('1.1.1.1', 443), 2)",
    "tcp over IPv6": "return socket.create_connection(('::1', {port}), 2)",
    "udp": "return socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('1.1.1.1', 53))",
    "dns": "return socket.getaddrinfo('example.org', 80)",
    "a unix socket of this machine": "s = socket.socket(socket.AF_UNIX)\ns.connect({path!r})",
    "an abstract unix socket of this machine": "s = socket.socket(socket.AF_UNIX)\n"
    "s.connect('\\0' + {abstract!r})",
    "netlink": "return socket.socket(16, socket.SOCK_RAW, 0)",
    "packets": "return socket.socket(17, socket.SOCK_RAW, 768)",
    "vsock": "return socket.socket(40, socket.SOCK_STREAM)",
    "the kernel's ciphers": "return socket.socket(38, 5, 0)",
    "a socket pair that goes elsewhere": "a, b = socket.socketpair(socket.AF_UNIX, 2)\n"
    "a.sendto(b'x', {path!r})",
}

READING = {
    "the home": "seen = [name for name in os.listdir({home!r}) if name not in os.__file__.split('/')]\n"
    "if seen:\n    return seen\nraise OSError('only the way to the interpreter')",
    "the workspace": "return open({here!r}).read()",
    "passwords": "return open('/etc/shadow').read()",
    "users": "return open('/etc/passwd').read()",
    "another process's environment": "return open('/proc/1/environ', 'rb').read()",
    "its own memory map": "return open('/proc/self/maps').read()",
    "the parent's memory": "return open(f'/proc/{{os.getppid()}}/mem', 'rb').read(1)",
    "the system's devices": "return os.listdir('/sys')",
    "a symbolic link out": "os.symlink({here!r}, 'link')\nreturn open('link').read()",
    "a path with dots": "return open('../../..' + {here!r}).read()",
    "installed packages": "sys.path += {packages!r}\nimport pytest\nreturn pytest",
    "a shell": "return os.execv('/bin/sh', ['sh', '-c', 'echo ESCAPED'])",
    "inherited files": "for file in range(3, 1024):\n"
    "    try:\n        return os.fstat(file)\n    except OSError:\n        pass\n"
    "raise OSError('none')",
    "the program's file by a number": "return call(OPEN_BY_HANDLE, -100, 0, 0)",
}

WRITING = {
    f"a file in {folder}": f"return open({folder!r} + '/written', 'w')"
    for folder in ("/", "/dev", "/usr", "/etc", "/usr/lib", "/tmp", "/dev/shm")
} | {
    "the standard library": "return open(os.__file__, 'a')",
    "bytecode of the standard library": "return os.mkdir(os.path.dirname(os.__file__) + '/x')",
    "a hard link to it": "os.link(os.__file__, 'link')\nreturn open('link', 'a')",
    "the rights of it": "return os.chmod(os.__file__, 0o777)",
    "the standard input": "return os.write(0, b'x')",
    "mount": "return call(MOUNT, 0, 0, 0, 32, 0)",
    "umount": "return call(UMOUNT, 0, 0)",
    "a mount by the newer calls": "return call(430, 0, 0)",
    "chroot": "return os.chroot('/')",
}

BECOMING = {
    "root": "return os.setuid(0)",
    "root by three numbers": "return os.setresuid(0, 0, 0)",
    "root's groups": "return os.setgroups([0])",
    "an owner": "open('x', 'w').close()\nreturn os.chown('x', 0, 0)",
    "a device": "return os.mknod('memory', 0o20666, os.makedev(1, 1))",
    "more urgent": "return os.nice(-20)",
    "less limited in memory": "return resource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
    "less limited in processes": "return resource.setrlimit(resource.RLIMIT_NPROC, (999, 999))",
    "a user namespace": "return call(UNSHARE, 0x10000000)",
    "a mount namespace": "return call(UNSHARE, 0x20000)",
    "a child in a user namespace": "return call(CLONE, 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0)",
    "a child by the newer call": "return call(435, 0, 88)",
    "in another namespace": "return call(SETNS, 0, 0)",
}

DEVICES = {
    f"/dev/{device}": f"return os.open('/dev/{device}', os.O_RDWR)"
    for device in ("mem", "kmsg", "kvm", "fuse", "sda", "vda", "ptmx", "tty", "net/tun")
} | {
    "typing into the terminal": "import fcntl\nreturn fcntl.ioctl(0, 0x5412, b'x')",
    "the console's commands": "import fcntl\nreturn fcntl.ioctl(0, 0x541C, b'x')",
    "typing, with a longer number": "return call(IOCTL, 0, 0x1_0000_5412, 0)",
}

PROCESSES = {
    "killing a process of this machine": "return os.kill({pid}, 9)",
    "killing the first process": "os.kill(1, 9)\nimport time\ntime.sleep(0.1)\nos.kill(1, 0)\n"
    "raise OSError('it is still there')",
    "tracing it": "return call(PTRACE, 16, 1, 0, 0)",
    "its limits": "return resource.prlimit(1, resource.RLIMIT_AS)",
    "its files": "return call(438, 0, 0, 0)",
}

TEMPLATES = NETWORK | READING | WRITING | BECOMING | DEVICES | PROCESSES
CALLS = {
    "OPEN_BY_HANDLE": REFUSED["open_by_handle_at"],
    "MOUNT": REFUSED["mount"],
    "UMOUNT": REFUSED["umount2"],
    "UNSHARE": REFUSED["unshare"],
    "SETNS": REFUSED["setns"],
    "PTRACE": REFUSED["ptrace"],
    "CLONE": (56, 220),
    "IOCTL": (16, 29),
}


@pytest.fixture(scope="module")
def machine(tmp_path_factory) -> Iterator[dict[str, object]]:
    """What there is to be reached on this machine; it is listening."""
    path = str(tmp_path_factory.mktemp("listening") / "socket")
    abstract = f"seedbed-{os.getpid()}"
    tcp = socket.create_server(("127.0.0.1", 0))
    listening = [socket.socket(socket.AF_UNIX) for _ in range(2)]
    listening[0].bind(path)
    listening[1].bind("\0" + abstract)
    for each in listening:
        each.listen()
    inherited = os.open(__file__, os.O_RDONLY)
    os.set_inheritable(inherited, True)
    yield {
        "port": tcp.getsockname()[1],
        "path": path,
        "abstract": abstract,
        "home": str(Path.home()),
        "here": __file__,
        "packages": [str(Path(pytest.__file__).parents[1])],
        "pid": os.getpid(),
    }
    os.close(inherited)
    for each in (tcp, *listening):
        each.close()


@pytest.mark.parametrize("name", TEMPLATES)
def test_is_refused(name: str, sandboxed: Callable[..., Outcome], machine) -> None:
    attempt = TEMPLATES[name].format_map(machine)
    outcome = sandboxed(tried(attempt), stdin="typed", seconds=20)
    assert outcome.stdout.startswith("refused "), (outcome.stdout, outcome.stderr)


def test_these_calls_are_refused(sandboxed) -> None:
    at = PROCESSORS[platform.machine()][1]
    numbers = {name: both[at] for name, both in REFUSED.items() if both[at] is not None}
    lines = [
        f"for name, number in {numbers!r}.items():",
        "    try:",
        "        call(number, 0, 0, 0, 0, 0, 0)",
        "    except PermissionError:",
        "        continue",
        "    except OSError as error:",
        "        return name, error",
        "    return name",
        "raise OSError('all')",
    ]
    assert sandboxed(tried("\n".join(lines))).stdout == "refused OSError all\n"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="it is about x86-64")
def test_calls_of_other_processors(sandboxed) -> None:
    assert "refused" in sandboxed(tried("return call(0x4000_0000 | 39)")).stdout
    code = """
import ctypes, mmap
memory = mmap.mmap(-1, 4096, prot=7)
memory.write(bytes.fromhex("b814000000cd80c3"))  # mov eax, 20; int 0x80; ret
print(ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(memory)))())
"""
    outcome = sandboxed(code)
    assert (outcome.ended_by, outcome.stdout) == ("signal 31", "")


def test_no_secret_of_the_environment(sandboxed, monkeypatch) -> None:
    monkeypatch.setenv("API_TOKEN", "s3cret")
    outcome = sandboxed("import os; print(sorted(os.environ), os.environ['PATH'], os.getcwd())")
    assert outcome.stdout == (
        "['LANG', 'PATH', 'PWD', 'PYTHONDONTWRITEBYTECODE', 'PYTHONHASHSEED'] /usr/bin:/bin /program\n"
    )


def test_what_is_seen(sandboxed) -> None:
    outcome = sandboxed("import os; print(*sorted(os.listdir('/dev')), os.uname().nodename)")
    assert outcome.stdout == "null urandom sandbox\n"
    assert int(sandboxed("import os; print(os.getpid())").stdout) < 5
    seen = sandboxed("import os; print(*os.listdir('/'))").stdout.split()
    prefix = Path(os.__file__).resolve().parts[1]
    assert set(seen) <= {"dev", "etc", "lib", "lib64", "program", "usr", prefix}
    assert sandboxed("import os; print(*os.listdir('/etc'))").stdout in ("ld.so.cache\n", "")


def test_setuid_programs_gain_nothing(sandboxed) -> None:
    code = """
import os, shutil, sys
shutil.copy(sys.executable, "copy")
os.chmod("copy", 0o6755)
os.execv("copy", ["copy", "-S", "-c", "import os; print(os.geteuid() == os.getuid() != 0)"])
"""
    assert sandboxed(code).stdout == "True\n"


def test_killing_everything_kills_only_itself(sandboxed) -> None:
    assert sandboxed("import os; os.kill(-1, 9)").ended_by in ("signal 9", None)
    assert sandboxed("print(1)").stdout == "1\n"


def test_two_programs_do_not_meet(sandboxed) -> None:
    assert sandboxed("open('x', 'w').write('1')").exit_code == 0
    assert "FileNotFoundError" in sandboxed("open('x')").stderr


def tried(attempt: str) -> str:
    body = "".join(f"    {line}\n" for line in attempt.splitlines())
    at = PROCESSORS[platform.machine()][1]
    for name, numbers in CALLS.items():
        body = body.replace(name, str(numbers[at]))
    return PRELUDE.replace("{attempt}\n", body)
