"""Recipes are read whole, and what is wrong is said with file, line, field and the nearest name."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagster_project.recipe.loading import load_recipes
from dagster_project.recipe.problems import DeclarationError
from dagster_project.recipe.yaml_source import MAX_BYTES, parse_yaml, read_yaml
from dagster_project.workspace import NameRefused, VersionName, Workspace

GOOD = """\
description: rows
phase: sft
inputs:
  a: {files: rows.jsonl}
"""


def workspace(root: Path, **recipes: str) -> Workspace:
    for name, text in recipes.items():
        path = root / "assets" / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Workspace(root)


def messages(root: Path, **recipes: str) -> list[str]:
    found = load_recipes(workspace(root, **recipes)).problems
    return [str(problem) for problems in found.values() for problem in problems]


def test_a_good_recipe_is_named_by_its_path(tmp_path: Path) -> None:
    loaded = load_recipes(workspace(tmp_path, tutor__v1=GOOD))
    assert [str(name) for name in loaded.versions] == ["tutor/v1"]
    assert loaded.problems == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace("sft", "sfd"), ["v1.yaml:2: phase:", "found 'sfd'", "did you mean 'sft'?"]),
        (GOOD + "licens: MIT\n", ["v1.yaml:5: licens: unknown field", "did you mean 'licence'?"]),
        (
            GOOD.replace("{files: rows.jsonl}", "{files: r, licens: x}"),
            ["v1.yaml:4: inputs.a.licens: unknown field", "did you mean 'licence'?"],
        ),
        (
            GOOD.replace("{files: rows.jsonl}", "{file: rows.jsonl}"),
            ["v1.yaml:4: inputs.a:", "exactly one of version, files"],
        ),
        (GOOD.replace("phase: sft\n", ""), ["phase: is required; allowed: ", "sft"]),
        (GOOD + "steps:\n  - {a: {}, b: {}}\n", ["v1.yaml:6: steps.0:", "found a, b"]),
        (GOOD + "licence: 5\n", ["v1.yaml:5: licence: text is expected; write it in quotes"]),
        (GOOD + "limits: {quarantine: 2}\n", ["limits.quarantine: must be 1.0 or less; found 2"]),
        (GOOD + "owners: ann\n", ["v1.yaml:5: owners: a list is expected, such as `[a, b]`"]),
        (GOOD + "owners: [nobody]\n", ["v1.yaml:5: owners", "'nobody'"]),
        (GOOD + "phase: rl\n", ["v1.yaml:5: phase: appears twice; first on line 2"]),
        ("a: [1\n", ["v1.yaml:2: is not YAML"]),
        ("- a\n", ["a recipe is a mapping"]),
        (GOOD.replace("{files: rows.jsonl}", "{python: ../../x.py:f}"), ["beside the recipe"]),
        (GOOD.replace("{files: rows.jsonl}", "{version: ../../etc}"), ["cannot be a"]),
        (GOOD.replace("{files: rows.jsonl}", "{version: tutr/v2}"), ["there is no such version"]),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, said: list[str]) -> None:
    (message,) = messages(tmp_path, tutor__v1=text, other__v1=GOOD)
    assert [part for part in said if part not in message] == []


def test_one_bad_recipe_does_not_take_the_others_down(tmp_path: Path) -> None:
    loaded = load_recipes(workspace(tmp_path, bad__v1="phase: [", good__v1=GOOD))
    assert set(loaded.problems) == {"bad/v1"}
    assert [str(name) for name in loaded.versions] == ["good/v1"]


def test_a_cycle_is_named_and_stops_only_its_members(tmp_path: Path) -> None:
    def made_from(version: str) -> str:
        return GOOD.replace("{files: rows.jsonl}", f"{{version: {version}}}")

    loaded = load_recipes(
        workspace(
            tmp_path,
            a__v1=made_from("b/v1"),
            b__v1=made_from("c/v1"),
            c__v1=made_from("a/v1"),
            d__v1=GOOD,
        )
    )
    assert set(loaded.problems) == {"a/v1", "b/v1", "c/v1"}
    assert "a/v1 → b/v1 → c/v1 → a/v1" in str(loaded.problems["b/v1"][0])
    assert [str(name) for name in loaded.versions] == ["d/v1"]


def test_two_files_for_one_name_are_refused(tmp_path: Path) -> None:
    space = workspace(tmp_path, a__v1=GOOD)
    (tmp_path / "assets/a/v1.yml").write_text(GOOD)
    (problem,) = load_recipes(space).problems["a/v1"]
    assert "declares already" in str(problem)


@pytest.mark.parametrize(
    "name",
    [
        "../x/v1",
        "a/../b",
        "memory/v1",
        "a b/v1",
        'a"/v1',
        "a'/v1",
        "main/v1",
        "a/",
        "/v1",
        "a/v1/x",
        "1a/v",
    ],
)
def test_names_that_could_inject_or_traverse_are_refused(name: str) -> None:
    with pytest.raises(NameRefused):
        VersionName.parse(name)


def test_yaml_bombs_are_refused() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n"
        for old, new in zip("abcdefg", "bcdefgh", strict=True)
    )
    with pytest.raises(DeclarationError, match="expands too far"):
        parse_yaml(bomb, Path("bomb.yaml"))
    with pytest.raises(DeclarationError, match="nested too deeply"):
        parse_yaml("[" * 300 + "]" * 300, Path("deep.yaml"))


def test_a_yaml_object_tag_is_not_constructed() -> None:
    with pytest.raises(DeclarationError, match="is not YAML"):
        parse_yaml("a: !!python/object/apply:os.system ['true']", Path("evil.yaml"))


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"a: 1\nb: \xff\n")
    (tmp_path / "big.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    for name, said in [
        ("latin.yaml", "latin.yaml:2"),
        ("big.yaml", "bytes"),
        ("no.yaml", "cannot"),
    ]:
        with pytest.raises(DeclarationError, match=said):
            read_yaml(tmp_path / name)
