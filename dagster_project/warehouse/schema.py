"""The tables of a snapshot.

A snapshot is one DuckDB file. Beside `rows` (`row_id BIGINT` and the version's own columns) it
holds the tables below. Rows are named by dense 64-bit integers, sorted:

- `row_id` numbers the rows of this snapshot, from 0;
- `(parent_input, parent_row_id)` names a row of an input: `parent_input` is `inputs.input`, and
  `parent_row_id` is the `row_id` in the upstream snapshot, or the number of the landed record;
- `ordinal` tells apart the rows that a step split out of one; 0 otherwise.

`row_hashes.content_hash` is md5 over the row's JSON as an unsigned 128-bit integer; it says "same
content" across versions and runs.
"""

from __future__ import annotations

FORMAT = 3
"""Version of this layout, recorded in `manifest`. Part of every recipe's identity, so that what has
another layout is built again."""

TABLES: dict[str, str] = {
    "lineage": """
        row_id BIGINT NOT NULL, parent_input USMALLINT NOT NULL, parent_row_id BIGINT NOT NULL,
        ordinal UINTEGER NOT NULL, relation VARCHAR NOT NULL, changed_by UBIGINT NOT NULL""",
    "dispositions": """
        parent_input USMALLINT NOT NULL, parent_row_id BIGINT NOT NULL, ordinal UINTEGER NOT NULL,
        step USMALLINT NOT NULL, disposition VARCHAR NOT NULL, rule VARCHAR, measured VARCHAR,
        threshold VARCHAR, survivor_input USMALLINT, survivor_row_id BIGINT,
        survivor_ordinal UINTEGER, similarity DOUBLE, error VARCHAR""",
    "quarantine": """
        parent_input USMALLINT NOT NULL, parent_row_id BIGINT NOT NULL, ordinal UINTEGER NOT NULL,
        step USMALLINT NOT NULL, error VARCHAR NOT NULL, content VARCHAR""",
    "steps": """
        step USMALLINT NOT NULL, name VARCHAR NOT NULL, operator VARCHAR NOT NULL, input VARCHAR,
        parameters VARCHAR NOT NULL, code_hash VARCHAR NOT NULL, rows_in BIGINT NOT NULL,
        kept BIGINT NOT NULL, changed BIGINT NOT NULL, merged BIGINT NOT NULL,
        split BIGINT NOT NULL, dropped BIGINT NOT NULL, quarantined BIGINT NOT NULL,
        generated BIGINT NOT NULL, rows_out BIGINT NOT NULL, seconds DOUBLE NOT NULL,
        cached BIGINT NOT NULL, rule_names VARCHAR[] NOT NULL""",
    "step_rules": """
        step USMALLINT NOT NULL, rule VARCHAR NOT NULL, disposition VARCHAR NOT NULL,
        parent_input USMALLINT NOT NULL, row_count BIGINT NOT NULL""",
    "inputs": """
        input USMALLINT NOT NULL, name VARCHAR NOT NULL, kind VARCHAR NOT NULL,
        reference VARCHAR NOT NULL, snapshot_id VARCHAR, content_id VARCHAR NOT NULL,
        licence VARCHAR, row_count BIGINT NOT NULL, fetched_at TIMESTAMP NOT NULL""",
    "reference_inputs": """
        input USMALLINT NOT NULL, name VARCHAR NOT NULL, kind VARCHAR NOT NULL,
        reference VARCHAR NOT NULL, snapshot_id VARCHAR, content_id VARCHAR NOT NULL,
        licence VARCHAR, row_count BIGINT NOT NULL, fetched_at TIMESTAMP NOT NULL""",
    "input_files": """
        input USMALLINT NOT NULL, name VARCHAR NOT NULL, uri VARCHAR NOT NULL,
        sha256 VARCHAR NOT NULL, size BIGINT NOT NULL""",
    "scores": """
        parent_input USMALLINT NOT NULL, parent_row_id BIGINT NOT NULL, ordinal UINTEGER NOT NULL,
        row_id BIGINT""",
    "pairs": """
        step USMALLINT NOT NULL, parent_input USMALLINT NOT NULL, parent_row_id BIGINT NOT NULL,
        ordinal UINTEGER NOT NULL, other_input USMALLINT NOT NULL, other_row_id BIGINT NOT NULL,
        other_ordinal UINTEGER NOT NULL, similarity DOUBLE NOT NULL, matched VARCHAR""",
    "cuts": """
        step USMALLINT NOT NULL, parent_input USMALLINT NOT NULL, parent_row_id BIGINT NOT NULL,
        ordinal UINTEGER NOT NULL, column_name VARCHAR NOT NULL, start UINTEGER NOT NULL,
        length UINTEGER NOT NULL, other_input USMALLINT NOT NULL, other_row_id BIGINT NOT NULL,
        other_ordinal UINTEGER NOT NULL""",
    "row_hashes": "row_id BIGINT NOT NULL, content_hash UHUGEINT NOT NULL",
    "checks": """
        name VARCHAR NOT NULL, suite VARCHAR NOT NULL, expectation VARCHAR NOT NULL,
        arguments VARCHAR NOT NULL, severity VARCHAR NOT NULL, blocking BOOLEAN NOT NULL,
        passed BOOLEAN NOT NULL, expected VARCHAR NOT NULL, observed VARCHAR NOT NULL,
        element_count BIGINT, unexpected_count BIGINT, error VARCHAR""",
    "check_failures": "name VARCHAR NOT NULL, row_id BIGINT NOT NULL",
    "metrics": """
        metric VARCHAR NOT NULL, stage VARCHAR NOT NULL, subject VARCHAR, value DOUBLE NOT NULL""",
    "seed_inputs": """
        input USMALLINT NOT NULL, name VARCHAR NOT NULL, kind VARCHAR NOT NULL,
        reference VARCHAR NOT NULL, snapshot_id VARCHAR, content_id VARCHAR NOT NULL,
        licence VARCHAR, row_count BIGINT NOT NULL, fetched_at TIMESTAMP NOT NULL""",
    "generated_inputs": """
        input USMALLINT NOT NULL, step USMALLINT NOT NULL, generator VARCHAR NOT NULL,
        motive VARCHAR NOT NULL, origin VARCHAR NOT NULL, asked BIGINT NOT NULL,
        enough BIGINT NOT NULL, accepted BIGINT NOT NULL, candidates BIGINT NOT NULL,
        attempts BIGINT NOT NULL, stopped_by VARCHAR NOT NULL""",
    "generations": """
        parent_input USMALLINT NOT NULL, parent_row_id BIGINT NOT NULL, attempt BIGINT NOT NULL,
        depth USMALLINT NOT NULL, seed_input USMALLINT, seed_row_ids BIGINT[] NOT NULL,
        made_from BIGINT[] NOT NULL, teachers VARCHAR[] NOT NULL, rejected VARCHAR""",
    "ledger": """
        step USMALLINT NOT NULL, parent_input USMALLINT NOT NULL, parent_row_id BIGINT NOT NULL,
        ordinal UINTEGER NOT NULL, attempt BIGINT, purpose VARCHAR NOT NULL,
        provider VARCHAR NOT NULL, model VARCHAR NOT NULL, sampling VARCHAR NOT NULL,
        request_hash VARCHAR NOT NULL, prompt VARCHAR NOT NULL, response VARCHAR NOT NULL,
        finish_reason VARCHAR NOT NULL, tokens_in BIGINT NOT NULL, tokens_out BIGINT NOT NULL,
        dollars DOUBLE NOT NULL, seconds DOUBLE NOT NULL""",
    "ancestors": "input USMALLINT NOT NULL, kind VARCHAR NOT NULL, reference VARCHAR NOT NULL",
    "teachers": "teacher VARCHAR NOT NULL, provider VARCHAR NOT NULL, licence VARCHAR",
    "synthetic": "row_id BIGINT NOT NULL, depth USMALLINT NOT NULL, teachers VARCHAR[] NOT NULL",
    "manifest": "key VARCHAR NOT NULL, value VARCHAR NOT NULL",
}
"""Columns of every table but `rows`.

- `lineage`: one row an edge. `relation` is kept, changed, split, merged or generated; bit *s* of
  `changed_by` is set when step *s* changed the row.
- `dispositions`: one row for each input row (or split part) that is not in `rows`: `disposition`
  is dropped, merged (into the survivor) or quarantined; `step` 65535 means it was not readable
  when it was landed, or erased before; `step` 65533 that it was erased from the snapshot.
- `reference_inputs`: what rows were compared with; none is made from it. Columns as in `inputs`,
  numbered after them.
- `pairs`: rows that a step found alike, each once, with how alike they are; also those that were
  not alike enough to be merged. The other may be a row of a reference; `matched` is text of the row
  that shows it.
- `metrics`: what a step (`stage`) says in numbers about all rows, or about a `subject`, such as a
  reference.
- `generated_inputs`: inputs whose rows were made: how many were asked for, how many would have been
  enough, how many were accepted, and why no more were made: `enough`, `budget`, `max_candidates` or
  `no_more_attempts`.
- `generations`: one row for each candidate of such an input, numbered as its records are: the seeds
  it was made from (rows of `seed_inputs`, numbered after the references), earlier candidates of the
  same input that it was made from, `depth` (1 + that of the deepest of them; 0 for what nobody
  generated), the models that it comes from, and the content of a candidate that its generator
  rejected.
- `ledger`: every paid call, whether it was made in this run or answered from the records; `attempt` where
  a generator made it, whose candidates have the same, and otherwise the row that it was about.
- `synthetic`: the rows that were generated, or come from such upstream.
- `ancestors`: for each input, everything that its rows come from, however far up, seeds too: versions
  and external sources, as recipes refer to them.
- `teachers`: the models in `teachers` lists, with the licence of their answers.
- `cuts`: spans that a step cut out of a text, in bytes of the text's UTF-8 before that step, and a
  row in which the same text stays.
- `scores`: the columns that steps measured, one DuckDB column each beside the key, for kept rows
  (`row_id` set) and removed rows (`row_id` null).
- `steps`: `changed` counts rows that go on with other content; rows_in = kept + changed + merged
  + split + dropped + quarantined; `cached` counts the rows whose result came from the stage cache.
"""

ERASE_STEP = 65533
"""The step number of dispositions of rows that a snapshot lost to an erasure after it was made. The table
`erased` of such a snapshot names the rows: `row_id BIGINT, erasure VARCHAR`."""

LANDING_STEP = 65535
"""The step number of dispositions that happened before any step: unreadable and erased records."""
