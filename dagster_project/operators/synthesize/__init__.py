"""Generators: operators that make new rows."""
