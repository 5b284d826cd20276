"""Errors that end a run of model calls, as no other question would fare better."""

from __future__ import annotations

from dagster_project.errors import SeedbedError


class ModelRefused(SeedbedError):
    """A model cannot be asked as the recipe declares it."""


class NotRecorded(SeedbedError):
    """An answer that is not in the records, where only these may be used."""
