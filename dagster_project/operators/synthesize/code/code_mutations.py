"""Small faults that can be put into Python code, as a tired programmer would."""

from __future__ import annotations

import ast
import re
import warnings
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeGuard

MutationKind = Literal[
    "comparison",
    "arithmetic",
    "boolean",
    "constant",
    "return_none",
    "removed_statement",
    "swapped_arguments",
    "negated_condition",
]

COMPARISONS: dict[type[ast.cmpop], tuple[str, tuple[str, ...]]] = {
    ast.Lt: ("<", ("<=", ">")),
    ast.LtE: ("<=", ("<", ">=")),
    ast.Gt: (">", (">=", "<")),
    ast.GtE: (">=", (">", "<=")),
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.In: ("in", ("not in",)),
    ast.NotIn: ("not in", ("in",)),
    ast.Is: ("is", ("is not",)),
    ast.IsNot: ("is not", ("is",)),
}
ARITHMETIC: dict[type[ast.operator], tuple[str, tuple[str, ...]]] = {
    ast.Add: ("+", ("-",)),
    ast.Sub: ("-", ("+",)),
    ast.Mult: ("*", ("+",)),
    ast.Div: ("/", ("//", "*")),
    ast.FloorDiv: ("//", ("/",)),
    ast.Mod: ("%", ("//",)),
    ast.Pow: ("**", ("*",)),
    ast.LShift: ("<<", (">>",)),
    ast.RShift: (">>", ("<<",)),
    ast.BitAnd: ("&", ("|",)),
    ast.BitOr: ("|", ("&",)),
}
REMOVABLE = (ast.Assign, ast.AugAssign, ast.Raise, ast.Break, ast.Continue, ast.Delete)
ORDERLESS = frozenset(["max", "min", "print", "gcd", "lcm", "isclose"])
"""Functions whose arguments mean the same in any order, or nothing."""

_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_COMMENT = re.compile(rb"#[^\r\n]*")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Mutation:
    """A fault that can be put in.

    Attributes:
        kind: of fault.
        line: where, from 1.
        start, end: the bytes of the source that are replaced.
        text: what is put there.
        told: what is changed, for people.
    """

    kind: MutationKind
    line: int
    start: int
    end: int
    text: bytes
    told: str


class Source:
    """Python source with its syntax tree.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: when it does not parse.
    """

    def __init__(self, code: str) -> None:
        self.bytes = code.encode()
        self._lines = [found.start() for found in _LINE.finditer(self.bytes)]
        self.tree = _parsed(code)
        self.dump = ast.dump(self.tree)

    def mutations(self, kinds: Sequence[MutationKind]) -> list[Mutation]:
        """All faults of these kinds, in the order of the source. They are put into functions where
        there are any; never into docstrings, annotations, decorators, f-strings or what runs as a
        script."""
        found = [
            mutation
            for node, where in _in_functions(self.tree)
            for mutation in self._of(node, where)
            if mutation.kind in kinds
        ]
        return sorted(found, key=lambda one: (one.start, one.end, one.kind, one.text))

    def mutated(self, mutation: Mutation) -> str | None:
        """The source with a fault; None where it would not parse, or mean the same."""
        changed = self.bytes[: mutation.start] + mutation.text + self.bytes[mutation.end :]
        try:
            code = changed.decode()
            return code if ast.dump(_parsed(code)) != self.dump else None
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None

    def _of(self, node: ast.AST, block: Sequence[ast.stmt]) -> Iterator[Mutation]:
        match node:
            case ast.Compare():
                for left, operator, right in zip(
                    [node.left, *node.comparators], node.ops, node.comparators, strict=False
                ):
                    yield from self._operators(
                        "comparison", left, right, COMPARISONS[type(operator)]
                    )
            case ast.BinOp() if type(node.op) in ARITHMETIC and not _is_text(node.left, node.right):
                yield from self._operators(
                    "arithmetic", node.left, node.right, ARITHMETIC[type(node.op)]
                )
            case ast.AugAssign() if type(node.op) in ARITHMETIC and not _is_text(node.value):
                sign, others = ARITHMETIC[type(node.op)]
                given = f"{sign}=", tuple(f"{other}=" for other in others)
                yield from self._operators("arithmetic", node.target, node.value, given)
            case ast.BoolOp():
                sign = ("and", ("or",)) if isinstance(node.op, ast.And) else ("or", ("and",))
                for left, right in zip(node.values, node.values[1:], strict=False):
                    yield from self._operators("boolean", left, right, sign)
            case ast.UnaryOp(op=ast.Not()):
                yield self._put("boolean", node, self._text(node.operand), "not left out")
            case ast.Constant(value=bool()):
                yield self._put("boolean", node, str(not node.value).encode())
            case ast.Constant(value=int(number)) if number < 2**63:
                for other in (number + 1, number - 1):
                    if other >= 0:
                        yield self._put("constant", node, str(other).encode())
            case ast.Return(value=ast.expr() as value) if not _is_none(value):
                yield self._put("return_none", value, b"None")
            case ast.Call():
                yield from self._swapped_arguments(node)
        if isinstance(node, ast.If | ast.While | ast.IfExp) and not _is_not(node.test):
            negated = b"not (" + self._text(node.test) + b")"
            yield self._put("negated_condition", node.test, negated)
        if isinstance(node, REMOVABLE) or _is_call(node):
            yield self._removed(node, block)

    def _operators(
        self,
        kind: MutationKind,
        left: ast.expr,
        right: ast.expr,
        given: tuple[str, tuple[str, ...]],
    ) -> Iterator[Mutation]:
        """Other operators between two operands, where there may be brackets and comments besides."""
        sign, others = given
        start, end = self._span(left)[1], self._span(right)[0]
        gap = _COMMENT.sub(lambda found: b" " * len(found.group()), self.bytes[start:end])
        words = rb"\s+".join(re.escape(word).encode() for word in sign.split())
        pattern = rb"\b" + words + rb"\b" if sign[0].isalpha() else words
        found = re.search(pattern, gap)
        if found is None:
            return
        for other in others:
            begin, stop = start + found.start(), start + found.end()
            line = bisect_right(self._lines, begin)
            yield Mutation(kind, line, begin, stop, other.encode(), f"{sign} → {other}")

    def _swapped_arguments(self, call: ast.Call) -> Iterator[Mutation]:
        name = call.func.attr if isinstance(call.func, ast.Attribute) else None
        name = call.func.id if isinstance(call.func, ast.Name) else name
        if name in ORDERLESS:
            return
        for one, other in zip(call.args, call.args[1:], strict=False):
            if isinstance(one, ast.Starred) or isinstance(other, ast.Starred):
                return
            (start, one_end), (other_start, end) = self._span(one), self._span(other)
            between = self.bytes[one_end:other_start]
            text = self._text(other) + between + self._text(one)
            if ast.dump(one) != ast.dump(other):
                told = f"{_short(self._text(one))} ⇄ {_short(self._text(other))}"
                yield Mutation("swapped_arguments", one.lineno, start, end, text, told)

    def _removed(self, statement: ast.stmt, block: Sequence[ast.stmt]) -> Mutation:
        """A statement left out, with its line where it has one of its own and is not the last one of
        its block; else `pass` stands in its place."""
        start, end = self._span(statement)
        told = f"without {_short(self.bytes[start:end])}"
        first = self._lines[statement.lineno - 1]
        last_line = statement.end_lineno or statement.lineno
        after = self._lines[last_line] if last_line < len(self._lines) else len(self.bytes)
        alone = (
            not self.bytes[first:start].strip()
            and not _COMMENT.sub(b"", self.bytes[end:after]).strip()
        )
        if alone and sum(not _is_said(other) for other in block) > 1:
            return Mutation("removed_statement", statement.lineno, first, after, b"", told)
        return Mutation("removed_statement", statement.lineno, start, end, b"pass", told)

    def _put(
        self, kind: MutationKind, node: ast.expr, text: bytes, told: str | None = None
    ) -> Mutation:
        start, end = self._span(node)
        told = told or f"{_short(self.bytes[start:end])} → {_short(text)}"
        return Mutation(kind, node.lineno, start, end, text, told)

    def _span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        end_line, end_column = node.end_lineno or node.lineno, node.end_col_offset or 0
        return (
            self._lines[node.lineno - 1] + node.col_offset,
            self._lines[end_line - 1] + end_column,
        )

    def _text(self, node: ast.expr) -> bytes:
        start, end = self._span(node)
        return self.bytes[start:end]


