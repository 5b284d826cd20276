"""Of what is planted in small corpora, as `python -m benchmarks.truth` plants it, operators find what
they must, and nothing else."""

from __future__ import annotations

import polars as pl
import pytest

from benchmarks.truth import passages
from benchmarks.truth.applying import apply
from benchmarks.truth.base_rows import documents
from benchmarks.truth.duplicates import THRESHOLD, plant, verified


@pytest.mark.parametrize("shingles", ["words", "characters"])
def test_near_duplicates_are_found_and_no_others(shingles: str) -> None:
    texts = [[word + " " for word in text.split()[:80]] for text in documents(None, 60)]
    rows, planted = plant(texts, shingles, pairs=10)
    given = {"columns": ["text"], "shingles": shingles, "threshold": THRESHOLD}
    done = apply("deduplicate_near", given, pl.DataFrame({"text": rows}))
    alike = [copy for copy, _, similarity in planted if similarity >= THRESHOLD]
    assert len(planted) == 50
    assert len(alike) == 30
    assert len(done.gone & set(alike)) >= 0.98 * len(alike)
    right, merged = verified(done, rows, shingles)
    assert right == merged


@pytest.mark.parametrize(("tokens", "cut"), [(50, True), (49, False)])
def test_passages_are_cut_from_fifty_tokens_on(tokens: int, cut: bool) -> None:
    rows, spans = passages._planted_passages(None, tokens, changed=False)
    cuts = apply("deduplicate_substrings", {"column": "text"}, pl.DataFrame({"text": rows})).cuts
    whole = {(row, start, end - start) for row, start, end in spans}
    found = {(row, start) for row, start, _ in cuts.iter_rows()}
    assert len(whole) > 100
    assert len(found) == (len(whole) if cut else 0)
