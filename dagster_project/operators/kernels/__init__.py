"""Compiled code over Arrow buffers. Imported only when an operator that needs it runs.

What was compiled is kept under a digest of all kernels: numba alone looks only at the file a function
is in, and would go on using what was compiled before another file changed.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

_FOLDER = Path(__file__).parent


def _digest() -> str:
    """sha256 (hex, short) over this folder's files."""
    files = sorted(_FOLDER.glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]


if "NUMBA_CACHE_DIR" not in os.environ and os.access(_FOLDER, os.W_OK):
    # Before numba is imported, which reads it then.
    os.environ["NUMBA_CACHE_DIR"] = str(_FOLDER / "__pycache__" / f"numba-{_digest()}")
