"""A recipe as a component of any `dg` project."""

from __future__ import annotations

import json

import dagster as dg
import pytest

from dagster_project import DatasetVersion
from dagster_project.recipe.problems import DeclarationError

YAML = """\
type: dagster_project.DatasetVersion
attributes:
  name: tutor/v1
  description: rows
  phase: sft
  owners: [team:data]
  inputs: {rows: {files: rows.jsonl}}
  steps:
    - filter_length: {column: text, min_characters: 2}
  checks:
    - expect_table_row_count_to_be_between: {min_value: 1}
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "dg.toml").write_text(
        'directory_type = "project"\n[project]\nroot_module = "mine"\n'
    )
    folder = tmp_path / "mine" / "defs" / "tutor"
    folder.mkdir(parents=True)
    (tmp_path / "mine" / "__init__.py").write_text("")
    (folder / "defs.yaml").write_text(YAML)
    rows = [{"text": "aa"}, {"text": "b"}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def test_a_component_is_the_version_its_fields_declare(project, monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(project))
    definitions = dg.load_from_defs_folder(path_within_project=project / "mine" / "defs")
    key = dg.AssetKey(["tutor", "v1"])
    assert definitions.get_repository_def().asset_graph.get(key).owners == ["team:data"]
    with dg.instance_for_test() as instance:
        job = definitions.get_implicit_global_asset_job_def()
        result = job.execute_in_process(instance=instance)
    (event,) = result.get_asset_materialization_events()
    assert event.materialization.metadata["dagster/row_count"].value == 1
    assert (project / "store/snapshots/tutor/v1/head.json").exists()


def test_a_wrong_operator_is_named(project) -> None:
    component = DatasetVersion.from_attributes_dict(
        attributes={
            "name": "tutor/v1",
            "description": "rows",
            "phase": "sft",
            "inputs": {"rows": {"files": "rows.jsonl"}},
            "steps": [{"filter_lenght": {}}],
        }
    )
    with pytest.raises(DeclarationError, match="did you mean 'filter_length'"):
        component.build_defs(dg.ComponentTree.for_test().load_context)
