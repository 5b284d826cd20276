"""A failure as plain data, and the message that tells of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

if TYPE_CHECKING:
    from dagster_project.orchestration.alerts.config import AlertConfig

FIELD_LIMIT = 300


@dataclass(frozen=True)
class Failure:
    """A check that failed, or a run that did.

    Attributes:
        run_id: of the Dagster run.
        timestamp: when it failed, in seconds since 1970 (UTC).
        asset_key: the dataset version, as `dataset/version`; several joined with `, `.
        check: the check's name; empty for a failed run.
        severity: `ERROR` or `WARN`.
        owners: of the version.
        expected: what the check expects.
        observed: what it saw.
        unexpected_count: rows that do not meet it, where the check counts them.
        description: what else the check says.
        error: first line of what was raised.
        job: the job's name.
        examples: some of the rows; empty unless the user asked for rows.
    """

    run_id: str
    timestamp: float
    asset_key: str = ""
    check: str = ""
    severity: Literal["ERROR", "WARN"] = "ERROR"
    owners: tuple[str, ...] = ()
    expected: str = ""
    observed: str = ""
    unexpected_count: int | None = None
    description: str = ""
    error: str = ""
    job: str = ""
    examples: tuple[str, ...] = ()

    @property
    def failure_id(self) -> str:
        """The same for the same failure however often it is seen, and for no other."""
        what = ["check", self.asset_key, self.check] if self.check else ["run failed"]
        return json.dumps([self.run_id, *what], ensure_ascii=False)

    def scrubbed(self, config: AlertConfig) -> Failure:
        """This failure as it may be told: texts without secrets and on one line, and no rows
        unless they are wanted."""

        def clean(text: str) -> str:
            return one_line(config.scrub(text))  # in this order: a cut secret is not recognized

        return replace(
            self,
            expected=clean(self.expected),
            observed=clean(self.observed),
            description=clean(self.description),
            error=clean(self.error),
            examples=tuple(map(clean, self.examples)) if config.include_rows else (),
        )

    def to_json(self) -> str:
        """As JSON, for the outbox."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Failure:
        """The failure that `to_json` wrote."""
        fields = json.loads(text)
        fields |= {name: tuple(fields[name]) for name in ("owners", "examples")}
        return cls(**fields)


@dataclass(frozen=True)
class Message:
    """What is sent: a title, a plain-text body, and how bad it is."""

    title: str
    body: str
    severity: Literal["ERROR", "WARN", "INFO"]


def build_message(failure: Failure, ui_url: str) -> Message:
    """The message for a failure.

    Args:
        failure: what happened.
        ui_url: address of the Dagster UI, without a slash at the end.
    """
    if failure.check:
        warning = " (warning)" if failure.severity == "WARN" else ""
        title = f"{failure.asset_key}: check {failure.check} failed{warning}"
        asset, check = quote(failure.asset_key), quote(failure.check, safe="")
        link = f"{ui_url}/assets/{asset}?view=checks&checkDetail={check}"
    else:
        title = f"{failure.asset_key or failure.job or 'Dagster'}: run failed"
        link = f"{ui_url}/runs/{quote(failure.run_id)}"
    when = datetime.fromtimestamp(failure.timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    job = f" of {failure.job}" if failure.job and not failure.job.startswith("__") else ""
    repeated = failure.description == failure.observed
    lines = [
        ("Version", failure.asset_key),
        ("Expected", failure.expected),
        ("Observed", failure.observed),
        ("Unexpected rows", _count(failure.unexpected_count)),
        ("Details", "" if repeated else failure.description),
        ("Error", failure.error),
        *(("Example row", example) for example in failure.examples),
        ("Severity", failure.severity),
        ("Owners", ", ".join(failure.owners)),
        ("Run", f"{failure.run_id[:8]}{job}, {when}"),
        ("See", link),
    ]
    body = "\n".join(
        f"{label}: {text if label == 'See' else one_line(text)}" for label, text in lines if text
    )
    return Message(one_line(title), body, failure.severity)


def one_line(text: str) -> str:
    """`text` on one line of at most 300 characters, control characters left out."""
    line = " ".join(text.split())
    line = "".join(character for character in line if character.isprintable())
    return line if len(line) <= FIELD_LIMIT else line[: FIELD_LIMIT - 1] + "…"


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"
