"""Characters that nobody sees, removed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import polars as pl
from pydantic import Field

from dagster_project.operators.process.text_cleaner import _TextCleaner, characters_removed

KindName = Literal[
    "control", "zero_width", "bidi", "bom", "soft_hyphen", "objects", "private_use", "unassigned"
]
KINDS: dict[KindName, str] = {
    "control": r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]",
    "zero_width": r"[\u200b-\u200d\u2060-\u2064\u180e\x{E0000}-\x{E007F}]",
    "bidi": r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f]",
    "bom": r"\ufeff",
    "soft_hyphen": r"\u00ad",
    "objects": r"[\ufff9-\ufffc]",
    "private_use": r"\p{Co}",
    "unassigned": r"[\p{Cn}&&[^\x{E0000}-\x{E007F}]]",
}

JOINING = "".join(
    rf"\p{{scx={script}}}"
    for script in [
        "Arabic",
        "Syriac",
        "Mandaic",
        "Nko",
        "Mongolian",
        "Devanagari",
        "Bengali",
        "Gurmukhi",
        "Gujarati",
        "Oriya",
        "Tamil",
        "Telugu",
        "Kannada",
        "Malayalam",
        "Sinhala",
        "Tibetan",
        "Myanmar",
        "Khmer",
        "Balinese",
        "Javanese",
        "Brahmi",
        "Grantha",
        "Kaithi",
    ]
)
"""Scripts in which a joiner or non-joiner changes how a letter looks."""

UNSPACED = "".join(rf"\p{{scx={script}}}" for script in ("Thai", "Lao", "Khmer", "Myanmar"))
"""Scripts in which a zero-width space stands between words."""

EMOJI = r"\p{Extended_Pictographic}[\ufe0f\x{1F3FB}-\x{1F3FF}]*"
MEANT = (
    rf"[{JOINING}&&[\p{{L}}\p{{M}}]][\u200c\u200d]"
    rf"|[{UNSPACED}&&[\p{{L}}\p{{M}}\p{{N}}]]\u200b"
    rf"|{EMOJI}(?:\u200d{EMOJI})+"
    r"|\x{1F3F4}[\x{E0020}-\x{E007E}]+\x{E007F}"
)
"""Zero-width characters that are part of the writing, with what they follow."""


class RemoveCharacters(_TextCleaner):
    """Removes characters that nobody sees: control characters, invisible marks, unassigned codes.

    Works on texts, and on the `content` of each message of a chat column. The kinds:

    | kind | what |
    |---|---|
    | `control` | control characters (C0, DEL, C1) and whole terminal escapes (`ESC[31m`) |
    | `zero_width` | zero-width space, joiner and non-joiner, word joiner, invisible operators, tags |
    | `bidi` | marks, embeddings and overrides of the direction of writing |
    | `bom` | byte order mark, U+FEFF, anywhere |
    | `soft_hyphen` | U+00AD |
    | `objects` | object replacement character and interlinear annotations, U+FFF9 to U+FFFC |
    | `private_use` | codes that mean something in one font only |
    | `unassigned` | codes without a character, to the Unicode version that the library polars knows |

    White space stays, control characters among it too (tab, line feed, form feed, U+0085, …): it is
    for `normalize_text`, which in turn removes nothing of this. Variation selectors stay.

    With `keep_meant`, zero-width characters stay that are part of the writing: joiners and
    non-joiners directly after a letter of Arabic (so of Persian), an Indic or another script that
    has them; joiners between emoji; zero-width spaces after Thai, Lao, Khmer and Burmese letters;
    the tags of flags. Marks of direction change how mixed Hebrew or Arabic and Latin is laid
    out; leave `bidi` out where that matters.

    Adds the annotation `removed_characters`: how many code points went in the row. Applying it twice
    is applying it once.

    Example:
        - remove_characters: {columns: [text], kinds: [control, zero_width, bom]}

    Raises:
        OperatorMisuse: for a column that holds neither text nor chat messages, or chat messages
            without roles when `roles` are given.
    """

    kinds: tuple[KindName, ...] = Field(
        default=tuple(KINDS), min_length=1, description="What is removed; default: all."
    )
    keep_meant: bool = Field(
        default=True, description="Keep zero-width characters that are part of the writing."
    )

    def _hints(self) -> Sequence[str]:
        return ["|".join(KINDS[kind] for kind in self.kinds)]

    def _clean(self, text: pl.Expr) -> pl.Expr:
        [characters] = self._hints()
        if not self.keep_meant:
            return text.str.replace_all(characters, "")
        return text.str.replace_all(f"(?P<meant>{MEANT})|{characters}", "${meant}")

    def _measures(self) -> Mapping[str, Callable[[pl.Expr], pl.Expr]]:
        return {"removed_characters": characters_removed(self._clean)}
