"""What became of the alerts."""

from __future__ import annotations

from dataclasses import dataclass

from dagster_project.orchestration.alerts.config import AlertConfig
from dagster_project.orchestration.alerts.failure import Failure
from dagster_project.orchestration.alerts.outbox import ChannelTally, Outbox

FAILURES_BEFORE_ALARM = 3


@dataclass(frozen=True)
class ChannelStatus:
    """A channel's tally, and whether it is configured now."""

    tally: ChannelTally
    configured: bool

    @property
    def undelivered(self) -> int:
        """Alerts that have not arrived."""
        return self.tally.pending + self.tally.dead

    @property
    def is_dead(self) -> bool:
        """Whether alerts are stuck: the URL is unusable, or three attempts in a row failed."""
        failing = self.tally.failures_in_row
        return self.undelivered > 0 and (
            failing >= FAILURES_BEFORE_ALARM or (failing > 0 and self.tally.dead > 0)
        )


@dataclass(frozen=True)
class AlertStatus:
    """All channels, and the failures that no channel was there for, newest first."""

    channels: tuple[ChannelStatus, ...]
    unrouted: tuple[Failure, ...]

    @property
    def dead(self) -> list[ChannelStatus]:
        """Configured channels on which alerts are stuck."""
        return [c for c in self.channels if c.configured and c.is_dead]


def status(config: AlertConfig, outbox: Outbox) -> AlertStatus:
    """How every channel, configured or waited for, is doing.

    Raises:
        OutboxError: when the outbox cannot be used.
    """
    tallies = {tally.channel: tally for tally in outbox.tallies()}
    configured = [channel.name for channel in config.channels]
    names = [*configured, *(name for name in tallies if name not in configured)]
    return AlertStatus(
        tuple(
            ChannelStatus(tallies.get(name, ChannelTally(name)), name in configured)
            for name in names
        ),
        tuple(outbox.unrouted()),
    )


def in_words(status: AlertStatus) -> str:
    """The status in a sentence or two, for the UI."""
    if status.dead:
        said = [
            f"{c.tally.channel}: {c.undelivered} undelivered, failed attempts in a row: "
            f"{c.tally.failures_in_row} ({c.tally.last_error})"
            for c in status.dead
        ]
        return "alerts do not arrive. " + "; ".join(said)
    sent = sum(c.tally.sent for c in status.channels)
    waiting = sum(c.undelivered for c in status.channels if c.configured)
    stranded = sum(c.undelivered for c in status.channels if not c.configured)
    parts = [f"{sent} sent"]
    if waiting:
        parts.append(f"{waiting} waiting for the next attempt")
    if stranded:
        parts.append(f"{stranded} for channels that are no longer configured")
    if status.unrouted:
        parts.append(f"{len(status.unrouted)} not sent because no channel was configured")
    return ", ".join(parts)
