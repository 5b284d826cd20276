"""Chats as text, in the formats that models publish."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.release.chat_template import NAMES, ChatTemplate
from dagster_project.release.template_rendering import ChatRefused, TemplateRefused

Chat = list[dict[str, Any]]

SYSTEM = {"role": "system", "content": "Be brief."}
TURNS: Chat = [
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hi there"},
    {"role": "user", "content": " Who\nare you? "},
    {"role": "assistant", "content": "   A model   "},
]
PUBLISHED = {
    "chatml": (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\nHello<|im_end|>\n"
        "<|im_start|>assistant\nHi there<|im_end|>\n"
        "<|im_start|>user\n Who\nare you? <|im_end|>\n"
        "<|im_start|>assistant\n   A model   <|im_end|>\n"
    ),
    "llama3": (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nHello<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nHi there<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nWho\nare you?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nA model<|eot_id|>"
    ),
    "gemma": (
        "<bos><start_of_turn>user\nBe brief.\n\nHello<end_of_turn>\n"
        "<start_of_turn>model\nHi there<end_of_turn>\n"
        "<start_of_turn>user\nWho\nare you?<end_of_turn>\n"
        "<start_of_turn>model\nA model<end_of_turn>\n"
    ),
    "mistral": (
        "<s>[INST]Be brief.\n\nHello[/INST]Hi there</s>"
        "[INST] Who\nare you? [/INST]   A model   </s>"
    ),
    "mistral_v7": (
        "<s>[SYSTEM_PROMPT]Be brief.[/SYSTEM_PROMPT][INST]Hello[/INST]Hi there</s>"
        "[INST] Who\nare you? [/INST]   A model   </s>"
    ),
    "zephyr": (
        "<|system|>\nBe brief.</s>\n<|user|>\nHello</s>\n<|assistant|>\nHi there</s>\n"
        "<|user|>\n Who\nare you? </s>\n<|assistant|>\n   A model   </s>\n"
    ),
}
PUBLISHED |= {"qwen": PUBLISHED["chatml"], "qwen3": PUBLISHED["chatml"]}
END = {
    "chatml": "<|im_end|>",
    "qwen": "<|im_end|>",
    "qwen3": "<|im_end|>",
    "llama3": "<|eot_id|>",
    "gemma": "<end_of_turn>",
    "mistral": "</s>",
    "mistral_v7": "</s>",
    "zephyr": "</s>",
}
PROMPT = {
    "chatml": "<|im_start|>assistant\n",
    "qwen": "<|im_start|>assistant\n",
    "qwen3": "<|im_start|>assistant\n",
    "llama3": "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "gemma": "<start_of_turn>model\n",
    "mistral": "",
    "mistral_v7": "",
    "zephyr": "<|assistant|>\n",
}
TRIM = ("llama3", "gemma")
MERGE = ("gemma", "mistral")


@cache
def named(name: str) -> ChatTemplate:
    return ChatTemplate.named(name, system="merge" if name in MERGE else "template")


def loss(template: ChatTemplate, chat: Chat, **options: Any) -> list[str]:
    text, spans = template.render_spans(chat, **options)
    return [text[start:end] for start, end in spans]


@pytest.mark.parametrize("name", NAMES)
def test_published_format(name: str) -> None:
    template = named(name)
    chat = [SYSTEM, *TURNS]
    assert template.render(chat) == PUBLISHED[name]
    prompt = template.render(chat[:-1], add_generation_prompt=True)
    answer = "A model" if name in TRIM else "   A model   "
    line_end = PUBLISHED[name][len(PUBLISHED[name].rstrip()) :]
    assert PUBLISHED[name] == prompt + answer + END[name] + line_end
    assert prompt.endswith(PROMPT[name])
    assert loss(template, chat) == ["Hi there" + END[name], answer + END[name]]
    assert loss(template, chat, end_of_turn=False) == ["Hi there", answer]
    assert loss(template, chat, prompt_messages=4) == [answer + END[name]]
    assert loss(template, chat, prompt_messages=5) == []
    assert template.closing == END[name] + line_end


def test_a_system_text_where_there_is_none() -> None:
    default = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
    assert named("qwen").render(TURNS[:1]) == (
        f"<|im_start|>system\n{default}<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n"
    )
    assert named("qwen3").render(TURNS[:1]) == "<|im_start|>user\nHello<|im_end|>\n"


def test_tools_of_qwen() -> None:
    tool = {"type": "function", "function": {"name": "add", "description": "‘a’ + <b>"}}
    call = {"function": {"name": "add", "arguments": {"a": 1}}, "id": None}
    as_text = {"function": {"name": "add", "arguments": '{"a": 2}'}}
    chat: Chat = [
        SYSTEM,
        {"role": "user", "content": "Add."},
        {"role": "assistant", "content": None, "tool_calls": [call, as_text]},
        {"role": "tool", "content": "1"},
        {"role": "tool", "content": "2"},
        {"role": "assistant", "content": "Done.", "tool_calls": None},
    ]
    said = (
        '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>\n'
        '<tool_call>\n{"name": "add", "arguments": {"a": 2}}\n</tool_call><|im_end|>'
    )
    described = json.dumps(tool, ensure_ascii=False)
    for name in ("qwen", "qwen3"):
        assert named(name).render(chat, tools=[tool]) == (
            "<|im_start|>system\nBe brief.\n\n# Tools\n\nYou may call one or more functions to assist "
            "with the user query.\n\nYou are provided with function signatures within <tools></tools> "
            f"XML tags:\n<tools>\n{described}\n</tools>\n\nFor each function call, return a json "
            "object with function name and arguments within <tool_call></tool_call> XML tags:\n"
            '<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>'
            "<|im_end|>\n<|im_start|>user\nAdd.<|im_end|>\n<|im_start|>assistant\n"
            f"{said}\n<|im_start|>user\n<tool_response>\n1\n</tool_response>\n<tool_response>\n2\n"
            "</tool_response><|im_end|>\n<|im_start|>assistant\nDone.<|im_end|>\n"
        )
        assert loss(named(name), chat, tools=[tool]) == [said, "Done.<|im_end|>"]
    for name in {*NAMES} - {"qwen", "qwen3"}:
        with pytest.raises(ChatRefused, match="tools"):
            named(name).render(TURNS, tools=[tool])


text = st.text(st.sampled_from(" \n<|>&é日a{%}"), max_size=6)


@st.composite
def chats(draw: st.DrawFn) -> Chat:
    """A system text perhaps, then questions and answers; the last may be unanswered."""
    start = [{"role": "system", "content": draw(text)}] if draw(st.booleans()) else []
    said = [
        {"role": ("user", "assistant")[number % 2], "content": content}
        for number, content in enumerate(draw(st.lists(text, min_size=1, max_size=6)))
    ]
    return [*start, *said]


@settings(max_examples=30, deadline=None, derandomize=True)
@given(chat=chats())
@pytest.mark.parametrize("name", NAMES)
def test_what_is_trained_is_what_is_served(name: str, chat: Chat) -> None:
    template = named(name)
    trained, spans = template.render_spans(chat)
    answers = [at for at, message in enumerate(chat) if message["role"] == "assistant"]
    assert len(spans) == len(answers)
    for at, (start, end) in zip(answers, spans, strict=True):
        served = template.render(chat[:at], add_generation_prompt=True)
        content = chat[at]["content"].strip() if name in TRIM else chat[at]["content"]
        assert trained.startswith(served)
        assert trained.startswith(content, len(served))
        assert (len(served), content + END[name]) == (start, trained[start:end])


@settings(max_examples=25, deadline=None, derandomize=True)
@given(chat=chats(), end_of_turn=st.booleans(), prompt_messages=st.integers(0, 7))
def test_answers_are_found_without_marks(
    unmarked: ChatTemplate, chat: Chat, end_of_turn: bool, prompt_messages: int
) -> None:
    options = {"end_of_turn": end_of_turn, "prompt_messages": prompt_messages}
    assert unmarked.render_spans(chat, **options) == named("zephyr").render_spans(chat, **options)


@pytest.fixture(scope="module")
def unmarked(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Zephyr's template as it is published."""
    path = tmp_path_factory.mktemp("model") / "tokenizer_config.json"
    published = (
        "{% for message in messages %}\n{% if message['role'] == 'user' %}\n"
        "{{ '<|user|>\n' + message['content'] + eos_token }}\n"
        "{% elif message['role'] == 'system' %}\n"
        "{{ '<|system|>\n' + message['content'] + eos_token }}\n"
        "{% elif message['role'] == 'assistant' %}\n"
        "{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n{% endif %}\n"
        "{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n"
        "{% endfor %}"
    )
    path.write_text(json.dumps({"chat_template": published, "eos_token": {"content": "</s>"}}))
    with ChatTemplate.from_file(path) as template:
        yield template


