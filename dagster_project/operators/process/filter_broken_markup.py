"""Keep rows without stray special tokens, torn tags, open code fences and thoughts without answer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

import polars as pl
from pydantic import Field, field_validator

from dagster_project.operators.base import RowOperator, Rule
from dagster_project.operators.process.chat_turns import turns
from dagster_project.operators.process.column_kinds import message_fields, text_or_messages
from dagster_project.operators.process.filter_chat_structure import VISIBLE, calls_tools
from dagster_project.operators.process.markdown_code import FENCED, INLINE

SPECIAL_TOKENS = (
    r"<\|[\w/.:-]{1,40}\|>"  # <|im_start|>, <|endoftext|>, <|eot_id|>, <|assistant|>
    r"|<｜[^<>\s]{1,40}｜>"  # DeepSeek's, with wide bars
    r"|\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\]|<</?SYS>>"
    r"|<(?:start|end)_of_turn>|<(?:bos|eos|pad|unk|mask|cls|sep|sop|eop|eod)>|<extra_id_\d+>"
    r"|<unused\d+>|<0x[0-9A-F]{2}>|<fim_(?:prefix|middle|suffix|pad)>"
    r"|(?:\[(?:PAD|CLS|SEP|MASK|UNK|BOS|EOS|EOT)\]\s*){2,}|\A\s*\[(?:CLS|BOS|gMASK)\]"
    r"|\[(?:PAD|SEP|EOS|EOT)\]\s*\z"  # of BERT; who writes about them has words around one
    r"|(?m:^)[ \t]*###[ \t]*(?:Human|Assistant|User|System|Instruction|Response)[ \t]*:"
)
"""Special tokens, and the headings that served as such, of Llama, Mistral, Gemma, Qwen, Phi,
DeepSeek, T5, BERT, Alpaca and Vicuna."""

BOS, EOS = r"<s>", r"</s>"

BLOCK = r"(?m:^)[ \t>]*````+(?s:.*?)\n[ \t>]*````+[ \t]*(?m:$)"
"""A block between fences of four or more backticks, which may hold shorter ones."""

FENCE = r"(?m:^)[ \t>]*(?:(?:[-*+]|\d+[.)])[ \t]+)?```+[^`\n]*(?m:$)"
"""A line that opens or closes a block of code, perhaps in a list or a quotation."""

THOUGHTS = ("think", "thinking", "thought", "reasoning", "reflection", "scratchpad")
"""Names of tags between which a model thinks."""

TAGS = (
    *THOUGHTS,
    "answer",
    "tool_call",
    "tool_response",
    "tool_result",
    "function_call",
    "function_calls",
)

CALLS = re.compile(r"<(tool_call|function_call)>(.*?)</\1>", re.DOTALL)


class FilterBrokenMarkup(RowOperator):
    """Keeps rows without stray special tokens, torn tags, open code fences and thoughts without answer.

    Five rules, each on an annotation of its own:

    | rule, annotation | counts |
    |---|---|
    | `stray_tokens` | special tokens of chat templates and tokenizers, in messages of any role |
    | `unpaired_tags` | tags without counterpart or in the wrong order, in the assistant's turns |
    | `broken_calls` | calls between `<tool_call>` or `<function_call>` tags that are empty, or JSON \
