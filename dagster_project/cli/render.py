"""The verb that shows what a trainer sees of a version."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape
from rich.text import Text

from dagster_project.cli.console import PICTURES, console, print_json, print_table
from dagster_project.errors import SeedbedError
from dagster_project.workspace import Workspace

if TYPE_CHECKING:
    from dagster_project.release.chat_template import ChatTemplate
    from dagster_project.release.packing import Packed
    from dagster_project.release.tokenization import Tokenizer
    from dagster_project.release.trainer_view import TrainedText, TrainerReport, TrainerView

LOSS, PROMPT, CUT = "bold green", "dim", "dim red strike"


def add_to(app: typer.Typer) -> None:
    """Add this module's verb."""
    app.command()(render)


def render(
    version: Annotated[str, typer.Argument(help="dataset/version, or …@snapshot.")],
    template: Annotated[
        str,
        typer.Option(
            help="Chat template: chatml, gemma, llama3, mistral, mistral_v7, qwen (2.5), qwen3, "
            "zephyr, or a file: Jinja, or a model's tokenizer_config.json."
        ),
    ] = "chatml",
    row: Annotated[int, typer.Option(help="The row to show.", min=0)] = 0,
    tokenizer: Annotated[
        str,
        typer.Option(
            help="Whose tokens: o200k, cl100k, harmony, llama3, qwen3, or a model's tokenizer.json."
        ),
    ] = "o200k",
    context: Annotated[int, typer.Option(help="Tokens of a sequence.", min=1)] = 2048,
    system: Annotated[
        Literal["template", "merge"],
        typer.Option(help="A system text: as the template has it, or before the first user's."),
    ] = "template",
    end_of_turn: Annotated[
        bool, typer.Option(help="Whether the end of an answer has loss.")
    ] = True,
    today: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The date that a template writes."),
    ] = None,
    statistics: Annotated[bool, typer.Option(help="Read all rows and say how they fit.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """A row as a trainer sees it, and how a version's rows fit a context length."""
    from dagster_project.release.rows import SnapshotRows
    from dagster_project.release.tokenization import tokenizer as tokenizer_of
    from dagster_project.release.trainer_view import TrainerView, trainer_report
    from dagster_project.warehouse.address import SnapshotAddress
    from dagster_project.warehouse.store import Store

    counted_by = tokenizer_of(tokenizer)
    store = Store(Workspace.find().store)
    with (
        _template(template, system, today) as chosen,
        SnapshotRows(store, SnapshotAddress.parse(version)) as rows,
    ):
        view = TrainerView(rows, chosen, end_of_turn=end_of_turn)
        shown = view.row(row)
        report = None
        if statistics:
            with console.status("") as status:
                report = trainer_report(
                    view, counted_by, context, lambda n: status.update(f"[dim]{n:,} texts[/]")
                )
    if as_json:
        print_json({"row": [_told(item) for item in shown], "report": report})
        return
    for item in shown:
        _show_text(view, item, counted_by, context)
    if report is not None:
        _show_report(report)


def _template(name: str, system: Any, today: datetime | None) -> ChatTemplate:
    from dagster_project.release.chat_template import NAMES, ChatTemplate

    path = Path(name)
    if name in NAMES or not (path.suffix or path.exists()):
        return ChatTemplate.named(name, system=system)
    if path.is_dir():
        raise SeedbedError(f"{path} is a folder; name the file with the template in it")
    return ChatTemplate.from_file(path, system=system, today=today.date() if today else None)


def _told(item: TrainedText) -> dict[str, Any]:
    text, spans = item.rendered or (None, [])
    return {
        "row_id": item.row_id,
        "part": item.part,
        "text": text,
        "loss_spans": spans,
        "refused": item.refused or None,
    }


def _show_text(view: TrainerView, item: TrainedText, tokenizer: Tokenizer, context: int) -> None:
    from dagster_project.release.tokenization import loss_tokens, runs

    name = f"{view.rows.address.version}:{item.row_id}" + (f" {item.part}" if item.part else "")
    under = "" if view.is_plain else f" as {view.template.name}"
    console.rule(f"[bold]{escape(name)}[/]{escape(under)}", align="left")
    if item.rendered is None:
        console.print(f"[red]refused[/] {escape(item.refused)}")
        return
    text, spans = item.rendered
    tokens = tokenizer.tokenize([text])
    has_loss, inside = loss_tokens(tokenizer, [text], tokens, [spans])
    shown, at = Text(), 0
    for first, last, loss in runs(has_loss):
        for start, end, kept in (
            (first, min(last, context), True),
            (max(first, context), last, False),
        ):
            if start >= end:
                continue
            style = CUT if not kept else LOSS if loss else PROMPT
            until = int(tokens.ends[end - 1])
            shown.append(tokenizer.written(text, at, until).translate(PICTURES), style)
            at = until
    console.print(shown)
    total, with_loss = len(has_loss), int(has_loss.sum())
    console.print(
        f"[dim]{total:,} tokens of {escape(tokenizer.name)},[/] [{LOSS}]{with_loss:,} with loss[/]"
        + (f", [{CUT}]{total - context:,} cut at {context:,}[/]" if total > context else "")
    )
    if inside[0]:
        console.print(
            "[yellow]an answer begins inside a token of its prompt[/]: when serving, the prompt ends "
            "in another token"
        )
    if item.forged:
        console.print(f"[yellow]somebody says[/] {escape(' '.join(item.forged))} in this chat")


def _show_report(report: TrainerReport) -> None:
    fit = report.packing
    console.rule(f"[bold]{escape(report.version)}[/]", align="left")
    share = fit.loss_tokens / fit.tokens if fit.tokens else 0.0
    console.print(
        f"{report.rows:,} rows, {fit.rows:,} texts, {fit.tokens:,} tokens of "
        f"{escape(report.tokenizer)}, [{LOSS}]{fit.loss_tokens:,} with loss[/] ({share:.1%}); the "
        f"longest has {fit.longest:,}"
    )
    _show_warnings(report)
    console.print(
        f"at {fit.context:,} tokens {fit.rows_truncated:,} texts are cut: {fit.tokens_truncated:,} "
        f"tokens go, {fit.loss_tokens_truncated:,} with loss ({fit.loss_share_truncated:.2%} of "
        f"them), and {fit.rows_left_without_loss:,} texts are left without any"
    )
    print_table(
        [
            _packed("one text a sequence, truncated", fit.one_a_sequence),
            _packed("packed by best fit", fit.best_fit),
            _packed("concatenated and cut", fit.concatenated),
        ]
    )


def _show_warnings(report: TrainerReport) -> None:
    if report.refused:
        console.print(f"[red]{report.refused:,} texts are refused by the template[/]:")
        for refusal in report.refusals:
            console.print(f"  row {refusal.row_id}: {escape(refusal.reason)}")
    if report.packing.rows_without_loss:
        console.print(f"[yellow]{report.packing.rows_without_loss:,} texts have no loss at all[/]")
    if report.forged:
        console.print(
            f"[yellow]in {report.forged:,} texts somebody says marks of the template[/], which most "
            "tokenizers take for its own"
        )
    if report.answers_inside_tokens:
        console.print(
            f"[yellow]in {report.answers_inside_tokens:,} texts an answer begins inside a token of its "
            "prompt[/]: when serving, the prompt ends in another token"
        )
    if report.marks_as_text:
        console.print(
            f"[dim]{escape(report.tokenizer)} has no token {escape(' '.join(report.marks_as_text))}: "
            "they are counted as the text they are[/]"
        )


def _packed(name: str, packed: Packed) -> dict[str, Any]:
    return {
        "packing": name,
        "sequences": packed.sequences,
        "padding tokens": packed.padding,
        "padding": f"{packed.padding_share:.2%}",
        "texts cut": packed.rows_cut,
    }
