"""Immutable snapshots of dataset versions, with the provenance of every row."""
