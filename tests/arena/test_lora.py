"""A real finetune of a tiny model that is made here; skipped where the extra `train` is not installed."""

from __future__ import annotations

import importlib.util
import json
import random
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dagster_project.arena.lora import NEEDED, lora_code, lora_trainer
from dagster_project.arena.pairs import pairs
from dagster_project.arena.trainer import TrainingFailed
from dagster_project.recipe.contest import Lora
from dagster_project.warehouse.connect import connect

installed = all(importlib.util.find_spec(name) for name in NEEDED)
trains = pytest.mark.skipif(not installed, reason="the extra `train` is not installed")

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TOPICS = ("lists", "strings", "files", "dates", "sets", "queues", "paths", "numbers")


def rows(count: int, seed: int = 0, about=TOPICS) -> pl.DataFrame:
    draw = random.Random(seed)
    topics = [draw.choice(about) for _ in range(count)]
    return pairs(
        pl.DataFrame(
            {
                "prompt": [f"what are {topic}" for topic in topics],
                "answer": [f"{topic} {topic} are {topic}" for topic in topics],
            }
        )
    )


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    """A workspace with a model of two layers, as transformers saves it."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (  # pyright: ignore[reportMissingImports]
        LlamaConfig,
        LlamaForCausalLM,
        PreTrainedTokenizerFast,
        set_seed,
    )

    folder = tmp_path_factory.mktemp("workspace")
    words = ["what", "are", "user", "assistant", *TOPICS, "<unk>", "<|im_start|>", "<|im_end|>"]
    encoder = Tokenizer(models.WordLevel({word: at for at, word in enumerate(words)}, "<unk>"))
    encoder.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    marks = {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "unk_token": "<unk>"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=encoder, chat_template=CHATML, **marks)
    tokenizer.save_pretrained(folder / "tiny")
    set_seed(0)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.3,
    )
    LlamaForCausalLM(config).save_pretrained(folder / "tiny")
    return folder


SETTINGS = {"steps": 40, "step_tokens": 128, "rank": 8, "learning_rate": 2e-2}


@trains
def test_matched_answers_teach_more_than_shuffled_ones_and_the_same_seed_the_same(tiny):
    from dagster_project.arena.lora_model import from_folder
    from dagster_project.arena.lora_training import evaluate, repeatable, train

    repeatable(threads=1)

    def scores(taught: pl.DataFrame, seed: int, settings=SETTINGS) -> tuple[list, list]:
        model = from_folder(tiny / "tiny")
        read = [model.read(json.loads(line), 32) for line in lines_of(taught)]
        network, losses = train(model, read, settings, seed)
        return losses, evaluate(network, [model.read(json.loads(x), 32) for x in lines_of(test)])

    test, taught = rows(20, seed=1), rows(80)
    losses, clean = scores(taught, 0)
    assert np.mean(losses[-5:]) < losses[0] - 1
    shuffled = taught.with_columns(answer=pl.col("answer").shuffle(seed=3))
    assert np.mean(clean) > np.mean(scores(shuffled, 0)[1]) + 0.2
    few = SETTINGS | {"steps": 4}
    again = [scores(taught, seed, few) for seed in (0, 0, 1)]
    assert again[0] == again[1] != again[2]


def lines_of(frame: pl.DataFrame) -> list[bytes]:
    from dagster_project.arena.trainer import lines

    return lines(frame).splitlines()


ARENA = """inputs:
  scores:
    contest:
      contestants: {all: {version: d/taught}}
      evaluation: {version: d/exam}
      models:
        lora: {model: tiny, steps: 3, step_tokens: 64, max_tokens: 32, held_out: 5, seeds: 1}
"""


@trains
def test_it_competes_and_is_trained_in_a_process_of_its_own(tiny, space):
    shutil.copytree(tiny / "tiny", space.root / "tiny")
    exam = pl.DataFrame({"prompt": [f"what are {at}" for at in TOPICS], "answer": TOPICS})
    for name, made in (("taught", rows(20, about=["what", "user"])), ("exam", exam)):
        space.jsonl(f"{name}.jsonl", made.select("prompt", "answer").to_dicts())
        space.recipe(f"d/{name}", f"inputs: {{all: {{files: {name}.jsonl}}}}\n")
        space.publish(f"d/{name}")
    space.recipe("arena/d", ARENA)
    space.publish("arena/d")
    with connect(space.store) as connection:
        told = connection.sql("SELECT model, item, score FROM arena.d ORDER BY item").pl()
    assert told["model"].unique().to_list() == ["lora"] and told.height == 5
    assert told["score"].is_between(-20, 0).all()
    assert told["score"].to_list() == told["score"].round(4).to_list()
    (log,) = space.root.glob("store/calls/trainings/*/*/log.txt")
    assert "step 3" in log.read_text() and "MiB at most" in log.read_text()
    declared = Lora(model="tiny")
    more = declared.model_copy(update={"steps": 17})
    assert lora_code("lora", declared, tiny) != lora_code("lora", more, tiny)


@trains
def test_rows_are_read_as_the_model_reads_them(tiny):
    from dagster_project.arena.lora_model import ModelRefused, from_folder

    model = from_folder(tiny / "tiny")
    chat = [{"role": "user", "content": "what are sets"}, {"role": "assistant", "content": "sets"}]
    read = model.read({"messages": chat}, 32)
    text = model.tokenizer.decode(read.tokens)
    assert text.endswith("<|im_start|> assistant sets <|im_end|>") and read.answer == 2
    assert model.tokenizer.decode(read.tokens[-2:]) == "sets <|im_end|>"
    cut = model.read({"messages": chat}, 6)
    assert cut.answer == 2 and len(cut.tokens) == 6 and cut.tokens[-2:] == read.tokens[-2:]
    alone = model.read({"text": "sets are sets"}, 32)
    assert (len(alone.tokens), alone.answer) == (5, 4)
    (tiny / "other").mkdir()
    (tiny / "other/config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(ModelRefused, match="cannot be read as a language model"):
        from_folder(tiny / "other")


@trains
def test_smollm2_is_what_the_other_reader_of_its_file_makes_of_it():
    from dagster_project.arena.lora_model import smollm2
    from dagster_project.arena.lora_training import evaluate, repeatable
    from dagster_project.operators.models.small_language_model import losses

    repeatable(threads=1)
    model = smollm2()
    before = [("system", "Be brief."), ("user", "Which colour has the sky?")]
    said = [{"role": role, "content": content} for role, content in before]
    answer = "The sky is blue."
    read = model.read({"messages": [*said, {"role": "assistant", "content": answer}]}, 64)
    without_end = type(read)(read.tokens[:-1], read.answer - 1)
    (told,) = losses([before], [answer], 64)["loss_given"]
    assert -evaluate(model.network, [without_end])[0] == pytest.approx(told, abs=1e-3)


def test_what_is_missing_is_told(tmp_path):
    if not installed:
        with pytest.raises(TrainingFailed, match=r"pip install 'seedbed\[train\]'"):
            lora_trainer("lora", Lora(), tmp_path, tmp_path)
    with pytest.raises(TrainingFailed, match=r"no config\.json"):
        lora_code("lora", Lora(model="nothing"), tmp_path)
