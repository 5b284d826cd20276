"""ShareGPT, Alpaca, and prompts with completions, in full."""

from __future__ import annotations

TRAIN = "data/train-00000-of-00001.jsonl"


def said(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


CHATS = [
    {"messages": [said("system", "s"), said("user", "q"), said("assistant", "a")]},
    {"messages": [said("user", 'x "y"'), said("assistant", "z\n")]},
    {"messages": [said("user", "q"), said("tool_call", "f()"), said("tool", "1")]},
    {"messages": [said("wizard", "q")]},
]


def test_sharegpt(shelf, lines):
    tools = [[{"name": "f", "note": None}], None, [{"name": "g", "note": "n"}], []]
    shelf.publish([{**row, "tools": each} for row, each in zip(CHATS, tools, strict=True)])
    assert shelf.written("sharegpt") == {
        TRAIN: lines(
            '{"conversations":[{"from":"system","value":"s"},{"from":"human","value":"q"},'
            '{"from":"gpt","value":"a"}],"tools":"[{\\"name\\":\\"f\\"}]"}',
            '{"conversations":[{"from":"human","value":"x \\"y\\""},{"from":"gpt","value":"z\\n"}]}',
            '{"conversations":[{"from":"human","value":"q"},{"from":"function_call","value":"f()"},'
            '{"from":"observation","value":"1"}],'
            '"tools":"[{\\"name\\":\\"g\\",\\"note\\":\\"n\\"}]"}',
        ),
        "left_out.jsonl": lines(
            '{"row_id":3,"split":"train","rule":"chat_shape","reason":"found wizard; wanted messages '
            'with the roles system, user, assistant, tool_call, tool"}'
        ),
    }


def test_alpaca(shelf, lines):
    shelf.publish(CHATS)
    wanted = "wanted [system] user assistant"
    assert shelf.written("alpaca") == {
        TRAIN: lines(
            '{"instruction":"q","input":"","output":"a","system":"s"}',
            '{"instruction":"x \\"y\\"","input":"","output":"z\\n"}',
        ),
        "left_out.jsonl": lines(
            '{"row_id":2,"split":"train","rule":"chat_shape","reason":'
            f'"found user tool_call tool; {wanted}"}}',
            f'{{"row_id":3,"split":"train","rule":"chat_shape","reason":"found wizard; {wanted}"}}',
        ),
    }


def test_prompt_completion_with_the_rows_ids(shelf, lines):
    shelf.publish(CHATS)
    wanted = "wanted user assistant"
    assert shelf.written("prompt_completion", row_ids=True) == {
        TRAIN: lines('{"prompt":"x \\"y\\"","completion":"z\\n","row_id":1}'),
        "left_out.jsonl": lines(
            '{"row_id":0,"split":"train","rule":"chat_shape","reason":'
            f'"found system user assistant; {wanted}"}}',
            '{"row_id":2,"split":"train","rule":"chat_shape","reason":'
            f'"found user tool_call tool; {wanted}"}}',
            f'{{"row_id":3,"split":"train","rule":"chat_shape","reason":"found wizard; {wanted}"}}',
        ),
    }
