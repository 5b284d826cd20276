"""Guidelines: what they may say, and their versions."""

from __future__ import annotations

import pytest

from dagster_project.recipe.problems import DeclarationError
from dagster_project.release.annotation.guideline import (
    Guidelines,
    GuidelineUnknown,
    read_guideline,
)

RATING = "---\nkind: rating\nquestion: How good?\nfields: [answer]\n{}---\nRead it.\n"


def test_what_is_read(tmp_path) -> None:
    path = tmp_path / "good.md"
    path.write_text(RATING.format("scale: [0, 4]\n"))
    found = read_guideline(path)
    assert found.asks.answers == (0, 1, 2, 3, 4)
    assert found.body == "Read it."
    assert found.citation == f"good@{found.sha256[:12]}"
    assert found.asks.problem_with(5) == "'5' is no answer; one of 0, 1, 2, 3, 4"
    assert found.asks.problem_with(True) is not None
    assert found.asks.problem_with("3") is not None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("no front matter", ":1: begins with its front matter"),
        ("---\nkind: rating\nno end", ":1: begins with its front matter"),
        (RATING.format("kinds: x\n"), ":5: kinds: unknown field"),
        (RATING.format("scale: [5, 1]\n"), "`scale` is from 0"),
        (RATING.format("labels: [a, b]\n"), "`labels` is for the kind choice, not for rating"),
        ("---\nkind: ranking\nquestion: x\nfields: [a]\n---\n", ":2: kind: not an allowed value"),
        ("---\nkind: text\nfields: [a]\n---\n", "question: is required"),
        ("---\nkind: text\nquestion: x\n---\n", "`fields` must name the columns"),
        ("---\nkind: pairwise\nquestion: x\npair: [a, a]\n---\n", "two columns"),
        ("---\nkind: choice\nquestion: x\nfields: [a]\nlabels: [b, b]\n---\n", "twice"),
        ("---\nkind: text\nquestion: x\n- y\n---\n", "good.md:4"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path, text, told) -> None:
    path = tmp_path / "good.md"
    path.write_text(text)
    with pytest.raises(DeclarationError) as refused:
        read_guideline(path)
    assert str(path) in str(refused.value)
    assert told in str(refused.value)


def test_a_version_that_was_handed_out_can_be_read_after_it_changed(tmp_path) -> None:
    guidelines = Guidelines(tmp_path)
    path = guidelines.folder / "good.md"
    path.parent.mkdir()
    path.write_text(RATING.format(""))
    first = guidelines.current("good")
    assert guidelines.cited(first.citation) == first
    guidelines.keep(first)
    path.write_text(RATING.format("scale: [1, 3]\n"))
    assert guidelines.current("good").citation != first.citation
    assert guidelines.cited(first.citation) == first
    with pytest.raises(GuidelineUnknown, match="neither"):
        guidelines.cited("good@000000000000")
    with pytest.raises(GuidelineUnknown, match="did you mean 'good'"):
        guidelines.current("goood")
    kept = guidelines.folder / "versions" / f"{first.citation}.md"
    kept.write_text(RATING.format("scale: [1, 9]\n"))
    with pytest.raises(GuidelineUnknown, match="altered"):
        guidelines.cited(first.citation)
