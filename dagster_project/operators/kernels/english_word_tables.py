"""What spaCy's English tokenizer knows of characters, contractions, abbreviations and emoticons
(spaCy 3.8, spacy/lang/char_classes.py, spacy/lang/en/tokenizer_exceptions.py), as tables."""

from __future__ import annotations

import sys
import unicodedata
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from dagster_project.operators.kernels.shingles import compiled, mix

if TYPE_CHECKING:
    from numpy.typing import NDArray

(
    SPACE,
    LETTER,
    LOWER,
    UPPER,
    DIGIT,
    PREFIX,
    SUFFIX,
    QUOTE,
    ICON,
    CURRENCY,
    SYMBOL,
    TERMINAL,
    PUNCT,
) = (1 << bit for bit in range(13))
"""What a code point can be. `SYMBOL`: a word of nothing else does not count as one for Gopher's rules.
`TERMINAL` ends a sentence."""

_PUNCTUATION = "…,:;!?¿؟¡()[]{}<>_#*&。？！，、；：～·।،۔؛٪"
_QUOTES = "'\"”“`‘´’‚,„»«「」『』（）〔〕【】《》〈〉⟦⟧"
_CURRENCY = "$£€¥฿₽﷼₴₠₡₢₣₤₥₦₧₨₩₪₫₭₮₯₰₱₲₳₵₶₷₸₹₺₻₼₾₿"
_GOPHER = (
    "!/—”:％１〈&(、━\\【#%「」，】；+^]~“《„';’{|∶´[=-`*．（–？！：$～«〉,><》)?）。…@_.\"}►»"
)
_TERMINAL = (
    "21 2e 3f 589 61d 61e 61f 6d4 700 701 702 7f9 837 839 83d 83e 964 965 104a 104b 1362 1367 "
    "1368 166e 1735 1736 17d4 17d5 17d6 17d9 17da 1803 1809 1944 1945 1aa8 1aa9 1aaa 1aab 1b5a "
    "1b5b 1b5e 1b5f 1b7d 1b7e 1c3b 1c3c 1c7e 1c7f 203c 203d 2047 2048 2049 2e2e 2e3c 2e53 2e54 "
    "3002 a4ff a60e a60f a6f3 a6f7 a876 a877 a8ce a8cf a92f a9c8 a9c9 aa5d aa5e aa5f aaf0 aaf1 "
    "abeb fe52 fe56 fe57 ff01 ff0e ff1f ff61 10a56 10a57 10f55 10f56 10f57 10f58 10f59 10f86 "
    "10f87 10f88 10f89 11047 11048 110be 110bf 110c0 110c1 11141 11142 11143 111c5 111c6 111cd "
    "111de 111df 11238 11239 1123b 1123c 112a9 1144b 1144c 115c2 115c3 115c9 115ca 115cb 115cc "
    "115cd 115ce 115cf 115d0 115d1 115d2 115d3 115d4 115d5 115d6 115d7 11641 11642 1173c 1173d "
    "1173e 11944 11946 11a42 11a43 11a9b 11a9c 11c41 11c42 11ef7 11ef8 11f43 11f44 16a6e 16a6f "
    "16af5 16b37 16b38 16b44 16e98 1bc9f 1da88"
)
"""Code points that end a sentence, in hexadecimal; of all scripts."""
_UNITS = (
    "km km² km³ m m² m³ dm dm² dm³ cm cm² cm³ mm mm² mm³ ha µm nm yd in ft kg g mg µg t lb oz m/s "
    "kmh mph hPa Pa mb MB kb KB gb GB tb TB T G M K %"
)
_ABBREVIATIONS = (
    "Mt. Ak. Ala. Apr. Ariz. Ark. Aug. Calif. Colo. Conn. Dec. Del. Feb. Fla. Ga. Ia. Id. Ill. Ind. "
    "Jan. Jul. Jun. Kan. Kans. Ky. La. Mar. Mass. Mich. Minn. Miss. N.C. N.D. N.H. N.J. N.M. N.Y. "
    "Neb. Nebr. Nev. Nov. Oct. Okla. Ore. Pa. S.C. Sep. Sept. Tenn. Va. Wash. Wis. a.m. p.m. Adm. "
    "Bros. co. Co. Corp. D.C. Dr. e.g. E.g. E.G. Gen. Gov. i.e. I.e. I.E. Inc. Jr. Ltd. Md. Messrs. "
    "Mo. Mont. Mr. Mrs. Ms. Ph.D. Prof. Rep. Rev. Sen. St. vs. v.s. and/or w/o 're 'Cause 'cause 'd "
    "'cos 'Cos 'coz 'Coz 'cuz 'Cuz 'bout ma'am Ma'am o'clock O'clock lovin' Lovin' havin' Havin' "
    "doin' Doin' goin' Goin' nothin' Nothin' nuthin' Nuthin' ol' Ol' somethin' Somethin' 'em 'll "
    "'nuff 's 'S ''"
)
_EMOTICONS = (
    "(*_*) (-8 (-: (-; (-_-) (._.) (: (; (= (>_<) (^_^) (o: (¬_¬) (ಠ_ಠ) (╯°□°）╯︵┻━┻ )-: ): -_- "
    "-__- ._. 0.0 0.o 0_0 0_o 8) 8-) 8-D 8D :'( :') :'-( :'-) :( :(( :((( :() :) :)) :))) :* "
    ":-( :-(( :-((( :-) :-)) :-))) :-* :-/ :-0 :-3 :-> :-D :-O :-P :-X :-] :-o :-p :-x :-| :-} "
    ":/ :0 :1 :3 :> :D :O :P :X :] :o :o) :p :x :| :} ;) ;-) ;-D ;D ;_; <.< </3 <3 <33 <333 =( "
    "=) =/ =3 =D =[ =] =| >.< >.> >:( >:o ><(((*> @_@ O.O O.o O_O O_o V.V V_V XD XDD [-: [: [= "
    "]= ^_^ ^__^ ^___^ o.0 o.O o.o o_0 o_O o_o v.v v_v xD xDD ¯\\(ツ)/¯ ಠ_ಠ ಠ︵ಠ"
)
_UNCASED = ((0x0900, 0x09FF), (0x0B80, 0x0CFF), (0x0D80, 0x0DFF))
"""Devanagari and Bengali; Tamil, Telugu and Kannada; Sinhala."""
LONGEST = 14
"""Code points of the longest special case."""

