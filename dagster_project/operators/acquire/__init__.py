"""Acquire: readers of raw rows. Readers open files; operators never do."""
