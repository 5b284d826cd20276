"""Jinja chat templates, rendered as `transformers` renders them.

The environment is that of `apply_chat_template`: sandboxed and immutable, blocks trimmed, loop
controls, `raise_exception`, `tojson` that escapes nothing, and `{% generation %}` around what the
model is to say. What would not give the same text tomorrow is not there: `random`, `lipsum`, and
today's date unless it is given.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.meta import find_undeclared_variables
from jinja2.parser import Parser
from jinja2.sandbox import MAX_RANGE, ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from dagster_project.errors import SeedbedError

MOST_SOURCE = 2**20
"""Characters of a template."""
MOST_TEXT = 2**24
"""Characters of a rendered text."""

TOKENS = frozenset({"bos_token", "eos_token", "pad_token", "unk_token"})
"""Names that a template knows from the tokenizer it belongs to."""

Messages = Sequence[Mapping[str, Any]]
Tools = Sequence[Mapping[str, Any]]
Span = tuple[int, int]


class TemplateRefused(SeedbedError):
    """A chat template that cannot be used."""


class ChatRefused(SeedbedError):
    """A chat that a template cannot render."""


class Rendered(NamedTuple):
    """A rendered text, and the spans of it, in characters, that the model is to say."""

    text: str
    spans: list[Span]


class Rendering:
    """A compiled template. Not for several threads at once.

    Args:
        source: Jinja.
        variables: what the template may read beside the chat, such as `enable_thinking`, and the
            tokens of `TOKENS`; one that is null is known not to be there.
        today: what `strftime_now` tells; a template that asks for it without is refused.

    Raises:
        TemplateRefused: when it is too long, no Jinja, or reads a token that is not given.
    """

    def __init__(
        self, source: str, variables: Mapping[str, Any] | None = None, today: date | None = None
    ) -> None:
        if len(source) > MOST_SOURCE:
            raise TemplateRefused(
                f"a template of {len(source):,} characters; {MOST_SOURCE:,} at most"
            )
        given = dict(variables or {})
        self.variables = {
            name: value for name, value in given.items() if value is not None or name not in TOKENS
        }
        self.marks_answers = False
        self._answers: list[tuple[int, str]] = []
        self._length = 0
        environment = _environment(self, today)
        try:
            parsed = environment.parse(source)
            missing = (find_undeclared_variables(parsed) & TOKENS) - given.keys()
            self.template = environment.from_string(source)
        except (jinja2.TemplateError, RecursionError, MemoryError) as error:
            raise TemplateRefused(f"no template: {_said(error)}") from error
        if missing:
            raise TemplateRefused(
                f"the template writes {', '.join(sorted(missing))}, which is not given; put the "
                "model's tokenizer_config.json beside it"
            )

    def render(
        self, messages: Messages, tools: Tools | None, add_generation_prompt: bool
    ) -> Rendered:
        """Render a chat.

        Raises:
            ChatRefused: when the template raises, or writes more than `MOST_TEXT` characters.
            TemplateRefused: when it reaches for what the sandbox keeps, or for today's date.
        """
        pieces: list[str] = []
        self._answers, self._length = [], 0
        try:
            for piece in self.template.generate(
                {
                    **self.variables,
                    "messages": messages,
                    "tools": tools,
                    "documents": None,
                    "add_generation_prompt": add_generation_prompt,
                }
            ):
                pieces.append(piece)
                self._length += len(piece)
                if self._length > MOST_TEXT:
                    raise ChatRefused(f"the template writes more than {MOST_TEXT:,} characters")
        except SeedbedError:
            raise
        except jinja2.exceptions.SecurityError as error:
            raise TemplateRefused(
                f"the template reaches out of its sandbox: {_said(error)}"
            ) from error
        except Exception as error:  # a template may raise anything
            raise ChatRefused(_said(error)) from error
        text = "".join(pieces)
        if not all(text.startswith(answer, start) for start, answer in self._answers):
            raise TemplateRefused(
                "the template has {% generation %} in a macro or in {% set %}, so that it cannot be "
                "told where it comes to stand"
            )
        return Rendered(text, [(start, start + len(answer)) for start, answer in self._answers])

    def answered(self, text: str) -> str:
        """Note that `text`, which comes next, is what the model is to say."""
        self._answers.append((self._length, text))
        return text


class _Answers(Extension):
    """The tags `{% generation %}` and `{% endgeneration %}`."""

    tags = frozenset({"generation"})  # pyright: ignore[reportAssignmentType]

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        self._rendering.marks_answers = True
        return nodes.CallBlock(self.call_method("_mark"), [], [], body).set_lineno(line)

    def _mark(self, caller: Any) -> str:
        return self._rendering.answered(caller())

    @property
    def _rendering(self) -> Rendering:
        return self.environment.rendering  # pyright: ignore[reportAttributeAccessIssue]


class _PlainNamespace(Namespace):
    """A namespace that takes no name with an underscore first, as the sandbox gives none."""

    def __init__(*args: Any, **attributes: Any) -> None:
        self, *positional = args
        Namespace.__init__(self, _plain_names(dict(*positional, **attributes)))

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, _plain_names({name: value})[name])


def _plain_names(attributes: dict[str, Any]) -> dict[str, Any]:
    for name in attributes:
        if not isinstance(name, str) or name.startswith("_"):
            raise jinja2.exceptions.SecurityError(f"a namespace has no attribute {name!r}")
    return attributes


def _environment(rendering: Rendering, today: date | None) -> ImmutableSandboxedEnvironment:
    def raise_exception(message: str) -> None:
        raise ChatRefused(str(message))

    def strftime_now(form: str) -> str:
        if today is None:
            raise TemplateRefused(
                "the template writes today's date, so that it gives another text every day; give a "
                "date to write instead"
            )
        return datetime(today.year, today.month, today.day).strftime(form)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Answers, loopcontrols]
    )
    environment.extend(rendering=rendering)
    environment.filters["tojson"] = _to_json
    environment.globals |= {
        "raise_exception": raise_exception,
        "strftime_now": strftime_now,
        "dict": _new_dict,
        "namespace": _PlainNamespace,
    }
    del environment.filters["random"], environment.globals["lipsum"]
    return environment


def _new_dict(*items: Any, **named: Any) -> dict[Any, Any]:
    """`dict`, which templates must not have as the type it is."""
    return dict(*items, **named)


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _said(error: BaseException) -> str:
    """What an error says, for people."""
    if isinstance(error, RecursionError):
        return "it calls itself too often"
    if isinstance(error, MemoryError):
        return "it takes more memory than there is for it"
    if isinstance(error, OverflowError) and "range" in str(error).lower():
        return f"a range of more than {MAX_RANGE:,}"
    if isinstance(error, jinja2.TemplateSyntaxError):
        return f"line {error.lineno}: {error.message}"
    return str(error) or type(error).__name__
