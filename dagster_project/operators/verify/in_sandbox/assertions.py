"""Judges an assertion without showing what is expected to the process that runs the code.

An assertion is taken apart: calls and names that only the code knows are asked for; constants, and
what is done with them (comparisons, arithmetic, `not`, `and`, `or`, `len`, `abs`, `math.isclose` …),
stay here.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable

from dagster_project.operators.verify.in_sandbox.plain_values import read
from dagster_project.operators.verify.in_sandbox.questioning import Lost, Questioning

TYPE_CHECKING = False  # `typing` takes longer to load than most tests to run
if TYPE_CHECKING:
    from typing import Any

COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda item, container: item in container,
    ast.NotIn: lambda item, container: item not in container,
}
ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
SIGNS: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.Not: operator.not_,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        *(abs, all, any, bool, dict, float, frozenset, int, len, list, max, min),
        *(range, round, set, sorted, str, sum, tuple, math.isclose),
    )
}

MOST_SHOWN = 200
"""Characters of a value that are shown."""


class Raised(Exception):
    """The code raised.

    Args:
        kind: the name of the exception's class.
        text: what a traceback ends with.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind, self.text = kind, text


class Thing:
    """A value that is none of Python's own types. Nothing is known of it but its class and whether it
    is true; it equals nothing."""

    def __init__(self, kind: str, true: bool) -> None:
        self.kind, self.true = kind, true

    def __bool__(self) -> bool:
        return self.true

    def __repr__(self) -> str:
        return f"an object of type {self.kind}"


class Unknown(Exception):
    """What cannot be found out here."""


class Found:
    """A value, and whether it had to be asked for."""

    def __init__(self, value: Any, asked: bool) -> None:
        self.value, self.asked = value, asked


class Assertion:
    """An expression that is to be true.

    Args:
        questioning: asks the subject.
        defined: names that the code or its tests define, and which therefore are not Python's own.

    Attributes:
        trusts_code: whether the answer is only what the process that runs the code says of itself.
        came: the values that were asked for.
        printed: what was printed meanwhile.
    """

    def __init__(self, questioning: Questioning, defined: frozenset[str]) -> None:
        self.questioning, self.defined = questioning, defined
        self.trusts_code = False
        self.came: list[Any] = []
        self.printed = ""

    def holds(self, node: ast.expr) -> bool:
        """Whether the expression is true.

        Raises:
            Raised: when the code raises, or what came of it cannot be compared.
            Lost: when the subject answers no more.
        """
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return not self.holds(node.operand)
        if isinstance(node, ast.BoolOp):
            every = all if isinstance(node.op, ast.And) else any
            return every(self.holds(value) for value in node.values)
        try:
            found = self._found(node)
            if not self._computes(node) and _root(node) not in self.defined:
                self.trusts_code = True
            return bool(found.value)
        except (Lost, Raised):
            raise
        except Exception as error:
            raise Raised(type(error).__name__, f"{type(error).__name__}: {error}") from None

    def _found(self, node: ast.expr) -> Found:
        try:
            if isinstance(node, ast.Constant):
                return Found(node.value, False)
            if isinstance(node, ast.Compare):
                return self._compared(node)
            if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
                return self._applied(ARITHMETIC[type(node.op)], node.left, node.right)
            if isinstance(node, ast.UnaryOp):
                return self._applied(SIGNS[type(node.op)], node.operand)
            if isinstance(node, ast.List | ast.Tuple | ast.Set):
                kind = {ast.List: list, ast.Tuple: tuple, ast.Set: set}[type(node)]
                return self._applied(lambda *items: kind(items), *node.elts)
            if isinstance(node, ast.Dict) and None not in node.keys:
                keys = self._applied(lambda *items: items, *filter(None, node.keys))
                values = self._applied(lambda *items: items, *node.values)
                both = zip(keys.value, values.value, strict=True)
                return Found(dict(both), keys.asked or values.asked)
            if isinstance(node, ast.Call) and self._function(node.func) is not None:
                return self._called(node)
        except Unknown:
            pass
        return self._asked(node)

    def _compared(self, node: ast.Compare) -> Found:
        left, asked = self._found(node.left), False
        for comparison, operand in zip(node.ops, node.comparators, strict=True):
            right = self._found(operand)
            asked = asked or left.asked or right.asked
            if left.asked and right.asked:
                self.trusts_code = True
            if not _comparable(comparison, left, right):
                self.trusts_code = True
                raise Unknown
            result = COMPARISONS[type(comparison)](left.value, right.value)
            if not result:
                return Found(result, asked)
            left = right
        return Found(True, asked)

    def _called(self, node: ast.Call) -> Found:
        function = self._function(node.func)
        assert function is not None
        if any(keyword.arg is None for keyword in node.keywords):
            raise Unknown
        named = [str(keyword.arg) for keyword in node.keywords]
        count = len(node.args)

        def call(*values: Any) -> Any:
            options = zip(named, values[count:], strict=True)
            return function(*values[:count], **dict(options))

        return self._applied(call, *node.args, *(keyword.value for keyword in node.keywords))

    def _applied(self, function: Callable[..., Any], *operands: ast.expr) -> Found:
        """A function of operands that are found first."""
        if any(isinstance(operand, ast.Starred) for operand in operands):
            raise Unknown
        found = [self._found(operand) for operand in operands]
        asked = [each.asked for each in found]
        if any(isinstance(each.value, Thing) for each in found):
            self.trusts_code = self.trusts_code or not all(asked)
            raise Unknown
        if len(asked) > 1 and all(asked):
            self.trusts_code = True
        return Found(function(*(each.value for each in found)), any(asked))

    def _asked(self, node: ast.expr) -> Found:
        if any(isinstance(part, ast.Compare) for part in ast.walk(node)):
            self.trusts_code = True
        code = self.questioning.compiled(ast.Expression(node), "eval")
        answer = self.questioning.ask("value", code)
        self.printed += str(answer.get("printed", ""))
        value = told(answer)
        self.came.append(value)
        return Found(value, True)

    def _function(self, node: ast.expr) -> Callable[..., Any] | None:
        """The function of Python's own that an expression names."""
        if isinstance(node, ast.Name) and node.id not in self.defined:
            return FUNCTIONS.get(node.id)
        if ast.unparse(node) == "math.isclose" and "math" not in self.defined:
            return math.isclose
        return None

    def _computes(self, node: ast.expr) -> bool:
        """Whether something is done with an expression's parts here."""
        if isinstance(node, ast.Call):
            return self._function(node.func) is not None
        return isinstance(node, ast.Constant | ast.Compare | ast.BinOp | ast.UnaryOp)


