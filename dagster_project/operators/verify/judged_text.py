"""Texts as data in a judge's prompt: what they say must not become what the judge is told.

A text that is judged may be written by somebody who wants a good verdict. Here its invisible characters
go, chat-template tokens in it are replaced by a sign, and it stands between marks that bear a number it
cannot know, because the number comes from the text itself. None of this stops a judge from *believing*
what it reads; `rubric` adds what finds some of that.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from dagster_project.identity import canonical_json

TOKEN_SIGN = "▯"
"""Stands for a chat-template token. Not nothing: what is left of and right of one must not join."""

INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"
    "\U000e0000-\U000e007f]"
)
"""Control, zero-width, direction and tag characters; those that join letters and emoji stay."""

TEMPLATE_TOKENS = re.compile(
    r"<[|｜][^|｜<>\n▯]{1,64}[|｜]>|<\|[a-z_]{1,32}>"
    r"|\[/?(?:INST|SYS|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|SYSTEM_PROMPT)\]"
    r"|<</?SYS>>|</?s>|<(?:start|end)_of_turn>|<(?:bos|eos|pad|unk)>"
    r"|</?(?:think|tool_call|tool_response|system|assistant|user)>",
    re.IGNORECASE,
)
"""Tokens of the common chat templates: ChatML, Llama 2 to 4, Mistral, Gemma, DeepSeek, Phi."""

ROLE = re.compile(r"[a-z][a-z_]{0,30}")


def cleaned(text: str) -> str:
    """A text without invisible characters and chat-template tokens."""
    return TEMPLATE_TOKENS.sub(TOKEN_SIGN, INVISIBLE.sub("", text))


def nonce(parts: Mapping[str, Any], *settings: Any) -> str:
    """Sixteen hexadecimal digits that are the same for the same parts, and in none of them.

    Whoever writes a text that holds its own number has to try about 2**64 texts.

    Args:
        parts: what is judged.
        *settings: what else it depends on, such as the prompt.
    """
    named = canonical_json([{name: _plain(value) for name, value in parts.items()}, *settings])
    digits = hashlib.sha256(named.encode("utf-8", "surrogatepass")).hexdigest()
    return next(
        (digits[at : at + 16] for at in range(0, 64, 16) if digits[at : at + 16] not in named),
        digits[:16],
    )


def framed(parts: Mapping[str, Any], mark: str) -> str:
    """Parts, each between marks with its name.

    Args:
        parts: texts, or chat messages as mappings with `role` and `content`, by name.
        mark: stands in each mark beside the name; see `nonce`. Empty: the texts stay as they are,
            which is for measuring what the rest brings.
    """
    return "\n\n".join(_block(name, _inside(value, mark), mark) for name, value in parts.items())


def said(value: Any) -> bool:
    """Whether there is anything to judge in a text or in chat messages."""
    if isinstance(value, str):
        return bool(value.strip())
    return bool(value) and any(_content(message).strip() for message in value)


def _inside(value: Any, mark: str) -> str:
    if isinstance(value, str):
        return cleaned(value) if mark else value
    return "\n".join(
        _block(_role(message), cleaned(_content(message)) if mark else _content(message), mark)
        for message in value or ()
    )


def _block(name: str, text: str, mark: str) -> str:
    label = f"{name} {mark}" if mark else name
    return f"<{label}>\n{text}\n</{label}>"


def _role(message: Mapping[str, Any] | None) -> str:
    role = (message or {}).get("role")
    return role if isinstance(role, str) and ROLE.fullmatch(role) else "other"


def _content(message: Mapping[str, Any] | None) -> str:
    """What a message says, and the calls that it makes, as JSON."""
    message = message or {}
    content, calls = message.get("content"), message.get("tool_calls")
    text = content if isinstance(content, str) else ""
    return f"{text}\n{json.dumps(calls, ensure_ascii=False, default=str)}" if calls else text


def _plain(value: Any) -> Any:
    if isinstance(value, str) or value is None:
        return value
    return [[_role(message), _content(message)] for message in value]
