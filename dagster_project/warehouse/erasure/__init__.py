"""Erasing rows for good: what must go, and the landed records and snapshots without it."""
