"""Runs tests that are written as Python: assertions, functions `test…` and `check(candidate)`.

Assertions at the top, and those right in the body of a test function, are judged one by one. What
asserts within a loop or another statement is run whole by the process that runs the code, which then
says itself whether it passed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from dagster_project.operators.verify.in_sandbox.assertions import (
    Assertion,
    Raised,
    raised_in,
    shown,
)
from dagster_project.operators.verify.in_sandbox.examined_code import bound_names
from dagster_project.operators.verify.in_sandbox.questioning import Questioning
from dagster_project.operators.verify.in_sandbox.verdicts import ERROR, FAILED, PASSED, Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

OWN_FLOW = (ast.Return, ast.Yield, ast.YieldFrom, ast.Await, ast.Global, ast.Nonlocal)


def prepared(job: dict[str, Any], _: object) -> tuple[ast.Module, ast.expr | None]:
    """What `examined` needs of a job.

    Raises:
        SyntaxError: when it is not Python.
    """
    called = job["entry_point"]
    return ast.parse(job["tests"], "<tests>"), called and ast.parse(called, mode="eval").body


def examined(
    questioning: Questioning,
    tests: ast.Module,
    entry_point: ast.expr | None,
    defined: frozenset[str],
) -> Iterator[Verdict]:
    """What comes of each test, in order.

    Args:
        questioning: asks the subject, which has run the code.
        tests: their statements.
        entry_point: the function that `check` is called with, where the tests do not call it.
        defined: names that the code defines.

    Raises:
        Lost: when the subject answers no more.
    """
    functions = {
        node.name: node for node in tests.body if isinstance(node, ast.FunctionDef) and _tests(node)
    }
    statements = [node for node in tests.body if node not in functions.values()]
    for name, function in functions.items():
        if not any(_call_of(node, name) for node in statements):
            arguments = [entry_point] if function.args.args and entry_point else []
            statements.append(ast.Expr(ast.Call(ast.Name(name, ast.Load()), arguments, [])))
    examiner = _Examiner(questioning, functions, defined | bound_names(tests))
    for statement in statements:
        yield from examiner.statement(statement)


class _Examiner:
    def __init__(
        self,
        questioning: Questioning,
        functions: dict[str, ast.FunctionDef],
        defined: frozenset[str],
    ) -> None:
        self.questioning, self.functions, self.defined = questioning, functions, defined

    def statement(self, node: ast.stmt) -> Iterator[Verdict]:
        if isinstance(node, ast.Assert):
            yield self._assertion(node)
            return
        for name, function in self.functions.items():
            call = _call_of(node, name)
            if call is not None:
                yield from self._function(function, call)
                return
        if any(isinstance(part, ast.Assert) for part in ast.walk(node)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield from self._set_up(node)
            else:
                yield self._whole(node, [node])
        else:
            yield from self._set_up(node)

    def _assertion(self, node: ast.Assert) -> Verdict:
        assertion = Assertion(self.questioning, self.defined)
        try:
            status = PASSED if assertion.holds(node.test) else FAILED
            came = ", ".join(map(shown, assertion.came))
        except Raised as error:
            status, came = ERROR, error.text
        return Verdict(ast.unparse(node), status, came, assertion.trusts_code)

    def _function(self, function: ast.FunctionDef, call: ast.Call) -> Iterator[Verdict]:
        """A test function, statement by statement where it can be taken apart."""
        if len(call.args) != len(function.args.args) or call.keywords:
            yield Verdict(ast.unparse(call), ERROR, "name the function to check as entry point")
        elif any(isinstance(part, OWN_FLOW) for part in _own_parts(function)):
            yield self._whole(call, [function, ast.Expr(call)])
        else:
            self.defined |= {parameter.arg for parameter in function.args.args}
            self.questioning.ask("fresh")
            for parameter, argument in zip(function.args.args, call.args, strict=True):
                yield from self._set_up(
                    ast.Assign([ast.Name(parameter.arg, ast.Store())], argument)
                )
            for statement in function.body:
                yield from self.statement(statement)
            self.questioning.ask("module")

    def _whole(self, node: ast.AST, statements: list[ast.stmt]) -> Verdict:
        """Statements that the subject runs and says itself what came of it."""
        raised = self._run(statements)
        status = PASSED if raised is None else FAILED if raised.kind == "AssertionError" else ERROR
        return Verdict(ast.unparse(node), status, raised.text if raised else "", True)

    def _set_up(self, node: ast.stmt) -> Iterator[Verdict]:
        """A statement that is no test; it is told of only if it raises."""
        raised = self._run([node])
        if raised is not None:
            yield Verdict(ast.unparse(node), ERROR, raised.text)

    def _run(self, statements: list[ast.stmt]) -> Raised | None:
        tree = ast.fix_missing_locations(ast.Module(statements, []))
        return raised_in(self.questioning.run(tree))


def _tests(function: ast.FunctionDef) -> bool:
    """Whether a function is a test: `check` with one argument, or `test…` with none."""
    arguments = function.args
    if function.decorator_list or arguments.posonlyargs or arguments.kwonlyargs:
        return False
    if arguments.vararg or arguments.kwarg or arguments.defaults:
        return False
    if function.name == "check":
        return len(arguments.args) == 1
    return function.name.startswith("test") and not arguments.args


def _call_of(node: ast.stmt, name: str) -> ast.Call | None:
    """The call of a function, where that is all of a statement."""
    call = node.value if isinstance(node, ast.Expr) else None
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == name:
        return call
    return None


def _own_parts(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """The parts of a function but those of functions within it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            waiting += ast.iter_child_nodes(node)
