"""Versions materialized in this process, as `seedbed build` does."""

from __future__ import annotations

import pytest

from dagster_project.orchestration.instance import use_instance_of
from dagster_project.orchestration.running import Running
from dagster_project.workspace import VersionName

STRANGE = '''
from dagster_project.operators.base import RowOperator


class Strange(RowOperator):
    """Fails as nobody foresaw."""

    def edits(self, schema):
        raise ZeroDivisionError("one by none")
'''


@pytest.fixture
def build(space, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", "")

    def run(*names: str, sample: int | None = None) -> tuple[dict, str]:
        use_instance_of(space.workspace)
        shown: list[str] = []
        outcome = Running(space.workspace).materialize(
            [VersionName.parse(name) for name in names],
            sample=sample,
            with_missing_upstream=True,
            say=lambda _: None,
            show=shown.append,
        )
        return {item["version"]: item for item in outcome}, "\n".join(shown)

    return run


def test_an_input_that_is_gone_fails_its_version_alone(space, build) -> None:
    for name in ("a", "b"):
        space.jsonl(f"{name}.jsonl", [{"text": name}])
        space.recipe(f"{name}/v1", f"inputs: {{rows: {{files: {name}.jsonl}}}}\n")
    assert build("a/v1")[0]["a/v1"]["status"] == "published"
    (space.root / "a.jsonl").unlink()
    done, _ = build("a/v1", "b/v1")
    assert "a.jsonl: no such file" in done["a/v1"]["error"]
    assert done["b/v1"]["status"] == "published"


def test_an_error_that_nobody_foresaw_is_told_by_its_own_name(space, build) -> None:
    space.jsonl("rows.jsonl", [{"text": "a"}])
    space.recipe("a/v1", "inputs: {rows: {files: rows.jsonl}}\nsteps: [strange: {}]\n")
    (space.root / "assets/a/strange.py").write_text(STRANGE)
    done, shown = build("a/v1")
    assert done["a/v1"]["error"] == "ZeroDivisionError: one by none"
    assert "one by none" in shown


def test_a_trial_says_how_to_read_it_and_a_rejected_first_build_that_nothing_is_there(
    space, build
) -> None:
    space.jsonl("rows.jsonl", [{"text": "a"}])
    space.recipe(
        "a/v1",
        "inputs: {rows: {files: rows.jsonl}}\n"
        "checks: [{sql: SELECT row_id FROM rows, severity: error, name: none}]\n",
    )
    done, shown = build("a/v1", sample=1)
    assert f"seedbed sample a/v1@{done['a/v1']['snapshot']}" in shown
    assert build("a/v1")[0]["a/v1"]["error"].endswith("; there is no other yet.")
