"""The command `seedbed`: the same verbs for people who live in a terminal."""

from __future__ import annotations

import atexit
import os
import sys


def main() -> None:
    """Run the command; a user sees messages, never a traceback, unless SEEDBED_DEBUG is set."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    atexit.register(_end_of_stderr)
    from rich.markup import escape

    from dagster_project.cli.app import app
    from dagster_project.cli.console import errors
    from dagster_project.errors import SeedbedError

    try:
        app()
    except SeedbedError as error:
        errors.print(f"[bold red]error[/] {escape(str(error))}")
        sys.exit(1)
    except KeyboardInterrupt:
        errors.print("interrupted; what was published before stays")
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except SystemExit:
        raise
    except BaseException as error:  # Rust's panics are no `Exception`
        if os.environ.get("SEEDBED_DEBUG"):
            raise
        errors.print(
            f"[bold red]unexpected error[/] {type(error).__name__}: {escape(str(error))}\n"
            "This is a defect; set SEEDBED_DEBUG=1 to see where it happened."
        )
        sys.exit(2)


def _end_of_stderr() -> None:
    """DuckDB 2.0's bindings list leaked objects when the interpreter ends; nobody wants to read
    that, and nothing else is said after this."""
    sys.stderr.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
