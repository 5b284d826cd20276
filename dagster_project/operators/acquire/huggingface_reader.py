"""Rows of a Hugging Face dataset, from the hub or a local folder. No code of a dataset is run."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from dagster_project.operators.acquire.arrow_frames import frame_of_arrow
from dagster_project.operators.acquire.block import Block, Records, SourceFile
from dagster_project.operators.acquire.content_key import content_key
from dagster_project.operators.acquire.input_error import InputError
from dagster_project.operators.acquire.origins import typed_origin

BATCH_ROWS = 1_000
BLOCK_BYTES = 32 * 2**20


@dataclass
class HuggingFaceReader:
    """Streams a dataset's Arrow tables; a `Reader`. Needs the extra `seedbed[huggingface]`.

    A row's file is the dataset's name and split, its line the row's number in the split.

    Args:
        name: the dataset's name on the hub, or a local folder: one that `save_to_disk` wrote, or
            one of data files.
        config: name of the configuration; None for the default.
        split: name of the split.
        revision: commit, tag or branch on the hub; give a commit to pin the rows.
    """

    name: str
    config: str | None = None
    split: str = "train"
    revision: str | None = None
    _source: SourceFile | None = field(default=None, init=False, repr=False)

    def blocks(self) -> Iterator[Block]:
        """The rows in blocks of about 32 MiB.

        Raises:
            InputError: when `datasets` is not installed, the dataset, configuration, split or
                revision is not found, or its rows cannot be read.
        """
        content = hashlib.sha256()
        size = 0
        number = 1
        for table in self._tables():
            frame = frame_of_arrow(table, self._label)
            records = Records(frame, typed_origin(self._label, number, frame.height))
            key = content_key("huggingface/1", records)
            content.update(bytes.fromhex(key))
            size += table.nbytes
            number += frame.height
            yield Block(key, lambda records=records: records)
        self._source = SourceFile(self._label, self._uri, content.hexdigest(), size)

    def files(self) -> list[SourceFile]:
        """The dataset as one source: sha256 of its blocks' keys, size of its Arrow tables."""
        return [self._source] if self._source else []

    def _tables(self) -> Iterator[pa.Table]:
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        os.environ.setdefault("HF_UPDATE_DOWNLOAD_COUNTS", "0")
        try:
            import datasets  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise InputError(
                f'{self.name}: reading Hugging Face datasets needs `pip install "seedbed[huggingface]"`'
            ) from error
        try:
            waiting: list[pa.Table] = []
            size = 0
            for table in self._opened(datasets).with_format("arrow").iter(BATCH_ROWS):
                waiting.append(table)
                size += table.nbytes
                if size >= BLOCK_BYTES:
                    yield pa.concat_tables(waiting)
                    waiting, size = [], 0
            if waiting:
                yield pa.concat_tables(waiting)
        except InputError:
            raise
        except Exception as error:  # the library raises what its many backends raise
            raise InputError(f"{self._label}: {type(error).__name__}: {error}") from error

    def _opened(self, datasets: Any) -> Any:
        if not self._is_saved_to_disk():
            return datasets.load_dataset(
                self.name, self.config, split=self.split, revision=self.revision, streaming=True
            )
        saved = datasets.load_from_disk(self.name)
        if not isinstance(saved, dict):
            return saved
        if self.split not in saved:
            raise InputError(
                f"{self.name}: has no split {self.split!r}; it has {', '.join(sorted(saved))}"
            )
        return saved[self.split]

    def _is_saved_to_disk(self) -> bool:
        folder = Path(self.name)
        return (folder / "state.json").is_file() or (folder / "dataset_dict.json").is_file()

    @property
    def _label(self) -> str:
        return (
            f"{self.name}:{self.config}:{self.split}"
            if self.config
            else f"{self.name}:{self.split}"
        )

    @property
    def _uri(self) -> str:
        if Path(self.name).is_dir():
            return Path(self.name).absolute().as_uri()
        uri = f"https://huggingface.co/datasets/{self.name}"
        return f"{uri}/tree/{self.revision}" if self.revision else uri
