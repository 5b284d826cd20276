"""Compiled code over Arrow buffers. Imported only when an operator that needs it runs.

What was compiled is kept under a digest of all kernels: numba alone looks only at the file a function
is in, and would go on using what was compiled before another file changed.
"""

from __future__ import annotations

import hashlib
import os
import sys
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


def _load_numba() -> None:
    """Load numba, without what it loads only to see whether it is there: scipy's linear algebra and cffi
    cost a third of a second, and no kernel uses them. Other compiled code of this process finds them
    when it needs them, cffi if it was imported before."""
    unseen = {"scipy.linalg", "cffi"} - sys.modules.keys()
    sys.modules.update(dict.fromkeys(unseen))  # type: ignore[arg-type]  # None: not to be imported
    try:
        from numba.core.registry import cpu_target

        target: Any = cpu_target
        target.typing_context.refresh()
        target.target_context.refresh()
    finally:
        for name in unseen:
            del sys.modules[name]


_load_numba()
