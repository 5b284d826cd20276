"""What a materialization of an arena shows: who stands where, and learning curves."""

from typing import Any

import dagster as dg
import duckdb
import polars as pl

from dagster_project.arena.contest import RESULTS
from dagster_project.arena.standing import standing
from dagster_project.orchestration.picture import picture
from dagster_project.orchestration.tables import one, table

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 420, 150, 46, 22, 8
COLOURS = ("#4f43dd", "#1f9d6b", "#d9822b", "#c23030", "#7157d9", "#00838f", "#8d6e63")


def arena_metadata(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Leaderboard and learning curves; nothing where the snapshot is not that of an arena.

    Args:
        connection: in which the snapshot's tables have their own names.
    """
    if not one(connection, "SELECT count(*) FROM inputs WHERE kind = 'contest'"):
        return {}
    results = connection.sql(f"SELECT {', '.join(RESULTS)} FROM rows").pl()
    if results.is_empty():
        return {}
    names = results["contestant"].unique(maintain_order=True).to_list()
    against = "random of pool" if "random of pool" in names else names[0]
    found = standing(results, against)
    shown: dict[str, Any] = {"leaderboard": _leaderboard(found)}
    for (model,), own in found.group_by("model", maintain_order=True):
        curve = own.filter(pl.col("budget") == "rows")
        if curve["amount"].n_unique() > 1:
            shown[f"learning_curve_{model}"] = dg.MetadataValue.md(picture(_curves(curve)))
        last = own.filter(pl.col("budget") != "all").sort("amount")
        for name, score in last.group_by("contestant", maintain_order=True).agg(
            pl.col("score").last()
        ).iter_rows():  # fmt: skip
            slug = "_".join(str(name).split())
            shown[f"score_{model}_{slug}"] = float(score)
    return shown


def _leaderboard(found: pl.DataFrame) -> dg.MetadataValue | None:
    rows = []
    for row in found.iter_rows(named=True):
        difference = ""
        if row["difference"] is not None:
            difference = f"{row['difference']:+.4f} ({row['low']:+.4f} to {row['high']:+.4f})"
        rows.append(
            {
                "model": row["model"],
                "trained on": "all rows" if row["budget"] == "all" else
                f"{row['amount']:,} {row['budget']}",
                "contestant": row["contestant"],
                "score": round(row["score"], 4),
                "difference (95 %)": difference,
                "verdict": row["verdict"] or "",
                "rows": round(row["rows"]),
                "tokens": round(row["tokens"]),
            }
        )  # fmt: skip
    return table(rows)


def _curves(curve: pl.DataFrame) -> str:
    """Scores by rows trained on, one line a contestant, as a small inline SVG."""
    amounts = sorted(curve["amount"].unique().to_list())
    least, most = float(curve["score"].min()), float(curve["score"].max())  # pyright: ignore
    span = (most - least) or 1.0

    def x(amount: int) -> float:
        return LEFT + amounts.index(amount) * (WIDTH - LEFT - 110) / max(len(amounts) - 1, 1)

    def y(score: float) -> float:
        return TOP + (most - score) / span * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<text x="{x(amount):.0f}" y="{HEIGHT - 6}" font-size="9" text-anchor="middle" fill="#777">'
        f"{amount:,}</text>"
        for amount in amounts
    ]
    parts += [
        f'<text x="{LEFT - 6}" y="{y(value) + 3:.0f}" font-size="9" text-anchor="end" fill="#777">'
        f"{value:.3f}</text>"
        for value in (least, most)
    ]
    for index, ((name,), own) in enumerate(curve.group_by("contestant", maintain_order=True)):
        colour = COLOURS[index % len(COLOURS)]
        points = [(x(a), y(s)) for a, s in own.sort("amount").select("amount", "score").iter_rows()]
        line = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        )
        parts.append(
            f'<text x="{WIDTH - 100}" y="{TOP + 12 + 14 * index}" font-size="10" fill="{colour}">'
            f"{_escaped(str(name))[:22]}</text>"
        )
    body = "".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'font-family="sans-serif">{body}</svg>'
    )


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
