"""What a version's rows have in common with evaluation sets."""

from __future__ import annotations

from dagster_project.errors import SeedbedError
from dagster_project.warehouse.address import Answer, Row, Snapshot, SnapshotAddress
from dagster_project.warehouse.connect import identifier
from dagster_project.warehouse.reading import OpenSnapshot, Reader, reading
from dagster_project.warehouse.store import Store

OPERATORS = ("decontaminate", "decontaminate_semantic")
EXAMPLES = 5


class NotCompared(SeedbedError):
    """A snapshot whose rows were not compared with evaluation sets."""


class SourceRows(Answer):
    """Rows of one source, an input of the recipe, that hold too much of an item.

    Attributes:
        source: name of the input.
        removed: how many went.
        stayed: how many are in the version, only marked.
    """

    source: str
    removed: int
    stayed: int


class Match(Answer):
    """A row and an item that it holds a part of.

    Attributes:
        source: the input that the row came from.
        row: its address there; None for a record of an external input.
        number: its number there.
        item: the item's number in its evaluation set.
        share: how much of the item is in the row, or how similar they are, 0 to 1.
        matched: text of the row that shows it.
    """

    source: str
    row: Row | None
    number: int
    item: int
    share: float
    matched: str | None


class EvaluationSet(Answer):
    """What one step found of one evaluation set.

    Attributes:
        step: name of the step.
        reference: name of the evaluation set in the recipe.
        items: how many it has.
        items_not_checked: those that are too short to be looked for.
        items_found: those that a row holds too much of.
        rows_found: rows that hold too much of an item.
        sources: where these rows came from, by the item that each holds most of.
        matches: the greatest shares.
    """

    step: str
    reference: str
    items: int
    items_not_checked: int
    items_found: int
    rows_found: int
    sources: tuple[SourceRows, ...]
    matches: tuple[Match, ...]

    @property
    def share_found(self) -> float:
        """Of the items that were looked for, the share that was found."""
        checked = self.items - self.items_not_checked
        return self.items_found / checked if checked else 0.0


class Contamination(Answer):
    """What a snapshot's rows have in common with evaluation sets."""

    snapshot: Snapshot
    sets: tuple[EvaluationSet, ...]


def contamination(
    store: Store | Reader, version: SnapshotAddress, examples: int = EXAMPLES
) -> Contamination:
    """Tell what was found of each evaluation set that a version's rows were compared with.

    Args:
        store: where; or an open reader of it.
        version: a version, or one snapshot of it.
        examples: matches to tell of each set, at most.

    Raises:
        NotCompared: when no step looked for evaluation sets.
        NotPublished: when the version has no current snapshot.
    """
    with reading(store) as reader:
        snapshot = reader.open(version)
        steps = [step for step in snapshot.steps.values() if step.operator in OPERATORS]
        if not steps:
            raise NotCompared(
                f"{snapshot.address}: no step looked for evaluation sets; add `decontaminate` or "
                "`decontaminate_semantic` to the recipe"
            )
        numbers = {origin.name: number for number, origin in snapshot.references.items()}
        sets = []
        for step in steps:
            counts: dict[str, dict[str, int]] = {}
            for metric, subject, value in reader.all(
                f"SELECT metric, subject, value::BIGINT FROM {snapshot.table('metrics')} "
                "WHERE stage = ? AND subject IS NOT NULL",
                [step.name],
            ):
                counts.setdefault(subject, {})[metric] = value
            for name in sorted(counts, key=lambda name: numbers[name]):
                sets.append(
                    EvaluationSet(
                        step=step.name,
                        reference=name,
                        **counts[name],
                        sources=_sources(reader, snapshot, step.number, numbers[name]),
                        matches=_matches(reader, snapshot, step.number, numbers[name], examples),
                    )
                )
        return Contamination(snapshot=snapshot.address, sets=tuple(sets))


def _sources(
    reader: Reader, snapshot: OpenSnapshot, step: int, reference: int
) -> tuple[SourceRows, ...]:
    removed = dict(
        reader.all(
            f"SELECT parent_input, count(*) FROM {snapshot.table('dispositions')} "
            f"WHERE step = {step} AND survivor_input = {reference} GROUP BY ALL"
        )
    )
    stayed = _stayed(reader, snapshot, step, reference)
    return tuple(
        SourceRows(source=origin.name, removed=removed.get(number, 0), stayed=stayed.get(number, 0))
        for number, origin in snapshot.inputs.items()
        if number in removed or number in stayed
    )


def _stayed(reader: Reader, snapshot: OpenSnapshot, step: int, reference: int) -> dict[int, int]:
    """Rows of the version that hold too much of an item of this set more than of others, by input."""
    ((parameters,),) = reader.all(
        f"SELECT parameters->>'prefix' FROM {snapshot.table('steps')} WHERE step = {step}"
    )
    over, by = (identifier(parameters + name) for name in ("contaminated", "contaminated_by"))
    name = snapshot.references[reference].name
    return dict(
        reader.all(
            f"SELECT parent_input, count(*) FROM {snapshot.table('scores')} "
            f"WHERE row_id IS NOT NULL AND {over} AND starts_with({by}, ?) GROUP BY ALL",
            [f"{name}:"],
        )
    )


def _matches(
    reader: Reader, snapshot: OpenSnapshot, step: int, reference: int, examples: int
) -> tuple[Match, ...]:
    return tuple(
        Match(
            source=snapshot.inputs[number].name,
            row=snapshot.inputs[number].row(row),
            number=row,
            item=item,
            share=share,
            matched=matched,
        )
        for number, row, item, share, matched in reader.all(
            "SELECT parent_input, parent_row_id, other_row_id, similarity, matched "
            f"FROM {snapshot.table('pairs')} WHERE step = {step} AND other_input = {reference} "
            f"ORDER BY similarity DESC, 1, 2, 3 LIMIT {examples}"
        )
    )
