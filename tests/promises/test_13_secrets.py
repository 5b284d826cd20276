"""Promise 13: no secret in logs, events, metadata, alerts or snapshots."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

import dagster as dg

from dagster_project.orchestration.alerts.sensor import AlertsUndelivered
from dagster_project.orchestration.workspace_definitions import workspace_definitions

CANARY = "canary-7f3a91d2"

RECIPE = """\
inputs:
  rows: {files: rows.jsonl}
  made: {python: source.py:read}
checks:
  - sql: "SELECT row_id FROM rows WHERE text = 'bad'"
    name: no_bad
    severity: warning
"""

SOURCE = '''"""A source that needs a key, and fails with it in its message."""
import os


def read(fail: bool = False):
    key = os.environ["SOURCE_API_KEY"]
    if fail:
        raise RuntimeError(f"401 for https://user:{key}@example.org/?token={key}")
    yield {"text": "from source"}
'''


def holders(*folders: Path) -> list[str]:
    return [
        str(path)
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and CANARY.encode() in path.read_bytes()
    ]


def test_no_secret_is_written_anywhere(space, tmp_path_factory, monkeypatch, caplog, capfd) -> None:
    monkeypatch.setenv("SOURCE_API_KEY", CANARY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    monkeypatch.setenv("SEEDBED_ALERT_URLS", f"json://user:{CANARY}@127.0.0.1:9/{CANARY}")
    space.recipe("a/v1", RECIPE)
    space.recipe("a/v2", RECIPE.replace("source.py:read", "source.py:read, params: {fail: true}"))
    (space.root / "assets/a/source.py").write_text(SOURCE)
    space.jsonl("rows.jsonl", [{"text": "bad"}, {"text": "good"}])
    home = tmp_path_factory.mktemp("home")
    with (
        caplog.at_level(logging.DEBUG),
        dg.DagsterInstance.local_temp(
            str(home), overrides={"telemetry": {"enabled": False}}
        ) as instance,
    ):
        repository = workspace_definitions(space.workspace).get_repository_def()
        job = repository.get_implicit_global_asset_job_def()
        result = job.execute_in_process(instance=instance, raise_on_error=False)
        assert not result.success
        sensor = repository.get_sensor_def("alert_delivery")
        with contextlib.suppress(AlertsUndelivered):
            sensor(dg.build_sensor_context(instance=instance, repository_def=repository))
    assert holders(space.store.root, home) == []
    assert CANARY not in caplog.text
    said = capfd.readouterr()
    assert CANARY not in said.out + said.err
