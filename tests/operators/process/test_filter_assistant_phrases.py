"""What gives an answer away as another model's, and what does not."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dagster_project.operators.process.filter_assistant_phrases import FilterAssistantPhrases

REFUSALS = [
    "I'm sorry, but I can't help with that.",
    "I’m sorry, but I can’t assist with that request.",
    "I am sorry, I cannot provide you with that information.",
    "Sorry, but I'm not able to help with this.",
    "I apologize, but I cannot fulfill this request.",
    "I apologize for any inconvenience, but I am unable to create such content.",
    "I'm afraid I can't answer that.",
    "I cannot assist\nwith illegal activities.",
    "Unfortunately, I won't provide instructions for making weapons.",
    "I don't feel comfortable writing this story.",
    "I must respectfully decline.",
    "As an AI language model, I cannot browse the internet.",
    "As a large language model I don't have personal opinions.",
    "It is not appropriate for me to speculate.",
    "This request violates our content policy.",
    "That goes against my programming.",
    "im sorry but i cant help you with that",
    "Sorry, I can’t do it.",
    "I won't be able to help you with that.",
    "That's not something I can do, but I can explain how locks work.",
    "I'd rather not write that.",
    "I'm afraid I don't have the ability to open attachments.",
    "Sure, but I don't think it would be appropriate for me to say who should win.",
    "It is your phone. Even so, I'm not in a position to give legal advice.",
]
IDENTITIES = [
    "I am ChatGPT, how can I help?",
    "Hello! I'm Claude, an AI assistant.",
    "My name is Claude, made by Anthropic.",
    "I am Qwen, created by Alibaba Cloud.",
    "I am a large language model trained by OpenAI.",
    "I was created by the team at Anthropic.",
    "OpenAI developed me.",
    "I'm powered by GPT-4.",
    "As an AI language model, there are limits.",
    "As an AI assistant, my goal is to help.",
    "I'm just an AI language model.",
    "I'm an AI, so I have no birthday.",
    "I am an artificial intelligence.",
    "No, I'm just a computer program, so I do not have feelings.",
    "Being a virtual assistant, I never sleep.",
    "You are talking to Qwen.",
]
CUTOFFS = [
    "As of my last update in 2021, there were 50.",
    "As of my knowledge cutoff, this was open.",
    "My knowledge cut-off is September 2021.",
    "My training data only goes up to 2021.",
    "I was trained on data up to September 2021.",
    "I do not have information about events after 2022.",
    "I don't have access to real-time data.",
    "I can't browse the internet.",
    "Based on my training data, which ends in 2021, it is open.",
    "I'm unable to access current weather data.",
]
INNOCENT = [
    "I'm sorry to hear that. You can try turning it off and on.",
    "I'm sorry, I don't understand. Could you say it again?",
    "I can't wait to help you with that! First, boil the water.",
    "I can't help but laugh.",
    "You cannot help with that unless you have a licence.",
    "She said she would not help him, and left.",
    "“I can't help you,” he whispered through the door.",
    'Write: "I must decline to answer", and sign it.',
    "I can't recommend it enough, and I won't lie to you.",
    "There is something I can't find in your code. This is something I can help with!",
    "I am an AI researcher, and I'm a virtual assistant from Manila.",
    "My training ends in June, and the data cut-off of the trial is in May.",
    "I can't see a semicolon, and the sensor sends real-time data.",
    "I'm Claude Monet, and I paint water lilies.",
    "I'm a Gemini, and my sister is a Leo.",
    "My llama is hungry.",
    "GPT-3 is a language model created by OpenAI in 2020.",
    "Transformers are used as language models and as encoders.",
    "As a virtual assistant, Siri can set alarms.",
    "Google created Chrome, and Meta developed React.",
    "The knowledge of the world was lost in 2021.",
    "As of the last update in 2021, the library supports Python 3.",
    "The cutoff for applications is May.",
    "Use the model:\n```\nprint('As an AI language model, I cannot')\n```",
    "",
]


def chat(answer: str | None, asked: str = "Hi") -> list[dict]:
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]


@pytest.mark.parametrize(
    ("name", "phrases"),
    [("refusals", REFUSALS), ("identities", IDENTITIES), ("cutoffs", CUTOFFS)],
)
def test_phrases_are_found(apply, name: str, phrases: list[str]) -> None:
    off = {f"max_{each}": None for each in ("refusals", "identities", "cutoffs")}
    others = {field: None for field in off if field != f"max_{name}"}
    frame = pl.DataFrame({"text": phrases})
    kept, removed = apply(FilterAssistantPhrases.model_validate({"column": "text"} | others), frame)
    assert kept["text"].to_list() == []
    assert set(removed["rule"]) == {name}
    none = FilterAssistantPhrases.model_validate({"column": "text"} | off)
    assert apply(none, frame)[1].is_empty()


def test_what_only_looks_like_them_is_kept(apply) -> None:
    operator = FilterAssistantPhrases(column="text")
    _, removed = apply(operator, pl.DataFrame({"text": INNOCENT}))
    assert removed.is_empty()


def test_only_the_assistant_counts_turn_by_turn(apply) -> None:
    said = REFUSALS[0]
    chats = [
        chat("It means no.", asked=said),
        chat(said) + chat("All right.") + chat(said),
        [],
        chat(None),
        None,
    ]
    dtype = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))
    frame = pl.DataFrame({"messages": chats}, {"messages": dtype})
    _, removed = apply(FilterAssistantPhrases(), frame)
    assert removed.select("row", "measured").rows() == [(1, "2"), (4, None)]
    kept, _ = apply(FilterAssistantPhrases(max_refusals=2), frame)
    assert kept["refusals"].to_list() == [0, 2, 0, 0]


def test_a_refusal_counts_only_at_the_beginning(apply) -> None:
    letter = "Here is the e-mail you asked for. " * 6 + "\n\nDear Bob, " + REFUSALS[0]
    frame = pl.DataFrame({"text": [letter]})
    assert apply(FilterAssistantPhrases(column="text"), frame)[1].is_empty()
    wide = FilterAssistantPhrases(column="text", refusals_within=1000)
    assert apply(wide, frame)[1]["rule"].to_list() == ["refusals"]


def test_more_phrases(apply) -> None:
    frame = pl.DataFrame({"text": ["I’m   ACMEbot 3", "I'm ACMEbots"]})
    operator = FilterAssistantPhrases(column="text", more_identities=(r"I'm acmebot \d",))
    assert apply(operator, frame)[1]["row"].to_list() == [0]
    with pytest.raises(ValidationError, match="'\\(' is not a regular expression"):
        FilterAssistantPhrases(more_refusals=("(",))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(phrase=st.sampled_from(REFUSALS), data=st.data())
def test_case_space_and_apostrophe_do_not_matter(apply, phrase: str, data) -> None:
    changed = phrase.replace("'", data.draw(st.sampled_from("'’ʼ`"))).replace(
        " ", data.draw(st.sampled_from([" ", "\n", "  "]))
    )
    changed = data.draw(st.sampled_from([str.upper, str.lower, str]))(changed)
    _, removed = apply(FilterAssistantPhrases(column="text"), pl.DataFrame({"text": [changed]}))
    assert removed["rule"].to_list() == ["refusals"]
