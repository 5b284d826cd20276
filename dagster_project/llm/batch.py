"""Questions asked through a provider's batch endpoint: many in a file, answered within a day.

What a batch is to answer is recorded before it is made, and its identifier as soon as it is known, so
that a run that was killed finds it again at the provider and pays for nothing twice.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from dagster_project.llm.charges import Reservation
from dagster_project.llm.provider import CallBroken, Provider, Reply
from dagster_project.llm.records import Records
from dagster_project.llm.request import Request
from dagster_project.llm.response import Malformed, parsed

QUIET = 2.0
"""A batch is sent when no further question came for so many seconds."""
MOST_LINES, MOST_BYTES = 50_000, 50 * 2**20
"""What a batch holds at most (OpenAI: 50,000 lines, 200 MB)."""
FIRST_LOOK, LONGEST_LOOK = 5.0, 60.0
"""Seconds between looks at a batch, which grow from the first to the second."""
PATIENCE = 20
"""Looks in a row that may fail."""
MOST_PAGES = 20
"""Pages of a provider's list of batches in which one is looked for."""
LABEL = "seedbed"
ENDED = ("completed", "failed", "expired", "cancelled")

Line = Mapping[str, Any]


@dataclass
class _Collected:
    path: str
    lines: dict[str, bytes] = field(default_factory=dict)
    charges: dict[str, int] = field(default_factory=dict)
    size: int = 0
    full: asyncio.Event = field(default_factory=asyncio.Event)
    latest: float = 0.0


