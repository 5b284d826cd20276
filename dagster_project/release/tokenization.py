"""Texts as tokens, offline, and which tokens have loss.

A vocabulary that ships with quicktok, or a model's own `tokenizer.json`. Special tokens that stand in a
text become the single tokens they are, where the vocabulary has them; nothing is added to a text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from dagster_project.errors import SeedbedError
from dagster_project.operators.process.measure_length import ENCODINGS
from dagster_project.recipe.problems import no_such
from dagster_project.release.template_rendering import Span

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAMES = tuple(ENCODINGS)
"""Vocabularies that need no file."""


class TokenizerRefused(SeedbedError):
    """A tokenizer that is not there, or a text that it cannot place."""


@dataclass(frozen=True)
class Tokenized:
    """Tokens of some texts.

    Attributes:
        ids: of all texts, one text after the other.
        first: text `i` has `ids[first[i]:first[i + 1]]`.
        starts, ends: of each token, where in its text it begins and ends: in bytes of the text's
            UTF-8, or in characters, as its tokenizer counts.
    """

    ids: NDArray[np.int64]
    first: NDArray[np.int64]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each text."""
        return np.diff(self.first)


class Tokenizer(Protocol):
    """What makes tokens of texts."""

    name: str

    def tokenize(self, texts: Sequence[str]) -> Tokenized:
        """Tokens of texts, and where they stand."""
        ...

    def place(self, text: str, characters: Sequence[int]) -> list[int]:
        """Where these characters of a text stand, as starts and ends of its tokens are counted."""
        ...

    def written(self, text: str, start: int, end: int) -> str:
        """What stands between two places."""
        ...

    def has_token(self, text: str) -> bool:
        """Whether a text is one token that the vocabulary calls special."""
        ...


def tokenizer(name: str) -> Tokenizer:
    """The tokenizer of a name of `NAMES`, or of the path of a `tokenizer.json`.

    Raises:
        TokenizerRefused: when there is none, or the file needs the package `tokenizers`.
    """
    if name in NAMES:
        return QuicktokTokenizer(name)
    if not name.endswith(".json"):
        raise TokenizerRefused(
            f"{no_such('tokenizer', name, NAMES)}; or give the path of a model's tokenizer.json"
        )
    return FileTokenizer(Path(name))


