"""Corpora in which what is to be found is known, and what operators find of it."""
