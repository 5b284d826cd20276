"""Versions declared in Python go through the same model, and a broken file stops only itself."""

from __future__ import annotations

from pathlib import Path

from dagster_project.recipe.loading import load_recipes
from dagster_project.recipe.python_versions import python_versions
from dagster_project.workspace import Workspace

GOOD = """\
from dagster_project.recipe.python_versions import declare

for language in ("en", "fr"):
    declare(
        f"mine/{language}",
        description=language,
        phase="sft",
        inputs={"rows": {"files": f"{language}.jsonl"}},
        steps=[{"deduplicate_exact": {"columns": ["text"]}}],
    )
"""


def write(root: Path, name: str, text: str) -> Workspace:
    path = root / "assets" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return Workspace(root)


def test_declared_versions_join_those_in_files(tmp_path: Path) -> None:
    workspace = write(tmp_path, "mine/languages.py", GOOD)
    declared, problems = python_versions(workspace)
    assert problems == {}
    loaded = load_recipes(workspace, declared)
    assert [str(name) for name in loaded.versions] == ["mine/en", "mine/fr"]
    assert [step.operator for step in declared[0].recipe.steps] == ["deduplicate_exact"]


def test_a_name_declared_twice_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "mine/languages.py", GOOD)
    workspace = write(
        tmp_path, "mine/en.yaml", "description: x\nphase: sft\ninputs: {a: {files: x.jsonl}}\n"
    )
    loaded = load_recipes(workspace, python_versions(workspace)[0])
    assert "declares it already" in str(loaded.problems["mine/en"][0])
    assert [str(name) for name in loaded.versions] == ["mine/fr"]


def test_a_broken_file_is_named_with_its_line(tmp_path: Path) -> None:
    workspace = write(tmp_path, "mine/languages.py", GOOD + "\n1 / 0\n")
    declared, problems = python_versions(workspace)
    (problem,) = problems["mine/languages"]
    assert "languages.py:12: cannot be run: ZeroDivisionError" in str(problem)
    assert len(declared) == 2


def test_a_wrong_field_is_named_with_its_line(tmp_path: Path) -> None:
    workspace = write(tmp_path, "mine/languages.py", GOOD.replace('"sft"', '"sfd"'))
    _, problems = python_versions(workspace)
    (problem,) = problems["mine/languages"]
    assert "languages.py:4: phase:" in str(problem)
