"""Personal data planted in real texts: what is found, what is wrongly taken, and CPU seconds.

`python -m benchmarks.pii FOLDER [--rows 77000] [--repeats 3] [--datatrove PYTHON] [--data-juicer
PYTHON]`, with a folder that holds `hh_rlhf/test.jsonl.gz` and `gpteacher/codegen-instruct.json`. Three
in ten rows hold a planted value, two in ten a lookalike. CPU seconds are those of the redaction alone,
within a process, and those of whole processes that read the corpus and write what comes out; Seedbed
with all provenance.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from benchmarks.building import program
from benchmarks.measuring import PEERS, Program, alternate, machine, spread, table, warm
from benchmarks.peering import Operators, data_juicer, datatrove, halved, written

KINDS_OF_BOTH = "[email, ip]"
DATATROVE: Operators = [
    ("PIIFormatter", {"email_replacement": "<EMAIL>", "ip_replacement": "<IP>"}),
]
DATA_JUICER: dict[str, Operators] = {
    "both": [("clean_email_mapper", {"repl": "<EMAIL>"}), ("clean_ip_mapper", {"repl": "<IP>"})],
    "all": [
        (
            "pii_redaction_mapper",
            {
                "mask_paths": False,
                "mask_ids": False,
                "mask_channel_ids": False,
                "mask_platform_open_ids": False,
            },
        )
    ],
}
FRAMES = ("{}", "My {} is {}.", "({})", "Contact: {}", '"{}"', "here it is {}, thanks", "- {}\n")
NEUTRAL = ("{}", "({})", "here it is {}, thanks", "- {}\n")
LOOKALIKES = {
    "email": ("@app.route", "A@B", "x@W.sum(0)", "logo@2x.png", "react@18.2.0", "ann at home dot"),
    "ip": ("version 10.15.7.3", "v2.31.14.12", "1.2.3.4.5.6", "Chrome/91.0.172.12", "300.1.2.3"),
    "phone": (
        "2021-05-04 12:30:00",
        "1 234 567 890",
        "arXiv:2101.00001",
        "3.14159 26535 89793",
        "550e8400-e29b-41d4-a716-446655440000",
        "978-3-16-148410-0",
        "$1,234,567.89",
    ),
    "credit_card": ("4111 1111 1111 1112", "1234567890123456", "0.4111111111111111"),
    "iban": ("DE89 3704 0044 0532 0130 01", "US12 3456 7890 1234"),
    "ssn": ("000-12-3456", "912-12-3456", "123-00-4567"),
    "secret": (
        "password = getpass()",
        "password: must be long",
        "api_key=YOUR_API_KEY",
        "sk-fading",
    ),
}


def planted(kind: str, draw: random.Random) -> str:
    """A valid value of a kind in one of its usual spellings."""

    def digits(size: int) -> str:
        return "".join(draw.choices("0123456789", k=size))

    def word(size: int) -> str:
        return "".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=size))

    def token(size: int) -> str:
        return "aB1" + "".join(draw.choices("abcdefXYZW0123456789", k=size - 3))

    def card(start: str, size: int) -> str:
        body = start + digits(size - len(start) - 1)
        doubled = [int(d) * (2 - i % 2) for i, d in enumerate(reversed(body))]
        return body + str(-sum(d // 10 + d % 10 for d in doubled) % 10)

    def iban(country: str, bank: str, size: int) -> str:
        account = bank + digits(size - 4 - len(bank))
        number = int("".join(str(int(each, 36)) for each in f"{account}{country}00"))
        return f"{country}{98 - number % 97:02}{account}"

    def grouped(text: str, sizes: Sequence[int], separator: str) -> str:
        parts, start = [], 0
        for size in sizes:
            parts.append(text[start : start + size])
            start += size
        return separator.join(part for part in [*parts, text[start:]] if part)

    area, exchange = draw.randint(201, 989), draw.randint(200, 554)
    makers = {
        "email": (
            lambda: f"{word(5)}@{word(6)}.com",
            lambda: f"{word(4)}.{word(7)}@mail.{word(5)}.co.uk",
            lambda: f"{word(3)}+{word(3)}{digits(2)}@{word(8)}.io",
            lambda: f"{word(4)}_{word(4)}@{word(4)}-{word(4)}.ORG",
        ),
        "ip": (
            lambda: f"{draw.randint(11, 99)}.{draw.randint(0, 255)}.{draw.randint(0, 255)}.7",
            lambda: f"{draw.randint(193, 197)}.{draw.randint(0, 255)}.12.{draw.randint(1, 254)}",
            lambda: f"2a00:1450:4001:{draw.randint(4096, 65535):x}::200e",
        ),
        "phone": (
            lambda: f"+1 ({area}) {exchange}-{digits(4)}",
            lambda: f"{area}-{exchange}-{digits(4)}",
            lambda: f"({area}) {exchange}-{digits(4)}",
            lambda: f"+49 30 1{digits(6)}",
            lambda: f"+44 20 7{digits(3)} {digits(4)}",
            lambda: f"+91 98{digits(3)} {digits(5)}",
            lambda: f"+33 6 {digits(2)} {digits(2)} {digits(2)} {digits(2)}",
            lambda: f"+86138{digits(8)}",
            lambda: f"020 7{digits(3)} {digits(4)}",
        ),
        "credit_card": (
            lambda: card("4", 16),
            lambda: grouped(card("53", 16), (4, 4, 4), " "),
            lambda: grouped(card("37", 15), (4, 6), " "),
            lambda: grouped(card("6011", 16), (4, 4, 4), "-"),
        ),
        "iban": (
            lambda: iban("DE", "", 22),
            lambda: grouped(iban("GB", "NWBK", 22), (4,) * 5, " "),
            lambda: grouped(iban("FR", "", 27), (4,) * 6, " "),
            lambda: iban("NL", "ABNA", 18),
        ),
        "ssn": (
            lambda: f"{draw.randint(100, 599)}-{draw.randint(10, 99)}-{draw.randint(1000, 9999)}",
            lambda: (
                f"SSN {draw.randint(100, 599)} {draw.randint(10, 99)} {draw.randint(1000, 9999)}"
            ),
        ),
        "secret": (
            lambda: f"AKIA{token(16).upper()}",
            lambda: f"ghp_{token(36)}",
            lambda: f"sk-proj-{token(40)}",
            lambda: f"xoxb-{digits(12)}-{token(20)}",
            lambda: f"AIza{token(35)}",
            lambda: f"eyJ{token(20)}.eyJ{token(30)}.{token(40)}",
            lambda: f'password = "{token(12)}"',
            lambda: f"https://{word(5)}:{token(10)}@{word(6)}.net/",
        ),
    }
    return draw.choice(makers[kind])()


def core(kind: str, value: str) -> str:
    """The part of a planted value that must not be left."""
    if kind == "ssn":
        return value.removeprefix("SSN ")
    if kind == "secret" and value.startswith("password"):
        return value.split('"')[1]
    if kind == "secret" and value.startswith("https"):
        return value.rsplit(":", 1)[1].partition("@")[0]
    return value


def corpus(folder: Path, out: Path, rows: int) -> None:
    """Rows with `id` and `text`; beside them, in `.plants`, for each row: kind, what must or must not
    stay, and whether it is true."""
    draw = random.Random(11)
    with gzip.open(folder / "hh_rlhf/test.jsonl.gz", "rt") as lines:
        carriers = [json.loads(line)["chosen"] for line in lines]
    for row in json.loads((folder / "gpteacher/codegen-instruct.json").read_text()):
        carriers.append(f"{row['instruction']}\n{row['input']}\n{row['response']}")
    with out.open("w") as stream, out.with_suffix(".plants").open("w") as truth:
        for index in range(rows):
            words = carriers[index % len(carriers)].split(" ")
            plants = []
            chance = draw.random()
            if chance < 0.5:
                kind = draw.choice(list(LOOKALIKES))
                true = chance < 0.3
                value = planted(kind, draw) if true else draw.choice(LOOKALIKES[kind])
                frame = draw.choice(FRAMES if true else NEUTRAL)
                said = frame.replace("{}", kind.replace("_", " "), frame.count("{}") - 1)
                words.insert(draw.randint(0, len(words)), said.replace("{}", value))
                plants.append([kind, core(kind, value) if true else value, true])
            stream.write(json.dumps({"id": str(index), "text": " ".join(words)}) + "\n")
            truth.write(json.dumps(plants) + "\n")


def alone(source: Path, kinds: str) -> None:
    """Redact the corpus by the operator in batches, as a runner does, and print the CPU seconds."""
    from dagster_project.operators.process.pii_patterns import KINDS
    from dagster_project.operators.process.redact_pii import RedactPii

    chosen = list(KINDS) if kinds == "all" else ["email", "ip"]
    operator = RedactPii.model_validate({"columns": ["text"], "kinds": chosen})
    batches = list(pl.scan_ndjson(source).select("text").collect().iter_slices(20_000))
    started = time.process_time()
    for batch in batches:
        found = batch.with_columns(**operator.annotations(batch.schema))
        found.with_columns(**operator.edits(found.schema)).select("text")
    print(json.dumps({"cpu": time.process_time() - started}))


def judge(source: Path, out: pl.DataFrame) -> dict[str, tuple[float, float]]:
    """Precision and recall by kind: a plant is found when its value is no longer in the text."""
    counts = {kind: [0, 0, 0] for kind in LOOKALIKES}
    texts = dict(zip(out["id"].cast(int).to_list(), out["text"].to_list(), strict=True))
    with source.with_suffix(".plants").open() as truth:
        for number, line in enumerate(truth):
            for kind, value, true in json.loads(line):
                gone = value not in texts[number]
                counts[kind][0] += true and gone
                counts[kind][1] += true
                counts[kind][2] += gone and not true
    return {
        kind: (
            hits / (hits + wrong) if hits + wrong else float("nan"),
            hits / every if every else float("nan"),
        )
        for kind, (hits, every, wrong) in counts.items()
    }


def whole(source: Path, place: Path, peer: str | None, other: str | None) -> dict[str, Program]:
    """Processes that read the corpus and write what comes out."""
    found = {}
    for kinds, chosen in (("all", ""), ("both", f", kinds: {KINDS_OF_BOTH}")):
        step = f"redact_pii: {{columns: [text]{chosen}}}"
        found[f"Seedbed {kinds}"] = program(source, step, place / f"seedbed-{kinds}")
    if peer:
        parts = halved(source, place / f"parts-{source.stem}")
        found["datatrove both"] = datatrove(parts, DATATROVE, place / "datatrove", peer)
    for kinds, operators in DATA_JUICER.items() if other else ():
        found[f"Data-Juicer {kinds}"] = data_juicer(
            source, operators, 2, place / f"data-juicer-{kinds}", str(other)
        )
    return found


def single(source: Path, peer: str | None, other: str | None) -> dict[str, Program]:
    """Processes that tell what the redaction takes alone."""
    found = {
        f"Seedbed {kinds}": Program(["-m", "benchmarks.pii", "--alone", kinds, str(source)])
        for kinds in ("all", "both")
    }
    if peer:
        script = str(PEERS / "pii_datatrove.py")
        found["datatrove both"] = Program([script, str(source)], peer)
    for kinds in DATA_JUICER if other else ():
        script = str(PEERS / "pii_data_juicer.py")
        found[f"Data-Juicer {kinds}"] = Program([script, str(source), kinds], str(other))
    return found


def run(folder: Path, rows: int, repeats: int, peer: str | None, other_peer: str | None) -> None:
    """Measure all programs and print a table of costs and one of accuracy.

    Args:
        folder: with the carrier texts.
        rows: of the corpus.
        repeats: runs of each program.
        peer: interpreter that has datatrove.
        other_peer: interpreter that has Data-Juicer.
    """
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        source, few = place / "corpus.jsonl", place / "few.jsonl"
        corpus(folder, source, rows)
        corpus(folder, few, 100)
        warm(whole(few, place, peer, other_peer))
        warm(single(few, peer, other_peer))
        redacted = whole(source, place, peer, other_peer)
        runs = alternate(redacted, repeats)
        redactions = alternate(single(source, peer, other_peer), repeats)
        found = {label: judge(source, written(redacted[label], label)) for label in redacted}
    more = {
        label: [spread(taken.printed["cpu"] for taken in redactions[label])] for label in redacted
    }
    headings = ["redaction alone, CPU s"]
    table(f"Personal data, {rows:,} rows", runs, "Seedbed all", more, headings)
    print("\n| program | " + " | ".join(LOOKALIKES) + " |")
    print("|---|" + "---|" * len(LOOKALIKES))
    for label, told in found.items():
        print(f"| {label} | " + " | ".join(f"{p:.3f} / {r:.3f}" for p, r in told.values()) + " |")
    print("\nPrecision / recall; `both` is e-mail and IP addresses only.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--rows", type=int, default=77_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--datatrove", metavar="PYTHON")
    parser.add_argument("--data-juicer", metavar="PYTHON")
    parser.add_argument("--alone", nargs=2, metavar=("KINDS", "CORPUS"), help="time it once, here")
    given = parser.parse_args()
    if given.alone:
        alone(Path(given.alone[1]), given.alone[0])
    elif given.folder:
        print(machine())
        run(given.folder, given.rows, given.repeats, given.datatrove, given.data_juicer)
    else:
        parser.error("give the folder with the carrier texts")
