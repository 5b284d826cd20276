"""Every altered byte is found, with the file and the versions that depend on it."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from dagster_project.warehouse.manifest import head_path, manifest_path, read_head
from dagster_project.warehouse.verify import verify
from dagster_project.workspace import VersionName

ALL = {"raw/v1", "clean/v1", "train/v1"}


def three_versions(warehouse, make):
    rng = random.Random(5)
    texts = ("".join(rng.choices("abc ", k=40)) for _ in range(8))
    source = warehouse.land({"a.jsonl": make.lines(*texts)})
    warehouse.publish("raw/v1", {"found": source})
    warehouse.publish("clean/v1", {"raw": "raw/v1"}, [make.lower()])
    warehouse.publish("clean/v1", {"raw": "raw/v1"}, status="rejected")
    warehouse.publish("train/v1", {"clean": "clean/v1"})


@pytest.fixture
def three(copy_of):
    return copy_of(three_versions)[0].store


def dependents(store, path: Path) -> set[str]:
    """The versions that must be named for damage to a file."""
    relative = path.relative_to(store.root).as_posix()
    if relative.startswith("landed/"):
        return ALL
    owner = "/".join(relative.split("/")[1:3])
    if path.name == "head.json" or owner == "train/v1":
        return {owner}
    if owner == "raw/v1":
        return ALL
    current = read_head(store, VersionName("clean", "v1")).current
    return {"clean/v1", "train/v1"} if path.stem == current else {"clean/v1"}


def files_of(store) -> list[Path]:
    kept = ("*.json", "*.duckdb", "*.parquet")
    return sorted(path for kind in kept for path in store.root.rglob(kind) if path.is_file())


def test_nothing_is_wrong(three):
    told: list[str] = []
    found = verify(three, progress=told.append)
    assert (found.damage, found.leftovers) == ((), ())
    assert found.files == len(files_of(three)) - (three.cache / "verified.json").exists()
    assert found.size > 0
    assert any(path.endswith(".duckdb") for path in told)


@pytest.mark.parametrize("seed", range(2))
def test_flips_truncations_swaps_and_deletions(three, seed):
    rng = random.Random(seed)
    paths = [path for path in files_of(three) if path.parent != three.cache]
    for _ in range(30):
        how = rng.choice(["flip", "truncate", "swap", "delete"])
        path = rng.choice(paths)
        other = rng.choice([p for p in paths if p.read_bytes() != path.read_bytes()])
        expected = dependents(three, path)
        content, mode = path.read_bytes(), path.stat().st_mode
        path.unlink()
        if how == "flip":
            altered = bytearray(content)
            altered[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
            path.write_bytes(altered)
        elif how == "truncate":
            path.write_bytes(content[: rng.randrange(len(content))])
        elif how == "swap":
            shutil.copy(other, path)
        found = verify(three)
        named = path.relative_to(three.root).as_posix()
        if (
            how == "delete"
            and path.stem not in read_heads(three)
            and path.suffix == ".json"
            and path.parent.name == "v1"
            and path.name != "head.json"
        ):
            # Without its manifest, a rejected snapshot is like one of a killed build.
            assert [left.path for left in found.leftovers] == [named.replace(".json", ".duckdb")]
        else:
            damage = {each.path: each for each in found.damage}
            assert named in damage, (how, named)
            assert set(damage[named].versions) >= expected, (how, named)
            assert [each for each in damage if each != named] == [], (how, named)
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        path.chmod(mode)
    assert verify(three).damage == ()


def read_heads(store) -> set[str]:
    return {snapshot for name in store.versions() for snapshot in read_head(store, name).published}


def test_what_killed_builds_leave_is_no_damage(three):
    folder = three.version_folder(VersionName("raw", "v1"))
    (folder / ".building-x.duckdb").write_bytes(b"half")
    (folder / "20990101T000000000000-abcdef.duckdb").write_bytes(b"not yet sealed")
    found = verify(three)
    assert found.damage == ()
    assert [(left.version, left.problem.split(":")[0]) for left in found.leftovers] == [
        ("raw/v1", "unfinished build"), ("raw/v1", "unfinished build"),
    ]  # fmt: skip


def test_some_versions_alone_with_what_they_were_made_from(three):
    clean, raw = VersionName("clean", "v1"), VersionName("raw", "v1")
    head_path(three, clean).write_bytes(b"")
    assert verify(three, [raw]).damage == ()
    assert verify(three, [VersionName("train", "v1")]).damage == ()
    (damage,) = verify(three, [clean]).damage
    assert damage.problem == "was altered after it was written"
    snapshot = next(three.version_folder(raw).glob("*.duckdb"))
    snapshot.unlink()
    found = verify(three, [VersionName("train", "v1")]).damage
    assert [(d.path, d.versions) for d in found] == [
        (snapshot.relative_to(three.root).as_posix(),
         ("raw/v1", "train/v1"))
    ]  # fmt: skip
    manifest_path(three, raw, snapshot.stem).write_bytes(b"\xff" * 100)
    assert len(verify(three).damage) == 2 + 1
    (damage,) = verify(three, [VersionName("no", "v1")]).damage
    assert damage.problem == "is missing"
