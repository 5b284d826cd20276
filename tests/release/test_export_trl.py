"""Every dataset type of TRL, in full."""

from __future__ import annotations

import polars as pl
import pytest

from dagster_project.release.shapes.catalogue import ShapeRefused

TRAIN = "data/train-00000-of-00001.jsonl"

CHATS = [
    {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": 'Say "hi"'},
            {"role": "assistant", "content": "hi\nthere"},
        ]
    },
    {
        "messages": [
            {"role": "user", "content": "¿Qué?\u2028"},
            {"role": "assistant", "content": "é"},
        ]
    },
    {
        "messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "b"},
            {"role": "user", "content": "c"},
            {"role": "assistant", "content": "d"},
        ]
    },
    {"messages": [{"role": "user", "content": "no answer"}]},
]

PAIRS = [
    {"prompt": "The sky is", "chosen": " blue.", "rejected": " green."},
    {"prompt": "1 + 1 =", "chosen": " 2", "rejected": " 3"},
    {"prompt": "", "chosen": "", "rejected": "x"},
    {"prompt": None, "chosen": "y", "rejected": "x"},
]


def said(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


CHAT_PAIRS = [
    {
        "prompt": [said("system", "s"), said("user", "u")],
        "chosen": [said("assistant", "good")],
        "rejected": [said("assistant", "bad")],
    },
    {
        "prompt": [said("user", "one")],
        "chosen": [said("assistant", "1")],
        "rejected": [said("assistant", "2")],
    },
    {
        "prompt": [said("user", "two turns")],
        "chosen": [said("assistant", "1"), said("user", "more"), said("assistant", "2")],
        "rejected": [said("assistant", "3")],
    },
    {"prompt": [], "chosen": [said("assistant", "1")], "rejected": [said("assistant", "2")]},
]


def test_language_modeling_standard(shelf, lines):
    shelf.publish(
        [{"text": "The sky is blue."}, {"text": "a\nb\t\x00\\"}, {"text": ""}, {"text": None}],
        phase="pretrain",
    )
    assert shelf.written("trl") == {
        TRAIN: lines(
            '{"text":"The sky is blue."}', '{"text":"a\\nb\\t\\u0000\\\\"}', '{"text":""}'
        ),
        "left_out.jsonl": lines(
            '{"row_id":3,"split":"train","rule":"text","reason":"found no text; wanted a text"}'
        ),
    }


def test_language_modeling_conversational(shelf, lines):
    shelf.publish(CHATS)
    assert shelf.written("trl") == {
        TRAIN: lines(
            '{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":'
            '"Say \\"hi\\""},{"role":"assistant","content":"hi\\nthere"}]}',
            '{"messages":[{"role":"user","content":"¿Qué?\\u2028"},'
            '{"role":"assistant","content":"é"}]}',
            '{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},'
            '{"role":"user","content":"c"},{"role":"assistant","content":"d"}]}',
            '{"messages":[{"role":"user","content":"no answer"}]}',
        )
    }


def test_prompt_only_standard(shelf, lines):
    shelf.publish(PAIRS, phase="rl")
    assert shelf.written("trl") == {
        TRAIN: lines('{"prompt":"The sky is"}', '{"prompt":"1 + 1 ="}', '{"prompt":""}'),
        "left_out.jsonl": lines(
            '{"row_id":3,"split":"train","rule":"prompt","reason":"found no prompt; wanted a text"}'
        ),
    }


def test_prompt_only_standard_of_chats(shelf, lines):
    shelf.publish(CHATS)
    wanted = "wanted user [assistant]"
    assert shelf.written("trl:prompt_only:standard") == {
        TRAIN: lines('{"prompt":"¿Qué?\\u2028"}', '{"prompt":"no answer"}'),
        "left_out.jsonl": lines(
            '{"row_id":0,"split":"train","rule":"chat_shape","reason":'
            f'"found system user assistant; {wanted}"}}',
            '{"row_id":2,"split":"train","rule":"chat_shape","reason":'
            f'"found user assistant user assistant; {wanted}"}}',
        ),
    }


def test_prompt_only_conversational(shelf, lines):
    shelf.publish(CHATS, phase="rl")
    assert shelf.written("trl") == {
        TRAIN: lines(
            '{"prompt":[{"role":"system","content":"Be brief."},'
            '{"role":"user","content":"Say \\"hi\\""}]}',
            '{"prompt":[{"role":"user","content":"¿Qué?\\u2028"}]}',
            '{"prompt":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},'
            '{"role":"user","content":"c"}]}',
            '{"prompt":[{"role":"user","content":"no answer"}]}',
        )
    }


def test_prompt_only_conversational_of_prompts_with_what_a_reward_needs(shelf, lines):
    prompts = [{"prompt": row["prompt"], "answer": number} for number, row in enumerate(CHAT_PAIRS)]
    shelf.publish(prompts, phase="rl")
    assert shelf.written("trl", columns=["answer"], row_ids=True) == {
        TRAIN: lines(
            '{"prompt":[{"role":"system","content":"s"},{"role":"user","content":"u"}],'
            '"answer":0,"row_id":0}',
            '{"prompt":[{"role":"user","content":"one"}],"answer":1,"row_id":1}',
            '{"prompt":[{"role":"user","content":"two turns"}],"answer":2,"row_id":2}',
        ),
        "left_out.jsonl": lines(
            '{"row_id":3,"split":"train","rule":"chat_shape","reason":"found ; wanted messages with '
            'the roles system, user, assistant, tool_call, tool"}'
        ),
    }


def test_prompt_completion_standard(shelf, lines):
    shelf.publish(
        [
            {"prompt": "The sky is", "completion": " blue."},
            {"prompt": "", "completion": "x"},
            {"prompt": "p", "completion": None},
            {"prompt": "{}", "completion": '{"a":null}'},
        ]
    )
    assert shelf.written("trl") == {
        TRAIN: lines(
            '{"prompt":"The sky is","completion":" blue."}',
            '{"prompt":"","completion":"x"}',
            '{"prompt":"{}","completion":"{\\"a\\":null}"}',
        ),
        "left_out.jsonl": lines(
            '{"row_id":2,"split":"train","rule":"chat_shape","reason":'
            '"found user assistant-content; wanted user assistant"}'
        ),
    }


def test_prompt_completion_conversational(shelf, lines):
    shelf.publish(CHATS)
    assert shelf.written("trl:prompt_completion") == {
        TRAIN: lines(
            '{"prompt":[{"role":"system","content":"Be brief."},{"role":"user","content":'
            '"Say \\"hi\\""}],"completion":[{"role":"assistant","content":"hi\\nthere"}]}',
            '{"prompt":[{"role":"user","content":"¿Qué?\\u2028"}],'
            '"completion":[{"role":"assistant","content":"é"}]}',
            '{"prompt":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},'
            '{"role":"user","content":"c"}],"completion":[{"role":"assistant","content":"d"}]}',
        ),
        "left_out.jsonl": lines(
            '{"row_id":3,"split":"train","rule":"chat_shape","reason":"found user; wanted … assistant"}'
        ),
    }


def test_preference_standard(shelf, lines):
    shelf.publish(PAIRS, phase="preference")
    assert shelf.written("trl") == {
        TRAIN: lines(
            '{"prompt":"The sky is","chosen":" blue.","rejected":" green."}',
            '{"prompt":"1 + 1 =","chosen":" 2","rejected":" 3"}',
            '{"prompt":"","chosen":"","rejected":"x"}',
        ),
        "left_out.jsonl": lines(
            '{"row_id":3,"split":"train","rule":"chat_shape","reason":'
            '"found user-content | assistant | assistant; wanted user | assistant | assistant"}'
        ),
    }


def test_preference_conversational(shelf, lines):
    shelf.publish(CHAT_PAIRS, phase="preference")
    assert shelf.written("trl") == {
        TRAIN: lines(
            '{"prompt":[{"role":"system","content":"s"},{"role":"user","content":"u"}],'
            '"chosen":[{"role":"assistant","content":"good"}],'
            '"rejected":[{"role":"assistant","content":"bad"}]}',
            '{"prompt":[{"role":"user","content":"one"}],'
            '"chosen":[{"role":"assistant","content":"1"}],'
            '"rejected":[{"role":"assistant","content":"2"}]}',
            '{"prompt":[{"role":"user","content":"two turns"}],'
            '"chosen":[{"role":"assistant","content":"1"},{"role":"user","content":"more"},'
            '{"role":"assistant","content":"2"}],'
            '"rejected":[{"role":"assistant","content":"3"}]}',
        ),
        "left_out.jsonl": lines(
            '{"row_id":3,"split":"train","rule":"chat_shape","reason":"found  | assistant | '
            "assistant; wanted prompt and answers: messages with the roles system, user, assistant, "
            'tool_call, tool"}'
        ),
    }


def test_preference_implicit_standard(shelf, lines):
    shelf.publish(PAIRS, phase="reward")
    assert shelf.written("trl") == {
        TRAIN: lines(
            '{"chosen":"The sky is blue.","rejected":"The sky is green."}',
            '{"chosen":"1 + 1 = 2","rejected":"1 + 1 = 3"}',
            '{"chosen":"","rejected":"x"}',
        ),
        "left_out.jsonl": lines(
            '{"row_id":3,"split":"train","rule":"prompt","reason":"found no prompt; wanted a text"}'
        ),
    }


def test_preference_implicit_conversational(shelf, lines):
    shelf.publish(CHAT_PAIRS, phase="reward")
    wanted = "wanted a prompt and two answers of one message"
    assert shelf.written("trl") == {
        TRAIN: lines(
            '{"chosen":[{"role":"system","content":"s"},{"role":"user","content":"u"},'
            '{"role":"assistant","content":"good"}],'
            '"rejected":[{"role":"system","content":"s"},{"role":"user","content":"u"},'
            '{"role":"assistant","content":"bad"}]}',
            '{"chosen":[{"role":"user","content":"one"},{"role":"assistant","content":"1"}],'
            '"rejected":[{"role":"user","content":"one"},{"role":"assistant","content":"2"}]}',
        ),
        "left_out.jsonl": lines(
            '{"row_id":2,"split":"train","rule":"chat_shape","reason":'
            f'"found user | assistant user assistant | assistant; {wanted}"}}',
            '{"row_id":3,"split":"train","rule":"chat_shape","reason":'
            f'"found  | assistant | assistant; {wanted}"}}',
        ),
    }


def test_unpaired_preference_standard(shelf, lines):
    shelf.publish(
        [
            {"prompt": "The sky is", "completion": " blue.", "label": True},
            {"prompt": "The sky is", "completion": " green.", "label": False},
            {"prompt": "p", "completion": "c", "label": None},
            {"prompt": "p", "completion": None, "label": True},
        ],
        phase="preference",
    )
    assert shelf.written("trl") == {
        TRAIN: lines(
            '{"prompt":"The sky is","completion":" blue.","label":true}',
            '{"prompt":"The sky is","completion":" green.","label":false}',
        ),
        "left_out.jsonl": lines(
            '{"row_id":2,"split":"train","rule":"label","reason":'
            '"found no label; wanted true or false"}',
            '{"row_id":3,"split":"train","rule":"chat_shape","reason":'
            '"found user assistant-content; wanted user assistant"}',
        ),
    }


def test_unpaired_preference_conversational(shelf, lines):
    shelf.publish(
        [{**row, "label": number % 2 == 0} for number, row in enumerate(CHATS)], phase="preference"
    )
    assert shelf.written("trl") == {
        TRAIN: lines(
            '{"prompt":[{"role":"system","content":"Be brief."},{"role":"user","content":'
            '"Say \\"hi\\""}],"completion":[{"role":"assistant","content":"hi\\nthere"}],"label":true}',
            '{"prompt":[{"role":"user","content":"¿Qué?\\u2028"}],'
            '"completion":[{"role":"assistant","content":"é"}],"label":false}',
            '{"prompt":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},'
            '{"role":"user","content":"c"}],"completion":[{"role":"assistant","content":"d"}],'
            '"label":true}',
        ),
        "left_out.jsonl": lines(
            '{"row_id":3,"split":"train","rule":"chat_shape","reason":"found user; wanted … assistant"}'
        ),
    }


def test_stepwise_supervision(shelf, lines):
    shelf.publish(
        [
            {"prompt": "9.8 or 9.11?", "completions": ["0.8", "9.8"], "labels": [True, False]},
            {"prompt": "p", "completions": [], "labels": []},
            {"prompt": "p", "completions": ["a", "b"], "labels": [True]},
            {"prompt": "p", "completions": ["a", None], "labels": [True, True]},
        ],
        phase="reward",
    )
    wanted = "wanted one label for each completion, and no nulls"
    assert shelf.written("trl") == {
        TRAIN: lines(
            '{"prompt":"9.8 or 9.11?","completions":["0.8","9.8"],"labels":[true,false]}',
            '{"prompt":"p","completions":[],"labels":[]}',
        ),
        "left_out.jsonl": lines(
            '{"row_id":2,"split":"train","rule":"labels","reason":'
            f'"found 2 completions and 1 labels; {wanted}"}}',
            '{"row_id":3,"split":"train","rule":"labels","reason":'
            f'"found 2 completions and 2 labels; {wanted}"}}',
        ),
    }


def test_tools_go_along_without_the_nulls_that_a_common_type_brings(shelf, lines):
    """A list of tools of one type, and tool calls as objects."""
    light = {"type": "function", "function": {"name": "light", "room": None}}
    heat = {"type": "function", "function": {"name": "heat", "room": "hall"}}
    call = {"type": "function", "function": {"name": "heat", "arguments": {"room": "hall"}}}
    shelf.publish(
        [
            {
                "messages": [
                    {"role": "user", "content": "warm", "tool_calls": None},
                    {"role": "assistant", "content": None, "tool_calls": [call]},
                ],
                "tools": [light, heat],
            },
            {"messages": [{"role": "user", "content": "x", "tool_calls": None}], "tools": None},
        ]
    )
    assert shelf.written("trl") == {
        TRAIN: lines(
            '{"messages":[{"role":"user","content":"warm"},{"role":"assistant","tool_calls":'
            '[{"type":"function","function":{"name":"heat","arguments":{"room":"hall"}}}]}],'
            '"tools":[{"type":"function","function":{"name":"light"}},'
            '{"type":"function","function":{"name":"heat","room":"hall"}}]}',
            '{"messages":[{"role":"user","content":"x"}]}',
        )
    }


def test_tools_in_a_text_are_written_as_the_json_they_are(shelf, lines):
    """Whatever its layout; numbers of any size stay; what is no list of tools is left out."""
    tools = [
        '[\n {"name": "f",  "default": null, "n": 12345678901234567890123}\n]',
        "{",
        "{}",
        None,
    ]
    shelf.publish([{**CHATS[3], "tools": text} for text in tools])
    message = '"messages":[{"role":"user","content":"no answer"}]'
    assert shelf.written("trl") == {
        TRAIN: lines(
            f'{{{message},"tools":[{{"name":"f","default":null,"n":12345678901234567890123}}]}}',
            f"{{{message}}}",
        ),
        "left_out.jsonl": lines(
            '{"row_id":1,"split":"train","rule":"tools","reason":'
            '"found other text; wanted a JSON list"}',
            '{"row_id":2,"split":"train","rule":"tools","reason":'
            '"found other text; wanted a JSON list"}',
        ),
    }


def test_a_type_the_columns_cannot_give_is_refused_with_those_they_can(shelf):
    shelf.publish(CHATS)
    with pytest.raises(ShapeRefused) as refused:
        shelf.export("trl:preference")
    assert "`chosen` and `rejected`" in str(refused.value)
    assert "has the columns messages" in str(refused.value)
    assert "trl:prompt_completion:conversational" in str(refused.value)
    with pytest.raises(ShapeRefused, match="did you mean 'trl:preference'"):
        shelf.export("trl:preferences")


def test_a_phase_without_a_type_is_refused(shelf):
    shelf.publish(CHATS, phase="rl")
    with pytest.raises(ShapeRefused, match="openai has no format for the phase rl"):
        shelf.export("openai")


def test_columns_of_another_type_do_not_fit(shelf):
    """Content in parts, say, or a prompt that is a number."""
    shelf.publish(pl.DataFrame({"messages": [[{"role": "user", "content": ["a"]}]], "prompt": [1]}))
    with pytest.raises(ShapeRefused, match="These fit: jsonl, parquet, hf"):
        shelf.export("trl")
