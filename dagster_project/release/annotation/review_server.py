"""The review page, for one person on this machine.

It listens on 127.0.0.1 alone. Its address holds a random token, without which nothing is answered;
requests under another host name, or from another page, are refused, so that no page that is open in
the same browser can read tasks or write labels. The page loads nothing from elsewhere, and shows what
rows hold as text.
"""

from __future__ import annotations

import asyncio
import html
import json
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from string import Template
from typing import Any

from aiohttp import web

from dagster_project.errors import SeedbedError
from dagster_project.release.annotation.guideline import Guideline
from dagster_project.release.annotation.review import Review, ReviewRefused, answers_and_keys

PAGE = Path(__file__).parent / "page"
HOST = "127.0.0.1"
MOST_BYTES = 256 * 1024
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ReviewServer:
    """Serves the page of a review. Use as an asynchronous context manager.

    Args:
        review: whose page.
        port: to listen on; 0 for one that is free.

    Raises:
        ReviewRefused: on entering, when the port is taken.
    """

    def __init__(self, review: Review, port: int = 0) -> None:
        self.review = review
        self.port = port
        self.token = secrets.token_urlsafe(24)
        self.turn = asyncio.Lock()

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://{HOST}:{self.port}/{self.token}/"

    async def __aenter__(self) -> ReviewServer:
        app = web.Application(middlewares=[self._guard], client_max_size=MOST_BYTES)
        app.router.add_get("/{token}/", self._page)
        app.router.add_get("/{token}/{file:review\\.(?:js|css)}", self._file)
        app.router.add_get("/{token}/state", self._state)
        app.router.add_post("/{token}/{act:label|skip|undo}", self._act)
        self.runner = web.AppRunner(app, access_log=None)
        await self.runner.setup()
        try:
            site = web.TCPSite(self.runner, HOST, self.port)
            await site.start()
        except OSError as error:
            await self.runner.cleanup()
            raise ReviewRefused(f"port {self.port} cannot be used: {error.strerror}") from error
        self.port = self.runner.addresses[0][1]
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.runner.cleanup()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        hosts = {f"{HOST}:{self.port}", f"localhost:{self.port}"}
        token = request.path.split("/")[1]
        origin = request.headers.get("Origin")
        if request.host not in hosts or origin not in {None, *(f"http://{each}" for each in hosts)}:
            response = web.Response(status=403, text="not from here")
        elif not secrets.compare_digest(token.encode(), self.token.encode()):
            response = web.Response(status=404, text="not found")
        else:
            try:
                response = await handler(request)
            except web.HTTPException as error:
                response = web.Response(status=error.status, text=error.reason)
        response.headers.update(HEADERS)
        return response

    async def _page(self, _: web.Request) -> web.Response:
        review = self.review
        shown = Template((PAGE / "review.html").read_text("utf-8")).substitute(
            question=html.escape(review.guideline.asks.question),
            citation=html.escape(review.guideline.citation),
            annotator=html.escape(review.annotator),
            guideline=_as_html(review.guideline),
            kind=review.guideline.asks.kind,
            several="yes" if review.guideline.asks.several else "",
            buttons=html.escape(json.dumps(answers_and_keys(review.guideline))),
        )
        return web.Response(text=shown, content_type="text/html", charset="utf-8")

    async def _file(self, request: web.Request) -> web.Response:
        name = request.match_info["file"]
        kind = "text/css" if name.endswith("css") else "text/javascript"
        text = (PAGE / name).read_text("utf-8")
        return web.Response(text=text, content_type=kind, charset="utf-8")

    async def _state(self, _: web.Request) -> web.Response:
        return await self._answered(lambda: None)

    async def _act(self, request: web.Request) -> web.Response:
        if request.content_type != "application/json":
            return web.Response(status=415, text="JSON is expected")
        try:
            body = await request.json()
            task_id = str(body["task_id"])
        except (ValueError, TypeError, KeyError):
            return web.Response(status=400, text="JSON with a task_id is expected")
        review = self.review
        acts: dict[str, Callable[[], None]] = {
            "label": lambda: review.label(
                task_id, body.get("answer"), body.get("seconds"), body.get("note")
            ),
            "skip": lambda: review.skip(task_id),
            "undo": review.undo,
        }
        return await self._answered(acts[request.match_info["act"]])

    async def _answered(self, act: Callable[[], None]) -> web.Response:
        """Do something, and tell what the page is to show then. One at a time."""
        async with self.turn:
            state: dict[str, Any] = {}
            status = 200
            try:
                await asyncio.to_thread(act)
            except SeedbedError as error:
                state["problem"], status = str(error), 409
            except OSError as error:
                state["problem"] = f"{self.review.path} cannot be written: {error.strerror}"
                status = 507
            try:
                state |= await asyncio.to_thread(self.review.state)
            except SeedbedError as error:
                state["problem"], status = str(error), 409
            return web.json_response(state, status=status)


async def serve(server: ReviewServer, ready: Callable[[str], None]) -> None:
    """Serve until cancelled; `ready` is told the address."""
    async with server:
        ready(server.address)
        await asyncio.Event().wait()


def _as_html(guideline: Guideline) -> str:
    """A guideline's Markdown; HTML in it is shown as text."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable("table").render(guideline.body)
