"""Words of prose in any script, as Rust regular expressions."""

from __future__ import annotations

UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}ー\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
"""Letters of the scripts that put no space between words, for use within brackets."""

_FEW_LETTERS = (
    r"[\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]{1,4}|[\p{Han}\p{Hiragana}\p{Katakana}ー]{1,2}"
)

WORD = rf"{_FEW_LETTERS}|\b[\p{{L}}--[{UNSPACED}]][\w--[{UNSPACED}]]*"
"""A word that begins with a letter; of those scripts two letters, or four where they are an alphabet."""

CHUNK = rf"{_FEW_LETTERS}|[^\s{UNSPACED}]+"
"""A word or whatever else stands between spaces."""
