"""Axolotl's datasets in full, with the part of its configuration that names them."""

from __future__ import annotations

HEAD = (
    "# Paste this into an Axolotl configuration. Paths are relative to this folder: start Axolotl "
    "here, or\n# write the folder's path before them.\n"
)
TRAIN = "data/train-00000-of-00001.jsonl"


def said(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def test_chat_template_with_a_split_to_validate_on_and_one_to_keep_out(shelf, lines):
    chat = [said("user", "q"), said("assistant", "a")]
    shelf.publish(
        [
            {"messages": [said("system", "s"), *chat], "split": "train", "tools": "[]"},
            {"messages": [*chat, said("tool_call", "f()")], "split": "train", "tools": None},
            {"messages": chat, "split": "validation", "tools": None},
            {"messages": chat, "split": "test", "tools": None},
        ]
    )
    plain = '{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}]}'
    keys = (
        "  ds_type: json\n"
        "  split: train\n"
        "  type: chat_template\n"
        "  field_messages: messages\n"
        "  message_property_mappings:\n"
        "    role: role\n"
        "    content: content\n"
        "  roles_to_train:\n"
        "  - assistant\n"
        "  train_on_eos: turn\n"
        "  field_tools: tools\n"
    )
    assert shelf.written("axolotl", split_by="split") == {
        TRAIN: lines(
            '{"messages":[{"role":"system","content":"s"},{"role":"user","content":"q"},'
            '{"role":"assistant","content":"a"}],"tools":[]}'
        ),
        "data/validation-00000-of-00001.jsonl": lines(plain),
        "data/test-00000-of-00001.jsonl": lines(plain),
        "left_out.jsonl": lines(
            '{"row_id":1,"split":"train","rule":"chat_shape","reason":"found user assistant '
            'tool_call; wanted messages with the roles system, user, assistant, tool"}'
        ),
        "axolotl.yaml": HEAD
        + f"datasets:\n- path: {TRAIN}\n{keys}"
        + f"test_datasets:\n- path: data/validation-00000-of-00001.jsonl\n{keys}",
    }


def test_alpaca(shelf, lines):
    shelf.publish(
        [
            {"instruction": "Add", "input": "1, 2", "output": "3"},
            {"instruction": "Say hi", "input": "", "output": "hi"},
            {"instruction": "Say ho", "input": None, "output": "ho"},
            {"instruction": "Say no", "input": "", "output": None},
        ]
    )
    assert shelf.written("axolotl:alpaca") == {
        TRAIN: lines(
            '{"instruction":"Add\\n1, 2","input":"","output":"3"}',
            '{"instruction":"Say hi","input":"","output":"hi"}',
            '{"instruction":"Say ho","input":"","output":"ho"}',
        ),
        "left_out.jsonl": lines(
            '{"row_id":3,"split":"train","rule":"chat_shape","reason":'
            '"found user assistant-content; wanted user assistant"}'
        ),
        "axolotl.yaml": f"{HEAD}datasets:\n- path: {TRAIN}\n  ds_type: json\n  split: train\n"
        "  type: alpaca\n",
    }


def test_completion_in_two_files(shelf, lines):
    shelf.publish([{"text": f"t{number}"} for number in range(4)], phase="pretrain")
    entry = "  ds_type: json\n  split: train\n  type: completion\n"
    assert shelf.written("axolotl", shard_rows=3) == {
        "data/train-00000-of-00002.jsonl": lines('{"text":"t0"}', '{"text":"t1"}', '{"text":"t2"}'),
        "data/train-00001-of-00002.jsonl": lines('{"text":"t3"}'),
        "axolotl.yaml": f"{HEAD}datasets:\n"
        f"- path: data/train-00000-of-00002.jsonl\n{entry}"
        f"- path: data/train-00001-of-00002.jsonl\n{entry}",
    }


def test_dpo(shelf, lines):
    good, bad = [said("assistant", "good")], [said("assistant", "bad")]
    shelf.publish(
        [
            {
                "prompt": [said("system", "s"), said("user", "q")],
                "chosen": good,
                "rejected": bad,
            },
            {"prompt": [said("user", "q")], "chosen": good, "rejected": bad},
            {"prompt": [said("user", "q")], "chosen": good * 2, "rejected": bad},
            {"prompt": [], "chosen": good, "rejected": bad},
        ],
        phase="preference",
    )
    wanted = (
        "wanted messages with the roles system, user, assistant, tool and no further fields, and "
        "two answers of one message"
    )
    answers = ",".join(
        f'"{name}":{{"role":"assistant","content":"{content}"}}'
        for name, content in (("chosen", "good"), ("rejected", "bad"))
    )
    assert shelf.written("axolotl") == {
        TRAIN: lines(
            '{"messages":[{"role":"system","content":"s"},{"role":"user","content":"q"}],'
            f"{answers}}}",
            f'{{"messages":[{{"role":"user","content":"q"}}],{answers}}}',
        ),
        "left_out.jsonl": lines(
            '{"row_id":2,"split":"train","rule":"chat_shape","reason":'
            f'"found user | assistant assistant | assistant; {wanted}"}}',
            '{"row_id":3,"split":"train","rule":"chat_shape","reason":'
            f'"found  | assistant | assistant; {wanted}"}}',
        ),
        "axolotl.yaml": f"{HEAD}rl: dpo\ndatasets:\n- path: {TRAIN}\n  ds_type: json\n"
        "  split: train\n  type: chat_template.default\n  field_messages: messages\n"
        "  field_chosen: chosen\n  field_rejected: rejected\n  message_property_mappings:\n"
        "    role: role\n    content: content\n",
    }
