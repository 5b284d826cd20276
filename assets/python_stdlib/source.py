"""Rows of the documented definitions in the running Python's standard library (PSF-2.0).

The modules are parsed, never imported, so no code of them runs.
"""

from __future__ import annotations

import ast
import doctest
import io
import sysconfig
import tokenize
import warnings
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

TEST_FOLDERS = {"test", "tests", "idle_test"}
MACHINE_MODULES = ("_sysconfigdata", "sitecustomize", "usercustomize")

UNREADABLE = (OSError, LookupError, SyntaxError, ValueError, RecursionError, MemoryError)

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
Block = ast.stmt | ast.excepthandler | ast.match_case


def read(
    include_tests: bool = False, include_private: bool = True, root: str | None = None
) -> Iterator[dict[str, Any]]:
    """Yield one row per module, class, function and method with a docstring.

    Rows come sorted by file, then line. A file that cannot be read or parsed gives one row with
    `error` set, at the line the error names. Folders whose name no package can have, such as
    `site-packages`, and modules written for one machine, such as `sitecustomize`, are left out.

    Args:
        include_tests: read the folders `test`, `tests` and `idle_test` too.
        include_private: yield what is not public too.
        root: the folder to read; default: the standard library of the running Python.

    Yields:
        module: dotted name.
        qualified_name: path within the module, as `__qualname__`; for a module, its dotted name.
        kind: `module`, `class`, `function` or `method`.
        signature: parameters and return annotation; for a class its bases; null for a module.
        docstring: without the indentation of the code.
        source: the whole lines of the definition, decorators included; null for a module.
        doctests: the examples of the docstring, as `{source, want}`; none when malformed.
        is_public: no part of either name starts with an underscore (`__init__` and its like
            do not count) or is local to a function.
        error: why the file could not be read, else null.
        _file, _line: first line of the definition, the file relative to `root`.

    Raises:
        NotADirectoryError: `root` is not a folder.
    """
    folder = Path(root or sysconfig.get_path("stdlib"))
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder}: no such folder; give `root` a folder of .py files")
    paths = _files(folder, include_tests)
    for file in sorted(path.relative_to(folder).as_posix() for path in paths):
        for row in _rows(folder, file):
            if include_private or row["is_public"]:
                yield row


def _files(folder: Path, include_tests: bool) -> Iterator[Path]:
    for path in folder.iterdir():
        if not path.is_dir():
            if path.suffix == ".py" and not path.name.startswith(MACHINE_MODULES):
                yield path
        elif (
            path.name.isidentifier()
            and path.name != "__pycache__"
            and (include_tests or path.name not in TEST_FOLDERS)
            and not path.is_symlink()
        ):
            yield from _files(path, include_tests)


def _rows(folder: Path, file: str) -> Iterator[dict[str, Any]]:
    parts = PurePosixPath(file).with_suffix("").parts
    module = ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)
    module_row = _row(file, 1, module, module, "module")
    try:
        text = _text(folder / file)
        tree = _parse(text)
    except UNREADABLE as error:
        line = getattr(error, "lineno", None) or 1
        yield module_row | {"error": _reason(error), "_line": line}
        return
    if docstring := ast.get_docstring(tree):
        yield module_row | _documentation(docstring)
    lines = text.split("\n")
    for node, qualified_name, kind in _definitions(tree):
        if docstring := ast.get_docstring(node):
            first = min(each.lineno for each in (node, *node.decorator_list))
            yield (
                _row(file, first, module, qualified_name, kind)
                | _documentation(docstring)
                | {
                    "signature": _signature(node),
                    "source": "\n".join(lines[first - 1 : node.end_lineno]) + "\n",
                }
            )


def _row(file: str, line: int, module: str, qualified_name: str, kind: str) -> dict[str, Any]:
    """A row with every key, all that is not yet known null."""
    return {
        "module": module,
        "qualified_name": qualified_name,
        "kind": kind,
        "signature": None,
        "docstring": None,
        "source": None,
        "doctests": [],
        "is_public": _is_public(module) and _is_public(qualified_name),
        "error": None,
        "_file": file,
        "_line": line,
    }


def _text(path: Path) -> str:
    """The file in the encoding it declares, its line ends made `\\n`."""
    data = path.read_bytes()
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    return io.TextIOWrapper(io.BytesIO(data), encoding).read()


def _parse(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def _reason(error: Exception) -> str:
    """The message without the file's place on this machine."""
    message = getattr(error, "msg", None) or getattr(error, "strerror", None) or str(error)
    return f"{type(error).__name__}: {message}"


def _definitions(tree: ast.Module) -> Iterator[tuple[Definition, str, str]]:
    """Every definition with its qualified name and kind, in the order of the file."""
    pending: list[tuple[ast.AST, str, bool]] = [(tree, "", False)]
    while pending:
        node, prefix, in_class = pending.pop()
        if isinstance(node, Definition):
            is_class = isinstance(node, ast.ClassDef)
            name = prefix + node.name
            yield node, name, "class" if is_class else "method" if in_class else "function"
            prefix, in_class = name + ("." if is_class else ".<locals>."), is_class
        inner = [each for each in ast.iter_child_nodes(node) if isinstance(each, Block)]
        pending.extend((each, prefix, in_class) for each in reversed(inner))


def _signature(node: Definition) -> str:
    if isinstance(node, ast.ClassDef):
        return f"({', '.join(ast.unparse(base) for base in (*node.bases, *node.keywords))})"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"({ast.unparse(node.args)}){returns}"


def _documentation(docstring: str) -> dict[str, Any]:
    try:
        examples = doctest.DocTestParser().get_examples(docstring)
    except ValueError:
        examples = []
    return {
        "docstring": docstring,
        "doctests": [{"source": each.source, "want": each.want} for each in examples],
    }


def _is_public(dotted_name: str) -> bool:
    return not any(
        part == "<locals>" or (part.startswith("_") and not part.endswith("__"))
        for part in dotted_name.split(".")
    )
