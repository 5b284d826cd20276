"""Keeps Data-Juicer from installing packages while it is measured. Import this before anything of it: it
installs what it misses already while it is imported."""

from __future__ import annotations

import os
import subprocess

os.environ |= {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
os.environ |= {"UV_OFFLINE": "1", "UV_NO_CACHE": "1", "UV_NO_CONFIG": "1"}

_check_call = subprocess.check_call


def _refusing(command, *arguments, **named):
    """`subprocess.check_call`, by which Data-Juicer calls uv and pip, for all but these."""
    if "pip" in command:
        raise ImportError(f"missing in requirements-data-juicer.txt: {' '.join(command[1:])}")
    return _check_call(command, *arguments, **named)


subprocess.check_call = _refusing
