"""The command `seedbed`: the same verbs for people who live in a terminal."""

from __future__ import annotations

import atexit
import gc
import os
import sys

from dagster_project.engine.collection import collected_seldom


def main() -> None:
    """Run the command; a user sees messages, never a traceback, unless SEEDBED_DEBUG is set."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    atexit.register(end_quickly)
    with collected_seldom():
        _run()


def _run() -> None:
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


def end_quickly() -> None:
    """What is done last: nothing more is said, as DuckDB 2.0's bindings list leaked objects when the
    interpreter ends; and what is left is not searched for cycles, which took a third of a second."""
    sys.stderr.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    gc.freeze()
