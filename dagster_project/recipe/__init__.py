"""Recipes: what a YAML file may declare, read with errors that name file, line and field."""
