"""Fixtures of tests that ask models."""

from __future__ import annotations

import pytest

from dagster_project.llm import caller, pace


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back-off without waiting, so that tests are quick."""
    monkeypatch.setattr(pace, "FIRST_BACK_OFF", 0.002)
    monkeypatch.setattr(pace, "LONGEST_BACK_OFF", 0.02)
    monkeypatch.setattr(caller, "LOOK_AGAIN", 0.02)
