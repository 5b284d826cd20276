"""Promise 8: `verify` names the file and the version of every flipped, truncated, swapped or deleted
byte."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

from dagster_project.warehouse.store import Store
from dagster_project.warehouse.verify import verify

FULL = os.environ.get("SEEDBED_PROMISES") == "full"
CORRUPTIONS = 1000 if FULL else 40


def flip(path: Path, generator: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
    path.write_bytes(content)


def truncate(path: Path, generator: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: generator.randrange(len(content))])


def delete(path: Path, _: random.Random) -> None:
    path.unlink()


def append(path: Path, _: random.Random) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def test_every_corruption_is_named(space) -> None:
    space.jsonl("rows.jsonl", [{"text": f"row {index}"} for index in range(50)])
    space.recipe("a/v1", "inputs:\n  rows: {files: rows.jsonl}\n")
    space.recipe("a/v2", "inputs:\n  rows: {version: a/v1}\n")
    space.publish("a/v1")
    space.publish("a/v2")
    store = space.store
    assert verify(store).damage == ()
    files = sorted(
        path
        for folder in ("snapshots", "landed")
        for path in (store.root / folder).rglob("*")
        if path.is_file() and not path.name.startswith(".")
    )
    assert len(files) >= 10
    generator = random.Random(8)
    for number in range(CORRUPTIONS):
        path = generator.choice(files)
        how = generator.choice([flip, truncate, delete, append, "swap"])
        copies = {path: path.read_bytes()}
        path.parent.chmod(0o755)
        path.chmod(0o644)
        if callable(how):
            how(path, generator)
            hurt = {path}
        else:
            other = generator.choice(
                [each for each in files if each.suffix == path.suffix and each != path]
            )
            copies[other] = other.read_bytes()
            other.chmod(0o644)
            path.write_bytes(copies[other])
            other.write_bytes(copies[path])
            hurt = {path, other} if copies[path] != copies[other] else set()
        found = verify(store).damage
        named = {store.root / damage.path for damage in found}
        assert hurt <= named, f"corruption {number}: {how} of {path}: only {named} named"
        for damage in found:
            assert damage.versions, f"{damage.path} names no version"
        for each, content in copies.items():
            each.parent.mkdir(parents=True, exist_ok=True)
            each.unlink(missing_ok=True)
            each.write_bytes(content)
    assert verify(store).damage == ()


def test_a_store_moved_elsewhere_is_whole(space, tmp_path_factory) -> None:
    space.jsonl("rows.jsonl", [{"text": "a"}])
    space.recipe("a/v1", "inputs:\n  rows: {files: rows.jsonl}\n")
    space.publish("a/v1")
    elsewhere = tmp_path_factory.mktemp("moved") / "store"
    shutil.copytree(space.store.root, elsewhere)
    assert verify(Store(elsewhere)).damage == ()
