"""Recipes as Dagster assets, checks, jobs, schedules and alerts."""