Tables = tuple[
    "NDArray[np.uint16]", "NDArray[np.uint64]", "NDArray[np.int64]", "NDArray[np.uint64]"
]


@cache
def word_tables() -> Tables:
    """What each code point is; hashes of special cases, sorted, and how each is cut (a byte for each
    part's length); hashes of units of measure, sorted."""
    kinds = np.zeros(sys.maxunicode + 1, np.uint16)
    for point in range(0x32400):  # nothing above is assigned, but variation selectors
        character, category = chr(point), unicodedata.category(chr(point))
        kind = 0
        if character.isspace():
            kind |= SPACE
        if character.isalpha():
            kind |= LETTER
            kind |= 0 if category in ("Lu", "Lt") else LOWER
            kind |= 0 if category == "Ll" else UPPER
        if any(first <= point <= last for first, last in _UNCASED):
            kind |= LOWER | UPPER  # vowel signs too
        if category == "So":
            kind |= ICON | PREFIX | SUFFIX
        if category[0] == "P":
            kind |= PUNCT
        kinds[point] = kind
    kinds[ord("0") : ord("9") + 1] |= DIGIT
    controls = [*range(9), 11, *range(13, 32), *range(127, 160), 12]
    for points, kind in (
        (_PUNCTUATION, PREFIX | SUFFIX),
        (_QUOTES, PREFIX | SUFFIX | QUOTE),
        (_CURRENCY, PREFIX | CURRENCY),
        ("§%=—–+", PREFIX),
        ("—–", SUFFIX),
        (_GOPHER, SYMBOL),
        ("".join(map(chr, controls)), SYMBOL),
        ("".join(chr(int(point, 16)) for point in _TERMINAL.split()), TERMINAL | SYMBOL),
    ):
        for character in points:
            kinds[ord(character)] |= kind
    cases = _special_cases()
    hashes = np.array([hash_of(case) for case in cases], np.uint64)
    cuts = np.array(
        [sum(len(part) << (8 * i) for i, part in enumerate(parts)) for parts in cases.values()],
        np.int64,
    )
    order = np.argsort(hashes)
    units = np.sort(np.array([hash_of(unit) for unit in _UNITS.split()], np.uint64))
    return kinds, hashes[order], cuts[order], units


