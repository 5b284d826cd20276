"""A map of what rows are about, as an SVG picture: an island for each topic, a dot for each row.

Islands that are near each other are of similar topics (classical scaling of the angles between their
means, then moved together, and apart, until nothing overlaps); within an island, dots lie in the order
of their directions by its two principal components, the most typical rows inmost. The picture has
no script and needs no other file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import numpy as np

from dagster_project.engine.profile.coverage import Covered
from dagster_project.engine.profile.coverage_report import CoverageReport
from dagster_project.engine.profile.topics import Topics
from dagster_project.errors import SeedbedError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_POINTS = 5_000
"""Dots that are drawn, of both sides together, evenly taken."""
WIDTH, HEIGHT = 1200.0, 760.0
"""About how large islands are laid out, in pixels."""
LAND = 0.28
"""Share of that which is land."""
LINE = 30
"""Characters of a line of a label."""
_LETTER, _LABEL, _MARGIN, _HEAD = 6.6, 34.0, 10.0, 56.0
"""Pixels: of a letter; of a label's lines; between islands; above them."""
_ROUNDS, _DRAWN_TOGETHER = 600, 200
_FITTED = 300
"""Rows by which the principal components of a topic are told."""
COLOURS = (
    *("#4c8dd6", "#d9822b", "#3da35d", "#c6538c", "#8a6fd1", "#b58a2a"),
    *("#2fa3a3", "#d65f5f", "#7a8f3a", "#5f7fbf", "#b06fc0", "#a8744f"),
)
OURS, THEIRS = "#e07b1a", "#4c8dd6"
"""Where there are two sides: dots of the version, and of what it is drawn over."""
_STYLE = (
    "text{font-family:system-ui,sans-serif;fill:#222}.s{font-size:11px;fill:#666}.n{font-size:12.5px;"
    "font-weight:600}.h{font-size:16px;font-weight:600}.b{fill:#fff}.i{fill:#8888881a;stroke:#88888855}"
    ".x{stroke-dasharray:4 3}path{fill:none;stroke-linecap:round;stroke-width:4;stroke-opacity:.65}"
    "@media(prefers-color-scheme:dark){text{fill:#e8e8e8}.s{fill:#a5a5a5}.b{fill:#16181c}path{stroke-opacity:.9}}"
)
_UNFIT = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML cannot hold."""


class NoMap(SeedbedError):
    """Rows without topics."""


@dataclass(frozen=True)
class _Island:
    """A topic: how many rows of each side are about it, and where which of them are drawn."""

    name: str
    new: bool
    rows: tuple[int, int]
    mean: NDArray[np.float64]
    dots: tuple[NDArray[np.float64], NDArray[np.float64]]

    @property
    def total(self) -> int:
        return sum(self.rows)


def map_picture(found: Covered) -> str:
    """Draw the topics of a version: in a colour each; or, where there is a target of rows, the version's
    rows over those of the target, in two.

    Raises:
        NoMap: when no row has a topic.
    """
    islands = _islands(found.topics) if found.topics is not None else []
    if not islands:
        raise NoMap(
            f"{found.report.version}: no row has a topic to draw; look at all axes, or at topic"
        )
    sizes = np.array([island.total for island in islands], np.float64)
    radii = np.clip(np.sqrt(sizes * LAND * WIDTH * HEIGHT / sizes.sum() / np.pi), 9, None)
    places = _laid_out(islands, radii)
    return "\n".join(_svg(found.report, islands, radii, places)) + "\n"


def _islands(topics: Topics) -> list[_Island]:
    sides = ((topics.rows, topics.vectors), (topics.target, topics.target_vectors))
    step = -(-sum(len(vectors) for _, vectors in sides) // (MOST_POINTS - len(sides))) or 1
    found = []
    for number, name in enumerate(topics.names):
        members = [
            np.flatnonzero((rows["topic"] == name).fill_null(False).to_numpy()) for rows, _ in sides
        ]
        together = np.concatenate(
            [vectors[which] for which, (_, vectors) in zip(members, sides, strict=True)]
        )
        if not len(together):
            continue
        mean = together.mean(axis=0, dtype=np.float64)
        offsets = _offsets(together - mean)
        ours, theirs = np.split(offsets, [len(members[0])])
        found.append(
            _Island(
                name=name,
                new=number >= len(topics.names) - topics.new,
                rows=(len(ours), len(theirs)),
                mean=mean,
                dots=(ours[members[0] % step == 0], theirs[members[1] % step == 0]),
            )
        )
    return found


def _offsets(centred: NDArray[np.floating]) -> NDArray[np.float64]:
    """Where rows lie in the unit disc."""
    if len(centred) < 3:
        return np.array([[0.0, 0.0], [0.5, 0.0]])[: len(centred)]
    fitted = centred[:: max(len(centred) // _FITTED, 1)].astype(np.float64)
    _, vectors = np.linalg.eigh(fitted @ fitted.T)
    axes = vectors[:, -2:].T @ fitted
    axes *= np.where(axes[np.arange(2), np.abs(axes).argmax(axis=1)] < 0, -1, 1)[:, None]
    lengths = np.linalg.norm(axes, axis=1, keepdims=True)
    flat = np.round(centred @ np.divide(axes, lengths, out=axes, where=lengths > 0).T, 5)
    order = np.argsort(np.linalg.norm(flat, axis=1), kind="stable")
    radius = np.empty(len(flat))
    radius[order] = np.sqrt((np.arange(len(flat)) + 0.5) / len(flat))
    angle = np.arctan2(flat[:, 1], flat[:, 0])
    turn = np.empty(len(flat))
    turn[np.argsort(angle, kind="stable")] = 2 * np.pi * np.arange(len(flat)) / len(flat) - np.pi
    angle = 0.25 * angle + 0.75 * turn  # near to all directions being equally full
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _laid_out(islands: Sequence[_Island], radii: NDArray[np.float64]) -> NDArray[np.float64]:
    """The centres of islands, none of which overlaps another or its label."""
    means = np.array([island.mean for island in islands])
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    means = np.divide(means, lengths, out=means, where=lengths > 0)
    places = _scaled(np.round(1 - means @ means.T, 6)) * (WIDTH / 2, HEIGHT / 2)
    labels = np.array([max(map(len, _lines(island.name))) * _LETTER for island in islands])
    half = np.stack(
        [np.maximum(labels / 2, radii) + _MARGIN / 2, radii + (_LABEL + _MARGIN) / 2], axis=1
    )
    for done in range(_ROUNDS):
        if done < _DRAWN_TOGETHER:
            places = places * (0.985, 0.975)
        apart = places[:, None] - places[None]
        overlap = half[:, None] + half[None] - np.abs(apart)
        overlap[np.arange(len(places)), np.arange(len(places))] = -1
        touching = (overlap > 0).all(axis=2)
        if done >= _DRAWN_TOGETHER and not touching.any():
            break
        across = overlap[:, :, 0] < overlap[:, :, 1]
        order = np.arange(len(places))
        way = np.where(apart == 0, np.sign(order[:, None] - order[None])[..., None], np.sign(apart))
        push = np.where(np.stack([across, ~across], axis=2), overlap * way, 0)
        places = places + 0.3 * np.where(np.expand_dims(touching, 2), push, 0).sum(axis=1)
    return places


def _scaled(distances: NDArray[np.floating]) -> NDArray[np.float64]:
    """Points of the plane at about these distances (Torgerson 1952), from -1 to 1, with dense places
    drawn apart: near to as far apart as their order says."""
    count = len(distances)
    centring = np.eye(count) - 1 / count
    values, vectors = np.linalg.eigh(-centring @ (distances**2) @ centring / 2)
    found = np.zeros((count, 2))
    for axis, place in enumerate(range(count - 1, max(count - 3, -1), -1)):
        vector = vectors[:, place] * np.sqrt(max(values[place], 0))
        found[:, axis] = vector * (-1 if vector[np.abs(vector).argmax()] < 0 else 1)
    largest = np.abs(found).max(axis=0)
    found = np.divide(found, largest, out=np.zeros_like(found), where=largest > 1e-9)
    ranks = np.argsort(np.argsort(np.round(found, 5), axis=0, kind="stable"), axis=0, kind="stable")
    return (found + 3 * (2 * ranks / max(count - 1, 1) - 1)) / 4


def _svg(
    report: CoverageReport,
    islands: Sequence[_Island],
    radii: NDArray[np.float64],
    places: NDArray[np.float64],
) -> Iterator[str]:
    labels = np.array([max(map(len, _lines(island.name))) * _LETTER / 2 for island in islands])
    reach = np.stack([np.maximum(radii, labels), radii + _LABEL], axis=1) + 2 * _MARGIN
    low, high = (places - reach).min(axis=0), (places + reach).max(axis=0)
    width = max(high[0] - low[0], 640.0)
    height = high[1] - low[1] + _HEAD
    shift = np.array([(width - (high[0] - low[0])) / 2, _HEAD]) - low
    compared = any(island.rows[1] for island in islands)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" role="img">'
    )
    yield f"<title>What {_text(report.version)} is about</title>"
    yield f"<style>{_STYLE}</style>"
    yield f'<rect class="b" width="{width:.0f}" height="{height:.0f}" rx="8"/>'
    yield from _heading(report, islands, compared)
    for number, (island, radius, place) in enumerate(zip(islands, radii, places, strict=True)):
        colour = OURS if compared else COLOURS[number % len(COLOURS)]
        yield from _drawn(island, float(radius), place + shift, colour, compared)
    yield "</svg>"


def _heading(report: CoverageReport, islands: Sequence[_Island], compared: bool) -> Iterator[str]:
    ours, theirs = (sum(island.rows[side] for island in islands) for side in (0, 1))
    name, other = (each.partition("@")[0] for each in (report.version, report.target or ""))
    yield f'<text class="h" x="20" y="28">{_text(name)}: {len(islands)} topics of {ours:,} rows</text>'
    if compared:
        at = 60 + _LETTER * len(name)
        yield f'<circle cx="26" cy="43" r="5" fill="{OURS}"/>'
        yield f'<text class="s" x="36" y="47">{_text(name)}</text>'
        yield f'<circle cx="{at:.0f}" cy="43" r="5" fill="{THEIRS}"/>'
        told = f"{_text(other)}: {theirs:,} rows; dashed: only there"
        yield f'<text class="s" x="{at + 10:.0f}" y="47">{told}</text>'


def _drawn(
    island: _Island, radius: float, place: NDArray[np.float64], colour: str, compared: bool
) -> Iterator[str]:
    x, y = float(place[0]), float(place[1]) - _LABEL / 2
    ours, theirs = island.rows
    told = f"{ours:,} and {theirs:,} rows" if compared else f"{ours:,} rows"
    yield f"<g><title>{_text(island.name)}: {told}</title>"
    look = "i x" if island.new else "i"
    yield f'<circle class="{look}" cx="{x:.1f}" cy="{y:.1f}" r="{radius + 3:.1f}"/>'
    for dots, ink in zip(reversed(island.dots), (THEIRS, colour), strict=True):
        if len(dots):
            marks = "".join(
                f"M{x + radius * across:.1f} {y + radius * down:.1f}h0"
                for across, down in dots.tolist()
            )
            yield f'<path stroke="{ink}" d="{marks}"/>'
    lines = _lines(island.name)
    base = y + radius + 17
    for number, line in enumerate(lines):
        yield (
            f'<text class="n" text-anchor="middle" x="{x:.1f}" y="{base + 14 * number:.1f}">'
            f"{_text(line)}</text>"
        )
    yield (
        f'<text class="s" text-anchor="middle" x="{x:.1f}" y="{base + 14 * len(lines) - 1:.1f}">'
        f"{told}</text></g>"
    )


def _lines(name: str) -> list[str]:
    """A name, cut to a line."""
    name = " ".join(name.split()) or "?"
    return [name if len(name) <= LINE else name[: LINE - 1] + "…"]


def _text(text: str) -> str:
    return escape(_UNFIT.sub("�", text))
