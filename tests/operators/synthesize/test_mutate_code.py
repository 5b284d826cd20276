from __future__ import annotations

import ast
import difflib
import inspect
import statistics
import textwrap
from typing import get_args

import polars as pl
import pytest

from dagster_project.operators.base import OperatorMisuse
from dagster_project.operators.synthesize.code.code_mutations import MutationKind, Source
from dagster_project.operators.synthesize.mutate_code import MutateCode

CODE = '''\
def f(a: Literal[1], b=2):  # 1 < 2
    """Say 1 < 2.

    >>> f(1, 2)
    """
    if (a) \\
        <  b and not é(a, b):  # a < b
        total = a + b
        log(total)
        return f"{a + 1}"
    return "x" + str(b)
'''


def mutants(code: str, *kinds: MutationKind) -> dict[str, str]:
    source = Source(code)
    return {
        f"{one.line}: {one.told}": mutant
        for one in source.mutations(kinds or get_args(MutationKind))
        if (mutant := source.mutated(one)) is not None
    }


def changed(code: str, mutant: str) -> list[str]:
    before, after = code.splitlines(), mutant.splitlines()
    same = difflib.SequenceMatcher(a=before, b=after, autojunk=False).get_opcodes()
    return [
        line
        for tag, start, end, other, other_end in same
        if tag != "equal"
        for line in (
            *(f"- {each}" for each in before[start:end]),
            *(f"+ {each}" for each in after[other:other_end]),
        )
    ]


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("comparison", {"7: < → <=": "        <=  b and not é(a, b):  # a < b"}),
        ("arithmetic", {"8: + → -": "        total = a - b"}),
        (
            "boolean",
            {
                "7: and → or": "        <  b or not é(a, b):  # a < b",
                "7: not left out": "        <  b and é(a, b):  # a < b",
            },
        ),
        ("constant", {}),
        ("return_none", {'11: "x" + str(b) → None': "    return None"}),
        ("removed_statement", {"9: without log(total)": None}),
        ("swapped_arguments", {"7: a ⇄ b": "        <  b and not é(b, a):  # a < b"}),
    ],
)
def test_one_place_is_changed_and_nothing_else(kind: MutationKind, wanted: dict) -> None:
    found = mutants(CODE, kind)
    if not wanted:
        assert found == {}
    for told, line in wanted.items():
        lines = changed(CODE, found[told])
        assert [each[2:] for each in lines if each[0] == "+"] == ([line] if line else [])
        assert len(lines) == (2 if line else 1)


def test_a_negated_condition() -> None:
    (told,) = mutants(CODE, "negated_condition")
    assert told.startswith("6: (a) \\ < b and not é(a, b) → not (")


def test_the_last_statement_of_a_block_becomes_pass() -> None:
    code = "def f(x):\n    for y in x:\n        g(y); h(y)\n    while x: x.pop()  # one\n"
    found = mutants(code, "removed_statement")
    assert found["3: without g(y)"] == code.replace("g(y)", "pass")
    assert found["4: without x.pop()"] == code.replace("x.pop()", "pass")


def test_texts_hints_and_scripts_are_left_alone() -> None:
    code = (
        'def f(x: Literal[1] = 3) -> "1 < 2":\n    """1 + 1"""\n    y: List[2] = x\n'
        '    return f"{y + 1}"\n\nif __name__ == "__main__":\n    print(f(1) + 2)\n'
    )
    assert {told.split(" ", 1)[1] for told in mutants(code)} == {'f"{y + 1}" → None'}
    assert set(mutants("x = 1\nif __name__ == '__main__':\n    y = 2\n", "constant")) == {
        "1: 1 → 2",
        "1: 1 → 0",
    }


def test_every_mutant_of_real_code_parses_and_differs() -> None:
    count = 0
    for module in (statistics, textwrap):
        for function in (value for value in vars(module).values() if inspect.isfunction(value)):
            if function.__code__.co_filename != module.__file__:
                continue
            code = textwrap.dedent(inspect.getsource(function))
            for mutant in mutants(code).values():
                count += 1
                assert ast.dump(ast.parse(mutant)) != ast.dump(ast.parse(code))
                removed = sum(line[0] == "-" for line in changed(code, mutant))
                assert 1 <= removed <= 20
    assert count > 300


def test_line_ends_and_other_letters_stay() -> None:
    code = "def f(ä):\r\n\tß = 'é' ; return ä < 1 # ü\r\n"
    found = mutants(code, "comparison")
    assert found["2: < → <="] == code.replace("<", "<=")


def test_pairs_and_replacements(attempt) -> None:
    seed = {"code": CODE, "question": "Write f."}
    found, _ = attempt(MutateCode(mutants=100), [seed])
    assert len({one.values["code"] for one in found}) == len(found) == len(mutants(CODE))
    assert {one.values["mutation"].split(":")[0] for one in found} > {"comparison", "boolean"}
    pair = MutateCode(shape="pair", prompt_column="question", kinds=("comparison",))
    (one,), _ = attempt(pair, [seed])
    assert (one.values["prompt"], one.values["chosen"]) == ("Write f.", CODE)
    assert one.values["rejected"] in mutants(CODE, "comparison").values()


@pytest.mark.parametrize(
    ("code", "rule"),
    [("def f(:", "syntax_error"), ("x", "no_mutation"), ("\x00", "syntax_error"), (" ", None)],
)
def test_code_that_cannot_be_changed(code: str, rule: str | None, attempt) -> None:
    found, _ = attempt(MutateCode(), [{"code": code}])
    assert [one.rejection.rule for one in found if one.rejection] == ([rule] if rule else [])


def test_a_pair_needs_a_prompt() -> None:
    with pytest.raises(OperatorMisuse, match="prompt_column"):
        MutateCode(shape="pair").produces(pl.Schema({"code": pl.String()}))
