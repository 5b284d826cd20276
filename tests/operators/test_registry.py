"""Operators by name: a recipe that names one imports no other."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dagster_project.operators.registry import CHAPTERS, built_in_operators


def test_each_operator_is_found_by_the_name_of_its_module():
    operators = built_in_operators()
    for name, operator in operators.items():
        assert operators.get(name) is operator
        assert operator.operator_name() == name
        assert operator.__module__.split(".")[2] in CHAPTERS
    assert len(operators) == len(set(operators))


def test_what_is_no_operator_is_not_found():
    operators = built_in_operators()
    for name in ("dedupe", "alike_rows", "", "../registry"):
        assert name not in operators
        with pytest.raises(KeyError):
            operators[name]


def test_one_name_imports_no_other_operator():
    code = (
        "import sys\n"
        "from dagster_project.operators.registry import built_in_operators\n"
        "built_in_operators()['filter_c4']\n"
        "print(*(name for name in sys.modules if name.startswith('dagster_project.operators.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "dagster_project.operators.process.filter_c4" in loaded
    assert not [name for name in loaded if "deduplicate" in name or ".curate." in name]
