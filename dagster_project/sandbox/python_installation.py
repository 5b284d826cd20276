"""What of this machine a Python program sees: the interpreter, its standard library, the C library."""

from __future__ import annotations

import os
import sys
import sysconfig
from functools import cache
from pathlib import Path


@cache
def interpreter() -> Path:
    """The Python that runs this, apart from any virtual environment."""
    return Path(getattr(sys, "_base_executable", None) or sys.executable).resolve()


@cache
def readable() -> tuple[Path, ...]:
    """Files and folders that it needs."""
    prefix = Path(sys.base_prefix).resolve()
    multiarch = Path("/usr/lib") / (sysconfig.get_config_var("MULTIARCH") or "")
    libraries = [multiarch if multiarch.is_dir() else Path("/usr/lib"), Path("/usr/lib64")]
    apart = [prefix / "lib", prefix / sys.platlibdir]
    own = [_standard_library()] if prefix == Path("/usr") else apart
    top = [path for path in (Path("/lib"), Path("/lib64")) if not path.is_symlink()]
    wanted = [interpreter(), *libraries, *top, *own, Path("/etc/ld.so.cache")]
    there = dict.fromkeys(path for path in wanted if path.exists())
    return tuple(p for p in there if not any(q != p and q in p.parents for q in there))


@cache
def links() -> tuple[tuple[str, str], ...]:
    """Symbolic links that it needs: target and path."""
    return tuple(
        (os.readlink(path), path) for path in ("/lib", "/lib64") if Path(path).is_symlink()
    )


@cache
def hidden() -> tuple[Path, ...]:
    """Folders below the readable ones that it does not see: what was installed beside it."""
    found = (_standard_library() / name for name in ("site-packages", "dist-packages"))
    return tuple(
        path
        for path in found
        if path.is_dir() and any(shown in path.parents for shown in readable())
    )


def _standard_library() -> Path:
    return Path(os.__file__).resolve().parent
