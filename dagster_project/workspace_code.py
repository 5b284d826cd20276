"""Running the Python files of a workspace: what runs is what was read, never what was compiled before."""

from __future__ import annotations

import importlib.util
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType


def unrun_module(name: str, path: Path, text: bytes) -> ModuleType:
    """A module of a text that was read from a path; `module.__spec__.loader.exec_module` runs it.

    Compiled files beside the path are neither read nor written: Python takes them for current when a
    file changes within a second and keeps its size.
    """
    loader = _TextLoader(name, str(path), text)
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    assert spec is not None
    return importlib.util.module_from_spec(spec)


class _TextLoader(SourceFileLoader):
    def __init__(self, name: str, path: str, text: bytes) -> None:
        super().__init__(name, path)
        self.text = text

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.text, self.path)
