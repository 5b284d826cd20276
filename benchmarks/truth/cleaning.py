"""Wrong decodings, languages, personal data, and rows that are worse than the rest."""

from __future__ import annotations

import json
import random
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from benchmarks.truth.applying import apply
from benchmarks.truth.base_rows import examples, gsm8k, roleplays
from benchmarks.truth.tables import excerpt, rate, table

READ_AS = ("latin-1", "cp1252", "cp1251", "cp437", "mac-roman")
"""What UTF-8 is taken for."""

LOOKS_WRONG = (
    "São Paulo, SÃO PAULO and João",
    "Ã is a letter of Portuguese.",
    "L’Hôpital’s rule",
    "“Ça va?” — “Très bien…”",
    "Ångström, Ærø, Øresund",
    "5 °C ± 2 %, © 2020, £3, ½ cup",
    "Đặng Thị Ngọc Thịnh",
    "ÂNGELA É AVÓ",
    "naïve café, façade, Zoë",
    "€ 5 – € 10",
    "Ðuro ‡ † ‰ Œuvre",
    "Les prix : 3 € ; l’œuvre « Être »",
)
"""Right texts with the letters that wrong decodings are full of."""

LOOKS_WRONG_HELD_OUT = (
    "√2 ≈ 1.414 and π ≈ 3.142, so √2 ≤ π.",
    "∂f/∂x + ∂f/∂y = 0, ∑aᵢ ≥ ∏bᵢ",
    "Ω ≠ ∞, ∫f dµ",
    "–√–",
    "†ibid., ‡op. cit., §4, ¶2",
    "Ђорђе и Љиљана, Њивице, Џеп, Ћуприја",
    "РСФСР, СССР, РФ и США",
    "ГОСТ Р 51141–98, № 7",
    "Ґанок, Єва, Їжак, ЇЇ",
    "Ў Беларусі, Ёсць",
    "«Что?» — «Ничего…»",
    "Şeyh Ğ, Ýmam, Çiğ",
    "ÉTÉ À LA CÔTE D’AZUR",
    "SÃO JOSÉ DOS CAMPOS, ÃÕÇ",
    "Ä Ö Ü ß ẞ — ÄÖÜ",
    "Ångström: 1 Å = 10⁻¹⁰ m",
    "5 × 3 = 15 ÷ 1 ± 0",
    "║ ═ ╬ ╗ │ ┤ table",
    "▓▒░ loading ░▒▓",
    "é, è, ê, ë, à, â, ï, ô, ù, û",
    "Ÿ Ž Š œ Œ ƒ",
    "¿Quién? ¡Él!",
    "A‑B–C—D",
    "½ + ¼ = ¾",
    "T°C × µm²",
    "ÞÓRÐUR ÁÐUR",
    "Привет‚ мир„ я”",
    "№1 „А“ ‹Б› ‰",
    "Р В Р Ђ",
    "Срб. „Ђ“",
)
"""The same, written before Windows-1251 and Mac Roman were repaired, and not looked at for it."""

LANGUAGES = ("languages", "held_out_languages")
"""Sentences, and those that were written before `fix_mojibake` was mended and not looked at for it."""

SHARE = 0.05
"""Of rows in which something is planted."""


def cleaning(data: Path | None) -> None:
    """Print tables of `fix_mojibake`, `detect_language` and `redact_pii`."""
    _mojibake()
    _languages()
    if data:
        _personal(data)
    else:
        print("\nredact_pii: not run; give --data")


def _mojibake() -> None:
    texts, held_out = ([row["text"] for row in examples(name)] for name in LANGUAGES)
    lines, spoiled = [], []
    for times in (1, 2):
        for encoding in READ_AS:
            told = []
            for right in (texts, held_out):
                wrong = [(text, _misread(text, encoding, times)) for text in right]
                pairs = [(text, read) for text, read in wrong if read not in (None, text)]
                fixed = _fixed([read for _, read in pairs])
                restored = sum(text == now for (text, _), now in zip(pairs, fixed, strict=True))
                changed = sum(read != now for (_, read), now in zip(pairs, fixed, strict=True))
                told += [len(pairs), restored, changed - restored, rate(restored, len(pairs))]
            lines.append((f"UTF-8 read as {encoding}" + (", twice" if times == 2 else ""), *told))
    for name, *parts in (
        ("right texts", texts, held_out),
        ("with odd letters", LOOKS_WRONG, LOOKS_WRONG_HELD_OUT),
    ):
        told = []
        for right in parts:
            pairs = zip(right, _fixed(right), strict=True)
            changed = [(old, now) for old, now in pairs if old != now]
            spoiled += changed
            told += [len(right), "–", len(changed), "–"]
        lines.append((name, *told))
    part = ["planted", "restored exactly", "changed otherwise", "recall"]
    table("fix_mojibake", ["texts", *part, *(f"{name}, held out" for name in part)], lines)
    print("\nRight texts that were changed:\n")
    for old, now in spoiled:
        print(f"- {old} → {now}")


def _misread(text: str, encoding: str, times: int) -> str | None:
    try:
        for _ in range(times):
            text = text.encode().decode(encoding)
    except UnicodeDecodeError:
        return None
    return text


