"""How agreement is shown."""

from __future__ import annotations

from rich.markup import escape

from dagster_project.cli.console import console, print_table
from dagster_project.release.annotation.agreement_report import AgreementReport, Measured
from dagster_project.release.annotation.guideline import said

FEW = 10
"""Confused answers that are shown."""


def show_agreement(found: AgreementReport) -> None:
    """Print all of it."""
    console.print(
        f"[bold]{escape(found.guideline)}[/]: {found.labels:,} labels by {len(found.annotators):,} "
        f"annotators of {found.rows:,} rows, {found.rated_twice:,} of them by two or more"
    )
    print_table(
        [
            {"coefficient": "Krippendorff's alpha, " + found.level, **_measured(found.alpha)},
            {"coefficient": "Fleiss' kappa", **_measured(found.fleiss)},
        ]
    )
    print_table(
        [
            {
                "annotator": each.name,
                "labels": each.labels,
                "as_others": each.equal,
                "above_others": each.above,
                "left_wins": each.left,
                "median_seconds": each.seconds,
            }
            for each in found.annotators
        ]
    )
    print_table(
        [
            {
                "annotators": f"{each.one} and {each.other}",
                "equal": each.equal,
                **_measured(each.kappa),
            }
            for each in found.pairs
        ],
        "Cohen's kappa",
    )
    print_table(
        [
            {"label": each.label, "share": each.share, **_measured(each.alpha)}
            for each in found.choices
        ],
        "Krippendorff's alpha of each label",
    )
    print_table(
        [
            {"answers": f"{said(each.one)} and {said(each.other)}", "times": each.times}
            for each in found.confused[:FEW]
        ],
        "Given to the same row",
    )
    print_table(
        [
            {
                "row": each.task_id.partition("#")[0],
                "disagreement": each.disagreement,
                "answers": ", ".join(
                    f"{name}: {said(answer)}" for name, answer in each.answers.items()
                ),
            }
            for each in found.disputed
        ],
        "Disputed rows",
    )
    spent = [f"{found.seconds / 3600:,.2f} hours"] if found.seconds else []
    spent += [f"${found.cost:,.2f}"] if found.cost else []
    if spent:
        console.print(f"[dim]labelling took {' and '.join(spent)}[/]")


def _measured(found: Measured) -> dict[str, float | None]:
    return {"value": found.value, "low": found.low, "high": found.high, "rows": found.rows}