that does not parse or has no `name` |
    | `open_fences` | the assistant's turns with an odd number of lines that begin with three \
backticks |
    | `thinking_only` | the assistant's turns in which nothing is said outside of thoughts, such as \
`<think>…</think>` |

    Special tokens are such as `<|im_start|>`, `<|eot_id|>`, `[INST]`, `<end_of_turn>`, `<pad>`, and
    `### Human:` at the beginning of a line; those of BERT, such as `[PAD]`, in runs, which count
    once, and where a text begins or ends with them. Unpaired tags are a `<think>` that is never
    closed, or a `</tool_call>` that nothing opened. A call that begins with neither `{` nor `[` is
    in another notation, and left alone. Thoughts before a tool call, or before another turn of the
    assistant, need no answer.

    `<s>` and `</s>` also strike text through in HTML, so that only those without counterpart count
    as stray. What stands in Markdown code is left alone by the first three rules: who writes about
    tokens puts them there. A template that puts `<think>` into the prompt leaves an unpaired
    `</think>` in every answer; leave `think` out of `tags` for such data.

    A column of text holds one answer a row; null is removed.

    Example:
        - filter_broken_markup: {column: messages, tags: [think, tool_call]}

    Raises:
        OperatorMisuse: when the column holds neither text nor chat messages with roles.
    """

    column: str = Field(default="messages", description="A column of chat messages or of answers.")
    max_stray_tokens: int | None = Field(
        default=0, ge=0, description="Most special tokens; null for no such rule."
    )
    max_unpaired_tags: int | None = Field(
        default=0, ge=0, description="Most tags without counterpart; null for no such rule."
    )
    max_broken_calls: int | None = Field(
        default=0, ge=0, description="Most calls that are none; null for no such rule."
    )
    max_open_fences: int | None = Field(
        default=0, ge=0, description="Most turns with an open fence; null for no such rule."
    )
    max_thinking_only: int | None = Field(
        default=0, ge=0, description="Most turns that only think; null for no such rule."
    )
    tags: tuple[str, ...] = Field(
        default=TAGS, description="Names of tags that must come in pairs, without brackets."
    )
    prefix: str = Field(default="", description="Put before the names of the annotations.")

    @field_validator("tags")
    @classmethod
    def _tags(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for tag in value:
            if not re.fullmatch(r"[\w:.-]+", tag):
                raise ValueError(f"{tag!r} is no name of a tag; write `think` for `<think>`")
        return value

    def reads(self) -> Sequence[str]:
        return [self.column]

    def annotations(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        said = answers = turns(self, schema, self.column, "assistant")
        thinking_only = answers.list.eval(_only_thinks(pl.element()))
        if text_or_messages(self, schema, self.column) == "messages":
            message = pl.element().struct
            role, content = message.field("role"), message.field("content")
            goes_on = role.shift(-1).is_in(["assistant", "tool_call", "tool"]).fill_null(False)
            goes_on |= calls_tools(message_fields(schema[self.column]))
            said = pl.col(self.column).list.eval(content)
            thinking_only = pl.col(self.column).list.eval(
                (role == "assistant") & ~goes_on & _only_thinks(content)
            )
        prose = pl.element().str.replace_all(FENCED, "\n").str.replace_all(INLINE, "`")
        strikes = prose.str.count_matches(BOS).cast(pl.Int64) - prose.str.count_matches(EOS)
        stray = prose.str.count_matches(SPECIAL_TOKENS) + strikes.abs()
        unpaired = pl.sum_horizontal(pl.lit(0), *(_unpaired(prose, tag) for tag in self.tags))
        fences = pl.element().str.replace_all(BLOCK, "\n").str.count_matches(FENCE)
        measured = {
            "stray_tokens": said.list.eval(stray),
            "unpaired_tags": answers.list.eval(unpaired),
            "broken_calls": answers.list.eval(
                prose.map_batches(_broken_calls, return_dtype=pl.Int64, is_elementwise=True)
            ),
            "open_fences": answers.list.eval(fences % 2),
            "thinking_only": thinking_only,
        }
        return {
            f"{self.prefix}{name}": measured[name].list.sum().cast(pl.Int64)
            for name in self._bounds()
        }

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        return [
            Rule(name, pl.col(self.prefix + name) <= most, pl.col(self.prefix + name), f"<= {most}")
            for name, most in self._bounds().items()
        ]

    def _bounds(self) -> dict[str, int]:
        """The rules that are switched on, with their bounds."""
        bounds = {
            "stray_tokens": self.max_stray_tokens,
            "unpaired_tags": self.max_unpaired_tags,
            "broken_calls": self.max_broken_calls,
            "open_fences": self.max_open_fences,
            "thinking_only": self.max_thinking_only,
        }
        return {name: most for name, most in bounds.items() if most is not None}


def _unpaired(text: pl.Expr, tag: str) -> pl.Expr:
    """How many tags of a text are left when pairs are taken away."""
    tags = text.str.extract_all(f"</?{re.escape(tag)}>").list.join("")
    return tags.str.replace_all(f"<{tag}></{tag}>", "", literal=True).str.count_matches("<")


def _only_thinks(text: pl.Expr) -> pl.Expr:
    """Whether a text has thoughts and shows nothing besides."""
    thoughts = "|".join(f"<{tag}>(?s:.*?)</{tag}>" for tag in THOUGHTS)
    besides = text.str.replace_all(thoughts, "")
    return (besides != text) & ~besides.str.contains(VISIBLE)


def _broken_calls(texts: pl.Series) -> pl.Series:
    """How many calls of each text are empty, or JSON that is no call."""
    calling = texts.str.contains("_call>", literal=True).fill_null(False).arg_true()
    counts = [
        sum(_is_broken(call) for _, call in CALLS.findall(text)) for text in texts.gather(calling)
    ]
    return pl.zeros(len(texts), pl.Int64, eager=True).scatter(calling, counts).alias(texts.name)


def _is_broken(call: str) -> bool:
    call = call.strip()
    if call and call[0] not in "{[":
        return False
    try:
        read = json.loads(call, strict=False)
    except (ValueError, RecursionError):
        return True
    calls = read if isinstance(read, list) else [read]
    return not calls or not all(isinstance(each, dict) and each.get("name") for each in calls)
