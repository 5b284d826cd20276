"""Kinds of personal data: what each looks like, and what tells a true one from a lookalike.

A candidate is found by one regular expression whose first alternatives are lookalikes (a version, a
date, a sum). They are matched only to be passed over: the engine is linear in time and has no
look-around. What was matched is cut into what stays before, the value, and what stays after; a
candidate that cannot be cut, or whose value is not valid, is none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

START = r"(?-u:\b{start-half})"
"""Not after a letter, digit or `_` of ASCII."""

END = r"(?-u:\b{end-half})"
"""Not before one."""

SPACE = r"[ \x{A0}]"
WHOLE = r"^(?P<before>)(?P<value>(?s:.+))(?P<after>)$"


@dataclass(frozen=True)
class Kind:
    """One kind of personal data.

    Attributes:
        hint: cheap; a text without it holds none.
        pattern: candidates, and lookalikes to pass over.
        parts: cuts a candidate into the groups `before`, `value` and `after`.
        valid: of `before` and `value`, whether the value is a true one.
        same: what two spellings of one value have in common.
    """

    hint: str
    pattern: str
    parts: str
    valid: Callable[[pl.Expr, pl.Expr], pl.Expr]
    same: Callable[[pl.Expr], pl.Expr]


def _plain(value: pl.Expr) -> pl.Expr:
    """Letters and digits only, in capitals."""
    return value.str.replace_all(r"[^0-9A-Za-z]", "").str.to_uppercase()


# --- secrets -------------------------------------------------------------------------------------

TOKENS = (
    r"(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA|ANVA|AIPA)[A-Z0-9]{16}"
    r"|gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,}|glpat-[A-Za-z0-9_-]{20,}"
    r"|sk-[A-Za-z0-9_-]{20,}|[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{20,}"
    r"|AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{28}"
    r"|hf_[A-Za-z0-9]{34}|npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,}"
    r"|SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"
)
"""AWS, GitHub, GitLab, OpenAI and Anthropic, Stripe, Slack, Google, Hugging Face, npm, PyPI,
SendGrid, JSON Web Tokens."""

WEBHOOK = r"https://hooks\.slack\.com/services/[A-Za-z0-9/_-]{20,}"
PRIVATE_KEY = (
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?:[^-]|-[^-])*-----END [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----|[A-Za-z0-9+/=\s]*)"
)
LOGIN = r"""[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@"'<>]*:"""
SECRET_NAME = (
    r"(?i:pass(?:word|wd|phrase|code)|pwd|secret(?:[_-]?(?:access[_-]?)?key)?|client[_-]?secret"
    r"|(?:api|access|auth|account|private|signing|encryption)[_-]?key"
    r"|(?:api|auth|access|refresh|bearer|secret|session|bot)[_-]?token)"
)
ASSIGNED = rf"""{SECRET_NAME}["']?\s{{0,2}}(?:=>|:=|=|:)\s{{0,2}}"""
BEARER = r"""(?i:authorization["']?\s?[:=]\s?["']?(?:bearer|basic|token)|bearer)\s"""
NO_SECRET = (
    r"(?i)^(?:[$%{<*#]|x{3}|\.{3}|your|enter_|example|[^ ]* [^ ]|(?:string|text|password|passwd|secret"
    r"|null|none|true|false|undefined|required|optional|invalid|changeme|redacted|hidden"
    r"|[a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)+)$)"
)
"""Variables, types, names of fields, invitations to fill in, prose."""


def _valid_secret(before: pl.Expr, value: pl.Expr) -> pl.Expr:
    mixed = value.str.contains("[0-9]") & value.str.contains("[A-Za-z]")
    long = value.str.len_bytes() >= 6
    known = ~value.str.starts_with("sk-") | (mixed & value.str.contains("[A-Z]"))
    quoted = before.str.contains("[\"']$")
    assigned = long & (quoted | value.str.contains("[0-9]"))
    return (
        pl.when(before == "")
        .then(known)
        .when(before.str.contains("://"))
        .then(~value.str.contains(NO_SECRET))
        .when(before.str.contains(rf"{BEARER}$"))
        .then(mixed & (value.str.len_bytes() >= 16))
        .otherwise(assigned & ~value.str.contains(NO_SECRET))
    )


SECRET = Kind(
    hint=r"(?i:passw|passphr|passcode|pwd|secret|[_-]?key|token|bearer|authori)|://[^\s/]*@|-----BEGIN"
    r"|sk[-_]|rk_|xox|xapp-|AIza|ya29|A[A-Z]IA|AGPA|AIDA|AROA|ANPA|AIPA|gh[pousr]_|github_|glpat-"
    r"|GOCSPX|hf_|npm_|pypi-|SG\.|eyJ|hooks\.slack",
    pattern=rf"{PRIVATE_KEY}|{WEBHOOK}|{LOGIN}[^\s/@\"'<>]+@"
    rf"|{BEARER}[A-Za-z0-9._~+/=-]{{16,}}"
    rf"""|{ASSIGNED}(?:"[^"\s]+"|'[^'\s]+'|[^\s"'<>(){{}}\[\],;&|`]+[(\[{{]?)"""
    rf"|{START}(?:{TOKENS}){END}",
    parts=rf"^(?P<before>(?:{BEARER}|{LOGIN}|{ASSIGNED}[\"']?)?)"
    r"(?P<value>(?s:.*?[^(\[{.]))(?P<after>[\"'@.]?)$",
    valid=_valid_secret,
    same=lambda value: value,
)


# --- e-mail --------------------------------------------------------------------------------------

WORD = r"[\p{Latin}0-9]"
ADDRESS = (
    rf"{WORD}(?:[\p{{Latin}}0-9._%+'-]*[\p{{Latin}}0-9_%+-])?"
    rf"@(?:{WORD}(?:[\p{{Latin}}0-9-]*{WORD})?\.)+(?:xn--[A-Za-z0-9-]+|[A-Za-z]{{2,24}})"
)
NO_ADDRESS = (
    r"(?i)@[0-9]x\.|\.(?:shape|size|ndim|dtype|values|grad|data|real|imag|png|jpe?g|gif|svg|webp|js"
    r"|css|html|json|\()$"
)
"""Images for dense screens, versioned files, and products of matrices."""

EMAIL = Kind(
    hint=rf"[\p{{Latin}}0-9_%+-]@{WORD}",
    pattern=rf"{ADDRESS}\(?",
    parts=r"^(?P<before>)(?P<value>[^(]+)(?P<after>)$",
    valid=lambda _, value: ~value.str.contains(NO_ADDRESS),
    same=lambda value: value.str.to_lowercase(),
)


# --- bank accounts and cards ---------------------------------------------------------------------

IBAN_COUNTRIES = {
    15: "NO",
    16: "BE",
    18: "DK|FI|FO|GL|NL|SD",
    19: "MK|SI",
    20: "AT|BA|EE|KZ|LT|LU|XK",
    21: "CH|HR|LI|LV",
    22: "BG|BH|CR|DE|GB|GE|IE|ME|RS|VA",
    23: "AE|GI|IL|IQ|TL",
    24: "AD|CZ|ES|MD|PK|RO|SA|SE|SK|TN|VG",
    25: "LY|PT|ST",
    26: "IS|TR",
    27: "FR|GR|IT|MC|MR|SM",
    28: "AL|AZ|BY|CY|DO|GT|HU|LB|PL|SV",
    29: "BR|EG|PS|QA|UA",
    30: "JO|KW|MU",
    31: "MT|SC",
    32: "LC",
}
"""Countries by the length of their account numbers, from the SWIFT IBAN registry."""

IBAN_LENGTHS = "|".join(
    rf"(?:{countries})[0-9]{{2}}(?:[ \x{{A0}}-]?[0-9A-Z]){{{length - 4}}}"
    for length, countries in IBAN_COUNTRIES.items()
)
LETTERS = [chr(code) for code in range(ord("A"), ord("Z") + 1)]
STEP = 16
LONGEST_IBAN_DIGITS = 64


def _valid_iban(_: pl.Expr, value: pl.Expr) -> pl.Expr:
    """Country and check digits moved to the end, letters as 10…35: 1 modulo 97 (ISO 7064)."""
    plain = _plain(value)
    turned = pl.concat_str(plain.str.slice(4), plain.str.head(4))
    digits = turned.str.replace_many(LETTERS, [str(number) for number in range(10, 36)])
    rest = pl.lit("0")
    for start in range(0, LONGEST_IBAN_DIGITS, STEP):
        part = pl.concat_str(rest, digits.str.slice(start, STEP))
        rest = (part.cast(pl.Int64, strict=False) % 97).cast(pl.String)
    return rest == "1"


IBAN = Kind(
    hint=r"[A-Z]{2}[0-9]{2}[ \x{A0}-]?[0-9A-Z]{4}",
    pattern=rf"{START}(?:{IBAN_LENGTHS}){END}",
    parts=WHOLE,
    valid=_valid_iban,
    same=_plain,
)

ISSUERS = (
    r"^(?:4[0-9]{15}(?:[0-9]{3})?|5[1-5][0-9]{14}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)"
    r"[0-9]{12}|3[47][0-9]{13}|3(?:0[0-5]|[689][0-9])[0-9]{11}|35(?:2[89]|[3-8][0-9])[0-9]{12}"
    r"|6(?:011|5[0-9]{2}|4[4-9][0-9])[0-9]{12}|62[0-9]{14,17}"
    r"|(?:5018|5020|5038|6304|6759|676[1-3])[0-9]{12})$"
)
"""Visa, Mastercard, American Express, Diners Club, JCB, Discover, UnionPay, Maestro."""


def _valid_card(_: pl.Expr, value: pl.Expr) -> pl.Expr:
    """Known issuer and length, and Luhn's sum (ISO/IEC 7812) ends in 0."""
    plain = _plain(value)
    digits = plain.str.split("").list.reverse().cast(pl.List(pl.Int64), strict=False)
    doubled = digits.list.gather_every(2, 1)
    carried = doubled.list.eval((pl.element() > 4).cast(pl.Int64)).list.sum()
    total = digits.list.gather_every(2).list.sum() + 2 * doubled.list.sum() - 9 * carried
    return plain.str.contains(ISSUERS) & (total % 10 == 0)


CREDIT_CARD = Kind(
    hint=r"[0-9]{4}[ \x{A0}-]?[0-9]{4,6}[ \x{A0}-]?[0-9]{4}",
    pattern=rf"{START}(?:[0-9]*\.[0-9]{{9,}}|(?:[0-9]{{4}}[ \x{{A0}}-]){{4,}}[0-9]{{4}}"
    r"|(?:[0-9]{4}[ \x{A0}-]){3}[0-9]{4}(?:[ \x{A0}-][0-9]{3})?"
    rf"|[0-9]{{4}}[ \x{{A0}}-][0-9]{{6}}[ \x{{A0}}-][0-9]{{4,5}}|[0-9]{{14,19}}){END}",
    parts=WHOLE,
    valid=_valid_card,
    same=_plain,
)


# --- social security numbers ---------------------------------------------------------------------

SSN_NAMED = r"(?i:ssn|social security)(?i:\s(?:number|no\.?|num))?(?i:[\"':=#]|\s|is){0,6}"
SSN_NUMBER = (
    r"^(?:00[1-9]|0[1-9][0-9]|[1-578][0-9]{2}|6[0-57-9][0-9]|66[0-57-9])[- ]?(?:0[1-9]|[1-9][0-9])[- ]?"
    r"(?:000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})$"
)
"""Without what was never issued: areas 000, 666 and 900 to 999, group 00, serial 0000."""

SSN = Kind(
    hint=r"[0-9]{3}[- ]?[0-9]{2}[- ]?[0-9]{4}",
    pattern=rf"{SSN_NAMED}[0-9]{{3}}[ -]?[0-9]{{2}}[ -]?[0-9]{{4}}{END}"
    rf"|{START}[0-9]+(?:-[0-9]+)+{END}",
    parts=rf"^(?P<before>(?:{SSN_NAMED})?)(?P<value>[0-9 -]+)(?P<after>)$",
    valid=lambda before, value: (
        value.str.contains(SSN_NUMBER) & ((before != "") | value.str.contains("^...-..-....$"))
    ),
    same=_plain,
)


# --- Internet addresses --------------------------------------------------------------------------

OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
QUAD = rf"{OCTET}(?:\.{OCTET}){{3}}"
FOUR = r"[0-9]+(?:\.[0-9]+){3}"
GROUP = r"[0-9A-Fa-f]{1,4}"


def _valid_ip(_: pl.Expr, value: pl.Expr) -> pl.Expr:
    groups = value.str.count_matches(GROUP)
    short = (value.str.count_matches("::") == 1) & groups.is_between(3, 7)
    whole = ~value.str.contains("::", literal=True) & (groups == 8)
    six = value.str.contains(rf"^{GROUP}(?:::?{GROUP})+$") & (short | whole)
    return value.str.contains(rf"^{QUAD}$") | six


IP = Kind(
    hint=r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]|[23fF][0-9A-Fa-f]{3}:[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]",
    pattern=rf"(?i:{START}(?:v|ver|version|release|build|firmware|section|chapter)[ \t:=.]{{0,3}}){FOUR}"
    rf"|[A-Za-z][/-]{FOUR}|[0-9]+(?:\.[0-9]+){{4,}}|{START}{FOUR}(?:[-+][A-Za-z]|\.[A-Za-z*])"
    rf"|{START}{QUAD}{END}|{START}[23fF][0-9A-Fa-f]{{3}}:[0-9A-Fa-f:]{{2,40}}[0-9A-Fa-f]{END}",
    parts=WHOLE,
    valid=_valid_ip,
    same=lambda value: value.str.to_lowercase(),
)