def _fixed(texts: Sequence[str | None]) -> list[str]:
    frame = pl.DataFrame({"text": texts}, schema={"text": pl.String})
    return apply("fix_mojibake", {"columns": ["text"]}, frame).kept["text"].to_list()


def _languages() -> None:
    """Sentences alone, and the four of each language together."""
    rows = pl.DataFrame(examples("languages"))
    together = rows.group_by("language", maintain_order=True).agg(pl.col("text").str.join(" "))
    lines, errors = [], []
    for name, frame in (("a sentence", rows), ("four sentences", together)):
        labelled = frame.rename({"language": "true"})
        kept = apply("detect_language", {"column": "text"}, labelled).kept
        for least in (0.0, 0.5, 0.8):
            sure = kept.filter(pl.col("language_confidence") >= least)
            right = sure.filter(pl.col("language") == pl.col("true")).height
            recalled, precise = rate(right, kept.height), rate(right, sure.height)
            lines.append((name, f"{least:g}", kept.height, sure.height, right, recalled, precise))
        wrong = kept.filter(pl.col("language") != pl.col("true"))
        errors += list(wrong.select("true", "language", "language_confidence", "text").iter_rows())
    headings = ["text", "least confidence", "planted", "told", "right", "recall", "precision"]
    table("detect_language: 20 languages", headings, lines)
    print("\nTaken for another language:\n")
    for true, told, confidence, text in errors:
        print(f"- {true}, told as {told} ({confidence:.2f}): {excerpt(text)}")


def _personal(data: Path, rows: int = 6_000) -> None:
    from benchmarks import pii

    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "rows.jsonl"
        pii.corpus(data, source, rows)
        frame = pl.read_ndjson(source)
        done = apply("redact_pii", {"columns": ["text"]}, frame).kept
        rates = pii.judge(source, done)
        told = source.with_suffix(".plants").read_text().splitlines()
    plants = Counter((kind, true) for line in told for kind, _, true in json.loads(line))
    lines = [
        (kind, plants[kind, True], plants[kind, False], f"{recall:.3f}", f"{precision:.3f}")
        for kind, (precision, recall) in rates.items()
    ]
    table("redact_pii", ["kind", "planted", "lookalikes", "recall", "precision"], lines)


def models(data: Path | None) -> None:
    """Print how well models fitted on other rows tell bad rows from good ones."""
    if data is None:
        print("\nfilter_perplexity, filter_quality: not run; give --data")
        return
    answers = [answer for _, answer in gsm8k(data, "train")]
    good, known = answers[:1_000], answers[1_000:5_000]
    unlike = roleplays(data)
    draw = random.Random(41)
    size = round(len(good) * SHARE)
    foreign = [row["text"] for row in examples("languages") if row["language"] != "en"]
    spoiled = {
        "letters garbled, one in five": [_garbled(text, draw) for text in good[:size]],
        "words shuffled": [
            " ".join(draw.sample(text.split(), len(text.split()))) for text in good[:size]
        ],
        "lines shuffled": [
            "\n".join(draw.sample(lines, len(lines))) for lines in map(str.splitlines, good[:size])
        ],
        "other languages": [" ".join(draw.sample(foreign, 2)) for _ in range(size)],
        "role plays": unlike[:size],
    }
    references = {
        "like": pl.DataFrame({"text": known}),
        "unlike": pl.DataFrame({"text": unlike[size:1_500]}),
    }
    both = {"columns": ["text"], "like": {"like": ["text"]}, "mark_only": True}
    operators = {
        "filter_perplexity": (both, "perplexity", 1),
        "filter_quality": ({**both, "unlike": {"unlike": ["text"]}}, "quality", -1),
    }
    lines = []
    for name, (given, measured, sign) in operators.items():
        used = {known: references[known] for known in references if known in given}
        texts = [text for bad in spoiled.values() for text in bad] + good[size:]
        kept = apply(name, given, pl.DataFrame({"text": texts}), used).kept
        scores = (kept[measured].cast(pl.Float64) * sign).to_list()
        clean = scores[len(spoiled) * size :]
        for number, kind in enumerate(spoiled):
            own = scores[number * size : (number + 1) * size]
            lines.append((kind, name, size, len(clean), f"{_auc(own, clean):.3f}", _at(own, clean)))
    headings = ["planted", "operator", "rows", "good rows", "ROC-AUC", "precision at their share"]
    table(
        "Worst rows first: bad rows among good ones",
        headings,
        sorted(lines, key=lambda line: list(spoiled).index(line[0])),
    )


def _garbled(text: str, draw: random.Random) -> str:
    letters = "abcdefghijklmnopqrstuvwxyz"
    return "".join(
        draw.choice(letters) if letter.isalpha() and draw.random() < 0.2 else letter
        for letter in text
    )


def _auc(bad: list[float], good: list[float]) -> float:
    """How often a bad row has the greater score than a good one; ties count half."""
    wins = sum((b > g) + (b == g) / 2 for b in bad for g in good)
    return wins / (len(bad) * len(good))


def _at(bad: list[float], good: list[float]) -> str:
    """Share of bad rows among as many rows with the greatest scores as are bad."""
    ranked = sorted(
        [(score, True) for score in bad] + [(score, False) for score in good], reverse=True
    )
    return rate(sum(own for _, own in ranked[: len(bad)]), len(bad))
