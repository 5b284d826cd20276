"""Conversations of two roles, and what breaks them."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from dagster_project.operators.base import OperatorMisuse
from dagster_project.operators.calls import Answer, CallFailed
from dagster_project.operators.synthesize.play_dialogue import PlayDialogue

SEED = {"persona": "a retired sailor", "goal": "learn to bake rye bread"}
ASKS = "How do I make a rye starter?"
TELLS = "Mix rye flour with water and let it stand for a day."
ASKS_ON = "And how warm should it be?"
TELLS_ON = "About twenty-six degrees is best for it."


def player(**changed):
    settings = {"motive": "coverage", "model": "writer", "persona": ("persona", "goal")}
    return PlayDialogue.model_validate(settings | changed)


def play(attempt, answers, **changed):
    found, questions = attempt(player(**changed), [SEED], answers)
    assert len(found) == 1
    return found[0], questions


def test_two_roles_take_turns_and_see_each_other_swapped(attempt):
    made, questions = play(
        attempt,
        [ASKS, TELLS, ASKS_ON, TELLS_ON],
        turns=2,
        system="You are a baker.",
        user_model="other",
    )
    assert made.rejection is None
    said = [(m["role"], m["content"]) for m in made.values["messages"]]
    assert said == [
        ("system", "You are a baker."),
        ("user", ASKS),
        ("assistant", TELLS),
        ("user", ASKS_ON),
        ("assistant", TELLS_ON),
    ]
    assert made.values["spoken_by"] == ["recipe", "other", "writer", "other", "writer"]
    assert made.values["turns"] == 2
    assert made.values["ended_by"] == "turns"
    assert [q.model for q in questions] == ["other", "writer"] * 2
    users = questions[2].messages
    assert [m["role"] for m in users] == ["system", "user", "assistant", "user"]
    assert users[2]["content"] == ASKS
    assert "retired sailor" in users[0]["content"]
    assistants = questions[3].messages
    assert [m["role"] for m in assistants] == ["system", "user", "assistant", "user"]
    assert not any("sailor" in m["content"] for m in assistants)


def test_the_user_ends_it(attempt):
    made, questions = play(attempt, [ASKS, TELLS, "[DONE]"], turns=5)
    assert (made.rejection, made.values["ended_by"], made.values["turns"]) == (None, "user", 1)
    assert len(questions) == 3
    made, _ = play(attempt, [ASKS, TELLS, "Thanks a lot! [DONE]", "You are welcome."], turns=5)
    assert (made.rejection, made.values["ended_by"], made.values["turns"]) == (None, "user", 2)
    assert made.values["messages"][2]["content"] == "Thanks a lot!"
    made, _ = play(attempt, [ASKS, TELLS, "[DONE]"], turns=5, least_turns=2)
    assert made.rejection.rule == "too_short"


@pytest.mark.parametrize(
    ("answers", "rule", "said"),
    [
        (["Hello! How can I help you today?"], "role_break", 1),
        (["As an AI language model, I cannot bake."], "role_break", 1),
        ([f"{ASKS}\nAssistant: {TELLS}"], "role_break", 1),
        ([ASKS, f"{TELLS}\n**User:** {ASKS_ON}"], "role_break", 2),
        ([ASKS, "Done. [DONE]"], "role_break", 2),
        ([""], "empty_turn", 1),
        (["[DONE]"], "empty_turn", 1),
        ([ASKS, "…"], "empty_turn", 2),
        ([ASKS, TELLS, ASKS], "repeats_itself", 3),
        ([ASKS, ASKS], "repeats_itself", 2),
        ([ASKS, TELLS, ASKS_ON, f"{TELLS} So it is."], "repeats_itself", 4),
        ([ASKS, Answer("Mix rye", "length")], "cut_off", 2),
        ([ASKS, CallFailed("refused", "no")], "unanswered", 2),
    ],
)
def test_a_broken_turn_ends_it_and_is_kept(attempt, answers, rule, said):
    made, _ = play(attempt, answers, repeated=0.7)
    assert made.rejection.rule == rule
    assert len(made.values["messages"]) == said


def test_short_words_may_come_again(attempt):
    made, _ = play(attempt, [ASKS, "Yes.", "Really?", "Yes."], turns=2)
    assert made.rejection is None


def test_no_first_word_is_a_failure(attempt):
    with pytest.raises(CallFailed, match="away"):
        play(attempt, [CallFailed("unavailable", "away")])


def test_seeds_without_a_persona_come_to_nothing(attempt):
    found, _ = attempt(player(persona=("persona",)), [{"persona": None}], [])
    assert found == []


def test_settings_that_make_no_sense_are_refused(attempt):
    with pytest.raises(ValidationError, match="above `turns`"):
        player(turns=1, least_turns=2)
    with pytest.raises(OperatorMisuse, match="no column 'job'"):
        attempt(player(persona=("job",)), [SEED], ["x"])
