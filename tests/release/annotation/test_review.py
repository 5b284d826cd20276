"""A person's way through tasks, and who may use the page."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import aiohttp
import pytest

from dagster_project.release.annotation.labels import Placed, merge, read_labels
from dagster_project.release.annotation.review import Review, ReviewRefused, answers_and_keys
from dagster_project.release.annotation.review_server import ReviewServer
from dagster_project.release.annotation.task import left_of
from tests.release.annotation.labelling import label


@pytest.fixture
def review(out, guideline, desk):
    def begin(name: str, annotator: str = "ann", folder: str | None = None, **how) -> Review:
        tasks = out(name, folder or f"{name}-{annotator}", **how)
        path = desk.root / "labels.jsonl"
        then = datetime(2026, 1, 2, 3, 4, 5, 6, UTC)
        return Review(tasks, guideline(name), path, annotator, now=lambda: then)

    return begin


def test_each_label_is_in_the_file_before_the_next_task(review) -> None:
    mine = review("helpful")
    for done in range(6):
        state = mine.state()
        assert (state["done"], state["total"]) == (done, 6)
        mine.label(state["task"]["task_id"], 4, 1.26, "")
        assert len(read_labels(mine.path)) == done + 1
    assert mine.state()["task"] is None
    first = read_labels(mine.path)[0]
    assert (first.score, first.seconds, first.note) == (4, 1.3, None)
    assert first.created_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_it_goes_on_where_it_stopped(review) -> None:
    mine = review("helpful")
    tasks = list(mine.tasks)
    mine.label(tasks[0], 4)
    again = Review(list(mine.tasks.values()), mine.guideline, mine.path, "ann")
    assert again.state()["task"]["task_id"] == tasks[1]
    assert again.state()["done"] == 1
    again.undo()
    assert again.state()["task"]["task_id"] == tasks[0]
    assert read_labels(mine.path) == []


def test_skip_and_undo(review) -> None:
    mine = review("helpful", count=3)
    one, two, three = mine.tasks

    def shown() -> str:
        return mine.state()["task"]["task_id"]

    mine.skip(one)
    mine.skip(two)
    assert shown() == three
    mine.label(three, 1)
    assert shown() == one
    mine.undo()
    assert shown() == three
    with pytest.raises(ReviewRefused, match="no label to undo"):
        mine.undo()
    with pytest.raises(ReviewRefused, match="another task"):
        mine.label(one, 2)
    with pytest.raises(ReviewRefused, match="'6' is no answer"):
        mine.label(three, 6)
    with pytest.raises(ReviewRefused, match="note"):
        mine.label(three, 5, None, 17)
    assert read_labels(mine.path) == []


def test_the_sides_of_a_pair_are_swapped_and_recorded(review) -> None:
    mine = review("better", count=20)
    sides = set()
    while task := mine.state()["task"]:
        row, left = mine.tasks[task["task_id"]], left_of(task["task_id"], "ann", 0)
        sides.add(left)
        of = {"a": row.fields["answer"], "b": row.fields["other"]}
        assert task["sides"] == [of[left], of["b" if left == "a" else "a"]]
        mine.label(task["task_id"], "left")
    labels = read_labels(mine.path)
    assert sides == {"a", "b"}
    assert all(each.preferred == each.left for each in labels)
    with pytest.raises(ReviewRefused):
        mine.label(labels[0].task_id, "a")


def test_as_many_people_as_are_asked_for(review, desk) -> None:
    mine = review("helpful", count=2, annotators_each=2)
    one, two = mine.tasks.values()
    merge(mine.path, [Placed("", label(one, who, score=1)) for who in ("bob", "cid")])
    merge(mine.path, [Placed("", label(two, "bob", score=1))])
    assert mine.state()["task"]["task_id"] == two.task_id
    assert mine.state()["total"] == 1


def test_keys(guideline) -> None:
    keys = {
        n: [each["key"] for each in answers_and_keys(guideline(n))] for n in ("helpful", "topic")
    }
    assert keys == {"helpful": ["1", "2", "3", "4", "5"], "topic": ["1", "2", "3"]}
    assert [each["value"] for each in answers_and_keys(guideline("better"))] == [
        *("left", "tie", "right")
    ]


def test_only_who_has_the_token_and_comes_from_here(review) -> None:
    mine = review("helpful")

    async def ask() -> None:
        async with ReviewServer(mine) as server, aiohttp.ClientSession() as session:
            address = server.address
            task_id = mine.state()["task"]["task_id"]
            body = {"task_id": task_id, "answer": 3}

            async def status(url: str, method: str = "GET", **how) -> int:
                async with session.request(method, url, **how) as response:
                    assert response.headers["Content-Security-Policy"].startswith("default-src 'n")
                    return response.status

            assert await status(address) == 200
            base = f"http://127.0.0.1:{server.port}"
            assert await status(f"{base}/") == 404
            assert await status(f"{base}/{'x' * 32}/state") == 404
            assert await status(address + "../review.py") == 404
            assert await status(address, headers={"Host": f"evil.example:{server.port}"}) == 403
            post = {"url": address + "label", "method": "POST"}
            evil = {"Origin": "http://evil.example"}
            assert await status(**post, json=body, headers=evil) == 403
            assert await status(**post, data=b'{"task_id": 1}') == 415
            assert await status(**post, json=[]) == 400
            assert await status(**post, json=body | {"answer": 9}) == 409
            assert await status(**post, json=body | {"note": "x" * 300_000}) in (400, 413)
            assert read_labels(mine.path) == [] if mine.path.exists() else True
            assert await status(**post, json=body) == 200
            assert await status(**post, json=body) == 409
            assert len(read_labels(mine.path)) == 1
            with pytest.raises(ReviewRefused, match=f"port {server.port} cannot be used"):
                await ReviewServer(mine, server.port).__aenter__()

    asyncio.run(ask())
