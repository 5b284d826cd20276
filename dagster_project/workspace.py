"""A workspace: the folder that holds a user's `assets/` and `checks/`, and where its data lives."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from dagster_project.errors import SeedbedError

DATASET_PATTERN = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
VERSION_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
RESERVED_DATASETS = frozenset(
    {"main", "memory", "temp", "system", "information_schema", "pg_catalog"}
)


class NameRefused(SeedbedError):
    """A dataset or version name that cannot be used."""


@dataclass(frozen=True, order=True)
class VersionName:
    """The name of a dataset version, `dataset/version`; also its asset key."""

    dataset: str
    version: str

    def __str__(self) -> str:
        return f"{self.dataset}/{self.version}"

    @classmethod
    def parse(cls, text: str) -> VersionName:
        """Read `dataset/version`.

        Raises:
            NameRefused: unless the dataset is a letter followed by letters, digits and
                underscores, and the version starts with a letter or digit and goes on with
                letters, digits, `_`, `.` and `-`; 64 characters each at most.
        """
        dataset, slash, version = text.partition("/")
        if not slash:
            raise NameRefused(f"{text!r} is not a dataset version; write it `dataset/version`")
        if not DATASET_PATTERN.fullmatch(dataset) or dataset.lower() in RESERVED_DATASETS:
            raise NameRefused(
                f"{dataset!r} cannot be a dataset's name: a letter, then letters, digits and "
                f"underscores, 64 at most, and none of {', '.join(sorted(RESERVED_DATASETS))}"
            )
        if not VERSION_PATTERN.fullmatch(version) or ".." in version:
            raise NameRefused(
                f"{version!r} cannot be a version's name: a letter or digit, then letters, "
                "digits, `_`, `-` and single dots, 64 at most"
            )
        return cls(dataset, version)


@dataclass(frozen=True)
class Workspace:
    """Where things are, from the workspace's root folder."""

    root: Path

    @property
    def assets(self) -> Path:
        """Recipes and the Python files beside them."""
        return self.root / "assets"

    @property
    def checks(self) -> Path:
        """Expectation suites."""
        return self.root / "checks"

    @property
    def store(self) -> Path:
        """Everything that is materialized: snapshots, landed inputs, caches. Safe to delete as a
        whole; nothing in it is edited by hand."""
        return self.root / "store"

    @classmethod
    def find(cls, start: Path | None = None) -> Workspace:
        """The workspace named by `SEEDBED_WORKSPACE`, else the nearest folder from `start` (the
        current one) upwards that has an `assets` folder and a `workspace.yaml`.

        Raises:
            SeedbedError: when there is none.
        """
        named = os.environ.get("SEEDBED_WORKSPACE")
        if named:
            root = Path(named).expanduser().resolve()
            if not (root / "assets").is_dir():
                raise SeedbedError(f"SEEDBED_WORKSPACE is {root}, which has no `assets` folder")
            return cls(root)
        start = (start or Path.cwd()).resolve()
        for folder in (start, *start.parents):
            if (folder / "assets").is_dir() and (folder / "workspace.yaml").is_file():
                return cls(folder)
        raise SeedbedError(
            f"no workspace here: {start} and the folders above it have no `assets` folder beside a "
            "`workspace.yaml`. Go to one, or set SEEDBED_WORKSPACE"
        )
