"""The arena: one fixed model and evaluation, on which versions compete."""
