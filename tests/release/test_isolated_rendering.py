"""Templates that others wrote, hostile ones too."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from dagster_project.release import isolated_rendering
from dagster_project.release.chat_template import FOLDER, ChatTemplate
from dagster_project.release.template_rendering import ChatRefused, TemplateRefused

CHAT = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]
Own = Callable[..., AbstractContextManager[ChatTemplate]]


@pytest.fixture
def own(tmp_path: Path) -> Own:
    """A template of one's own, from its source."""

    def from_source(source: str, **options: Any) -> ChatTemplate:
        (tmp_path / "chat_template.jinja").write_text(source)
        return ChatTemplate.from_file(tmp_path / "chat_template.jinja", **options)

    return from_source


@pytest.mark.parametrize("name", ["gemma", "llama3", "qwen", "zephyr"])
def test_the_same_text_as_in_this_process(own: Own, name: str) -> None:
    here = ChatTemplate.named(name)
    with own((FOLDER / f"{name}.jinja").read_text()) as there:
        assert there.render_spans(CHAT) == here.render_spans(CHAT)
        chat = [*CHAT, *CHAT]
        assert there.render_spans(chat, end_of_turn=False) == here.render_spans(
            chat, end_of_turn=False
        )


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("{{ ''.__class__.__mro__ }}", "out of its sandbox: .*__class__"),
        ("{{ messages.append(1) }}", "out of its sandbox: .*append"),
        ("{{ cycler.__init__.__globals__ }}", "out of its sandbox"),
        ("{{ namespace(__class__=1) }}", "out of its sandbox"),
        ("{{ raise_exception.__globals__.x }}", "out of its sandbox"),
        ("{% include '/etc/passwd' %}", "no loader"),
        ("{{ lipsum() }}", "'lipsum' is undefined"),
        ("{{ [1, 2] | random }}", "No filter named 'random'"),
        ("{% for n in range(100001) %}{% endfor %}", "a range of more than 100,000"),
        ("{% for n in range(20000) %}{{ 'x' * 1000 }}{% endfor %}", "more than 16,777,216"),
        ("{{ 'x' * 10 ** 11 }}", "more memory than there is"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "calls itself too often"),
        ("{% for m in messages %}", "no template: line 1"),
        ("{% set a %}{% generation %}b{% endgeneration %}{% endset %}c{{ a }}", "where it comes"),
        ("{{ strftime_now('%Y') }}", "gives another text every day"),
        ("{{ bos_token }}", "writes bos_token, which is not given"),
    ],
)
def test_refused_templates(own: Own, source: str, told: str) -> None:
    with pytest.raises((TemplateRefused, ChatRefused), match=told), own(source) as template:
        template.render(CHAT)


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% set n = namespace(a=['x']) %}{% for i in range(60) %}{% set n.a = [n.a, n.a] %}"
        "{% endfor %}{{ n.a }}",
        "{{ (messages | length) ** (9 ** 9) }}",
    ],
)
def test_a_template_that_does_not_end(
    own: Own, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolated_rendering, "SECONDS", 0.3)
    with own("{% if messages | length > 2 %}" + source + "{% endif %}ok") as template:
        assert template.render(CHAT) == "ok"
        with pytest.raises(TemplateRefused, match=r"takes more than 0.3 s"):
            template.render([*CHAT, *CHAT])
        with pytest.raises(TemplateRefused, match="takes more than"):
            template.render(CHAT)


def test_a_process_that_opens_no_file(own: Own) -> None:
    """Even out of the sandbox there is no file to open."""
    with own("ok") as template:
        limits = Path(f"/proc/{template._rendering._process.pid}/limits").read_text()  # pyright: ignore
    assert re.search(r"Max open files +3 ", limits)
    assert re.search(r"Max file size +0 ", limits)


def test_tokens_of_the_model(own: Own, tmp_path: Path) -> None:
    settings = {"bos_token": {"content": "<s>"}, "eos_token": "</s>", "pad_token": None}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    source = "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}{{ pad_token }}{{ more }}"
    with own(source, variables={"more": "!"}) as template:
        assert template.render(CHAT[:1]) == "<s>Hello</s>!"


def test_a_given_date(own: Own) -> None:
    with own("{{ strftime_now('%d %b %Y') }}", today=date(2025, 7, 1)) as template:
        assert template.render(CHAT) == "01 Jul 2025"


def test_as_transformers_render(own: Own) -> None:
    source = (
        "{% for m in messages %}\n    {% if loop.index > 1 %}{% break %}{% endif %}\n"
        "{{ {'a': 'é<&>', 'b': [m.content]} | tojson(indent=1) }}\n{% endfor %}\n"
    )
    with own(source) as template:
        assert template.render(CHAT) == '{\n "a": "é<&>",\n "b": [\n  "Hello"\n ]\n}\n'


def test_an_earlier_answer_that_changes(own: Own) -> None:
    """As in hybrid Qwen3, where the last answer alone has a block to think in."""
    source = (
        "{% for m in messages %}{{ m.role }}:{% if m.role == 'assistant' and loop.last %}<think>"
        "{% endif %}{{ m.content }};{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"
    )
    with own(source) as template:
        with pytest.raises(ChatRefused, match="the text up to message 2 is not how the text"):
            template.render_spans([*CHAT, *CHAT])
        text, spans = template.render_spans(CHAT)
        assert [text[start:end] for start, end in spans] == ["<think>Hi;"]


def test_another_prompt_when_served(own: Own) -> None:
    marked = (
        "{% for m in messages %}{% if loop.last %}[last]{% endif %}{{ m.role }}:{% generation %}"
        "{{ m.content }}{% endgeneration %}{% endfor %}"
    )
    with own(marked) as template, pytest.raises(ChatRefused, match=r"message 2.*from character 0"):
        template.render_spans(CHAT)


def test_files_that_are_no_templates(tmp_path: Path) -> None:
    config = tmp_path / "tokenizer_config.json"
    for content, told in ((b"{", "not JSON"), (b"{}", "no chat_template"), (b"\xff", "not UTF-8")):
        config.write_bytes(content)
        with pytest.raises(TemplateRefused, match=told):
            ChatTemplate.from_file(config)
    config.unlink()
    with pytest.raises(TemplateRefused, match=r"No such file.*chatml"):
        ChatTemplate.from_file(tmp_path / "none.jinja")
    config.write_text(
        json.dumps(
            {"chat_template": [{"name": "default", "template": "{{ messages[0].content }}"}]}
        )
    )
    with ChatTemplate.from_file(config) as template:
        assert template.render(CHAT) == "Hello"
