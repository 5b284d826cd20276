"""Docstrings in Python source: where they belong, and the source with another one."""

from __future__ import annotations

import ast
import re

Function = ast.FunctionDef | ast.AsyncFunctionDef

_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")


def first_function(code: str) -> Function | None:
    """The first function at the top level of Python code; None where there is none, or it does not
    parse."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return next((node for node in tree.body if isinstance(node, Function)), None)


def signature(code: str, function: Function) -> str:
    """The lines of a function down to its colon."""
    starts = _line_starts(code)
    start = starts[function.lineno - 1] + function.col_offset
    head = code.encode()[start : _body_start(starts, function)].decode()
    return head.rstrip()


def with_docstring(code: str, function: Function, docstring: str) -> str:
    """Python code in which a function has this docstring, and nothing else is changed.

    Args:
        code: the source.
        function: in it, as parsed from it.
        docstring: its text.
    """
    source, starts = code.encode(), _line_starts(code)
    first = function.body[0]
    start = _body_start(starts, function)
    before = source[starts[first.lineno - 1] : start]
    head, indent = source[:start], before
    if before.strip():
        head = head.rstrip()
        indent = b" " * (function.col_offset + 4)
        head += b"\n" + indent
    literal = _literal(docstring, indent.decode()).encode()
    if ast.get_docstring(function) is None:
        return (head + literal + b"\n" + indent + source[start:]).decode()
    end_line, end_column = first.end_lineno or first.lineno, first.end_col_offset or 0
    return (head + literal + source[starts[end_line - 1] + end_column :]).decode()


def without_docstring(function: Function) -> str:
    """What a function is apart from its docstring, to be compared."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    kept = [ast.dump(node) for node in (function.args, *function.decorator_list, *body)]
    returns = ast.dump(function.returns) if function.returns else ""
    return "\n".join([type(function).__name__, function.name, returns, *kept])


def _literal(docstring: str, indent: str) -> str:
    escaped = docstring.strip().replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    lines = escaped.splitlines()
    if len(lines) == 1 and not escaped.endswith('"'):
        return f'"""{escaped}"""'
    rest = [f"{indent}{line}" if line.strip() else "" for line in lines[1:]]
    return "\n".join([f'"""{lines[0]}', *rest, f'{indent}"""'])


def _line_starts(code: str) -> list[int]:
    """At which byte each line starts."""
    return [found.start() for found in _LINE.finditer(code.encode())]


def _body_start(starts: list[int], function: Function) -> int:
    first = function.body[0]
    return starts[first.lineno - 1] + first.col_offset
