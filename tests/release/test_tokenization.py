"""Texts as tokens, and which have loss."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import quicktok
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.operators.process.measure_length import ENCODINGS
from dagster_project.release.chat_template import ChatTemplate
from dagster_project.release.tokenization import (
    NAMES,
    Tokenizer,
    TokenizerRefused,
    loss_tokens,
    runs,
    tokenizer,
)

WORDS = ("a", "the answer", " ", "\n", "\n\n", "42", "def f(x):", "'s", "\r\n", "\x00")
LETTERS = ("é", "e\u0301", "\u0338", "日本", "🚀", "가", "\u1100", "\u1161")
PIECES = st.sampled_from((*WORDS, *LETTERS, "<|im_start|>", "<|im_end|>", "<|eot_id|>"))
TEXTS = st.lists(PIECES, max_size=12).map("".join)


@pytest.fixture(scope="module", params=NAMES)
def offline(request: pytest.FixtureRequest) -> Tokenizer:
    return tokenizer(request.param)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(texts=st.lists(TEXTS, max_size=4))
def test_ids_are_those_of_the_whole_text(offline: Tokenizer, texts: list[str]) -> None:
    encoding = quicktok.get_encoding(ENCODINGS[offline.name])  # pyright: ignore
    tokens = offline.tokenize(texts)
    assert len(tokens.lengths) == len(texts)
    for number, text in enumerate(texts):
        here = slice(tokens.first[number], tokens.first[number + 1])
        ids = encoding.encode_with_special(text)
        assert tokens.ids[here].tolist() == ids
        read = encoding.decode_bytes(ids)
        places = zip(tokens.starts[here], tokens.ends[here], strict=True)
        assert [read[start:end] for start, end in places] == [
            encoding.decode_bytes([token]) for token in ids
        ]
        assert tokens.ends[here].tolist()[-1:] == [len(read)] * bool(ids)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(before=TEXTS, said=TEXTS, after=TEXTS)
def test_tokens_with_loss_cover_the_answer_and_no_more(
    offline: Tokenizer, before: str, said: str, after: str
) -> None:
    before, after = before + "<|im_start|>", "<|im_end|>" + after  # nothing composes across
    text = before + said + after
    tokens = offline.tokenize([text])
    span = (len(before), len(before) + len(said))
    has_loss, inside = loss_tokens(offline, [text], tokens, [[span]])
    encoding = quicktok.get_encoding(ENCODINGS[offline.name])  # pyright: ignore
    answer = encoding.decode_bytes(encoding.encode_with_special(said))
    covered = b"".join(encoding.decode_bytes([t]) for t in tokens.ids[has_loss].tolist())
    assert answer in covered
    if has_loss.any():
        edges = np.flatnonzero(has_loss)
        begin, end = offline.place(text, span)
        assert tokens.ends[edges[0]] > begin and tokens.starts[edges[-1]] < end
        assert bool(inside[0]) == bool(tokens.starts[edges[0]] < begin)
    else:
        assert not answer


def test_special_tokens_are_single_where_the_vocabulary_has_them() -> None:
    chat = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]
    said = {
        ("qwen3", "chatml"): ["Hello", ".", "<|im_end|>"],
        ("llama3", "llama3"): ["Hello", ".", "<|eot_id|>"],
        ("o200k", "chatml"): ["Hello", ".<", "|", "im", "_end", "|", ">\n"],
    }
    for (name, template), wanted in said.items():
        chosen = tokenizer(name)
        text, spans = ChatTemplate.named(template).render_spans(chat)
        tokens = chosen.tokenize([text])
        has_loss, _ = loss_tokens(chosen, [text], tokens, [spans])
        places = zip(tokens.starts[has_loss], tokens.ends[has_loss], strict=True)
        assert [text[start:end] for start, end in places] == wanted
        assert chosen.has_token("<|im_end|>") == (name == "qwen3")


def test_an_answer_that_begins_inside_a_token() -> None:
    """The line end of the prompt and that of the answer are one token."""
    for content, wanted in (("\n- one", True), ("- one", False)):
        chat = [{"role": "user", "content": "?"}, {"role": "assistant", "content": content}]
        text, spans = ChatTemplate.named("chatml").render_spans(chat)
        chosen = tokenizer("qwen3")
        _, inside = loss_tokens(chosen, [text], chosen.tokenize([text]), [spans])
        assert inside.tolist() == [wanted]


def test_lone_surrogates_keep_places() -> None:
    chosen = tokenizer("o200k")
    text = "é\ud800 yes"
    tokens = chosen.tokenize([text, "yes"])
    assert tokens.ends[tokens.first[1] - 1] == len("é? yes".encode())
    has_loss, _ = loss_tokens(chosen, [text, "yes"], tokens, [[(3, 6)], []])
    assert chosen.written(text, 0, 7) == "é? yes"
    assert has_loss.tolist().count(True) == 1


def test_runs() -> None:
    assert list(runs(np.array([False, True, True, False]))) == [
        (0, 1, False),
        (1, 3, True),
        (3, 4, False),
    ]
    assert list(runs(np.zeros(0, bool))) == []


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model's tokenizer.json, which would put a token before each text and cut it."""
    tokenizers: Any = pytest.importorskip("tokenizers")
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.normalizer = tokenizers.normalizers.NFC()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<s>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(["the answer is 42 and the question is long"] * 9, trainer)
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 0)]
    )
    made.enable_truncation(4)
    path = tmp_path_factory.mktemp("model") / "tokenizer.json"
    made.save(str(path))
    return path


@settings(max_examples=30, deadline=None, derandomize=True)
@given(texts=st.lists(TEXTS, min_size=1, max_size=3), cut=st.tuples(st.integers(0, 30)))
def test_a_tokenizer_of_ones_own(model: Path, texts: list[str], cut: tuple[int]) -> None:
    import tokenizers  # pyright: ignore[reportMissingImports]

    chosen = tokenizer(str(model))
    plain: Any = tokenizers.Tokenizer.from_file(str(model))
    plain.no_truncation()
    tokens = chosen.tokenize(texts)
    spans = [[(min(cut[0], len(text)), len(text))] for text in texts]
    has_loss, _ = loss_tokens(chosen, texts, tokens, spans)
    for number, (text, ((start, end),)) in enumerate(zip(texts, spans, strict=True)):
        here = slice(tokens.first[number], tokens.first[number + 1])
        wanted = plain.encode(text, add_special_tokens=False)
        assert tokens.ids[here].tolist() == wanted.ids
        covered = {wanted.char_to_token(at) for at in range(start, end)} - {None}
        assert covered <= set(np.flatnonzero(has_loss[here]).tolist())
        for token in np.flatnonzero(has_loss[here]).tolist():
            assert wanted.offsets[token][1] > start


def test_special_tokens_of_ones_own(model: Path) -> None:
    chosen = tokenizer(str(model))
    assert chosen.has_token("<|im_end|>") and not chosen.has_token("<|eot_id|>")
    tokens = chosen.tokenize(["<|im_start|>the<|im_end|>"])
    assert tokens.ids.tolist()[::2] == [1, 2] and len(tokens.ids) == 3


def test_refused_tokenizers(tmp_path: Path) -> None:
    with pytest.raises(TokenizerRefused, match="did you mean 'o200k'"):
        tokenizer("o200")
    pytest.importorskip("tokenizers")
    with pytest.raises(TokenizerRefused, match="No such file"):
        tokenizer(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": "none"}))
    with pytest.raises(TokenizerRefused, match="is no tokenizer"):
        tokenizer(str(tmp_path / "tokenizer.json"))