def _parsed(code: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(code)


def _in_functions(tree: ast.Module) -> Iterator[tuple[ast.AST, Sequence[ast.stmt]]]:
    """The nodes that may have faults, each with the block of statements that it is in; those of
    functions where there are any."""
    functions = [node for node in ast.walk(tree) if isinstance(node, Function)]
    inner = {
        id(node) for function in functions for node in ast.walk(function) if node is not function
    }
    outer = [function for function in functions if id(function) not in inner]
    blocks = [function.body for function in outer] or [tree.body]
    for block in blocks:
        for statement in block:
            yield from _below(statement, block)


def _below(
    node: ast.AST, block: Sequence[ast.stmt]
) -> Iterator[tuple[ast.AST, Sequence[ast.stmt]]]:
    if isinstance(node, ast.JoinedStr | ast.ClassDef | ast.Match) or _is_script(node):
        return
    if isinstance(node, ast.AnnAssign):
        if node.value is not None:
            yield from _below(node.value, block)
        return
    if isinstance(node, Function):
        for statement in node.body:
            yield from _below(statement, node.body)
        return
    yield node, block
    for _, value in ast.iter_fields(node):
        children = value if isinstance(value, list) else [value]
        for child in children:
            if isinstance(child, ast.AST):
                yield from _below(child, value if isinstance(child, ast.stmt) else block)


def _is_script(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "__name__" in ast.dump(node.test)


def _is_call(node: ast.AST) -> TypeGuard[ast.Expr]:
    """Whether a statement calls, awaits or yields something, and does nothing with the result."""
    return isinstance(node, ast.Expr) and isinstance(
        node.value, ast.Call | ast.Await | ast.Yield | ast.YieldFrom
    )


def _is_said(node: ast.AST) -> bool:
    """Whether a statement is a text or `...`, such as a docstring."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_not(node: ast.expr) -> bool:
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_text(*nodes: ast.expr) -> bool:
    """Whether any of them is a text that is written down, to which arithmetic does nothing else."""
    return any(
        isinstance(node, ast.JoinedStr)
        or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))
        for node in nodes
    )


def _short(text: Iterable[int]) -> str:
    said = " ".join(bytes(text).decode(errors="replace").split())
    return said if len(said) <= 40 else f"{said[:39]}…"
