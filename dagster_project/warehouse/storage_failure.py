"""Tells a disk that failed from everything else that can go wrong."""

from __future__ import annotations

import errno
import os

import duckdb

_SAID = tuple(
    os.strerror(number)
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EMFILE)
)


def is_storage_failure(error: BaseException | None) -> bool:
    """Whether an error, or what it came from, is a file that could not be read or written.

    Polars and DuckDB report some of these under other types, so what they say is looked at too.
    """
    while error is not None:
        if isinstance(error, OSError | duckdb.IOException):
            return True
        if any(said in str(error) for said in _SAID):
            return True
        error = error.__cause__ or error.__context__
    return False