def hash_of(word: str) -> int:
    """The hash under which the compiled code knows a word."""
    points = np.array([ord(character) for character in word], np.int32)
    return int(hash_points(points, 0, len(points)))


def _special_cases() -> dict[str, tuple[str, ...]]:
    """Words with an apostrophe or a full stop that are cut in their own way, or not at all."""
    found: dict[str, tuple[str, ...]] = {}

    def add(stem: str, *ends: str) -> None:
        for start in (stem, stem.title()):
            for parts in ((start, *ends), (start, *(end.replace("'", "") for end in ends))):
                if "".join(parts).lower() not in (
                    ["ill", "its", "hell", "shell", "shed", "were", "well", "whore"]
                ):
                    found["".join(parts)] = parts

    add("i", "'m")
    pronouns = ["i", "you", "he", "she", "it", "we", "they"]
    questions = ["who", "what", "when", "where", "why", "how", "there", "that", "this"]
    for word in [*pronouns, *questions, "these", "those"]:
        add(word, "'ll")
        add(word, "'d")
        add(word, "'ll", "'ve")
        add(word, "'d", "'ve")
    for word in [
        "he",
        "she",
        "it",
        "who",
        "what",
        "when",
        "where",
        "why",
        "how",
        "there",
        "that",
        "this",
    ]:
        add(word, "'s")
    plural = [
        "you",
        "we",
        "they",
        "who",
        "what",
        "when",
        "where",
        "why",
        "how",
        "there",
        "these",
        "those",
    ]
    for word in ["i", *plural, "could", "might", "must", "should", "would"]:
        add(word, "'ve")
    for word in plural:
        add(word, "'re")
    verbs = [
        "ca",
        "could",
        "do",
        "does",
        "did",
        "had",
        "may",
        "might",
        "must",
        "need",
        "ought",
        "sha",
        "should",
        "wo",
        "would",
    ]
    for word in [*verbs, *["ai", "are", "is", "was", "were", "have", "has", "dare"]]:
        add(word, "n't")
    for word in verbs:
        add(word, "n't", "'ve")
    for first, second in (("can", "not"), ("gon", "na"), ("got", "ta")):
        add(first, second)
    for start in ("let", "Let"):
        found[f"{start}'s"] = (start, "'s")
    for hour in range(1, 13):
        for half in ("am", "pm", "a.m.", "p.m."):
            found[f"{hour}{half}"] = (str(hour), half)
    found |= {"y'all": ("y'", "all"), "c'mon": ("c'm", "on"), "C'mon": ("C'm", "on")}
    found |= {word: (word,) for word in (*_ABBREVIATIONS.split(), *_EMOTICONS.split())}
    found |= {f"{chr(letter)}.": (f"{chr(letter)}.",) for letter in range(ord("a"), ord("z") + 1)}
    curly = {
        case.replace("'", "’"): tuple(part.replace("'", "’") for part in parts)
        for case, parts in found.items()
    }
    return found | curly


@compiled
def hash_points(points, start, end):
    """A hash of some code points."""
    value = np.uint64(end - start)
    for at in range(start, end):
        value = (value ^ np.uint64(points[at])) * np.uint64(0x9E3779B97F4A7C15)
        value ^= value >> np.uint64(29)
    return mix(value)