@pytest.mark.parametrize(
    ("name", "chat", "told"),
    [
        ("gemma", [SYSTEM, *TURNS], "no system role; with `system: merge`"),
        ("gemma", TURNS[1:], "message 1 is of role assistant"),
        ("mistral", [SYSTEM, *TURNS], "before the last user's"),
        ("chatml", [{"role": "human", "content": "x"}], "no role human"),
        (
            "chatml",
            [{"role": "user", "content": None}],
            "message 1, of the role user, has no content",
        ),
        ("chatml", [*TURNS, {"role": None, "content": "x"}], "message 5 has no role"),
        ("chatml", [None], "message 1 has no role"),
        ("chatml", [{"role": "user", "content": 3}], "content is int, not text"),
        ("zephyr", [{"role": "tool", "content": "x"}], "no role tool"),
        ("chatml", [], "without messages"),
    ],
)
def test_refused_chats(name: str, chat: Any, told: str) -> None:
    with pytest.raises(ChatRefused, match=told):
        ChatTemplate.named(name).render(chat)


def test_an_unknown_name() -> None:
    with pytest.raises(TemplateRefused, match="did you mean 'chatml'"):
        ChatTemplate.named("chat-ml")


def test_marks() -> None:
    assert named("mistral").marks == ("<s>", "[INST]", "[/INST]", "</s>")
    assert named("gemma").marks == ("<bos>", "<start_of_turn>", "<end_of_turn>")


def test_all_templates_are_told_here() -> None:
    assert set(PUBLISHED) == set(NAMES)
