"""Runs programs that nobody has read, with Bubblewrap, where they can do no harm."""
