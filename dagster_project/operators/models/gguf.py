"""Files of weights in GGUF, llama.cpp's format, version 3: what they say of a model, and its tensors.

Only for a file whose hash was checked: nothing here guards against one that is made to mislead.
"""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

TEXT, LIST = 8, 9
SCALARS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
"""Formats of `struct` by the number of a type."""
BLOCK = 32
"""Weights that share a scale."""
FLOAT32, Q4_1, Q8_0 = 0, 3, 8
PARTS = {
    FLOAT32: np.dtype([("values", "<f4")]),
    Q4_1: np.dtype([("scale", "<f2"), ("least", "<f2"), ("nibbles", "u1", BLOCK // 2)]),
    Q8_0: np.dtype([("scale", "<f2"), ("values", "i1", BLOCK)]),
}
"""How tensors lie in the file, by the number of their type."""


class Gguf:
    """A file, read.

    Attributes:
        says: what it says of the model, by name, such as `llama.block_count`.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 8  # after the magic word and the version
        tensors, fields = self._scalar("Q"), self._scalar("Q")
        self.says: dict[str, Any] = {}
        for _ in range(fields):
            name = self._text()
            self.says[name] = self._value(self._scalar("I"))
        self._tensors: dict[str, tuple[tuple[int, ...], int, int]] = {}
        for _ in range(tensors):
            name = self._text()
            shape = tuple(self._scalar("Q") for _ in range(self._scalar("I")))[::-1]
            self._tensors[name] = shape, self._scalar("I"), self._scalar("Q")
        alignment = self.says.get("general.alignment", 32)
        self._data = -(-self._at // alignment) * alignment

    def tensor(self, name: str) -> NDArray[np.float32]:
        """A tensor; of a matrix, the last dimension is what it is multiplied with."""
        shape, kind, offset = self._tensors[name]
        parts = PARTS[kind]
        count = math.prod(shape) // (1 if kind == FLOAT32 else BLOCK)
        blocks = np.frombuffer(self._content, parts, count, self._data + offset)
        if kind == Q4_1:
            nibbles = blocks["nibbles"]
            values = np.concatenate([nibbles & 15, nibbles >> 4], axis=1).astype(np.float32)
        else:
            values = blocks["values"].astype(np.float32)
        if kind != FLOAT32:
            values *= blocks["scale"].astype(np.float32)[:, None]
        if kind == Q4_1:
            values += blocks["least"].astype(np.float32)[:, None]
        return values.reshape(shape)

    def _scalar(self, form: str) -> Any:
        (value,) = struct.unpack_from("<" + form, self._content, self._at)
        self._at += struct.calcsize("<" + form)
        return value

    def _text(self) -> str:
        length = self._scalar("Q")
        self._at += length
        return self._content[self._at - length : self._at].decode()

    def _value(self, kind: int) -> Any:
        if kind == TEXT:
            return self._text()
        if kind == LIST:
            of, count = self._scalar("I"), self._scalar("Q")
            return [self._value(of) for _ in range(count)]
        return self._scalar(SCALARS[kind])
