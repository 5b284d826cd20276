"""Sending what the outbox holds, through Apprise."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dagster_project.errors import SeedbedError
from dagster_project.orchestration.alerts.config import AlertConfig, Channel
from dagster_project.orchestration.alerts.failure import Message, build_message, one_line
from dagster_project.orchestration.alerts.outbox import Outbox

if TYPE_CHECKING:
    from apprise import AppriseResult

SEND_TIMEOUT_SECONDS = 15.0

_sending_to: ContextVar[Channel | None] = ContextVar("sending_to", default=None)


class NotSent(SeedbedError):
    """A channel did not take a message. Says why, without a piece of the URL."""


class ChannelUnusable(NotSent):
    """A URL that Apprise cannot make sense of: waiting will not help."""


@dataclass(frozen=True)
class ChannelResult:
    """How sending to a channel went.

    Attributes:
        channel: the channel's name.
        error: None when the message was taken.
    """

    channel: str
    error: str | None = None


def deliver(config: AlertConfig, outbox: Outbox, seconds: float = 20.0) -> list[ChannelResult]:
    """Send what is due, oldest first, and note in the outbox how each went.

    At least once: a message counts as sent only after its channel took it, so that a crash in
    between sends it again. A channel that fails rests for half a minute and does not hold up the
    others.

    Args:
        config: the channels to send to; what waits for other channels goes on waiting.
        outbox: what to send.
        seconds: start nothing new after this long.

    Raises:
        OutboxError: when the outbox cannot be used.
    """
    channels = {channel.name: channel for channel in config.channels}
    results: list[ChannelResult] = []
    until = time.monotonic() + seconds
    while channels and time.monotonic() < until and (claim := outbox.claim(list(channels))):
        try:
            send(channels[claim.channel], build_message(claim.failure, config.ui_url))
        except ChannelUnusable as error:
            outbox.mark_dead(claim, str(error))
            results.append(ChannelResult(claim.channel, str(error)))
        except NotSent as error:
            outbox.mark_failed(claim, str(error))
            results.append(ChannelResult(claim.channel, str(error)))
        else:
            outbox.mark_sent(claim)
            results.append(ChannelResult(claim.channel))
    return results


def send_test(config: AlertConfig, outbox: Outbox) -> list[ChannelResult]:
    """Send a test message to every channel now, and note in the outbox how each went.

    Raises:
        OutboxError: when the outbox cannot be used.
    """
    body = f"Alerts of failed checks and runs will arrive here.\nSee: {config.ui_url}"
    results = []
    for channel in config.channels:
        error = None
        try:
            send(channel, Message("Seedbed: test alert", body, "INFO"))
        except NotSent as refusal:
            error = str(refusal)
        outbox.note_attempt(channel.name, error)
        results.append(ChannelResult(channel.name, error))
    return results


def send(channel: Channel, message: Message) -> None:
    """Send one message to one channel and wait, at most 15 s, until it is taken.

    Raises:
        ChannelUnusable: when Apprise cannot read the URL.
        NotSent: when the channel did not take the message.
    """
    import apprise

    kind = {
        "ERROR": apprise.NotifyType.FAILURE,
        "WARN": apprise.NotifyType.WARNING,
        "INFO": apprise.NotifyType.INFO,
    }[message.severity]
    with _no_secret_logged(channel):
        try:
            service = apprise.Apprise(
                asset=apprise.AppriseAsset(
                    app_id="Seedbed",
                    app_desc="Seedbed alerts",
                    storage_mode=apprise.PersistentStoreMode.MEMORY,
                    service_timeout=SEND_TIMEOUT_SECONDS,
                )
            )
            if service.add(channel.url):
                result = service.notify(
                    body=message.body,
                    title=message.title,
                    notify_type=kind,
                    body_format=apprise.NotifyFormat.TEXT,
                )
                refusal = None if result else NotSent(_reason(result, channel))
            else:
                refusal = ChannelUnusable("Apprise cannot read this URL; see its list of services")
        except Exception as error:
            refusal = NotSent(f"Apprise failed with {type(error).__name__}")
    # Raised out here, so that no error of Apprise, which may quote the URL, hangs on ours.
    if refusal:
        raise refusal


def _reason(result: AppriseResult, channel: Channel) -> str:
    if result.status.name == "TIMEOUT":
        return f"no answer within {SEND_TIMEOUT_SECONDS:.0f} s"
    reasons = [entry.message for entry in result.logs()]
    return one_line(channel.scrub(reasons[-1].rstrip("."))) if reasons else "Apprise gave no reason"


@contextmanager
def _no_secret_logged(channel: Channel) -> Iterator[None]:
    """Keep Apprise's log to itself, and pieces of the channel's URL, which it and the HTTP client
    quote, out of what they log meanwhile. Apprise still collects its warnings in its result."""
    apprise_log = logging.getLogger("apprise")
    apprise_log.propagate = False
    apprise_log.setLevel(logging.WARNING)
    if not apprise_log.handlers:
        apprise_log.addHandler(logging.NullHandler())
    for name in ("apprise", "urllib3.connectionpool", "urllib3.util.retry"):
        logging.getLogger(name).addFilter(_scrub_record)
    token = _sending_to.set(channel)
    try:
        yield
    finally:
        _sending_to.reset(token)


def _scrub_record(record: logging.LogRecord) -> bool:
    channel = _sending_to.get()
    if channel is not None:
        record.msg, record.args = channel.scrub(record.getMessage()), None
        record.exc_info = record.exc_text = None
    return True
