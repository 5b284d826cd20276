"""The README.md that Hugging Face's `datasets` and its hub read: where the files of each split are,
and what they hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import yaml

from dagster_project.errors import SeedbedError
from dagster_project.release.shapes.shape import Contents

_LICENCES = """
afl-3.0 agpl-3.0 apache-2.0 artistic-2.0 bsd-2-clause bsd-3-clause bsd-3-clause-clear bsl-1.0 c-uda
cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0
cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cc-by-nd-4.0
cc-by-sa-3.0 cc-by-sa-4.0 cdla-permissive-1.0 cdla-permissive-2.0 cdla-sharing-1.0 ecl-2.0 epl-1.0
epl-2.0 etalab-2.0 eupl-1.1 gpl-2.0 gpl-3.0 isc lgpl-2.1 lgpl-3.0 lppl-1.3c mit mpl-2.0 ms-pl ncsa
odbl ofl-1.1 osl-3.0 pddl postgresql unlicense wtfpl zlib
"""
LICENCES = frozenset(_LICENCES.split())
"""Identifiers that the hub knows; others are given by name."""

SIZES = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T")


class NoFeature(SeedbedError):
    """A type that `datasets` has no word for."""


def dataset_card(contents: Contents) -> Mapping[str, str]:
    """README.md."""
    assert contents.schema is not None
    rows: dict[str, int] = defaultdict(int)
    memory: dict[str, int] = defaultdict(int)
    for file in contents.files:
        rows[file.split] += file.rows
        memory[file.split] += file.memory
    metadata = {
        **_licence(contents.licence),
        "size_categories": [size_category(sum(rows.values()))],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": split, "path": f"data/{split}-*"} for split in rows],
            }
        ],
        "dataset_info": {
            "features": [{"name": field.name, **_feature(field)} for field in contents.schema],
            "splits": [
                {"name": split, "num_bytes": memory[split], "num_examples": count}
                for split, count in rows.items()
            ],
            "download_size": contents.size,
            "dataset_size": sum(memory.values()),
        },
    }
    front = yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True, width=100)
    counts = "\n".join(f"| {split} | {count:,} |" for split, count in rows.items())
    text = f"""---
{front}---

# {contents.version}

{contents.description.strip()}

| split | rows |
|---|---|
{counts}

Exported by Seedbed from snapshot `{contents.snapshot_id}`, content `{contents.content_id}`.
`seedbed_export.json` lists its sources with their licences, and the sha256 of each file.
"""
    return {"README.md": text}


def size_category(rows: int) -> str:
    """The hub's category for a number of rows, e.g. `1K<n<10K`."""
    bounds = [10**power for power in range(3, 13)]
    place = sum(rows >= bound for bound in bounds)
    if place == 0:
        return "n<1K"
    return f"n>{SIZES[-1]}" if place == len(bounds) else f"{SIZES[place - 1]}<n<{SIZES[place]}"


def _licence(licence: str | None) -> dict[str, str]:
    if licence is None:
        return {"license": "unknown"}
    if licence.lower() in LICENCES:
        return {"license": licence.lower()}
    return {"license": "other", "license_name": licence.lower()}


def _feature(field: pa.Field) -> dict[str, Any]:
    kind = field.type
    if pa.types.is_struct(kind):
        return {"struct": [{"name": part.name, **_feature(part)} for part in kind]}
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        inner = _feature(kind.value_field)
        return {
            "list": next(iter(inner.values())) if len(inner) == 1 and "list" not in inner else inner
        }
    return {"dtype": _dtype(field)}


def _dtype(field: pa.Field) -> str:
    kind = field.type
    named = {
        pa.float16(): "float16",
        pa.float32(): "float32",
        pa.float64(): "float64",
        pa.date32(): "date32",
        pa.date64(): "date64",
    }
    if kind in named:
        return named[kind]
    if pa.types.is_dictionary(kind):
        return str(kind.value_type)  # Parquet holds the values
    if pa.types.is_nested(kind):
        raise NoFeature(
            f"column {field.name!r} is {kind}, for which `datasets` has no type; leave it out with "
            "--columns, or export as parquet"
        )
    return str(kind)