class Batches:
    """The batches of one model.

    Args:
        provider: its endpoint.
        records: where batches are recorded.
    """

    def __init__(self, provider: Provider, records: Records) -> None:
        self._provider, self._records = provider, records
        self._collecting: dict[str, tuple[_Collected, asyncio.Task[Mapping[str, Line]]]] = {}
        self._resumed: dict[str, asyncio.Task[Mapping[str, Line]]] = {}
        self._begun: set[str] = set()
        self._tasks: list[asyncio.Task[Mapping[str, Line]]] = []

    async def answer(self, place: Reservation, asked: Request, body: Mapping[str, Any]) -> Reply:
        """Have a request answered in a batch: a new one, or that which it is in already.

        Args:
            place: its reservation.
            asked: the request.
            body: what is sent of it.

        Raises:
            CallBroken: when there is no answer; `open` when the batch is still at the provider.
        """
        if place.batch is None:
            task = self._collect(place, asked, body)
        else:
            if place.batch not in self._resumed:
                self._resumed[place.batch] = self._task(self._resume(place.batch))
            task = self._resumed[place.batch]
        return self._reply((await asyncio.shield(task)).get(asked.hash))

    def withdraw(self, place: Reservation, asked: Request) -> bool:
        """Take a request back that nobody waits for any more; whether that was in time."""
        if place.batch is not None or asked.hash in self._begun:
            return False
        collected, _ = self._collecting[asked.path]
        del collected.lines[asked.hash], collected.charges[asked.hash]
        return True

    async def close(self) -> None:
        """Stop waiting for batches, which stay at the provider."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _collect(
        self, place: Reservation, asked: Request, body: Mapping[str, Any]
    ) -> asyncio.Task[Mapping[str, Line]]:
        line = json.dumps(
            {"custom_id": asked.hash, "method": "POST", "url": f"/v1{asked.path}", "body": body},
            ensure_ascii=False,
        ).encode()
        if asked.path not in self._collecting:
            new = _Collected(asked.path)
            self._collecting[asked.path] = new, self._task(self._send(new))
        collected, task = self._collecting[asked.path]
        collected.lines[asked.hash] = line
        collected.charges[asked.hash] = place.id
        collected.size += len(line) + 1
        collected.latest = asyncio.get_running_loop().time()
        if len(collected.lines) >= MOST_LINES or collected.size >= MOST_BYTES:
            collected.full.set()
            del self._collecting[asked.path]
        return task

    def _task(
        self, work: Coroutine[Any, Any, Mapping[str, Line]]
    ) -> asyncio.Task[Mapping[str, Line]]:
        task = asyncio.create_task(work)
        self._tasks.append(task)
        return task

    async def _send(self, collected: _Collected) -> Mapping[str, Line]:
        """Wait until a batch is complete, make it, and wait for its answers."""
        loop = asyncio.get_running_loop()
        collected.latest = loop.time()
        while not collected.full.is_set() and (left := collected.latest + QUIET - loop.time()) > 0:
            try:
                await asyncio.wait_for(collected.full.wait(), left)
            except TimeoutError:
                continue
        if not collected.full.is_set():
            del self._collecting[collected.path]
        if not collected.lines:
            return {}
        self._begun.update(collected.lines)
        key = uuid.uuid4().hex
        await self._records.note_batch(key, collected.charges)
        batch = await self._make(key, collected)
        await self._records.name_batch(key, batch)
        return await self._outcome(batch)

    async def _make(self, key: str, collected: _Collected) -> str:
        from aiohttp import FormData

        form = FormData()
        form.add_field("purpose", "batch")
        form.add_field(
            "file", b"\n".join(collected.lines.values()) + b"\n", filename=f"{LABEL}-{key}.jsonl"
        )
        try:
            file = await self._told("POST", "/files", data=form)
        except CallBroken as broken:
            raise _not_begun(broken) from None
        try:
            made = await self._told(
                "POST",
                "/batches",
                json={
                    "input_file_id": file["id"],
                    "endpoint": f"/v1{collected.path}",
                    "completion_window": "24h",
                    "metadata": {LABEL: key},
                },
            )
            return str(made["id"])
        except KeyError as error:
            raise CallBroken("lost", f"the endpoint told no {error} of a batch") from None
        except CallBroken as broken:
            if broken.became != "lost":
                raise
            found = await self._find(key)
            if found is None:
                raise _not_begun(broken) from None
            return found

    async def _resume(self, key: str) -> Mapping[str, Line]:
        """The answers of a batch that an earlier run made, or was about to make."""
        batch = self._records.batch_of(key) or await self._find(key)
        if batch is None:
            raise CallBroken("rejected", "the batch was not begun", status=409)
        await self._records.name_batch(key, batch)
        return await self._outcome(batch)

    async def _find(self, key: str) -> str | None:
        """The identifier of the batch that bears this key."""
        after = ""
        for _ in range(MOST_PAGES):
            page = await self._looked_at(f"/batches?limit=100{after}")
            listed = page.get("data") or []
            for batch in listed:
                if (batch.get("metadata") or {}).get(LABEL) == key:
                    return str(batch["id"])
            if not page.get("has_more") or not listed:
                return None
            after = f"&after={listed[-1]['id']}"
        return None

    async def _outcome(self, batch: str) -> Mapping[str, Line]:
        """Wait for the end of a batch: what became of its lines."""
        wait = FIRST_LOOK
        while True:
            told = await self._looked_at(f"/batches/{batch}")
            status = told.get("status")
            if status in ENDED:
                break
            await asyncio.sleep(wait)
            wait = min(LONGEST_LOOK, wait * 1.5)
        if status == "failed":
            raise _failed(told)
        lines: dict[str, Line] = {}
        for name in ("output_file_id", "error_file_id"):
            if told.get(name):
                content = await self._exchanged(f"/files/{told[name]}/content")
                for line in content.splitlines():
                    _note(line, told, lines)
        return lines

    async def _looked_at(self, path: str) -> Mapping[str, Any]:
        try:
            return parsed(await self._exchanged(path))
        except Malformed as error:
            raise CallBroken("open", f"the batch cannot be followed: {error}") from None

    async def _exchanged(self, path: str) -> bytes:
        """Get something of a batch, again if need be: it stays at the provider."""
        for failures in range(1, PATIENCE + 1):
            try:
                _, _, body = await self._provider.exchange("GET", path)
                return body
            except CallBroken as broken:
                if broken.status == 404:
                    raise CallBroken("lost", f"the batch is gone: {broken}", status=404) from None
                lasting = 400 <= broken.status < 500 and broken.status not in (408, 409, 429)
                if lasting or failures == PATIENCE:
                    raise CallBroken("open", f"the batch cannot be followed: {broken}") from None
                await asyncio.sleep(min(LONGEST_LOOK, FIRST_LOOK * failures))
        raise AssertionError

    async def _told(self, method: str, path: str, **given: Any) -> Mapping[str, Any]:
        try:
            _, _, body = await self._provider.exchange(method, path, **given)
            return parsed(body)
        except Malformed as error:
            raise CallBroken("lost", str(error)) from None

    def _reply(self, line: Line | None) -> Reply:
        if line is None:
            raise CallBroken("rejected", "the batch ended without an answer to it", status=408)
        response = line.get("response")
        if not isinstance(response, Mapping) or response.get("status_code") != 200:
            raise self._provider.rejected_line(line)
        body = response.get("body")
        if not isinstance(body, Mapping):
            raise CallBroken("lost", "its line in the batch holds no response")
        return self._provider.reply(body, float(line["seconds"]))


def _not_begun(broken: CallBroken) -> CallBroken:
    """A failure after which no batch is there."""
    if broken.became == "rejected":
        return broken
    return CallBroken("unreached", f"the batch was not begun: {broken}")


def _failed(told: Mapping[str, Any]) -> CallBroken:
    """What a batch that was turned down as a whole comes to."""
    errors = (told.get("errors") or {}).get("data") or [{}]
    code, message = str(errors[0].get("code") or ""), str(errors[0].get("message") or "no reason")
    status = 429 if "limit" in code else 400
    return CallBroken("rejected", f"the batch was turned down: {message}", status=status, code=code)


def _note(content: bytes, told: Mapping[str, Any], lines: dict[str, Line]) -> None:
    """Keep a line of a batch's results, by its `custom_id`: their order says nothing."""
    try:
        line = parsed(content)
    except Malformed:
        return
    began, ended = told.get("created_at"), told.get("completed_at")
    seconds = 0.0
    if isinstance(began, int | float) and isinstance(ended, int | float):
        seconds = max(0.0, ended - began)
    if isinstance(line.get("custom_id"), str):
        lines.setdefault(line["custom_id"], {**line, "seconds": seconds})
