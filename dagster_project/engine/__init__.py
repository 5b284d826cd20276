"""The engine: plan a recipe into stages, run them, account for every row."""
