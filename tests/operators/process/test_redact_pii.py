"""Personal data: what is found, what is left alone, and what is written instead."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dagster_project.errors import SeedbedError
from dagster_project.operators.process.pii_patterns import IBAN_COUNTRIES, KINDS
from dagster_project.operators.process.redact_pii import RedactPii

BASE64 = "MIIEpAIBAAKCAQEA1c7+9z5Pad7OejecsQ0buI9cGWwG\nA2+4yZZ==\n"
TOKEN = "aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5zA7bC9"

FOUND = {
    "secret": [
        ("key AKIAIOSFODNN7ABCDEFG.", "AKIAIOSFODNN7ABCDEFG"),
        (f"ghp_{TOKEN[:36]}", f"ghp_{TOKEN[:36]}"),
        (f"OPENAI_API_KEY=sk-proj-{TOKEN}", f"sk-proj-{TOKEN}"),
        (f"use sk-{TOKEN}, please", f"sk-{TOKEN}"),
        ("xoxb-123456789012-abcdefGHIJKL", "xoxb-123456789012-abcdefGHIJKL"),
        (f"?key=AIza{TOKEN[:35]}&x=1", f"AIza{TOKEN[:35]}"),
        ("(eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJSM_-)", "eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJSM_-"),
        (
            f"a\n-----BEGIN RSA PRIVATE KEY-----\n{BASE64}-----END RSA PRIVATE KEY-----\nb",
            f"-----BEGIN RSA PRIVATE KEY-----\n{BASE64}-----END RSA PRIVATE KEY-----",
        ),
        ("postgres://bob:s3cr3t!x@db.acme.io:5432/x", "s3cr3t!x"),
        ("my password is set: password: hunter22.", "hunter22"),
        ("{'db_password': 'correct-horse'}", "correct-horse"),
        (
            'aws_secret_access_key = "wJalrXUtnFEMIK7MDENGbPxRfiCYabc+/d"',
            "wJalrXUtnFEMIK7MDENGbPxRfiCYabc+/d",
        ),
        ("PWD=Passw0rd!", "Passw0rd!"),
        (f"Authorization: Bearer {TOKEN}", TOKEN),
    ],
    "email": [
        ("write to ann.o-neil+news@mail.acme.co.uk.", "ann.o-neil+news@mail.acme.co.uk"),
        ("<BOB_7@ACME.ORG>,", "BOB_7@ACME.ORG"),
        ("[mail](mailto:x@acme.io)", "x@acme.io"),
        ("**müller@bücher.de**", "müller@bücher.de"),
        ("请联系abc@qq.com谢谢", "abc@qq.com"),
        ("https://acme.io/?to=bob@acme.io&x", "bob@acme.io"),
        ("bob@acme.io_backup", "bob@acme.io"),
    ],
    "iban": [
        ("IBAN: DE89 3704 0044 0532 0130 00 BIC COBADEFF", "DE89 3704 0044 0532 0130 00"),
        ("GB29NWBK60161331926819", "GB29NWBK60161331926819"),
        ("BE68-5390-0754-7034 PLEASE", "BE68-5390-0754-7034"),
        ("NO9386011117947,", "NO9386011117947"),
        ("FR14 2004 1010 0505 0001 3M02 606", "FR14 2004 1010 0505 0001 3M02 606"),
        ("MT84MALT011000012345MTLCAST001S", "MT84MALT011000012345MTLCAST001S"),
    ],
    "credit_card": [
        ("card 4111 1111 1111 1111, thanks", "4111 1111 1111 1111"),
        ("5500-0000-0000-0004", "5500-0000-0000-0004"),
        ("3782 822463 10005", "3782 822463 10005"),
        ("cc=6011111111111117", "6011111111111117"),
        ("30569309025904", "30569309025904"),
        ("2223003122003222", "2223003122003222"),
    ],
    "ssn": [
        ("SSN 536-22-1234.", "536-22-1234"),
        ("her social security number is 536 22 1234", "536 22 1234"),
        ('"ssn": "536221234"', "536221234"),
    ],
    "ip": [
        ("from 81.2.69.142.", "81.2.69.142"),
        ("http://81.2.69.142:8080/x", "81.2.69.142"),
        ("81.2.69.0/24", "81.2.69.0"),
        ("[2a00:1450:4001:81b::200e]:443", "2a00:1450:4001:81b::200e"),
        ("2A00:1450:4001:081B:0000:0000:0000:200E", "2A00:1450:4001:081B:0000:0000:0000:200E"),
    ],
    "phone": [
        ("+49 30 901820-11 works", "+49 30 901820-11"),
        ("+14155552671", "+14155552671"),
        ("+1 (415) 555-2671 ext. 5", "+1 (415) 555-2671"),
        ("+44 (0)20 7946 0958", "+44 (0)20 7946 0958"),
        ("+91 98765 43210", "+91 98765 43210"),
        ("+86-138-1234-5678", "+86-138-1234-5678"),
        ("0049 30 901820", "0049 30 901820"),
        ("(415) 555-2671", "(415) 555-2671"),
        ("415-555-2671/415.555.2672", "415-555-2671"),
        ("1-800-466-4411", "1-800-466-4411"),
        ("06 12 34 56 78", "06 12 34 56 78"),
        ("020 7946 0958", "020 7946 0958"),
        ("0171-2345678", "0171-2345678"),
        ("(030) 901820", "(030) 901820"),
        ("call me at 4155552671.", "4155552671"),
        ("Phone number: 555-2671", "555-2671"),
    ],
}

LEFT = [
    "2021-05-04, 2021-05-04T12:30:00+02:00, 12:30:45.123456, 04/05/2021, 1999-2000, 01.02.2003",
    "version 81.2.69.142, v10.15.7.3, Chrome/91.0.172.124, libc-2.31.10.12, 1.2.3.4, 1.2.3.4.55",
    "build 12.34.56.78 of 12.34.56.78-beta; OID 1.3.6.1.4.1.311; section 12.3.14.15",
    "$1,234,567.89; 1 234 567 890 EUR; 1000000000; +10000000 points; 3+12345678",
    "arXiv:2101.00001v2, 3.14159 26535 89793 23846, 0.4111111111111111, 1e+10000000",
    "550e8400-e29b-41d4-a716-446655440000, d41d8cd98f00b204e9800998ecf8427e, 978-3-16-148410-0",
    "@app.route('/x'), A@B, X.T@X.shape, w@x.sum(0), logo@2x.png, jquery@3.6.0.min.js, @user",
    "4111 1111 1111 1112, 1234567890123456, 1700000000000, 9999 8888 7777 6666, 4111111111111111a",
    "000-12-3456, 666-12-3456, 912-12-3456, 123-00-4567, 123-45-0000, 13380-5400, 1-536-22-1234",
    "DE89 3704 0044 0532 0130 01, US12 3456 7890 1234, GB29NWBK6016133192681",
    "x[2000::2], std::cafe::f, 00:1a:2b:3c:4d:5e, fe80::1, 2001:db8::1:2, dead::beef::1, ::1",
    "127.0.0.1, 10.0.0.1, 192.168.1.1, 172.16.0.9, 255.255.255.0, 192.0.2.55, 256.1.20.300",
    "ann@example.com, x@mail.example.org, git@github.com:a/b.git, root@localhost, (415) 555-0123",
    "password = getpass.getpass(), password: str, password=password, secret = os.environ['A1']",
    "Password: must be 8 characters; password=<PASSWORD1>; password=$DB_PASS1; api_key='YOUR_KEY1'",
    "password: ${DB_PASS1}; max_tokens: 100000; token = 12345",
    "AKIAIOSFODNN7EXAMPLE; sk-fading-circle-loader-x",
    "0110 1010 1101 0011; 0110 101010; 00 01 02 03 04 05 06 07; 1 2 3 4 5 6 7 8 9 10; 300 400 5000",
    "The phone costs 1200 dollars and the call took 12 minutes. Call f(12345678).",
]


def redacted(apply, texts: list[str | None], **options) -> pl.DataFrame:
    operator = RedactPii.model_validate({"columns": ["text"], **options})
    return apply(operator, pl.DataFrame({"text": texts}, {"text": pl.String}))[0]


@pytest.mark.parametrize("kind", list(FOUND))
def test_values_are_found_and_nothing_around_them(apply, kind: str) -> None:
    texts = [text for text, _ in FOUND[kind]]
    values = [value for _, value in FOUND[kind]]
    kept = redacted(apply, texts, kinds=[kind])
    placeholder = f"<{kind.upper()}>"
    expected = [
        text.replace(value, placeholder, 1) for text, value in zip(texts, values, strict=True)
    ]
    if kind == "phone":
        expected[8] = "<PHONE>/<PHONE>"
    assert kept["text"].to_list() == expected
    assert kept[f"pii_{kind}"].to_list() == [text.count(placeholder) for text in expected]
    kept = redacted(apply, texts)
    assert kept[f"pii_{kind}"].to_list() == [text.count(placeholder) for text in expected]


@pytest.mark.parametrize("text", LEFT)
def test_lookalikes_are_left_alone(apply, text: str) -> None:
    parts = [text, *text.split(", "), *text.split("; ")]
    assert redacted(apply, parts)["text"].to_list() == parts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://ann:pw12345@acme.io/", "https://ann:<SECRET>@acme.io/"),
        ("https://ann:@acme.io/", "https://ann:@acme.io/"),
        ("password: ann@acme.io", "password: <EMAIL>"),
        ("password: ann1@acme.io", "password: <SECRET>"),
        ("4155552671@acme.io", "<EMAIL>"),
        ("NO9386011117947 or +49 30 901820", "<IBAN> or <PHONE>"),
        ("tel 4111 1111 1111 1111", "tel <CREDIT_CARD>"),
        ("phone 536-22-1234", "phone <SSN>"),
        ("call me at 81.2.69.142", "call me at <IP>"),
    ],
)
def test_where_two_kinds_fit_the_first_is_taken(apply, text: str, expected: str) -> None:
    assert redacted(apply, [text])["text"].to_list() == [expected]


MESSAGES = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))
CHAT = [
    {"role": "user", "content": "I am Bob@acme.io, call +1 415-555-2671"},
    None,
    {"role": "assistant", "content": None},
    {"role": "assistant", "content": "bob@acme.io or (ann@acme.io)? +14155552671!"},
]


def test_one_value_has_one_number_in_a_row(apply) -> None:
    frame = pl.DataFrame(
        {
            "text": ["ann@acme.io\0", None, "none", "ann@acme.io eve@acme.io"],
            "chat": [CHAT, CHAT, None, []],
        },
        {"text": pl.String, "chat": MESSAGES},
    )
    operator = RedactPii(columns=("chat", "text"), replacement="consistent")
    kept, removed = apply(operator, frame)
    assert removed.is_empty()
    chat = [
        {"role": "user", "content": "I am <EMAIL_1>, call <PHONE_1>"},
        None,
        {"role": "assistant", "content": None},
        {"role": "assistant", "content": "<EMAIL_1> or (<EMAIL_2>)? <PHONE_1>!"},
    ]
    assert kept["chat"].to_list() == [chat, chat, None, []]
    assert kept["text"].to_list() == ["<EMAIL_2>\0", None, "none", "<EMAIL_1> <EMAIL_2>"]
    assert kept["pii_email"].to_list() == [4, 3, 0, 2]
    assert kept["pii_phone"].to_list() == [2, 2, 0, 0]


def test_rows_with_too_much_are_removed_and_only_their_number_is_told(apply) -> None:
    operator = RedactPii(columns=("text",), max_found=1)
    texts = ["a@acme.io", "a@acme.io 81.2.69.142", None]
    kept, removed = apply(operator, pl.DataFrame({"text": texts}))
    assert kept["text"].to_list() == ["<EMAIL>", None]
    assert removed.select("row", "rule", "measured", "threshold").rows() == [
        (1, "pii", "2", "<= 1")
    ]
    assert "acme" not in str(removed.to_dicts()) and "81.2" not in str(removed.to_dicts())


def test_allow_replaces_the_defaults_and_means_whole_values(apply) -> None:
    texts = ["ann@acme.io ann@acme.io.uk x@example.com"]
    kept = redacted(apply, texts, allow=[r".*@acme\.io"], prefix="n_")
    assert kept["text"].to_list() == ["ann@acme.io <EMAIL> <EMAIL>"]
    assert kept["n_email"].to_list() == [2]
    assert redacted(apply, ["10.0.0.1 1.2.3.4"], allow=[])["text"].to_list() == ["<IP> <IP>"]


def test_misuse_is_named() -> None:
    with pytest.raises(ValidationError, match=r"'\(' is not a regular expression"):
        RedactPii(columns=("text",), allow=("(",))
    with pytest.raises(SeedbedError, match="column 'n' is Int64, but must be"):
        RedactPii(columns=("n",)).annotations(pl.Schema({"n": pl.Int64()}))


def luhn(digits: str) -> str:
    """`digits` and the check digit, by the textbook."""
    total = 0
    for index, digit in enumerate(reversed(digits)):
        doubled = int(digit) * 2 if index % 2 == 0 else int(digit)
        total += doubled - 9 if doubled > 9 else doubled
    return f"{digits}{-total % 10}"


def iban(country: str, account: str) -> str:
    number = int("".join(str(int(char, 36)) for char in f"{account}{country}00"))
    return f"{country}{98 - number % 97:02}{account}"


def digits(size: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=size, max_size=size)


ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
COUNTRIES = [(each, size) for size, group in IBAN_COUNTRIES.items() for each in group.split("|")]
NAME = st.text("abcxyz019", min_size=1, max_size=8)
VALUES = {
    "secret": st.text("aB1", min_size=36, max_size=36).map("ghp_{}".format),
    "email": st.builds("{}@{}.{}".format, NAME, NAME, st.sampled_from(["com", "co.uk", "info"])),
    "iban": st.sampled_from(COUNTRIES).flatmap(
        lambda each: st.text(ALPHABET, min_size=each[1] - 4, max_size=each[1] - 4).map(
            lambda account: iban(each[0], account)
        )
    ),
    "credit_card": st.one_of(
        digits(14).map(lambda body: luhn(f"4{body}")),
        digits(12).map(lambda body: luhn(f"37{body}")),
    ),
    "ssn": st.builds(
        "{:03}-{:02}-{:04}".format, st.integers(1, 665), st.integers(1, 99), st.integers(1, 9999)
    ).filter(lambda value: value not in {"078-05-1120", "219-09-9999"}),
    "ip": st.builds("{}.{}.{}.{}".format, st.integers(11, 99), *[st.integers(0, 255)] * 3),
    "phone": digits(7).map("+49 30 1{}2".format),
}


@settings(max_examples=20, deadline=None, derandomize=True)
@given(data=st.data())
def test_planted_values_are_found_in_any_text(apply, data) -> None:
    around = st.text(max_size=12)
    texts, planted = [], []
    for kind in KINDS:
        value = data.draw(VALUES[kind])
        planted.append(value)
        texts.append(f"{data.draw(around)}\n{value}\n{data.draw(around)}")
    chat = [{"role": "user", "content": text} for text in texts]
    frame = pl.DataFrame(
        {"text": texts, "chat": [chat] * len(texts)}, {"text": pl.String, "chat": MESSAGES}
    )
    style = data.draw(st.sampled_from(["placeholder", "consistent"]))
    operator = RedactPii(columns=("text", "chat"), replacement=style)
    once, removed = apply(operator, frame)
    assert removed.is_empty()
    for number, kind in enumerate(KINDS):
        written = [once["text"][number], *(each["content"] for each in once["chat"][number])]
        assert planted[number] not in written[0]
        assert f"<{kind.upper()}" in written[0] and f"<{kind.upper()}" in written[1 + number]
        for each in KINDS:
            before = sum(text.count(f"<{each.upper()}") for text in [texts[number], *texts])
            after = sum(text.count(f"<{each.upper()}") for text in written)
            assert once[f"pii_{each}"][number] == after - before
    twice, _ = apply(operator, once.select("text", "chat"))
    assert twice.select("text", "chat").equals(once.select("text", "chat"))
    assert twice.select(pl.col("^pii_.*$").sum()).row(0) == (0,) * len(KINDS)


FRAGMENTS = [text for cases in FOUND.values() for text, _ in cases] + LEFT


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    parts=st.lists(st.sampled_from(FRAGMENTS), max_size=4),
    glue=st.sampled_from(["", " ", "-", "."]),
)
def test_twice_is_once(apply, parts: list[str], glue: str) -> None:
    once = redacted(apply, [glue.join(parts)])
    twice = redacted(apply, once["text"].to_list())
    assert twice["text"].to_list() == once["text"].to_list()