# --- telephone numbers ---------------------------------------------------------------------------

JOIN = r"[ \x{A0}.()/-]{0,2}"
NORTH_AMERICAN = (
    r"(?:\+?1[ .-]?)?(?:\([2-9][0-9]{2}\)[ .-]?[2-9][0-9]{2}[ .-]?"
    r"|[2-9][0-9]{2}[.-][2-9][0-9]{2}[ .-]|[2-9][0-9]{2} [2-9][0-9]{2}[.-])[0-9]{4}"
)
INTERNATIONAL = rf"\+[1-9](?:{JOIN}[0-9]){{6,14}}|00[1-9][0-9]{{0,2}}[ /-](?:{JOIN}[0-9]){{6,12}}"
FIVE_PAIRS = r"0[1-9](?:[ .-][0-9]{2}){4}"
TRUNK = r"0[1-9][0-9]{1,3}[ /-][0-9]{3,4}[ -]?[0-9]{3,5}"
BRACKETED = (
    r"\([2-9][0-9]{2}\)[ .-]?[2-9][0-9]{2}[ .-]?[0-9]{4}"
    r"|\(0[1-9][0-9]{0,4}\)[ -]?[0-9](?:[ -]?[0-9]){4,8}"
)
PHONE_NAMED = (
    rf"(?i:{START}(?:(?:tele|cell)?phone|tel|mobile|cell|fax|whatsapp|hotline"
    r"|(?:call|text|dial|ring|reach|contact)\s(?:me|us|him|her|them|at|on))"
    r"""(?:\s(?:number|no\.?|num|is|was|me|at|on)){0,3}\.?["']?\s?[:=#]?\s?["']?)"""
)
ANY_NUMBER = rf"[+(]?[0-9](?:{JOIN}[0-9]){{6,13}}"
NO_PHONE = (
    r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    r"[0-9]{16,}",
    r"[0-9]+\.[0-9]{5,}",
    r"[0-9]{2}(?:[ .-][0-9]{2}){5,}",
    r"[0-9]{4}(?:[ -][0-9]{4}){2,}",
)
"""UUIDs, dates, long ids, decimals, bytes, groups of four."""

