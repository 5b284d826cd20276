"""The operators of a snapshot's steps, with the parameters it was built with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from dagster_project.identity import code_digest
from dagster_project.operators.base import Operator
from dagster_project.warehouse.reading import OpenSnapshot, Reader


@dataclass(frozen=True)
class StepOperator:
    """A step of a snapshot.

    Attributes:
        number, name: of the step.
        kind: the operator's name.
        input: whose own step it is; None for the joined rows.
        operator: with its parameters; None where there is no such operator any more, or they do not
            fit it.
        changed: whether its code was changed since.
    """

    number: int
    name: str
    kind: str
    input: str | None
    operator: Operator | None
    changed: bool


def step_operators(
    reader: Reader, snapshot: OpenSnapshot, catalogue: Mapping[str, type[Operator]]
) -> list[StepOperator]:
    """The operators of all steps, in order.

    Args:
        reader: of the store.
        snapshot: whose steps.
        catalogue: operators by name.
    """
    return [
        StepOperator(
            number,
            name,
            kind,
            own,
            _operator(catalogue.get(kind), parameters),
            kind in catalogue and code_digest(catalogue[kind].source_file()) != code,
        )
        for number, name, kind, own, parameters, code in reader.all(
            "SELECT step, name, operator, input, parameters, code_hash "
            f"FROM {snapshot.table('steps')} ORDER BY step"
        )
    ]


def _operator(kind: type[Operator] | None, parameters: str) -> Operator | None:
    if kind is None:
        return None
    aliases = {name: field.alias or name for name, field in kind.model_fields.items()}
    given = {aliases.get(name, name): value for name, value in json.loads(parameters).items()}
    try:
        return kind.model_validate(given)
    except ValidationError:
        return None
