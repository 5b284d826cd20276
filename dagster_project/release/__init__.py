"""Exports, chat templates and what a trainer sees."""