TOO_MANY_GROUPS = r"[0-9]+(?:[.-][0-9]+){4,}|(?:1[0-9]+|[02-9][0-9]*)(?:[.-][0-9]+){3}"


def _valid_phone(before: pl.Expr, value: pl.Expr) -> pl.Expr:
    shapes = rf"^(?:{NORTH_AMERICAN}|{INTERNATIONAL}|{FIVE_PAIRS}|{TRUNK}|{BRACKETED})$"
    named = (before != "") & value.str.contains(rf"^{ANY_NUMBER}$")
    shaped = value.str.contains(shapes) & ~value.str.contains("0{6}$")
    lookalike = value.str.contains(rf"^(?:{NO_PHONE[1]}|[01][01 ./()-]*$)")
    return (named | shaped) & ~lookalike


PHONE = Kind(
    hint=rf"[0-9](?:{JOIN}[0-9]){{6}}",
    pattern=rf"{PHONE_NAMED}{ANY_NUMBER}{END}\+?|[)\]]\+[0-9]+"
    rf"|{START}(?:{'|'.join(NO_PHONE)}|{FIVE_PAIRS}|{TOO_MANY_GROUPS}){END}\+?"
    rf"|(?:{START}(?:{NORTH_AMERICAN}|{INTERNATIONAL}|{TRUNK})|{BRACKETED}){END}\+?",
    parts=rf"^(?P<before>(?:{PHONE_NAMED})?)(?P<value>[+(]?[0-9][^A-Za-z+]*)(?P<after>)$",
    valid=_valid_phone,
    same=_plain,
)
"""A number directly before `+` is part of a sum."""


