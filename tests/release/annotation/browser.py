"""A small client of Chromium's DevTools protocol: a real browser that tests drive."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
KEY_CODES = {"ArrowLeft": 37, "ArrowRight": 39, "Escape": 27}
QUIET = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--remote-debugging-port=0",
]
PATIENCE = 20.0
"""Seconds after which something that does not come is a failure."""


class Browser:
    """A page in a headless Chromium. Use as an asynchronous context manager."""

    async def __aenter__(self) -> Browser:
        assert CHROMIUM is not None
        self.profile = Path(tempfile.mkdtemp(prefix="review-browser-"))
        self.process = await asyncio.create_subprocess_exec(
            CHROMIUM,
            *QUIET,
            f"--user-data-dir={self.profile}",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        self.requested: list[str] = []
        self.complaints: list[str] = []
        self.answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.session = aiohttp.ClientSession()
        try:
            port = await self._port()
            async with self.session.get(f"http://127.0.0.1:{port}/json/list") as response:
                (page, *_) = [each for each in await response.json() if each["type"] == "page"]
            self.socket = await self.session.ws_connect(
                page["webSocketDebuggerUrl"], max_msg_size=0
            )
            self.listening = asyncio.create_task(self._listen())
            for domain in ("Page", "Runtime", "Network", "Log"):
                await self.send(f"{domain}.enable")
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        self.listening.cancel()
        await self.socket.close()
        await self._stop()

    async def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command, and wait for what it answers."""
        number = len(self.answers)
        self.answers[number] = asyncio.get_running_loop().create_future()
        await self.socket.send_json({"id": number, "method": method, "params": params})
        answer = await asyncio.wait_for(self.answers[number], PATIENCE)
        assert "error" not in answer, answer
        return answer["result"]

    async def open(self, address: str) -> None:
        """Go to a page."""
        await self.send("Page.navigate", url=address)

    async def value(self, expression: str) -> Any:
        """What a JavaScript expression comes to in the page."""
        found = await self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def until(self, expression: str) -> None:
        """Wait until a JavaScript expression is true."""
        for _ in range(int(PATIENCE / 0.02)):
            with suppress(AssertionError):
                if await self.value(expression):
                    return
            await asyncio.sleep(0.02)
        body = await self.value("document.body.innerText")
        raise AssertionError(f"never true: {expression}\n{body}")

    async def press(self, key: str) -> None:
        """Press a key."""
        code = KEY_CODES.get(key, ord(key.upper()) if len(key) == 1 else 0)
        text = {"text": key} if len(key) == 1 else {}
        event = {"key": key, "windowsVirtualKeyCode": code}
        await self.send("Input.dispatchKeyEvent", type="keyDown", **event, **text)
        await self.send("Input.dispatchKeyEvent", type="keyUp", **event)

    async def _port(self) -> int:
        """Where the browser listens, which it writes into its profile."""
        path = self.profile / "DevToolsActivePort"
        for _ in range(int(PATIENCE / 0.05)):
            if path.exists() and (told := path.read_text().split()):
                return int(told[0])
            await asyncio.sleep(0.05)
        raise AssertionError("chromium did not start")

    async def _listen(self) -> None:
        async for message in self.socket:
            told = json.loads(message.data)
            if "id" in told:
                self.answers[told["id"]].set_result(told)
            elif told["method"] == "Network.requestWillBeSent":
                self.requested.append(told["params"]["request"]["url"])
            elif told["method"] == "Log.entryAdded":
                self.complaints.append(told["params"]["entry"]["text"])
            elif told["method"] == "Runtime.exceptionThrown":
                self.complaints.append(str(told["params"]["exceptionDetails"]))

    async def _stop(self) -> None:
        await self.session.close()
        with suppress(ProcessLookupError):
            self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), PATIENCE)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)
