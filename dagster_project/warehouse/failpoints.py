"""Named moments at which a test can kill the process, to prove that a crash does no harm."""

from __future__ import annotations

import os
import signal

FAILPOINTS = (
    "block_landed",
    "source_landed",
    "stage_cached",
    "rows_written",
    "provenance_written",
    "checks_written",
    "snapshot_sealed",
    "snapshot_renamed",
    "manifest_written",
    "head_written",
)
"""Of a build, in order."""

ERASURE_FAILPOINTS = (
    "erasure_written",
    "erased_calls_forgotten",
    "erased_blocks_landed",
    "erased_source_written",
    "erased_snapshot_renamed",
    "erased_manifest_written",
    "erased_old_files_deleted",
)
"""Of an erasure, in order."""


def failpoint(name: str) -> None:
    """Die by SIGKILL here if the environment's SEEDBED_FAILPOINT says so."""
    if os.environ.get("SEEDBED_FAILPOINT") == name:
        os.kill(os.getpid(), signal.SIGKILL)
