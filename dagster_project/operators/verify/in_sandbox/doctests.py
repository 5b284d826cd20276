"""Runs the examples of docstrings as `doctest` does, and compares what they print here."""

from __future__ import annotations

import ast
import doctest
from collections.abc import Iterator

from dagster_project.operators.verify.in_sandbox.assertions import Assertion, Raised, raised_in
from dagster_project.operators.verify.in_sandbox.questioning import Questioning
from dagster_project.operators.verify.in_sandbox.verdicts import ERROR, FAILED, PASSED, Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PARSER = doctest.DocTestParser()
CHECKER = doctest.OutputChecker()


def prepared(job: dict[str, Any], docstrings: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """What `examined` needs of a job."""
    beside = job["doctests"]
    return docstrings if beside is None else {"doctests": beside}, job["flags"]


def examined(
    questioning: Questioning,
    docstrings: dict[str, str],
    flags: list[str],
    defined: frozenset[str],
) -> Iterator[Verdict]:
    """What comes of each example, in order.

    Args:
        questioning: asks the subject, which has run the code.
        docstrings: by the name of what they belong to; each has names of its own.
        flags: options of all examples, as `doctest` calls them.
        defined: names that the code defines.

    Raises:
        Lost: when the subject answers no more.
    """
    options = sum(doctest.OPTIONFLAGS_BY_NAME[flag] for flag in flags)
    for name, text in docstrings.items():
        try:
            examples = PARSER.get_examples(text, name)
        except ValueError as error:
            yield Verdict(name, ERROR, str(error))
            continue
        if examples:
            questioning.ask("fresh")
        for example in examples:
            chosen = options
            for option, on in example.options.items():
                chosen = chosen | option if on else chosen & ~option
            if not chosen & doctest.SKIP:
                yield _examined(questioning, name, example, chosen, defined)


def _examined(
    questioning: Questioning,
    name: str,
    example: doctest.Example,
    options: int,
    defined: frozenset[str],
) -> Verdict:
    title, trusts = f"{name}: {example.source.strip()}", False
    try:
        tree = ast.parse(example.source, "<doctest>", "exec")
        comparison = _comparison(example, tree)
        if comparison is None:
            got, raised = _printed(questioning, tree)
        else:
            assertion = Assertion(questioning, defined)
            got, raised = _compared(assertion, comparison)
            trusts = assertion.trusts_code
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        got, raised = "", f"{type(error).__name__}: {error}\n"
    if raised is None:
        right = CHECKER.check_output(example.want, got, options)
        return Verdict(title, PASSED if right else FAILED, got, trusts)
    if example.exc_msg is None:
        return Verdict(title, ERROR, raised)
    right = CHECKER.check_output(example.exc_msg, raised, options)
    if not right and options & doctest.IGNORE_EXCEPTION_DETAIL:
        kinds = [_kind(message) for message in (example.exc_msg, raised)]
        right = CHECKER.check_output(kinds[0], kinds[1], options)
    return Verdict(title, PASSED if right else FAILED, raised)


def _comparison(example: doctest.Example, tree: ast.Module) -> ast.Compare | None:
    """The comparison with a constant that is all of an example, and is to print whether it holds."""
    if example.want.strip() not in ("True", "False") or len(tree.body) != 1:
        return None
    [statement] = tree.body
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Compare):
        return None
    operands = [statement.value.left, *statement.value.comparators]
    return statement.value if any(map(_literal, operands)) else None


def _literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def _compared(assertion: Assertion, comparison: ast.Compare) -> tuple[str, str | None]:
    """What a comparison would print, made here, and what it raises."""
    try:
        holds = assertion.holds(comparison)
    except Raised as error:
        return assertion.printed, error.text + "\n"
    return f"{assertion.printed}{holds}\n", None


def _printed(questioning: Questioning, tree: ast.Module) -> tuple[str, str | None]:
    """What an example prints, and what it raises."""
    code = questioning.compiled(ast.Interactive(tree.body), "single", "<doctest>")
    answer = questioning.ask("run", code)
    printed, raised = str(answer.get("printed", "")), raised_in(answer)
    if raised is not None:
        return printed, raised.text + "\n"
    return printed + ("\n" if printed and not printed.endswith("\n") else ""), None


def _kind(message: str) -> str:
    """An exception's class, without its module and what it says."""
    return message.split("\n", 1)[0].split(":", 1)[0].rsplit(".", 1)[-1]
