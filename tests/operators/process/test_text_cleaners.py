"""What all operators that clean texts have in common."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.errors import SeedbedError
from dagster_project.operators.registry import built_in_operators

CASES: list[tuple[str, dict[str, Any]]] = [
    ("change_case", {"min_words": 1}),
    ("change_case", {"min_words": 1, "all_caps": "lower", "words": ["NASA", "A"]}),
    ("clean_code_fences", {}),
    ("clean_code_fences", {"language": "lower"}),
    ("clean_code_fences", {"language": "drop", "code": "only"}),
    ("clean_code_fences", {"code": "drop"}),
    ("fix_mojibake", {}),
    ("remove_boilerplate", {"max_share": 1}),
    ("remove_boilerplate", {"max_share": 0.5, "patterns": ["a", "x.*"]}),
    ("remove_characters", {}),
    ("remove_characters", {"kinds": ["zero_width", "bidi"], "keep_meant": False}),
    ("remove_urls", {}),
    ("remove_urls", {"replacement": "<URL>", "keep_hosts": ["a.com"], "keep_code": False}),
    ("strip_latex", {}),
    ("strip_latex", {"math": "drop"}),
    ("strip_latex", {"math": "replace", "placeholder": "$1", "keep_code": False}),
]
FRAGMENTS = [
    *("https://a.com", "http://b.c/d(e)", "www.", "b.org", "[", "](", ")", "<", ">", "@", "/", "."),
    *(
        "```",
        "~~~",
        "````",
        "py",
        "`",
        "\n",
        "\n\n",
        " ",
        "\t",
        "\r\n",
        "a",
        "B",
        "NASA IS UP.",
        "é",
    ),
    *("\\textbf{", "\\section{x}", "}", "{", "\\", "$", "%", "\\%", "\\begin{document}", "\\item"),
    *(
        "\\begin{equation}",
        "\\end{equation}",
        "\\url{a%20b}",
        "\\cite{k}",
        "\\footnote{",
        "\\\\",
        "~",
    ),
    *(
        "Read more",
        "-- \n",
        "Home | About",
        "All rights reserved",
        "-----Original Message-----\nTo: x",
    ),
    *(
        "â€™",
        "Ã©",
        "Â ",
        "\ufffd",
        "\x85",
        "\x1b[31m",
        "\x1b",
        "\u200d",
        "\u200c",
        "👩",
        "ی",
        "\xad",
    ),
]


@st.composite
def chunks(draw: st.DrawFn) -> str:
    return "".join(draw(st.lists(st.sampled_from(FRAGMENTS), max_size=12)))


MESSAGES = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))


@pytest.mark.parametrize(("name", "parameters"), CASES)
@settings(max_examples=6, deadline=None, derandomize=True)
@given(data=st.data())
def test_twice_is_once(apply, texts, name: str, parameters: dict[str, Any], data) -> None:
    operator = built_in_operators()[name].model_validate({"columns": ["text"], **parameters})
    rows = data.draw(st.lists(st.one_of(texts, chunks()), min_size=30, max_size=40))
    once, removed = apply(operator, pl.DataFrame({"text": rows}, {"text": pl.String}))
    assert removed.is_empty()
    assert once["text"].is_null().to_list() == [row is None for row in rows]
    twice, _ = apply(operator, once.select("text"))
    assert twice["text"].to_list() == once["text"].to_list()


@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_messages_are_edited_like_texts_but_only_of_the_roles(
    apply, awkward_texts, name: str, parameters: dict[str, Any]
) -> None:
    samples = [*awkward_texts, "".join(FRAGMENTS), *(f"{a}\n{a} b" for a in FRAGMENTS)]
    operator = built_in_operators()[name]
    plain, _ = apply(
        operator.model_validate({"columns": ["text"], **parameters}),
        pl.DataFrame({"text": samples}),
    )
    chats = [
        [
            {"role": "user", "content": text},
            None,
            {"role": "assistant", "content": text},
            {"role": None, "content": text},
            {"role": "assistant", "content": None},
        ]
        for text in samples
    ]
    frame = pl.DataFrame({"m": [*chats, [], None]}, {"m": MESSAGES})
    roles = operator.model_validate({"columns": ["m"], "roles": ["assistant"], **parameters})
    kept, _ = apply(roles, frame, [3, 8])
    expected = [
        [
            {**m, "content": new} if m and m["role"] == "assistant" and m["content"] else m
            for m in chat
        ]
        for chat, new in zip(chats, plain["text"], strict=True)
    ]
    assert kept["m"].to_list() == [*expected, [], None]
    everyone = operator.model_validate({"columns": ["m"], **parameters})
    for measured in plain.columns[1:]:
        assert kept[measured].to_list() == [*plain[measured], 0, 0]
        assert apply(everyone, frame)[0][measured].to_list() == [*plain[measured] * 3, 0, 0]


def test_columns_without_text_or_roles_are_refused(apply) -> None:
    operator = built_in_operators()["remove_urls"]
    with pytest.raises(SeedbedError, match="column 'n' is Int64, but must be text or chat"):
        apply(operator.model_validate({"columns": ["n"]}), pl.DataFrame({"n": [1]}))
    frame = pl.DataFrame({"m": [[{"content": "x"}]]})
    with pytest.raises(SeedbedError, match="text fields `role` and `content`"):
        apply(operator.model_validate({"columns": ["m"], "roles": ["user"]}), frame)
    assert apply(operator.model_validate({"columns": ["m"]}), frame)[0]["urls"].to_list() == [0]
