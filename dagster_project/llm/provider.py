"""One call to an endpoint that speaks as OpenAI's does, and what became of it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal

from dagster_project.llm.keys import without_key
from dagster_project.llm.prices import is_loopback
from dagster_project.llm.response import Malformed, parsed

if TYPE_CHECKING:
    from aiohttp import ClientSession

MOST_RESPONSE_BYTES = 256 * 2**20
LONGEST_MESSAGE = 500
KEPT_ALIVE = 4.0
"""Seconds that an idle connection is kept: less than servers keep it (uvicorn: 5), so that none is used
that is about to be closed, as then nobody could tell whether the request was read."""
GATEWAY_TIMEOUTS = (504, 524)
"""Statuses with which a gateway says that it gave up waiting, not that nothing was done."""

Became = Literal["unreached", "rejected", "lost", "open"]


class CallBroken(Exception):
    """A call without an answer.

    Args:
        became: `unreached` (it was not sent), `rejected` (the endpoint said that it did not do it),
            `lost` (it may have been done, and billed) or `open` (it may still be done).
        message: what happened, without secrets.
        status: the HTTP status; 0 if there was none.
        parameter: what the endpoint objects to, as far as it says.
        code: the endpoint's name for the reason.
        pause: seconds that the endpoint wants no calls for.
    """

    def __init__(
        self,
        became: Became,
        message: str,
        *,
        status: int = 0,
        parameter: str = "",
        code: str = "",
        pause: float | None = None,
    ) -> None:
        super().__init__(message)
        self.became: Became = became
        self.status, self.parameter, self.code, self.pause = status, parameter, code, pause

    @property
    def too_much(self) -> bool:
        """Whether the endpoint asks for fewer calls."""
        return self.status in (429, 503)


@dataclass(frozen=True)
class Reply:
    """What came back.

    Attributes:
        body: its JSON.
        text: the same as it came, without the key.
        seconds: how long it took.
    """

    body: Mapping[str, Any]
    text: str
    seconds: float


class Provider:
    """An endpoint.

    Args:
        base_url: of its API, as `https://api.openai.com/v1`.
        key: that it wants; None for none.
        timeout: the longest wait for an answer, in seconds.
        connections: at once.
    """

    def __init__(self, base_url: str, key: str | None, timeout: float, connections: int) -> None:
        self.base_url = base_url.rstrip("/")
        self._key, self._timeout, self._connections = key, timeout, connections
        self._session: ClientSession | None = None

    async def send(self, path: str, content: bytes) -> Reply:
        """Post a request, once.

        Args:
            path: after the base URL.
            content: a JSON body.

        Raises:
            CallBroken: when there is no answer.
        """
        began = time.perf_counter()
        status, _, body = await self.exchange(
            "POST", path, data=content, headers={"Content-Type": "application/json"}
        )
        try:
            said = parsed(body)
        except Malformed as error:
            raise CallBroken("lost", without_key(str(error), self._key), status=status) from None
        text = body.decode("utf-8", "replace")
        return Reply(said, without_key(text, self._key), time.perf_counter() - began)

    async def exchange(
        self, method: str, path: str, **given: Any
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Send any request, once: its status, headers and body, if the status says that it was done.

        Raises:
            CallBroken: when it was not done, or there is no telling.
        """
        import aiohttp

        try:
            async with self._open().request(
                method, self.base_url + path, allow_redirects=False, **given
            ) as response:
                body = await _bounded(response)
                status, headers = response.status, response.headers
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise CallBroken("unreached", self._said(error)) from None
        except aiohttp.InvalidURL as error:
            raise CallBroken(
                "rejected", f"this is no URL: {self._said(error)}", status=404
            ) from None
        except TimeoutError:
            raise CallBroken("lost", f"no answer within {self._timeout:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise CallBroken("lost", f"the connection broke: {self._said(error)}") from None
        if 200 <= status < 300:
            return status, headers, body
        raise self._rejected(status, headers, body.decode("utf-8", "replace"))

    def reply(self, body: Mapping[str, Any], seconds: float) -> Reply:
        """A response that came in a file, as if it had come alone."""
        text = json.dumps(body, ensure_ascii=True, separators=(",", ":"))
        return Reply(body, without_key(text, self._key), seconds)

    def rejected_line(self, line: Mapping[str, Any]) -> CallBroken:
        """What a line of a batch's results says that holds no response."""
        response = line.get("response")
        said = response if isinstance(response, Mapping) else {"body": {"error": line.get("error")}}
        status = said.get("status_code")
        return self._rejected(
            status if isinstance(status, int) else 500, {}, json.dumps(said.get("body"))
        )

    async def close(self) -> None:
        """Close its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> ClientSession:
        import aiohttp

        if self._session is None:
            authorization = {} if self._key is None else {"Authorization": f"Bearer {self._key}"}
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self._connections, keepalive_timeout=KEPT_ALIVE
                ),
                headers={"User-Agent": "seedbed", "Accept": "application/json", **authorization},
                timeout=aiohttp.ClientTimeout(total=self._timeout),
                trust_env=not is_loopback(self.base_url),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    def _said(self, error: BaseException) -> str:
        return without_key(str(error) or type(error).__name__, self._key)[:LONGEST_MESSAGE]

    def _rejected(self, status: int, headers: Mapping[str, str], body: str) -> CallBroken:
        text = body[:65_536]
        error: Mapping[str, Any] = {}
        try:
            said = json.loads(text)
            found = said.get("error", said)
            error = found if isinstance(found, Mapping) else {"message": found}
        except (ValueError, AttributeError, RecursionError):
            pass
        message = (
            error.get("message") or error.get("detail") or " ".join(text.split()) or "no reason"
        )
        if 300 <= status < 400:
            message = f"it is served elsewhere: {headers.get('Location', 'it does not say where')}"
        return CallBroken(
            "lost" if status in GATEWAY_TIMEOUTS else "rejected",
            f"status {status}: {without_key(str(message), self._key)[:LONGEST_MESSAGE]}",
            status=status,
            parameter=str(error.get("param") or ""),
            code=str(error.get("code") or error.get("type") or ""),
            pause=_pause(headers),
        )


async def _bounded(response: Any) -> bytes:
    parts, size = [], 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > MOST_RESPONSE_BYTES:
            raise ValueError(f"more than {MOST_RESPONSE_BYTES:,} bytes came back")
        parts.append(part)
    return b"".join(parts)


def _pause(headers: Mapping[str, str]) -> float | None:
    """The seconds that `Retry-After` asks for."""
    milliseconds, said = headers.get("retry-after-ms"), headers.get("Retry-After")
    try:
        if milliseconds is not None:
            return max(0.0, float(milliseconds) / 1000)
        if said is None:
            return None
        if said.strip().replace(".", "", 1).isdigit():
            return float(said)
        return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
