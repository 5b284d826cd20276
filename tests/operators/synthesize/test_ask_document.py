"""Questions about documents, and where their evidence stands."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.operators.calls import CallFailed
from dagster_project.operators.synthesize.ask_document import AskDocument
from dagster_project.operators.synthesize.text.located_quotes import excerpt, located

DOCUMENT = (
    "The pump needs\n  new oil after 200 hours of work. Use oil of grade 30.\n\n"
    "If the pump stops, open valve B first. Never open valve A while the pump runs."
)
OIL = "The pump needs new oil after 200 hours of work."


def item(question: str, answer: str, *evidence: str) -> dict[str, Any]:
    return {"question": question, "answer": answer, "evidence": list(evidence)}


GOOD = item("When does the pump need new oil?", "After 200 hours of work.", OIL)


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        (GOOD, None),
        (item("Is valve B opened first?", "Yes.", "open valve B first"), None),
        (item("", "200 hours", OIL), "no_question"),
        (item("When?", " … ", OIL), "no_answer"),
        (item("When?", "After 200 hours.", " "), "no_evidence"),
        (item("When?", "After 200 hours.", "200 hours"), "evidence_too_short"),
        (item("When?", "After 300 hours.", OIL.replace("2", "3")), "evidence_not_found"),
        (item("When?", "After 200 hours.", OIL, "the pump needs new oil"), "evidence_not_found"),
        (item("Which grade?", "Synthetic diesel, grade 30.", OIL), "answer_not_supported"),
        (item("Is it after 200 hours?", "After 200 hours.", OIL), "answer_in_question"),
    ],
)
def test_a_question_is_answered_by_what_stands_in_the_document(given, rule, attempt) -> None:
    generator = AskDocument(model="m", questions=1)
    (one,), (question,) = attempt(generator, [{"text": DOCUMENT}], [{"questions": [given]}])
    assert (one.rejection and one.rejection.rule) == rule
    assert one.values["question"] == given["question"] and one.values["evidence"] is not None
    if rule is None:
        places = zip(one.values["evidence_start"], one.values["evidence_end"], strict=True)
        assert [DOCUMENT[start:end] for start, end in places] == one.values["evidence"]
        assert one.values["evidence"][0].split() == given["evidence"][0].split()
    assert question.json_schema["properties"]["questions"]["minItems"] == 1


def test_several_questions_and_several_passages(attempt) -> None:
    both = item(
        "Which valves matter when the pump stops and runs?",
        "Valve B first, never valve A.",
        "open valve B first",
        "Never open valve A while the pump runs.",
    )
    generator = AskDocument(model="m", questions=3, min_passages=2)
    answers = [{"questions": [GOOD, both, both]}]
    found, (question,) = attempt(generator, [{"text": DOCUMENT}], answers)
    rules = [one.rejection and one.rejection.rule for one in found]
    assert rules == ["no_evidence", None, "repeated"]
    assert len(found[1].values["evidence_start"]) == 2 and found[1].values["answer_support"] == 1
    assert "several passages together" in question.messages[-1]["content"]
    twice = item(GOOD["question"], GOOD["answer"], OIL, OIL)
    (one,), _ = attempt(generator, [{"text": DOCUMENT}], [{"questions": [twice]}])
    assert one.rejection.rule == "no_evidence"


def test_a_part_of_a_long_document_is_shown_and_places_are_those_of_the_whole(attempt) -> None:
    lines = [f"Line {n} says what line {n} says and nothing else at all." for n in range(100)]
    document = "\n".join(lines)
    generator = AskDocument(model="m", questions=1, excerpt_characters=300)
    shown = set()
    for number in range(8):
        probe = [{"questions": [item("a", "b", "x y z")]}]
        _, (question,) = attempt(generator, [{"text": document}], probe, number)
        part = question.messages[-1]["content"].partition("Document:\n")[2]
        assert part in document and part.splitlines()[0] in lines and len(part) <= 300
        shown.add(part)
        line = part.splitlines()[1]
        (one,), _ = attempt(
            generator,
            [{"text": document}],
            [{"questions": [item("What?", line, line)]}],
            number,
        )
        assert one.rejection is None
        assert one.values["evidence_start"] == [document.index(line)]
    assert len(shown) > 4


def test_nothing_is_asked_about_nothing_and_no_answer_is_a_failure(attempt) -> None:
    assert attempt(AskDocument(model="m"), [{"text": None}, {"text": "x"}], []) == ([], [])
    with pytest.raises(CallFailed):
        attempt(AskDocument(model="m"), [{"text": DOCUMENT}], [CallFailed("cut_off", "no room")])


WORDS = st.text(alphabet=st.sampled_from("ab.*(\n\t é"), max_size=40)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(WORDS, st.integers(0, 40), st.integers(0, 40), st.integers(0, 50))
def test_what_is_cut_out_of_a_document_is_found_in_it(text, start, end, near) -> None:
    quote = text[start:end]
    for said in (quote, " ".join(quote.split())):
        found = located(said, text, near)
        assert (found is None) is (not quote.strip())
        assert found is None or text[found.start : found.end].split() == quote.split()


@settings(max_examples=200, deadline=None, derandomize=True)
@given(WORDS, st.integers(1, 20), st.floats(0, 1))
def test_an_excerpt_is_a_part_of_the_document_and_not_too_long(text, characters, share) -> None:
    start, end = excerpt(text, characters, share)
    assert 0 <= start <= end <= len(text) and end - start <= characters
    assert (end > start) is bool(text)
