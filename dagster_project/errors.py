"""The root of every error that a user is meant to read."""

from __future__ import annotations


class SeedbedError(Exception):
    """An error with a message for the user: what is wrong, where, and what to do."""
