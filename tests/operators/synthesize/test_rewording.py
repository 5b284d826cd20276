"""Texts said again: paraphrases, translations, there and back."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dagster_project.operators.base import OperatorMisuse
from dagster_project.operators.calls import Answer, CallFailed
from dagster_project.operators.synthesize.back_translate import BackTranslate
from dagster_project.operators.synthesize.paraphrase_text import SHOTS, ParaphraseText
from dagster_project.operators.synthesize.text.stated_facts import changed_facts, facts
from dagster_project.operators.synthesize.translate_text import TranslateText

TEXT = "Please send 1,200 flyers to `print@shop.example` before the fair opens on Monday morning."
WORDING = (
    "Before Monday morning, when the fair starts, `print@shop.example` should have 1200 flyers."
)
REFUSAL = "I'm sorry, but I can't help with that."


def rules(candidates) -> list[str | None]:
    return [None if one.rejection is None else one.rejection.rule for one in candidates]


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        (WORDING, None),
        (f'Sure, here is another wording:\n\n"{WORDING}"', None),
        (f"**Other wording:** {WORDING}", None),
        ("", "empty"),
        ("…", "empty"),
        ("Text: " + TEXT, "empty"),
        (REFUSAL, "refused"),
        (Answer("Before Monday", "length"), "cut_off"),
        (TEXT.upper().replace(".", "!"), "unchanged"),
        ("Kindly " + TEXT, "copied"),
        (WORDING.replace("1200", "many"), "lost_facts"),
        (WORDING.replace("1200", "1200 (or 1300)"), "new_facts"),
        (SHOTS[0]["answer"], "echoes_prompt"),
        ("I keep its meaning, its language, and every number, name, link.", "echoes_prompt"),
    ],
)
def test_a_paraphrase_is_other_words_for_the_same(answer, rule, attempt) -> None:
    found, (question,) = attempt(ParaphraseText(model="m"), [{"text": TEXT}], [answer])
    assert rules(found) == [rule]
    said = answer if isinstance(answer, str) else answer.text
    assert found[0].values["text"] in said
    assert found[0].values["text"] or not said
    assert TEXT in question.messages[-1]["content"]
    assert [message["role"] for message in question.messages] == ["user", "assistant"] * 2 + [
        "user"
    ]


def test_samples_are_asked_apart_and_told_apart(attempt) -> None:
    refused = CallFailed("refused", "the provider declined")
    answers = [WORDING, WORDING + "!", refused]
    found, questions = attempt(ParaphraseText(model="m", samples=3), [{"text": TEXT}], answers)
    assert rules(found) == [None, "repeated", "unanswered"]
    assert [question.sample for question in questions] == [0, 1, 2]


def test_samples_need_chance() -> None:
    with pytest.raises(ValidationError, match="at temperature 0 all answers are the same"):
        ParaphraseText(model="m", samples=2, temperature=0)


@pytest.mark.parametrize("failures", [["refused"] * 2, ["refused", "unavailable"]])
def test_without_any_answer_or_with_one_outstanding_an_attempt_fails(failures, attempt) -> None:
    with pytest.raises(CallFailed):
        attempt(
            ParaphraseText(model="m", samples=2),
            [{"text": TEXT}],
            [CallFailed(kind, "no") for kind in failures],
        )


def test_a_refusal_may_be_said_in_other_words(attempt) -> None:
    answer = "I'm sorry, but I cannot assist you with this request."
    found, _ = attempt(ParaphraseText(model="m"), [{"text": REFUSAL}], [answer])
    assert rules(found) == [None]


def test_labels_of_the_text_itself_do_not_end_its_wording(attempt) -> None:
    text = "Say whether the review is good or bad.\nText: I would buy it again at once."
    answer = "Is this a good review or a bad one?\nText: At any time I'd get another."
    found, _ = attempt(ParaphraseText(model="m"), [{"text": text}], [answer])
    assert found[0].values["text"] == answer


@pytest.mark.parametrize("text", [None, "", " \n", "?!"])
@pytest.mark.parametrize(
    "generator",
    [
        ParaphraseText(model="m"),
        BackTranslate(model="m"),
        TranslateText(model="m", languages=("German",)),
    ],
)
def test_nothing_is_asked_about_nothing(text, generator, attempt) -> None:
    assert attempt(generator, [{"text": text}, {"text": "a"}], []) == ([], [])


def test_all_is_one_text_for_a_model_that_does_not_chat(attempt) -> None:
    generator = ParaphraseText(model="m", form="text", system="Be brief.")
    _, (question,) = attempt(generator, [{"text": TEXT}], [WORDING])
    assert question.messages == () and question.stop == ("###",)
    assert question.prompt is not None
    assert question.prompt.startswith("Be brief.\n\n###\n\n")
    assert question.prompt.count("\n\n###\n\n") == 3
    assert question.prompt.endswith("Other wording:")


@pytest.mark.parametrize(
    ("answers", "rule"),
    [
        (["Schick 1.200 …", WORDING], None),
        (["", None], "pivot_empty"),
        ([REFUSAL, None], "pivot_refused"),
        ([Answer("Schick", "length"), None], "pivot_cut_off"),
        ([TEXT, None], "not_translated"),
        (["Schick 1.200 …", ""], "empty"),
        (["Schick 1.200 …", CallFailed("refused", "no")], "unanswered"),
        (["Schick 1.200 …", TEXT], "unchanged"),
        (["Schick 1.200 …", "It will rain."], "meaning_changed"),
        (["Schick 1.200 …", "Bitte 1.200 Flyer vor Montag senden."], "meaning_changed"),
        (["Schick 1.200 …", WORDING.replace("1200", "all")], "lost_facts"),
    ],
)
def test_there_and_back(answers, rule, attempt) -> None:
    found, questions = attempt(BackTranslate(model="m"), [{"text": TEXT}], answers)
    assert rules(found) == [rule]
    assert found[0].values["pivot_language"] == "German"
    assert len(questions) == (1 if answers[1] is None else 2)
    if len(questions) == 2:
        assert "Schick 1.200" in questions[1].messages[-1]["content"]


def test_each_language_gives_a_row_of_its_own(attempt) -> None:
    answers = ["Schick …", REFUSAL, "Wyślij …", WORDING, WORDING]
    generator = BackTranslate(model="m", languages=("German", "French", "Polish"))
    found, questions = attempt(generator, [{"text": TEXT}], answers)
    assert rules(found) == [None, "pivot_refused", "repeated"]
    assert [one.values["pivot_language"] for one in found] == ["German", "French", "Polish"]
    assert "from Polish to English" in questions[-1].messages[-1]["content"]


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        ("Bitte 1.200 Flyer an `print@shop.example` vor Montag.", None),
        ("请在周一之前发送１２００份传单到印刷店，谢谢大家的帮助。", None),
        (TEXT, "not_translated"),
        ("Bitte Flyer an `print@shop.example` vor Montag schicken.", "changed_digits"),
        ("1200 " + "sehr " * 200, "odd_length"),
        ("", "empty"),
    ],
)
def test_a_translation_has_the_same_digits_and_about_the_same_length(answer, rule, attempt) -> None:
    generator = TranslateText(model="m", languages=("German",))
    found, _ = attempt(generator, [{"text": TEXT}], [answer])
    assert rules(found) == [rule]


def test_facts() -> None:
    text = "On 3/4 at 12:30 {name} paid $1,234.50 via https://a.example/x?y=1, `f(2)` and <b>."
    wanted = {"3/4", "12:30", "{name}", "1234.50", "https://a.example/x?y=1", "`f(2)`", "<b>"}
    assert facts(text) == wanted


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.text())
def test_no_text_changes_its_own_facts(text: str) -> None:
    assert changed_facts(text, text) is None


def test_a_column_that_is_no_text_or_not_there_is_refused() -> None:
    for generator in (ParaphraseText(model="m", column="n"), BackTranslate(model="m", column="x")):
        with pytest.raises(OperatorMisuse, match="column"):
            generator.produces(pl.Schema({"text": pl.String(), "n": pl.Int64()}))
