"""Asks language models: every answer is recorded, paid for once, and within a budget."""
