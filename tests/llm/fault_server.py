"""An endpoint that fails in every way that endpoints fail in, and keeps true accounts of what it did.

It speaks HTTP/1.1 on a port of this machine, in a thread. What it does with a request is told by a
script: a function of the request and of how often it was seen.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

Body = dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """What the server does with a request.

    Attributes:
        status: of the response.
        text: that the model writes.
        message: replaces the choice's message, or is added to it.
        finish_reason: of the choice.
        usage: that is told, in place of the true one; an empty mapping for none.
        body: the whole body, in place of a response.
        headers: further ones.
        delay: seconds before it answers.
        cut_after: bytes of the body after which the connection is cut.
        billed: whether the call is billed; default: where its status is 200.
    """

    status: int = 200
    text: str = "an answer"
    message: Mapping[str, Any] = field(default_factory=dict)
    finish_reason: str | None = "stop"
    usage: Any = None
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut_after: int | None = None
    billed: bool | None = None


@dataclass(frozen=True)
class Served:
    """A request that was served.

    Attributes:
        path: where it went.
        body: what it said.
        key: digest of these.
        headers: that it had.
        fault: what the server did.
        tokens_in, tokens_out: what it bills; 0 where it does not.
    """

    path: str
    body: Body
    key: str
    headers: Mapping[str, str]
    fault: Fault
    tokens_in: int
    tokens_out: int


Script = Callable[[Body, int], Fault]
"""From a request and how often it was seen before, to what is done."""


def tokens(text: str) -> int:
    """How many tokens the server counts in a text: one for each four bytes, or part of that."""
    return -(-len(text.encode()) // 4)


class FaultServer:
    """The server; to be used with `with`.

    Args:
        script: what it does.
    """

    def __init__(self, script: Script = lambda body, seen: Fault()) -> None:
        self.script = script
        self.served: list[Served] = []
        self.at_once = self.most_at_once = 0
        self._seen: dict[str, int] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    @property
    def billed(self) -> list[Served]:
        """What it bills."""
        return [each for each in self.served if each.tokens_in]

    def dollars(self, price_in: float, price_out: float) -> float:
        """What it bills in all, at prices for a million tokens."""
        return sum(e.tokens_in * price_in + e.tokens_out * price_out for e in self.served) / 1e6

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._connection, "127.0.0.1", 0)
        )
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._request(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])
        }
        content = await reader.readexactly(int(headers.get("content-length", 0)))
        fault, said = self.respond(method, target.removeprefix("/v1"), headers, content)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(fault.delay)
        finally:
            self.at_once -= 1
        lines = [f"HTTP/1.1 {fault.status} Told", f"Content-Length: {len(said)}"]
        lines += ["Content-Type: application/json"]
        lines += [f"{name}: {value}" for name, value in fault.headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        writer.write(said[: fault.cut_after])
        await writer.drain()
        return fault.cut_after is None

    def respond(
        self, method: str, path: str, headers: Mapping[str, str], content: bytes
    ) -> tuple[Fault, bytes]:
        """What is done with a request, and the body that is sent."""
        body = json.loads(content)
        key = hashlib.sha256(path.encode() + content).hexdigest()
        seen = self._seen.get(key, 0)
        self._seen[key] = seen + 1
        fault = self.script(body, seen)
        return fault, self._serve(path, body, key, headers, fault)

    def _serve(
        self, path: str, body: Body, key: str, headers: Mapping[str, str], fault: Fault
    ) -> bytes:
        """What is sent; noted in the accounts before it is."""
        asked = "prompt" if "prompt" in body else "messages"
        read = body[asked] if asked == "prompt" else json.dumps(body["messages"])
        written = fault.text + json.dumps(dict(fault.message)) if fault.message else fault.text
        most = body.get("max_tokens") or body.get("max_completion_tokens") or 0
        counts = tokens(read), min(tokens(written), most)
        billed = fault.status == 200 if fault.billed is None else fault.billed
        self.served.append(Served(path, body, key, headers, fault, *(counts if billed else (0, 0))))
        if fault.body is not None:
            return fault.body
        if fault.status != 200:
            return json.dumps({"error": {"message": "told to fail"}}).encode()
        usage = {"prompt_tokens": counts[0], "completion_tokens": counts[1]}
        choice: Body = {"index": 0, "finish_reason": fault.finish_reason}
        if asked == "prompt":
            choice["text"] = fault.text
        else:
            choice["message"] = {"role": "assistant", "content": fault.text, **fault.message}
        answer: Body = {"id": "x", "object": "chat.completion", "choices": [choice]}
        if fault.usage != {}:
            answer["usage"] = usage if fault.usage is None else fault.usage
        return json.dumps(answer).encode()
