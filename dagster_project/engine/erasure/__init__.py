"""Erasing rows for good: what is planned, and how it is carried out."""
