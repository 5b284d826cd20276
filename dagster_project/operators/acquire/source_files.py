"""Files on disk: which ones a recipe names, and their bytes, decompressed and watched."""

from __future__ import annotations

import difflib
import glob
import hashlib
import itertools
import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from dagster_project.operators.acquire.block import SourceFile
from dagster_project.operators.acquire.input_error import InputError

CHUNK = 4 * 2**20
COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4"}
_ARCHIVES = frozenset({".zip", ".7z", ".tar", ".tgz", ".tbz2", ".rar", ".xz", ".z", ".cab", ".iso"})
_MAGIC = {
    b"\x1f\x8b": "compressed with gzip; end its name with .gz",
    b"BZh91AY&SY": "compressed with bzip2; end its name with .bz2",
    b"\x28\xb5\x2f\xfd": "compressed with zstd; end its name with .zst",
    b"\x04\x22\x4d\x18": "compressed with lz4; end its name with .lz4",
    b"PK\x03\x04": "a zip archive; unpack it",
    b"7z\xbc\xaf": "a 7z archive; unpack it",
    b"\xfd7zXZ": "compressed with xz; unpack it or compress it with zstd",
    b"PAR1\x15": "a Parquet file; end its name with .parquet",
    b"\xff\xfe": "UTF-16 text; convert it to UTF-8",
    b"\xfe\xff": "UTF-16 text; convert it to UTF-8",
}


@dataclass(frozen=True)
class ReadLimits:
    """When reading must stop rather than fill memory or disk.

    Attributes:
        max_line_bytes: longest line (or record of a file without lines), in bytes.
        max_expansion: largest ratio of decompressed to compressed bytes.
        expansion_floor: decompressed bytes of a file up to which that ratio does not matter.
    """

    max_line_bytes: int = 256 * 2**20
    max_expansion: float = 1000
    expansion_floor: int = 2**30


@dataclass(frozen=True)
class FoundFile:
    """A file to read: its name, relative to the workspace when it is inside, and its path."""

    name: str
    path: Path

    @property
    def suffixes(self) -> tuple[str, str]:
        """The suffix of the content and that of the compression ('' when there is none).

        Raises:
            InputError: for an archive.
        """
        path = Path(self.path.name.lower())
        if path.suffix in _ARCHIVES or ".tar" in path.suffixes:
            raise InputError(
                f"{self.name}: archives are not opened; unpack it, or compress the single file "
                f"with {', '.join(COMPRESSIONS)}"
            )
        compression = path.suffix if path.suffix in COMPRESSIONS else ""
        return Path(path.name.removesuffix(compression)).suffix, compression


def find_files(root: Path, patterns: tuple[str, ...]) -> list[FoundFile]:
    """The files that `patterns` name, pattern by pattern, sorted by name, each once.

    Args:
        root: the folder that relative patterns start from.
        patterns: paths or globs (`*`, `?`, `[a-z]`, `**` for folders below). Hidden files match
            only patterns that name their dot. What a glob matches must not lead, by a symbolic
            link, out of the folder in which the glob starts; a path written in full may.

    Raises:
        InputError: when a pattern matches nothing or a folder, or a match is not a regular file
            that can be read.
    """
    found: dict[str, FoundFile] = {}
    for pattern in patterns:
        for path in _matches(root, pattern):
            name = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
            try:
                name.encode()
            except UnicodeEncodeError as error:
                raise InputError(f"{name!r}: the file's name is not UTF-8; rename it") from error
            if not stat.S_ISREG(path.stat().st_mode):
                raise InputError(f"{name}: is not a regular file")
            found.setdefault(name, FoundFile(name, path))
    return list(found.values())


