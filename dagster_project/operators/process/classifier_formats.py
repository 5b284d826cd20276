"""Files of text classifiers: fastText, ONNX and skops. Opened in a process of their own only."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

Classify = Callable[[Sequence[str]], tuple[list[str | None], list[float | None]]]
"""The label of each text, and the probability asked for."""

FASTTEXT_PREFIX = "__label__"
_MAGIC = (793712314).to_bytes(4, "little")
_HEAD = struct.Struct("<8xi60xi")
"""A fastText file's beginning: the dimensions of vectors, and how many labels there are."""
_END = struct.Struct("<?2q")
"""What stands before its last matrix: whether that is compressed, labels and dimensions."""
MOST_UNPACKED = 2**31
"""Bytes that a skops file may unpack to."""


class ModelRefused(Exception):
    """A file that is no model of its format, or one that must not be opened."""


def opened(path: Path, label: str | None) -> Classify:
    """The classifier in a file, whose format its suffix tells.

    Raises:
        ModelRefused: saying why it is refused.
    """
    return FORMATS[path.suffix](path, label)


def _fasttext(path: Path, label: str | None) -> Classify:
    """A supervised fastText model. White space of any kind separates words, as in a line."""
    import fasttext

    if path.suffix == ".bin":
        _check_whole(path)
    model = fasttext.load_model(str(path)).f
    everything = -1, -1.0  # all labels, whatever their probability

    def one(text: str) -> tuple[str | None, float | None]:
        line = text.replace("\n", " ") + "\n"
        found = model.predict(line, *(everything if label else (1, 0.0)), "strict")
        if not found:
            return None, None
        told = {_name(name): float(value) for value, name in reversed(found)}
        _check_label(label, told)
        best = _name(found[0][1])
        return best, told[label or best]

    one("")
    return lambda texts: _columns([one(text) for text in texts])


def _check_whole(path: Path) -> None:
    """Refuse a fastText model that does not end where it should: fastText itself would go on with
    zeros. What is compressed has no such end to look at."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD.size)
        if len(head) == _HEAD.size and head[:4] == _MAGIC:
            dimensions, labels = _HEAD.unpack(head)
            at = path.stat().st_size - _END.size - 4 * dimensions * labels
            stream.seek(max(at, 0))
            if (
                dimensions > 0
                and labels > 0
                and stream.read(_END.size) == _END.pack(False, labels, dimensions)
            ):
                return
            raise ModelRefused("its end is missing or does not fit its beginning; copy it again")
    raise ModelRefused("it is no fastText model")


def _name(label: str) -> str:
    return label.removeprefix(FASTTEXT_PREFIX)


def _onnx(path: Path, label: str | None) -> Classify:
    """One input of texts, `[n]` or `[n, 1]`; outputs the label and the probabilities by label, as
    skl2onnx makes them. Texts are given one by one, so that none changes another's result."""
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # From bytes: weights in other files are no part of what is built.
    session = onnxruntime.InferenceSession(
        path.read_bytes(), options, providers=["CPUExecutionProvider"]
    )
    inputs, outputs = session.get_inputs(), session.get_outputs()
    shape = [size if isinstance(size, int) else 1 for size in inputs[0].shape or [1]]
    if len(inputs) != 1 or inputs[0].type != "tensor(string)" or shape not in ([1], [1, 1]):
        got = ", ".join(f"{each.name}: {each.type} {each.shape}" for each in inputs)
        raise ModelRefused(
            f"it takes {got}; it must take one tensor of strings of shape [n] or [n, 1], as skl2onnx "
            "makes of a pipeline that begins with a text vectorizer"
        )
    kinds = [each.type for each in outputs]
    by_label = len(kinds) == 2 and kinds[1].startswith("seq(map(")
    if len(kinds) != 2 or not (by_label or kinds[1] in ("tensor(float)", "tensor(double)")):
        raise ModelRefused(
            f"it gives {', '.join(kinds)}; it must give two outputs: the label, and the "
            "probabilities, as skl2onnx makes them"
        )
    if label and not by_label:
        raise ModelRefused(
            "its probabilities have no names, so that `label` cannot be told; export it with ZipMap, "
            "the default of skl2onnx, or leave out `label`"
        )

    def one(text: str) -> tuple[str | None, float | None]:
        given = np.array([text], dtype=object).reshape(shape)
        answer: Any = session.run(None, {inputs[0].name: given})
        best, found = answer
        best = str(np.ravel(best)[0])
        if not by_label:
            return best, float(np.max(found))
        told = {str(name): float(value) for name, value in found[0].items()}
        _check_label(label, told)
        return best, told[label or best]

    one("")
    return lambda texts: _columns([one(text) for text in texts])


def _skops(path: Path, label: str | None) -> Classify:
    """A scikit-learn classifier of texts, such as a pipeline that begins with a text vectorizer."""
    content = path.read_bytes()
    if not zipfile.is_zipfile(io.BytesIO(content)):
        raise ModelRefused("it is no file of skops; save the model with `skops.io.dump`")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(each.file_size for each in archive.infolist()) > MOST_UNPACKED:
            raise ModelRefused(f"it unpacks to more than {MOST_UNPACKED:,} bytes")
    import skops.io

    unknown = skops.io.get_untrusted_types(data=content)
    if unknown:
        raise ModelRefused(
            f"it holds types that skops does not trust: {', '.join(sorted(unknown))}; opening it "
            "could run any code. Make the model of scikit-learn's own parts only"
        )
    model = skops.io.loads(content, trusted=[])
    if not hasattr(model, "predict_proba") or not hasattr(model, "classes_"):
        raise ModelRefused(
            f"a {type(model).__name__} gives no probabilities of labels; it must be a classifier "
            "with `predict_proba`"
        )
    if any(value in ("file", "filename") for value in _settings(model, "input")):
        raise ModelRefused("it reads files that texts name (`input='filename'`)")
    names = [str(name) for name in model.classes_]
    _check_label(label, names)

    def classify(texts: Sequence[str]) -> tuple[list[str | None], list[float | None]]:
        found = model.predict_proba(list(texts))
        best = found.argmax(axis=1)
        told = found[:, names.index(label)] if label else found.max(axis=1)
        return [names[each] for each in best], [float(value) for value in told]

    classify([""])
    return classify


FORMATS: dict[str, Callable[[Path, str | None], Classify]] = {
    ".bin": _fasttext,
    ".ftz": _fasttext,
    ".onnx": _onnx,
    ".skops": _skops,
}


def _settings(model: Any, name: str) -> list[Any]:
    """The values of a parameter in all parts of a scikit-learn model."""
    found = model.get_params(deep=True)
    return [value for key, value in found.items() if key.split("__")[-1] == name]


def _check_label(label: str | None, names: Collection[str]) -> None:
    if label is not None and label not in names:
        raise ModelRefused(f"it has no label {label!r}; it has {', '.join(sorted(names)[:50])}")


def _columns(
    rows: Sequence[tuple[str | None, float | None]],
) -> tuple[list[str | None], list[float | None]]:
    return [label for label, _ in rows], [value for _, value in rows]