def loss_tokens(
    tokenizer: Tokenizer, texts: Sequence[str], tokens: Tokenized, spans: Sequence[Sequence[Span]]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which tokens have loss: those with any character in a span, as in `apply_chat_template`.

    Args:
        tokenizer: that made the tokens.
        texts: that the tokens are of.
        tokens: of them.
        spans: of each text, in characters, in order.

    Returns:
        For each token, whether it has loss; and for each text, whether a span begins inside a token:
        then the prompt alone has other tokens than it has in front of the answer.
    """
    has_loss = np.zeros(len(tokens.ids), bool)
    inside = np.zeros(len(texts), bool)
    for number, (text, marked) in enumerate(zip(texts, spans, strict=True)):
        if not marked:
            continue
        here = slice(tokens.first[number], tokens.first[number + 1])
        starts, ends = tokens.starts[here], tokens.ends[here]
        places = tokenizer.place(text, [place for span in marked for place in span])
        for begin, end in zip(places[::2], places[1::2], strict=True):
            if begin == end:
                continue
            first = int(np.searchsorted(ends, begin, "right"))
            last = int(np.searchsorted(starts, end, "left"))
            has_loss[here][first:last] = True
            inside[number] |= first < len(starts) and starts[first] < begin
    return has_loss, inside


class QuicktokTokenizer:
    """A vocabulary of quicktok. Places are bytes of UTF-8: tokens are bytes, so that their lengths add
    up to the text's.

    Qwen's tokenizer composes characters first (NFC); then places are bytes of the composed text.

    Args:
        name: of `NAMES`.
    """

    def __init__(self, name: str) -> None:
        import quicktok

        self.name = name
        self._encoding = quicktok.get_encoding(ENCODINGS[name])  # pyright: ignore[reportArgumentType]
        self._composes = name == "qwen3"
        self._known_lengths = np.full(self._encoding.n_vocab, -1, np.int64)

    def tokenize(self, texts: Sequence[str]) -> Tokenized:
        given = [_without_lone_surrogates(text) for text in texts]
        ids, first = self._encoding.encode_batch(given, with_special=True)
        first = np.asarray(first, np.int64)
        lengths = self._bytes_of(ids)
        ends = np.cumsum(lengths)
        before = np.concatenate([[0], ends])[first[:-1]]
        ends = ends - np.repeat(before, np.diff(first))
        return Tokenized(np.asarray(ids, np.int64), first, ends - lengths, ends)

    def place(self, text: str, characters: Sequence[int]) -> list[int]:
        if text.isascii():
            return list(characters)
        text = _without_lone_surrogates(text)
        if self._composes and self._read(text) != text.encode():
            return [len(self._read(text[:character])) for character in characters]
        places, here, before = [], 0, 0
        for character in characters:
            here += len(text[before:character].encode())
            before = character
            places.append(here)
        return places

    def written(self, text: str, start: int, end: int) -> str:
        return self._read(_without_lone_surrogates(text))[start:end].decode("utf-8", "replace")

    def has_token(self, text: str) -> bool:
        return text in self._encoding.special_tokens_set

    def _read(self, text: str) -> bytes:
        """The text as its tokens have it."""
        return self._encoding.decode_bytes(self._encoding.encode_with_special(text))

    def _bytes_of(self, ids: NDArray[np.integer]) -> NDArray[np.int64]:
        """The bytes of each token."""
        for token in np.unique(ids[self._known_lengths[ids] < 0]).tolist():
            self._known_lengths[token] = len(self._encoding.decode_single_token_bytes(token))
        return self._known_lengths[ids]


class FileTokenizer:
    """A model's own `tokenizer.json`, read by the package `tokenizers`. Places are characters.

    Args:
        path: of the file.

    Raises:
        TokenizerRefused: when it cannot be read, or the package is not installed.
    """

    def __init__(self, path: Path) -> None:
        try:
            from tokenizers import Tokenizer as Read  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise TokenizerRefused(
                f"to read {path}, install the package: pip install 'seedbed[tokenizers]'"
            ) from error
        self.name = path.name
        try:
            self._tokenizer: Any = Read.from_str(path.read_text("utf-8"))
        except OSError as error:
            raise TokenizerRefused(f"{path} cannot be read: {error.strerror}") from error
        except Exception as error:  # the package raises nothing more exact
            raise TokenizerRefused(f"{path} is no tokenizer: {error}") from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        added = self._tokenizer.get_added_tokens_decoder().values()
        self._special = {token.content for token in added if token.special}

    def tokenize(self, texts: Sequence[str]) -> Tokenized:
        given = [_without_lone_surrogates(text) for text in texts]
        read = self._tokenizer.encode_batch(given, add_special_tokens=False)
        lengths = [len(one.ids) for one in read]
        ids = np.fromiter((token for one in read for token in one.ids), np.int64, sum(lengths))
        places = np.array([place for one in read for place in one.offsets], np.int64)
        places = places.reshape(-1, 2)
        first = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)
        return Tokenized(ids, first, places[:, 0], places[:, 1])

    def place(self, text: str, characters: Sequence[int]) -> list[int]:
        return list(characters)

    def written(self, text: str, start: int, end: int) -> str:
        return text[start:end]

    def has_token(self, text: str) -> bool:
        return text in self._special


def runs(has_loss: NDArray[np.bool_]) -> Iterator[tuple[int, int, bool]]:
    """The runs of tokens that all have loss, or all have none: first, one after the last, which."""
    edges = np.flatnonzero(np.diff(has_loss)) + 1
    bounds = [0, *edges.tolist(), len(has_loss)]
    for first, last in pairwise(bounds):
        if first < last:
            yield first, last, bool(has_loss[first])


def _without_lone_surrogates(text: str) -> str:
    """Halves of a surrogate pair have no UTF-8; each becomes one `?`, so that places stay."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text
