"""Chat templates: how a chat becomes the text that a model reads, and what of it the model is to say.

What is trained must be what is served: a chat's text up to an answer, as it is trained, has to be the
prompt that is rendered to get that answer. Where a template does not give that, it is refused.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from dagster_project.recipe.problems import no_such
from dagster_project.release.isolated_rendering import IsolatedRendering
from dagster_project.release.template_rendering import (
    TOKENS,
    ChatRefused,
    Messages,
    Rendered,
    Rendering,
    Span,
    TemplateRefused,
    Tools,
)

FOLDER = Path(__file__).parent / "chat_templates"
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.jinja")))
"""Templates that are here; each file says which model publishes it."""

QUESTION, ANSWER = "Will you answer?", "Yes, gladly."
MARK = re.compile(r"<\|[^\s<>|]+\|>|</?[a-z_]+>|\[/?[A-Z_]+\]")

System = Literal["template", "merge"]
"""What becomes of a system text at a chat's start: what the template does with it, or it goes before
the first user's, with an empty line between."""

Message = Mapping[str, Any]


class ChatTemplate:
    """A chat template. A context manager; not for several threads at once.

    Args:
        name: for errors.
        rendering: the compiled template.
        system: see `System`.
    """

    def __init__(
        self, name: str, rendering: Rendering | IsolatedRendering, system: System = "template"
    ) -> None:
        self.name = name
        self.system = system
        self._rendering = rendering
        self._published = isinstance(rendering, Rendering)

    @classmethod
    def named(cls, name: str, *, system: System = "template") -> ChatTemplate:
        """One of `NAMES`.

        Raises:
            TemplateRefused: when there is none of this name.
        """
        if name not in NAMES:
            raise TemplateRefused(
                f"{no_such('chat template', name, NAMES)}; or give the path of a file"
            )
        return cls(name, Rendering((FOLDER / f"{name}.jinja").read_text("utf-8")), system)

    @classmethod
    def from_file(
        cls,
        path: Path,
        *,
        variables: Mapping[str, Any] | None = None,
        today: date | None = None,
        system: System = "template",
    ) -> ChatTemplate:
        """A template of your own, which is run in a process of its own; see `isolated_rendering`.

        Args:
            path: of a Jinja file, or of a model's `tokenizer_config.json` with the template in it. A
                `tokenizer_config.json` beside a Jinja file gives the tokens that it writes, such as
                `bos_token`.
            variables: what else the template reads, such as `enable_thinking`.
            today: the date it writes, if it does.
            system: see `System`.

        Raises:
            TemplateRefused: when there is no such file, or no template in it.
        """
        config = path if path.suffix == ".json" else path.parent / "tokenizer_config.json"
        settings = _settings(config) if path == config or config.exists() else {}
        source = _template_in(settings, path) if path == config else _read(path)
        known = {**_tokens_in(settings), **(variables or {})}
        try:
            rendering = IsolatedRendering(source, known, today)
        except TemplateRefused as error:
            raise TemplateRefused(f"{path}: {error}") from error
        return cls(path.name, rendering, system)

    def __enter__(self) -> ChatTemplate:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process of a template of one's own."""
        if isinstance(self._rendering, IsolatedRendering):
            self._rendering.close()

    def render(
        self, messages: Messages, *, tools: Tools | None = None, add_generation_prompt: bool = False
    ) -> str:
        """A chat as text.

        Args:
            messages: objects with `role`, `content` and perhaps further fields; those that are null
                count as missing.
            tools: descriptions of functions, for templates that have a place for them.
            add_generation_prompt: end it as a prompt for an answer.

        Raises:
            ChatRefused: when the messages are none, or the template refuses them.
            TemplateRefused: when the template does what it must not.
        """
        chat, given = self._plain(messages), _plain_tools(tools)
        return self._rendering.render(chat, given, add_generation_prompt).text

    def render_spans(
        self,
        messages: Messages,
        *,
        tools: Tools | None = None,
        end_of_turn: bool = True,
        prompt_messages: int = 0,
    ) -> Rendered:
        """A chat as text, and the spans of its answers, in characters, whose loss is trained.

        They are what stands between `{% generation %}` and `{% endgeneration %}`, where the template
        has these, and else what the text of each answer adds to the prompt for it.

        Args:
            messages, tools: as `render` takes them.
            end_of_turn: whether the mark that ends an answer is part of its span, so that the model
                learns to stop. Line ends after it are not.
            prompt_messages: answers among so many messages at the start have no loss.

        Raises:
            ChatRefused, TemplateRefused: as `render`, and when the prompt for an answer is not how
                the text begins.
        """
        chat, given = self._plain(messages), _plain_tools(tools)
        first = max(0, prompt_messages - (len(messages) - len(chat)))
        text, marked = self._rendering.render(chat, given, False)
        answers = [at for at, message in enumerate(chat) if message["role"] == "assistant"]
        answers = answers[bisect_left(answers, first) :]
        if not self._rendering.marks_answers:
            spans = [self._added(text, chat, at, given) for at in answers]
        elif self._published and not first:
            spans = marked
        else:
            prompts = [self._prompt(text, chat, at, given) for at in answers]
            spans = [span for span in marked if prompts and span[1] > len(prompts[0])]
        if end_of_turn:
            return Rendered(text, spans)
        return Rendered(text, [self._without_end(text, span) for span in spans])

    @cached_property
    def closing(self) -> str:
        """What the template writes after an answer, line ends included."""
        _, found, closing = self._smallest.rpartition(ANSWER)
        if not found:
            raise TemplateRefused(
                f"{self.name} does not write a question and its answer as they are, so that the end "
                "of an answer cannot be told; mark answers in it with {% generation %}"
            )
        return closing

    @cached_property
    def marks(self) -> tuple[str, ...]:
        """What the template writes that looks like special tokens, such as `<|im_end|>`. In what
        somebody says they would be taken for the template's own."""
        written = self._smallest.replace(QUESTION, "").replace(ANSWER, "")
        return tuple(dict.fromkeys(MARK.findall(written)))

    @cached_property
    def _smallest(self) -> str:
        """A question and its answer as text; empty when they are refused."""
        asked = {"role": "user", "content": QUESTION}
        with suppress(ChatRefused):
            return self.render([asked, {"role": "assistant", "content": ANSWER}])
        return ""

    def _prompt(self, text: str, chat: list[Message], at: int, tools: Tools | None) -> str:
        """The prompt for message `at`, with which the chat's text begins."""
        prompt = self._rendering.render(chat[:at], tools, True).text
        if not text.startswith(prompt):
            self._part(text, prompt, f"the prompt that is served for message {at + 1}")
        return prompt

    def _added(self, text: str, chat: list[Message], at: int, tools: Tools | None) -> Span:
        """What an answer adds to the prompt for it, without line ends after the end of its turn."""
        start = len(self._prompt(text, chat, at, tools))
        until = text
        if at + 1 < len(chat):
            until = self._rendering.render(chat[: at + 1], tools, False).text
            if not text.startswith(until):
                self._part(text, until, f"the text up to message {at + 1}")
        line_ends = len(self.closing) - len(self.closing.rstrip())
        return start, max(start, len(until) - line_ends * until.endswith(self.closing))

    def _without_end(self, text: str, span: Span) -> Span:
        start, end = span
        for closing in (self.closing, self.closing.rstrip()):
            if text.endswith(closing, start, end):
                return start, end - len(closing)
        raise ChatRefused(f"the answer {text[start:end][-60:]!r} does not end with {closing!r}")

    def _part(self, text: str, prompt: str, what: str) -> None:
        pairs = enumerate(zip(text, prompt, strict=False))
        at = next((at for at, (one, other) in pairs if one != other), min(len(text), len(prompt)))
        raise ChatRefused(
            f"{what} is not how the text that is trained begins: from character {at} it is "
            f"{prompt[at : at + 40]!r}, and the text {text[at : at + 40]!r}"
        )

    def _plain(self, messages: Messages) -> list[Message]:
        """The messages as templates read them: without fields that are null."""
        chat: list[Message] = []
        for number, message in enumerate(messages, 1):
            role = message.get("role") if isinstance(message, Mapping) else None
            if not isinstance(role, str) or not role:
                raise ChatRefused(f"message {number} has no role")
            plain = without_nulls(message)
            content = plain.setdefault("content", None)
            if content is None and not plain.get("tool_calls"):
                raise ChatRefused(f"message {number}, of the role {role}, has no content")
            if not isinstance(content, str | list | None):
                raise ChatRefused(
                    f"message {number}: content is {type(content).__name__}, not text"
                )
            chat.append(plain)
        if not chat:
            raise ChatRefused("a chat without messages")
        return _merged(chat) if self.system == "merge" else chat


