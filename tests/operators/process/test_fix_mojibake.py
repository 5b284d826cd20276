"""Wrong encodings are undone: what ftfy would do, and lines read as Windows-1251 or Mac Roman."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.operators.process.fix_mojibake import FixMojibake, _repaired

ENCODINGS = [
    *("latin-1", "sloppy-windows-1252", "sloppy-windows-1251", "sloppy-windows-1250"),
    *("sloppy-windows-1253", "sloppy-windows-1254", "sloppy-windows-1257"),
    *("iso-8859-2", "macroman", "cp437"),
]
TEXTS = [
    "Ça c’est très élégant – «voilà» l’été à Zürich",
    "“It’s” an… em—dash, 20 °C and €5",
    "Привет, мир! Как дела?",
    "日本語の文章です。",
    "Γειά σου Κόσμε",
    "Zażółć gęślą jaźń ☕ 👩‍👧",
    "à la mode, fácil",
]


def garbled(text: str, encoding: str) -> str:
    import ftfy.bad_codecs  # noqa: F401  (registers the sloppy encodings)

    return text.encode().decode(encoding, errors="replace")


def test_texts_are_repaired_and_counted(apply) -> None:
    samples = {
        "Itâ€™s a cafÃ©.": "It’s a café.",
        "plain\nvoilÃ  le travail\nplain": "plain\nvoilà le travail\nplain",
        "It’s a café: “quoted” &amp; ﬁne\r\n\x1b[0m": None,
        "ï¿½ â€�": "\ufffd \ufffd",
        "lost \ufffd": None,
        "": None,
    }
    frame = pl.DataFrame({"text": [*samples, None]})
    kept, _ = apply(FixMojibake(columns=("text",)), frame)
    assert kept["text"].to_list() == [*(new or old for old, new in samples.items()), None]
    assert kept["mojibake"].to_list() == [1, 1, 0, 1, 0, 0, 0]
    assert kept["replacement_characters"].to_list() == [0, 0, 0, 2, 1, 0, 0]
    _, removed = apply(FixMojibake(columns=("text",), max_left=1), frame)
    assert removed.select("row", "rule", "measured", "threshold").rows() == [
        (3, "replacement_characters", "2", "<= 1")
    ]


@pytest.mark.parametrize("encoding", ["cp1251", "mac-roman"])
@pytest.mark.parametrize("times", [1, 2])
def test_lines_in_other_encodings_are_restored(apply, encoding: str, times: int) -> None:
    right = [
        "Der Mann grüßt früh.",
        "Où est l’été ?",
        "Çocuk gülüyor",
        "Она ещё здесь.",
        "Їхній ґанок",
    ]
    right += ["متى يصل القطار؟", "雨がまた降った"]
    wrong = {}
    for text in right:
        try:
            garbled = text
            for _ in range(times):
                garbled = garbled.encode().decode(encoding)
            wrong[text] = f"plain\n{garbled}\n"
        except UnicodeDecodeError:  # the encoding has no sign for a byte of it
            continue
    kept, _ = apply(FixMojibake(columns=("text",)), pl.DataFrame({"text": list(wrong.values())}))
    assert kept["text"].to_list() == [f"plain\n{text}\n" for text in wrong]
    assert len(wrong) > 2


RIGHT = [
    "Ні",
    "U = 220 В±10 %",
    "l’île d’être à l’âge",
    "“Élan” – ‘à la’",
    "АО «Р» — 5 В°",
    "Ті, Ві, Мі",
]


def test_right_texts_that_could_be_read_again_stay(apply) -> None:
    kept, _ = apply(FixMojibake(columns=("text",)), pl.DataFrame({"text": RIGHT}))
    assert kept["text"].to_list() == RIGHT


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_planted_mojibake_is_what_ftfy_makes_of_it(apply, encoding: str) -> None:
    once = [garbled(text, encoding) for text in TEXTS]
    texts = [*TEXTS, *once, *(garbled(text, encoding) for text in once)]
    texts += [f"{a}\n{b}" for a, b in zip(TEXTS, once, strict=True)]
    texts += [text.replace("\xa0", " ") for text in once]
    series = pl.Series("text", texts)
    kept, _ = apply(FixMojibake(columns=("text",)), series.to_frame())
    assert kept["text"].to_list() == _repaired(series).to_list()
    assert kept["mojibake"].sum() > 0


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(
        st.one_of(
            st.text(st.characters(max_codepoint=0x17F, exclude_categories=["Cs"]), max_size=12),
            st.text("ÂÃâ€™œŒ \x1c\x1f\xa0Ð²½a1Z_.,°\n\ufffd√±вЂØÙ", max_size=8),
            st.builds(garbled, st.text(max_size=6), st.sampled_from(ENCODINGS)),
        ),
        max_size=60,
    )
)
def test_no_text_that_ftfy_would_change_is_passed_over(apply, texts) -> None:
    series = pl.Series("text", texts, dtype=pl.String)
    kept, _ = apply(FixMojibake(columns=("text",)), series.to_frame())
    assert kept["text"].to_list() == _repaired(series).to_list()