KINDS = {
    "secret": SECRET,
    "email": EMAIL,
    "iban": IBAN,
    "credit_card": CREDIT_CARD,
    "ssn": SSN,
    "ip": IP,
    "phone": PHONE,
}
"""By name, in the order in which they are looked for."""

ALLOWED = (
    r"(?i).+@(?:[a-z0-9-]+\.)*(?:example\.(?:com|org|net|edu)|example|test|invalid|localhost)",
    r"(?:git|hg|svn)@.+",
    r"[0-9](?:\.[0-9]){3}",
    r"(?:0|10|127|255)(?:\.[0-9]+){3}",
    r"(?:192\.168|169\.254|172\.(?:1[6-9]|2[0-9]|3[01])|100\.(?:6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7]))"
    r"(?:\.[0-9]+){2}",
    r"(?:192\.0\.2|198\.51\.100|203\.0\.113)\.[0-9]+",
    r"(?i)(?:fe80|f[cd][0-9a-f]{2}|2001:0?db8):[0-9a-f:]*",
    r"078-05-1120|219-09-9999",
    r"(?:\+?1[ .-]?)?\(?[2-9][0-9]{2}\)?[ .-]{0,2}555[ .-]?01[0-9]{2}",
    r"[A-Za-z0-9/+]+EXAMPLE(?:KEY)?",
)
"""Addresses reserved for examples, logins of version control, versions of four single digits, private,
local and documentation networks, advertised SSNs, fictional telephone numbers, keys in AWS's manuals."""
