"""What a materialization shows of rows that were made: from how many candidates, at what cost."""

from typing import Any

import duckdb

from dagster_project.orchestration.tables import records, table

MADE = """
SELECT i.name AS input, g.generator, g.motive, g.asked, g.accepted, g.candidates,
    coalesce(d.rejected, 0) AS rejected, coalesce(d.failed, 0) AS failed, g.attempts,
    coalesce(l.tokens, 0)::BIGINT AS tokens, round(coalesce(l.dollars, 0), 6) AS dollars,
    round(coalesce(l.dollars / nullif(g.accepted, 0), 0), 6) AS dollars_a_row,
    g.stopped_by
FROM generated_inputs g JOIN inputs i USING (input)
LEFT JOIN (
    SELECT parent_input AS input, count(*) FILTER (disposition <> 'quarantined') AS rejected,
        count(*) FILTER (disposition = 'quarantined') AS failed
    FROM dispositions GROUP BY ALL
) d USING (input)
LEFT JOIN (
    SELECT parent_input AS input, sum(tokens_in + tokens_out) AS tokens, sum(dollars) AS dollars
    FROM ledger GROUP BY ALL
) l USING (input)
ORDER BY g.input
"""

SPENT = """
SELECT steps.name AS step, purpose, model, provider, count(*) AS calls,
    sum(tokens_in)::BIGINT AS tokens_in, sum(tokens_out)::BIGINT AS tokens_out,
    round(sum(ledger.dollars), 6) AS dollars, round(sum(ledger.seconds), 1) AS seconds
FROM ledger JOIN steps USING (step)
GROUP BY steps.step, steps.name, purpose, model, provider
ORDER BY dollars DESC, calls DESC, steps.step, purpose, model
"""

TEACHERS = """
SELECT teacher, provider, coalesce(licence, 'not declared') AS licence FROM teachers
"""

NUMBERS = """
SELECT (SELECT count(DISTINCT row_id) FROM synthetic), (SELECT count(*) FROM rows),
    (SELECT coalesce(max(depth), 0) FROM synthetic),
    (SELECT coalesce(sum(tokens_in + tokens_out), 0)::BIGINT FROM ledger),
    (SELECT coalesce(sum(dollars), 0) FROM ledger)
"""


def synthesis_metadata(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Tables and numbers about generated rows and paid calls; nothing where there are none.

    Args:
        connection: in which the snapshot's tables have their own names.
    """
    ((generated, rows, deepest, tokens, dollars),) = connection.execute(NUMBERS).fetchall()
    shown: dict[str, Any] = {}
    made = records(connection, MADE)
    if made:
        shown["generated_inputs"] = table(made)
        shown["rows_accepted"] = sum(each["accepted"] for each in made)
        shown["candidates"] = sum(each["candidates"] for each in made)
    if generated:
        shown["synthetic_rows"] = generated
        shown["synthetic_share"] = round(generated / rows, 4) if rows else 0.0
        shown["deepest_generation"] = deepest
    spent = records(connection, SPENT)
    if spent:
        shown["spend_by_step"] = table(spent)
        shown["spend_tokens"] = tokens
        shown["spend_dollars_a_row"] = round(dollars / rows, 8) if rows else 0.0
    teachers = records(connection, TEACHERS)
    if teachers:
        shown["teachers"] = table(teachers)
    return shown