def told(answer: dict[str, Any]) -> Any:
    """The value of an answer.

    Raises:
        Raised: when the code raised.
        Lost: when it is no answer.
    """
    raised = raised_in(answer)
    if raised is not None:
        raise raised
    try:
        if "value" in answer:
            return read(answer["value"])
        return Thing(str(answer["type"]), bool(answer["true"]))
    except (LookupError, TypeError, ValueError, RecursionError):
        raise Lost("nonsense") from None


def raised_in(answer: dict[str, Any]) -> Raised | None:
    """What the code raised, if it did.

    Raises:
        Lost: when it is no answer.
    """
    if "raised" not in answer:
        return None
    try:
        kind, text = answer["raised"]
        return Raised(str(kind), str(text).rstrip("\n"))
    except (TypeError, ValueError):
        raise Lost("nonsense") from None


def shown(value: Any) -> str:
    """A value as a person would write it, cut short."""
    try:
        return repr(value)[:MOST_SHOWN]
    except ValueError:
        return "a number of very many digits"


def _comparable(comparison: ast.cmpop, left: Found, right: Found) -> bool:
    """Whether two values, as far as they are known here, can be compared as the code would."""
    things = [isinstance(each.value, Thing) for each in (left, right)]
    identity = isinstance(comparison, ast.Is | ast.IsNot)
    if identity and not any(not each.asked and _single(each.value) for each in (left, right)):
        return False
    if not any(things):
        return True
    if left.asked and right.asked:
        return False
    if isinstance(comparison, ast.In | ast.NotIn):
        return not things[1]
    return identity or isinstance(comparison, ast.Eq | ast.NotEq)


def _single(value: Any) -> bool:
    return value is None or value is True or value is False


def _root(node: ast.expr) -> str | None:
    """The name that an expression begins with."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None
