"""`python -m dagster_project.cli`: the command, where it is not installed."""

from dagster_project.cli import main

main()
