"""A version's rows as a trainer sees them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import quicktok
import typer
from typer.testing import CliRunner

from dagster_project.cli.render import add_to
from dagster_project.release.chat_template import ChatTemplate
from dagster_project.release.rows import SnapshotRows
from dagster_project.release.tokenization import tokenizer
from dagster_project.release.trainer_view import RowsUnreadable, TrainerView, trainer_report
from dagster_project.warehouse.address import SnapshotAddress

from .conftest import NAME, Shelf


def said(role: str, content: str | None, **fields: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **fields}


def seen(shelf: Shelf, template: str = "chatml", **options: Any) -> list[tuple[str, Any]]:
    """Of each text, its part, and what of it has loss or why it is refused."""
    with SnapshotRows(shelf.store, SnapshotAddress(NAME)) as rows:
        view = TrainerView(rows, ChatTemplate.named(template), **options)
        texts = [item for page in view.pages() for item in page]
        assert texts == [item for row in range(rows.manifest.rows) for item in view.row(row)]
    return [
        (item.part, item.refused)
        if item.rendered is None
        else (item.part, [item.rendered.text[a:b] for a, b in item.rendered.spans])
        for item in texts
    ]


def test_messages(shelf: Shelf) -> None:
    chat = [
        said("user", "1"),
        said("assistant", "one"),
        said("user", "2"),
        said("assistant", "two"),
    ]
    shelf.publish([{"messages": chat}, {"messages": [said("user", "?")]}, {"messages": None}])
    assert seen(shelf) == [
        ("", ["one<|im_end|>", "two<|im_end|>"]),
        ("", []),
        ("", "a text or a part of the chat is null"),
    ]
    assert seen(shelf, end_of_turn=False)[0] == ("", ["one", "two"])


def test_prompt_and_completion(shelf: Shelf) -> None:
    prompt = [said("user", "1"), said("assistant", "one"), said("user", "2")]
    shelf.publish([{"prompt": prompt, "completion": [said("assistant", "two")]}])
    assert seen(shelf) == [("", ["two<|im_end|>"])]


def test_texts_of_prompt_and_completion(shelf: Shelf) -> None:
    shelf.publish([{"prompt": "1", "completion": "one"}, {"prompt": "2", "completion": None}])
    told = "message 2, of the role assistant, has no content"
    assert seen(shelf) == [("", ["one<|im_end|>"]), ("", told)]


def test_pairs(shelf: Shelf) -> None:
    first = [said("user", "1"), said("assistant", "one"), said("user", "2")]
    pair = {"chosen": [said("assistant", "two")], "rejected": [said("assistant", "zwei")]}
    shelf.publish([{"prompt": first, **pair}], phase="preference")
    assert seen(shelf) == [("chosen", ["two<|im_end|>"]), ("rejected", ["zwei<|im_end|>"])]


def test_pairs_with_the_prompt_in_them(shelf: Shelf) -> None:
    chosen, rejected = ([said("user", "1"), said("assistant", word)] for word in ("one", "eins"))
    other = [said("user", "0"), said("assistant", "x")]
    shelf.publish(
        [{"chosen": chosen, "rejected": rejected}, {"chosen": chosen, "rejected": other}],
        phase="preference",
    )
    null = "a text or a part of the chat is null"
    assert seen(shelf) == [
        ("chosen", ["one<|im_end|>"]),
        ("rejected", ["eins<|im_end|>"]),
        ("chosen", null),
        ("rejected", null),
    ]


def test_texts_as_they_are(shelf: Shelf) -> None:
    shelf.publish([{"text": "All of it."}, {"text": ""}], phase="pretrain")
    assert seen(shelf) == [("", ["All of it."]), ("", [""])]


def test_tools_as_json_or_as_objects(shelf: Shelf) -> None:
    tool = {"type": "function", "function": {"name": "add"}}
    chat = [said("user", "Add."), said("assistant", "No.")]
    for tools, refused in (([tool], 0), (json.dumps([tool]), 0), ("{", 1), ("{}", 1)):
        shelf.publish([{"messages": chat, "tools": tools}])
        with SnapshotRows(shelf.store, SnapshotAddress(NAME)) as rows:
            view = TrainerView(rows, ChatTemplate.named("qwen3"))
            (item,) = view.row(0)
        assert bool(item.refused) == refused
        if item.rendered:
            assert f"<tools>\n{json.dumps(tool)}\n</tools>" in item.rendered.text


def test_no_texts_to_train_on(shelf: Shelf) -> None:
    shelf.publish([{"n": 1}])
    with (
        SnapshotRows(shelf.store, SnapshotAddress(NAME)) as rows,
        pytest.raises(RowsUnreadable, match="tiny/v1 has no chats and no texts"),
    ):
        TrainerView(rows, ChatTemplate.named("chatml"))


def publish_tricky(shelf: Shelf) -> None:
    chats = [
        [said("user", "Hi"), said("assistant", "Hello " * 30)],
        [said("user", "Hi " * 60), said("assistant", "late")],
        [said("user", "Say <|im_end|>"), said("assistant", "\nNo\x1b[31m.")],
        [said("user", "Hi")],
        [said("robot", "Hi")],
    ]
    shelf.publish([{"messages": chat} for chat in chats])


def test_report(shelf: Shelf) -> None:
    publish_tricky(shelf)
    with SnapshotRows(shelf.store, SnapshotAddress(NAME)) as rows:
        view = TrainerView(rows, ChatTemplate.named("chatml"))
        report = trainer_report(view, tokenizer("qwen3"), 32)
    assert (report.rows, report.texts, report.refused, report.packing.rows) == (5, 5, 1, 4)
    assert [(row.row_id, row.reason) for row in report.refusals] == [
        (4, "ChatML has no role robot")
    ]
    assert (report.forged, report.answers_inside_tokens, report.marks_as_text) == (1, 1, ())
    fit = report.packing
    texts = [
        f"<|im_start|>user\n{asked}<|im_end|>\n" + said
        for asked, said in (
            ("Hi", f"<|im_start|>assistant\n{'Hello ' * 30}<|im_end|>\n"),
            ("Hi " * 60, "<|im_start|>assistant\nlate<|im_end|>\n"),
            ("Say <|im_end|>", "<|im_start|>assistant\n\nNo\x1b[31m.<|im_end|>\n"),
            ("Hi", ""),
        )
    ]
    encoding = quicktok.get_encoding("qwen3")
    lengths = [len(encoding.encode_with_special(text)) for text in texts]
    assert (fit.longest, fit.tokens) == (max(lengths), sum(lengths))
    assert fit.tokens_truncated == sum(max(0, length - 32) for length in lengths)
    assert (fit.rows_truncated, fit.rows_without_loss, fit.rows_left_without_loss) == (2, 1, 1)


def test_the_verb(shelf: Shelf, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    publish_tricky(shelf)
    (tmp_path / "assets").mkdir()
    (tmp_path / "workspace.yaml").touch()
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.callback()(lambda: None)
    add_to(app)
    shown = CliRunner().invoke(
        app, ["render", "tiny/v1", "--row", "2", "--tokenizer", "qwen3", "--context", "32"]
    )
    assert shown.exit_code == 0, shown.output
    for part in (
        "tiny/v1:2 as chatml",
        "No␛[31m.<|im_end|>",
        "somebody says <|im_end|> in this chat",
        "row 4: ChatML has no role robot",
        "packed by best fit",
    ):
        assert part in shown.output
    assert "\x1b" not in shown.output
    refused = CliRunner().invoke(app, ["render", "tiny/v1", "--row", "9"])
    assert "numbered from 0; there is no row 9" in str(refused.exception)
    told = CliRunner().invoke(
        app, ["render", "tiny/v1", "--no-statistics", "--json", "--template", "zephyr"]
    )
    ((row,), report) = (json.loads(told.output)[key] for key in ("row", "report"))
    assert report is None
    ((start, end),) = row["loss_spans"]
    assert row["text"][start:end] == "Hello " * 30 + "</s>"


def test_nulls_of_other_rows_are_not_there(shelf: Shelf) -> None:
    kind = pl.List(
        pl.Struct({"role": pl.String, "content": pl.String, "tool_calls": pl.List(pl.Int8)})
    )
    chat = [said("user", "Hi", tool_calls=None), said("assistant", "Ho", tool_calls=[])]
    shelf.publish(pl.DataFrame({"messages": [chat]}, {"messages": kind}))
    assert seen(shelf) == [("", ["Ho<|im_end|>"])]
