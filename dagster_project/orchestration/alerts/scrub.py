"""Taking secrets out of text that leaves the process or stays in a file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, unquote

REDACTED = "…"

_SECRET_VARIABLE = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)$", re.I)
_LOOKS_SECRET = (
    (re.compile(r"(\b[a-z][a-z0-9+.-]{0,19}://)[^\s/@:]*:[^\s/@]+@", re.I), rf"\1{REDACTED}@"),
    (
        re.compile(
            r"\b((?:api[_-]?key|token|secret|password|authorization)\b[\"']?\s*[:=]\s*"
            r"(?:(?:bearer|basic)\s+)?|bearer\s+)[\"']?[^\s\"',;]{8,}[\"']?",
            re.I,
        ),
        rf"\1{REDACTED}",
    ),
    (re.compile(r"\bsk-[A-Za-z0-9_-]{12,}"), REDACTED),
)


def url_parts(url: str, shortest: int) -> set[str]:
    """The pieces of `url` after its scheme, at least `shortest` characters long, in each of the
    spellings (as written, decoded, encoded) in which an error may quote them."""
    rest = url.split("://", 1)[-1]
    pieces = {url, rest, *re.split(r"[/?&=:@#,;+\s]+", rest)}
    spellings = {s for p in pieces for s in (p, unquote(p), quote(unquote(p), safe=""))}
    return {spelling for spelling in spellings if len(spelling) >= shortest}


def environment_secrets(environment: Mapping[str, str]) -> set[str]:
    """The values, 8 characters or more, of variables whose names say that they are secret."""
    return {
        value
        for name, value in environment.items()
        if len(value) >= 8 and _SECRET_VARIABLE.search(name)
    }


def without_secrets(text: str) -> str:
    """`text` without the values of this process's secret environment variables, for logs and
    events."""
    return scrub(text, environment_secrets(os.environ))


def scrub(text: str, secrets: Iterable[str]) -> str:
    """`text` with every one of `secrets`, and whatever has the form of a credential, as `…`."""
    longest_first = sorted(set(secrets), key=lambda secret: (-len(secret), secret))
    if longest_first:
        known = "|".join(re.escape(secret) for secret in longest_first)
        text = re.sub(known, REDACTED, text, flags=re.I)
    for pattern, replacement in _LOOKS_SECRET:
        text = pattern.sub(replacement, text)
    return text