def without_nulls(value: Any) -> Any:
    """A value without the fields of objects that are null, at any depth, as exports write it."""
    if isinstance(value, Mapping):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [without_nulls(item) for item in value]
    return value


def _plain_tools(tools: Tools | None) -> Tools | None:
    return without_nulls(tools) or None


def _merged(chat: list[Message]) -> list[Message]:
    if len(chat) < 2 or (chat[0]["role"], chat[1]["role"]) != ("system", "user"):
        return chat
    system, user, *others = chat
    if not (isinstance(system["content"], str) and isinstance(user["content"], str)):
        raise ChatRefused("a system text can be merged into texts alone")
    return [{**user, "content": f"{system['content']}\n\n{user['content']}"}, *others]


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise TemplateRefused(
            f"{path} cannot be read: {error.strerror}. Templates that are here: {', '.join(NAMES)}"
        ) from error
    except UnicodeDecodeError as error:
        raise TemplateRefused(f"{path} is not UTF-8: {error.reason}") from error


def _settings(path: Path) -> Mapping[str, Any]:
    try:
        settings = json.loads(_read(path))
    except (json.JSONDecodeError, RecursionError) as error:
        raise TemplateRefused(f"{path} is not JSON: {error}") from error
    if not isinstance(settings, dict):
        raise TemplateRefused(f"{path} is not a JSON object")
    return settings


def _template_in(settings: Mapping[str, Any], path: Path) -> str:
    """The template, or the one called `default` of several."""
    found = settings.get("chat_template")
    if isinstance(found, Sequence) and not isinstance(found, str):
        named = (item for item in found if isinstance(item, dict))
        found = next((i.get("template") for i in named if i.get("name") == "default"), None)
    if not isinstance(found, str):
        raise TemplateRefused(f"{path} has no chat_template; newer models have chat_template.jinja")
    return found


def _tokens_in(settings: Mapping[str, Any]) -> dict[str, str | None]:
    """The special tokens; each is a text, or an object with the text as `content`."""
    found = {name: settings[name] for name in sorted(TOKENS) if name in settings}
    return {
        name: token.get("content") if isinstance(token, dict) else token
        for name, token in found.items()
    }
