"""The error of an input that cannot be read."""

from __future__ import annotations

from dagster_project.errors import SeedbedError


class InputError(SeedbedError):
    """An external input that cannot be read as a whole: which, where, and what to do.

    A single row that cannot be read is no `InputError`; it is kept with its error.
    """
