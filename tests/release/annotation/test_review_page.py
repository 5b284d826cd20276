"""The review page in a real browser."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from dagster_project.release.annotation.labels import read_labels
from dagster_project.release.annotation.review import Review
from dagster_project.release.annotation.review_server import ReviewServer
from dagster_project.release.annotation.task import left_of
from tests.release.annotation.browser import CHROMIUM, Browser
from tests.release.annotation.conftest import AWKWARD

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

TEXTS = "[...document.querySelectorAll('.shown')].map(each => each.textContent)"


def progress(text: str) -> str:
    return f"document.getElementById('progress').textContent === '{text}'"


def test_a_page_of_ratings_and_one_of_pairs(out, guideline, desk, tmp_path: Path) -> None:
    ratings = Review(
        out("helpful", "ratings", count=20), guideline("helpful"), tmp_path / "r.jsonl", "ann <b>"
    )
    pairs = Review(
        out("better", "pairs", count=3), guideline("better"), tmp_path / "p.jsonl", "ann"
    )

    async def drive() -> None:
        async with Browser() as browser:
            async with ReviewServer(ratings) as server:
                await rate(browser, server, ratings)
            async with ReviewServer(pairs) as server:
                await compare(browser, server, pairs)
            assert not [url for url in browser.requested if not url.startswith("http://127.0.0.1:")]
            assert all("409 (Conflict)" in each for each in browser.complaints)

    asyncio.run(drive())


async def rate(browser: Browser, server: ReviewServer, review: Review) -> None:
    await browser.open(server.address)
    await browser.until(progress("0 of 20"))
    assert await browser.value("document.querySelector('aside strong').textContent") == "5"
    assert "ann <b>" in await browser.value("document.querySelector('.who').textContent")

    for done in range(20):
        task = next(iter(each for each in review.tasks.values() if not labelled(review, each)))
        assert await browser.value(TEXTS) == list(task.fields.values())
        await browser.press(str(done % 5 + 1))
        await browser.until(progress(f"{done + 1} of 20"))
        newest = read_labels(review.path)[-1]
        assert (newest.task_id, newest.score) == (task.task_id, done % 5 + 1)
        if done == 9:
            await undo_and_remark(browser, review)
    await browser.until("!document.getElementById('finished').hidden")
    assert any(AWKWARD in task.fields["prompt"] for task in review.tasks.values())
    assert await browser.value("document.scripts.length") == 1
    assert all(each.seconds is not None for each in read_labels(review.path))


def labelled(review: Review, task) -> bool:
    return review.path.exists() and task.task_id in {
        each.task_id for each in read_labels(review.path)
    }


async def undo_and_remark(browser: Browser, review: Review) -> None:
    """Undo, skip there and back, remark, and label again."""
    withdrawn = read_labels(review.path)[-1]
    await browser.press("u")
    await browser.until(progress("9 of 20"))
    assert withdrawn not in read_labels(review.path)
    texts = list(review.tasks[withdrawn.task_id].fields.values())
    assert await browser.value(TEXTS) == texts
    await browser.press("n")
    for key in "3us":
        await browser.press(key)
    await browser.press("Escape")
    assert len(read_labels(review.path)) == 9
    await browser.press("5")
    await browser.until(progress("10 of 20"))
    assert read_labels(review.path)[-1].note == "3us"


async def compare(browser: Browser, server: ReviewServer, review: Review) -> None:
    await browser.open(server.address)
    await browser.until(progress("0 of 3"))
    one, two, three = review.tasks.values()
    await browser.press("s")
    await browser.until(f"document.getElementById('row').textContent === 'a/v1:{two.row_id}'")
    for done, key in enumerate(("ArrowLeft", "ArrowRight", "t"), 1):
        await browser.press(key)
        await browser.until(progress(f"{done} of 3"))
    labels = read_labels(review.path)
    assert [each.task_id for each in labels] == [two.task_id, three.task_id, one.task_id]
    left = [left_of(each.task_id, "ann", 0) for each in labels]
    assert labels[0].preferred == left[0]
    assert labels[1].preferred != left[1]
    assert labels[2].preferred == "tie"
    assert [each.left for each in labels] == left
    await browser.press("u")
    await browser.until(progress("2 of 3"))
    before = review.path.read_bytes()
    review.path.write_bytes(b"not a label\n")
    await browser.press("t")
    await browser.until("document.getElementById('problem').textContent.includes('no label')")
    assert not await browser.value("document.getElementById('problem').hidden")
    assert review.path.read_bytes() == b"not a label\n"
    review.path.write_bytes(before)
    assert one.task_id not in {each.task_id for each in read_labels(review.path)}
