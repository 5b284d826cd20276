"""What the coverage of a version is compared with: wanted shares, a file, or another version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from dagster_project.engine.profile.axes import LABEL, TOPIC, Axis
from dagster_project.engine.profile.profiled_rows import (
    SaidRows,
    TargetRefused,
    file_rows,
    snapshot_rows,
)
from dagster_project.recipe.declared import Declared
from dagster_project.recipe.problems import DeclarationError, Problem
from dagster_project.recipe.validation import problems_of
from dagster_project.recipe.yaml_source import YamlSource, read_yaml
from dagster_project.warehouse.address import SnapshotAddress
from dagster_project.warehouse.reading import Reader

LANGUAGE = re.compile(r"[a-z]{2,3}")
_SUFFIXES = (".yaml", ".yml")

Share = Annotated[float, Field(ge=0, le=1)]


class TargetShares(Declared):
    """Which share of rows is wanted of each value of some axes. What an axis leaves over goes to its
    other values, as they are."""

    description: str = Field(default="", description="What it is for.")
    rows: int | None = Field(
        default=None, ge=1, description="How many rows are wanted; default: as many as there are."
    )
    axes: dict[str, dict[str, Share]] = Field(
        min_length=1, description="Shares, 0 to 1, by value, by axis."
    )


@dataclass(frozen=True)
class Target:
    """What a version is compared with; either of the two.

    Attributes:
        name: of it.
        rows: of a file or a version.
        shares: that are wanted.
    """

    name: str
    rows: SaidRows | None = None
    shares: TargetShares | None = None


def read_target(
    reader: Reader,
    named: str,
    axes: Mapping[str, Axis],
    *,
    seed: int = 0,
    most_rows: int | None = None,
) -> Target:
    """Read a target.

    Args:
        reader: of the store, for versions.
        named: a path of wanted shares (`.yaml`), or of rows (`.jsonl`, `.ndjson`, `.parquet`, `.csv`);
            or a version.
        axes: those of the version, which wanted shares are checked against.
        seed: of the sample of rows.
        most_rows: how many are looked at.

    Raises:
        DeclarationError: with all that is wrong with wanted shares.
        TargetRefused: when a file cannot be read.
        NoText: when there is no text in it.
        NameRefused, AddressRefused, NotPublished: when there is no such version.
    """
    path = Path(named)
    if path.suffix.lower() in _SUFFIXES:
        return Target(named, shares=read_shares(path, axes))
    if path.is_file():
        return Target(named, rows=file_rows(path, seed=seed, most_rows=most_rows))
    if path.suffix:
        raise TargetRefused(f"{path}: there is no such file")
    address = SnapshotAddress.parse(named)
    rows = snapshot_rows(reader, address, seed=seed, most_rows=most_rows)
    return Target(rows.name, rows=rows)


def read_shares(path: Path, axes: Mapping[str, Axis]) -> TargetShares:
    """Read wanted shares.

    Args:
        path: of the file.
        axes: those that the rows have.

    Returns:
        With all axes by their full names.

    Raises:
        DeclarationError: with all that is wrong.
    """
    source = read_yaml(path)
    if not isinstance(source.data, dict):
        raise DeclarationError([source.problem((), "a target is a mapping of fields, with `axes`")])
    try:
        found = TargetShares.model_validate(source.data)
    except ValidationError as error:
        raise DeclarationError(problems_of(error, TargetShares, source)) from error
    problems: list[Problem] = []
    known = tuple(name.removeprefix(LABEL) for name in axes)
    for name, shares in found.axes.items():
        axis = axes.get(name) or axes.get(LABEL + name)
        if axis is None:
            problem = source.problem(
                ("axes", name), "the rows have no such axis", found=name, allowed=known
            )
            problems.append(problem)
        else:
            problems += _problems(source, name, axis, shares)
    if problems:
        raise DeclarationError(problems)
    full = {name if name in axes else LABEL + name: each for name, each in found.axes.items()}
    return found.model_copy(update={"axes": full})


def _problems(
    source: YamlSource, name: str, axis: Axis, shares: Mapping[str, float]
) -> list[Problem]:
    at = ("axes", name)
    if not shares:
        return [source.problem(at, "needs a share for one value or more")]
    found = [
        source.problem((*at, value), "no value of this axis", found=value, allowed=axis.values)
        for value in shares
        if axis.values and value not in axis.values
    ]
    if axis.name == "language":
        found += [
            source.problem((*at, value), "is no ISO 639 code, such as `en`", found=value)
            for value in shares
            if not LANGUAGE.fullmatch(value)
        ]
    if axis.name == TOPIC:
        found += [
            source.problem((*at, value), "a topic has a name of letters", found=value)
            for value in shares
            if not re.search(r"[^\W\d_]", value)
        ]
    total = sum(shares.values())
    if total > 1 + 1e-9:
        found.append(source.problem(at, f"the shares come to {total:.4g}; they may come to 1"))
    return found
