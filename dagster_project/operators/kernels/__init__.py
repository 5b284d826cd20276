"""Compiled code over Arrow buffers. Imported only when an operator that needs it runs.

What was compiled is kept under a digest of all kernels: numba alone looks only at the file a function
is in, and would go on using what was compiled before another file changed.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent


def _digest() -> str:
    """sha256 (hex, short) over this folder's files."""
    files = sorted(_FOLDER.glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]


if "NUMBA_CACHE_DIR" not in os.environ and os.access(_FOLDER, os.W_OK):
    # Before numba is imported, which reads it then.
    os.environ["NUMBA_CACHE_DIR"] = str(_FOLDER / "__pycache__" / f"numba-{_digest()}")


def _load_without_compiling() -> None:
    """Have numba load what is compiled of these kernels without all that it compiles with, which costs
    some 0.3 to 0.6 CPU seconds: it is loaded when something is compiled. Other code of this process
    is loaded as ever."""
    from numba.core.caching import Cache
    from numba.core.runtime.nrt import rtsys

    with_compiler = Cache.load_overload

    def load_overload(self: Any, sig: Any, target_context: Any) -> Any:
        if not self._py_func.__module__.startswith(__name__):
            return with_compiler(self, sig, target_context)
        rtsys.initialize(target_context)
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)

    Cache.load_overload = load_overload


_load_without_compiling()
