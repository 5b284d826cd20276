"""Operators that verify rows, generated ones above all."""
