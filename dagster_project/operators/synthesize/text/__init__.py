"""What generators of text share: edits, and what must not change."""
