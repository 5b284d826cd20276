"""The code that is examined: its docstrings, its names, and the code without what tests expect."""

from __future__ import annotations
import __future__

import ast
from collections.abc import Iterator
from types import CodeType

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
FUTURE = sum({getattr(__future__, name).compiler_flag for name in __future__.all_feature_names})


def docstrings(tree: ast.Module) -> dict[str, str]:
    """Docstrings of the module and of its classes, functions and methods, by name."""
    return {name: str(constant.value) for name, constant in _docstrings(tree, "module")}


def compiled(tree: ast.Module) -> CodeType:
    """The code, its docstrings emptied: they may tell what is expected."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, *DEFINITIONS)):
            constant = _docstring(node)
            if constant is not None:
                constant.value = ""
    return compile(tree, "<code>", "exec", dont_inherit=True)


def future_flags(code: CodeType) -> int:
    """The compiler's flags from the code's `__future__` imports."""
    return code.co_flags & FUTURE


def bound_names(tree: ast.AST) -> frozenset[str]:
    """Names that statements define or assign."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, DEFINITIONS):
            found.add(node.name)
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
    return frozenset(found)


def _docstrings(node: ast.AST, name: str) -> Iterator[tuple[str, ast.Constant]]:
    if isinstance(node, (ast.Module, *DEFINITIONS)):
        constant = _docstring(node)
        if constant is not None:
            yield name, constant
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return
    for child in ast.iter_child_nodes(node):
        if isinstance(child, DEFINITIONS):
            inner = child.name if isinstance(node, ast.Module) else f"{name}.{child.name}"
            yield from _docstrings(child, inner.removeprefix("module."))
        elif isinstance(child, ast.stmt):
            yield from _docstrings(child, name)


def _docstring(node: ast.AST) -> ast.Constant | None:
    first = next(iter(getattr(node, "body", ())), None)
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        return first.value if isinstance(first.value.value, str) else None
    return None
