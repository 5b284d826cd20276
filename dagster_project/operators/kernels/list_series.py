"""Series of lists over arrays that a kernel filled, without a copy.

Made from buffers: `pyarrow.array` of an array imports pandas, and `polars.from_arrow` of an array Arrow's
compute functions, which take longer than many a kernel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray


def arrow_array(values: NDArray) -> pa.Array:
    """Numbers as an Arrow array of the same bytes."""
    kind = pa.from_numpy_dtype(values.dtype)
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)])


def list_series(name: str, ends: NDArray, items: NDArray | pa.Array) -> pl.Series:
    """A series of lists of items.

    Args:
        name: of the series.
        ends: 0, and where each list ends.
        items: of all lists, one after the other.
    """
    children: Any = items if isinstance(items, pa.Array) else arrow_array(items)
    kind = pa.large_list(children.type)
    buffers: Any = [None, pa.py_buffer(ends.astype("int64", copy=False))]
    lists = pa.Array.from_buffers(kind, len(ends) - 1, buffers, children=[children])
    return pl.DataFrame(pl.from_arrow(pa.record_batch([lists], [name]))).to_series()
