"""A server that speaks as OpenAI's does and answers at once, in a process of its own, so that what is
measured is the work of its clients."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiohttp import web

ANSWER = "a plain answer of some words that says nothing new but is long enough to look like one"


@contextmanager
def serving() -> Iterator[str]:
    """The server's base URL, while it runs."""
    root = Path(__file__).parent.parent
    started = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.stub_server"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
    )
    try:
        assert started.stdout is not None
        yield started.stdout.readline().strip()
    finally:
        started.terminate()
        started.wait()


async def _answer(request: web.Request) -> web.Response:
    asked = await request.json()
    said = asked["messages"][-1]["content"] if asked["messages"] else ""
    mark = hashlib.sha256(said.encode()).hexdigest()[:8]
    message = {"role": "assistant", "content": f"{mark} {ANSWER}"}
    read, wrote = len(said.split()), len(ANSWER.split())
    return web.json_response(
        {
            "id": f"stub-{mark}",
            "object": "chat.completion",
            "created": 0,
            "model": asked["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {
                "prompt_tokens": read,
                "completion_tokens": wrote,
                "total_tokens": read + wrote,
            },
        },
        headers={
            "x-ratelimit-limit-requests": "1000000",
            "x-ratelimit-limit-tokens": "1000000000",
        },
    )


async def _serve() -> None:
    app = web.Application()
    app.router.add_post("/v1/chat/completions", _answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    _, port = runner.addresses[0][:2]
    print(f"http://127.0.0.1:{port}/v1", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve())
