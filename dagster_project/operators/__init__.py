"""Operators: what can be done to rows. The folders are the chapters of the work."""