class SourceStream:
    """The bytes of one file, decompressed by its suffix, hashed as stored, watched for change.

    Args:
        file: what to read.
        limits: see `ReadLimits`.
    """

    def __init__(self, file: FoundFile, limits: ReadLimits) -> None:
        self.file = file
        self.limits = limits
        self._source: SourceFile | None = None

    def described(self) -> SourceFile:
        """What was read; only once `chunks` is exhausted."""
        assert self._source is not None, "the file has not been read to its end"
        return self._source

    def chunks(self) -> Iterator[bytes]:
        """The content in pieces of about 4 MiB.

        Raises:
            InputError: when the file cannot be read, is damaged, expands too much, is compressed
                though its name does not say so, or changes while it is read.
        """
        compression = COMPRESSIONS.get(self.file.suffixes[1])
        try:
            with self.file.path.open("rb") as raw:
                before = os.fstat(raw.fileno())
                stored = _Hashed(raw)
                content = (
                    pa.CompressedInputStream(pa.PythonFile(stored, "r"), compression)
                    if compression and before.st_size
                    else stored
                )
                produced = 0
                while chunk := content.read(CHUNK):
                    if not produced:
                        self._check_magic(chunk)
                    produced += len(chunk)
                    self._check_expansion(produced, before.st_size)
                    yield chunk
                while stored.read(CHUNK):
                    pass
        except (OSError, pa.ArrowInvalid) as error:
            what = f"damaged {compression} data" if compression else "cannot be read"
            raise InputError(f"{self.file.name}: {what}: {error}") from error
        check_unchanged(self.file, before)
        self._source = SourceFile(
            self.file.name, self.file.path.as_uri(), stored.sha256.hexdigest(), before.st_size
        )

    def _check_magic(self, start: bytes) -> None:
        for magic, what in _MAGIC.items():
            if start.startswith(magic):
                raise InputError(f"{self.file.name}: is {what}")

    def _check_expansion(self, produced: int, stored: int) -> None:
        if produced > max(self.limits.expansion_floor, stored * self.limits.max_expansion):
            raise InputError(
                f"{self.file.name}: its {stored:,} bytes expand to more than {produced:,}, over "
                f"{self.limits.max_expansion:g} times as many. If that is meant, raise "
                "`limits.max_expansion`"
            )


def check_unchanged(file: FoundFile, before: os.stat_result) -> None:
    """Raises InputError when `file` is not what it was when `before` was taken."""
    try:
        after = file.path.stat()
    except OSError as error:
        raise InputError(f"{file.name}: was removed while it was read") from error
    if (after.st_size, after.st_mtime_ns, after.st_ino) != (
        before.st_size,
        before.st_mtime_ns,
        before.st_ino,
    ):
        raise InputError(f"{file.name}: changed while it was read; read it once it is complete")


class _Hashed:
    """A file whose bytes are hashed as they are read."""

    closed = False

    def __init__(self, raw) -> None:
        self.raw = raw
        self.sha256 = hashlib.sha256()

    def read(self, size: int) -> bytes:
        data = self.raw.read(size)
        self.sha256.update(data)
        return data

    def close(self) -> None:
        """Called by Arrow, which wants it; whoever opened the file closes it."""


def _matches(root: Path, pattern: str) -> list[Path]:
    whole = Path(os.path.normpath(root / pattern))
    if whole.is_dir():
        raise InputError(_folder_message(pattern, whole))
    if whole.exists():
        return [whole]
    found = glob.glob(pattern, root_dir=root, recursive=True)
    names = [Path(os.path.normpath(root / name)) for name in found]
    files = sorted((path for path in names if not path.is_dir()), key=lambda path: path.as_posix())
    if not files:
        raise InputError(_nothing_message(pattern, whole))
    written = itertools.takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts)
    start = root.joinpath(*written).resolve()
    for path in files:
        if not path.resolve().is_relative_to(start):
            raise InputError(
                f"{pattern}: matches {path}, a symbolic link to {path.resolve()}, which is outside "
                f"{start}. If it is meant, name it in full"
            )
    return files


def _folder_message(pattern: str, folder: Path) -> str:
    suffixes = Counter(path.suffix for path in folder.iterdir() if path.is_file() and path.suffix)
    suffix = suffixes.most_common(1)[0][0] if suffixes else ".jsonl"
    return f"{pattern}: is a folder; write `{pattern.rstrip('/')}/*{suffix}` for the files in it"


def _nothing_message(pattern: str, whole: Path) -> str:
    folder = whole.parent
    while not folder.is_dir():
        folder = folder.parent
    wanted = whole.relative_to(folder).parts[0]
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError as error:
        return f"{pattern}: nothing found; {folder} cannot be read: {error.strerror}"
    near = difflib.get_close_matches(wanted, names, n=5, cutoff=0.3) or names[:5]
    listed = f"nearest there: {', '.join(near)}" if near else "that folder is empty"
    return f"{pattern}: no such file; looked for {wanted!r} in {folder}; {listed}"
