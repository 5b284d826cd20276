"""Compliance: whether rows may be used: licences, personal data, and what a policy forbids."""

from __future__ import annotations

import re
from collections.abc import Iterator

import polars as pl

from dagster_project.engine.profile.judged_rows import JudgedRows, broken_rules
from dagster_project.engine.profile.trait import Figure, Thresholds, Trait, share_of_rows, trait
from dagster_project.operators.process.redact_pii import KindName, RedactPii
from dagster_project.warehouse.address import SnapshotAddress
from dagster_project.warehouse.connect import identifier, literal

LICENCE = Thresholds(0.0, 0.05)
SECRETS = Thresholds(0.0, 0.001)
CONTACTS = Thresholds(0.002, 0.02)

LICENCE_COLUMNS = ("licence", "license")
RESTRICTED = re.compile(
    r"(?i)\b(?:nc|nd|non-?commercial|no-?derivatives?|proprietary|research[- ]only|all rights reserved)\b"
)
"""Licences under which models may not be sold, or texts not be changed."""
UNKNOWN = ("", "unknown", "none", "other", "n/a", "unspecified")

IDENTIFIERS: tuple[KindName, ...] = ("secret", "iban", "credit_card", "ssn")
CONTACT: tuple[KindName, ...] = ("email", "phone", "ip")


def compliance(judged: JudgedRows) -> Trait:
    """Rows without a licence, or with one that restricts their use, and with personal data."""
    columns = ["chat"] if judged.rows.parts.chat else judged.compared
    figures = [*_licences(judged)]
    for name, kinds, thresholds in (
        ("secrets, accounts, identity numbers", IDENTIFIERS, SECRETS),
        ("e-mail, telephone, IP addresses", CONTACT, CONTACTS),
    ):
        finds = RedactPii(columns=tuple(columns), kinds=kinds, max_found=0)
        with_any = judged.frame.with_columns(pl.col(columns[1:]).fill_null(""))
        rows = broken_rules(finds, with_any)["pii"]
        mend = f"redact_pii: {{columns: {judged.columns}}}"
        figures.append(share_of_rows(name, rows, judged.frame.height, mend, thresholds))
    notes = [
        "names of persons are not looked for (redact_names does), nor is policy: declare it in checks"
    ]
    if judged.frame.height < judged.rows.total:
        notes.append(f"personal data: of {judged.frame.height:,} rows, drawn at random")
    return trait("compliance", figures, notes)


def _licences(judged: JudgedRows) -> Iterator[Figure]:
    """Of all rows: by a column of licences where there is one, else by what inputs declare."""
    rows, total = judged.rows, judged.rows.total
    named = next((name for name in rows.schema if name.lower() in LICENCE_COLUMNS), None)
    if named is not None and rows.schema[named] == pl.String:
        query = f"SELECT row_id, trim({identifier(named)}) AS licence FROM {rows.snapshot.table('rows')}"
        declared = rows.reader.connection.sql(query).pl()
        mend = f'filter_rows: {{keep: "{named} IS NOT NULL"}}'
    else:
        declared = _declared(judged)
        mend = "licence: …  # of the input, in its recipe"
    licence = pl.col("licence").fill_null("")
    lacking = licence.str.to_lowercase().is_in(UNKNOWN)
    lacks = declared.filter(lacking)["row_id"].unique().sort()
    yield share_of_rows("no licence", lacks, total, mend, LICENCE)
    bound = declared.filter(licence.str.contains(RESTRICTED.pattern))
    kinds = bound["licence"].unique().sort().to_list()
    said = f"restricted licence ({', '.join(kinds)})" if kinds else "restricted licence"
    yield share_of_rows(
        said,
        bound["row_id"].unique().sort(),
        total,
        "leave these inputs out, or keep the model to yourself",
        LICENCE,
    )


def _declared(judged: JudgedRows) -> pl.DataFrame:
    """`row_id` and `licence` of everything external that a row comes from."""
    rows = judged.rows
    licences = [
        (number, licence)
        for number in rows.snapshot.inputs
        for licence in _of_input(judged, rows.snapshot.address, number)
    ]
    if not licences:
        return pl.DataFrame(schema={"row_id": pl.Int64, "licence": pl.String})
    listed = ", ".join(
        f"({number}, {'NULL' if licence is None else literal(licence)})"
        for number, licence in licences
    )
    return rows.reader.connection.sql(
        f"SELECT DISTINCT row_id, licence FROM {rows.snapshot.table('lineage')} "
        f"JOIN (VALUES {listed}) AS declared(parent_input, licence) USING (parent_input)"
    ).pl()


def _of_input(judged: JudgedRows, address: SnapshotAddress, number: int) -> list[str | None]:
    """Licences of an input: its own, else those of all that it comes from."""
    snapshot = judged.rows.reader.open(address)
    own = snapshot.inputs[number]
    if own.licence is not None:
        return [own.licence]
    if own.generated:
        models = judged.rows.reader.all(
            f"SELECT DISTINCT licence FROM {snapshot.table('teachers')}"
        )
        return sorted({licence for (licence,) in models}, key=lambda each: each or "")
    if own.upstream is None:
        return [None]
    upstream = judged.rows.reader.open(own.upstream)
    found = {each for above in upstream.inputs for each in _of_input(judged, own.upstream, above)}
    return sorted(found, key=lambda each: each or "")
