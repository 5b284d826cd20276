from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dagster_project.orchestration.alerts.config import AlertConfig, named_channels
from dagster_project.orchestration.alerts.delivery import ChannelResult, deliver, send_test
from dagster_project.orchestration.alerts.failure import Failure
from dagster_project.orchestration.alerts.outbox import LEASE_SECONDS
from dagster_project.orchestration.alerts.status import in_words, status

ROOT = Path(__file__).parents[3]
CANARY = "hunter2canary"

DELIVERING = """
import sys
from pathlib import Path
from dagster_project.orchestration.alerts.config import AlertConfig, named_channels
from dagster_project.orchestration.alerts.delivery import deliver
from dagster_project.orchestration.alerts.failure import Failure
from dagster_project.orchestration.alerts.outbox import Outbox

config = AlertConfig(channels=named_channels([sys.argv[2]]))
outbox = Outbox(Path(sys.argv[1]))
failures = [Failure(run_id=str(n), timestamp=1.0, asset_key="d/v", check="c") for n in range(25)]
outbox.enqueue(failures[: int(sys.argv[3])], [channel.name for channel in config.channels])
deliver(config, outbox)
"""


def failure(check: str) -> Failure:
    return Failure(run_id="run", timestamp=1.0, asset_key="d/v", check=check)


def to(*urls: str) -> AlertConfig:
    return AlertConfig(channels=named_channels(urls))


def names(config: AlertConfig) -> list[str]:
    return [channel.name for channel in config.channels]


def delivering(path: Path, url: str, failures: int) -> subprocess.Popen:
    code = [sys.executable, "-c", DELIVERING, str(path), url, str(failures)]
    return subprocess.Popen(code, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})


def test_each_failure_is_sent_once_to_each_channel(outbox, webhook) -> None:
    config = to(webhook.url("one"), webhook.url("two"))
    outbox.enqueue([failure("a"), failure("b")], names(config))
    assert [result.error for result in deliver(config, outbox)] == [None] * 4
    assert deliver(config, outbox) == []
    assert webhook.titles() == ["d/v: check a failed"] * 2 + ["d/v: check b failed"] * 2
    assert webhook.received[0]["type"] == "failure"


def test_a_dead_channel_delivers_when_it_comes_alive(outbox, clock, webhook) -> None:
    dead, alive = webhook, type(webhook)()
    dead.close()
    config = to(dead.url(), alive.url())
    outbox.enqueue([failure("a"), failure("b")], names(config))
    deliver(config, outbox)
    assert alive.titles() == ["d/v: check a failed", "d/v: check b failed"]
    assert not status(config, outbox).dead
    for _ in range(2):
        clock.now += 60
        deliver(config, outbox)
    (found,) = status(config, outbox).dead
    assert (found.tally.pending, found.tally.failures_in_row) == (2, 3)
    assert "Connection error" in (found.tally.last_error or "")

    revived = type(webhook)(dead.port)
    clock.now += 3600
    deliver(config, outbox)
    assert revived.titles() == ["d/v: check a failed", "d/v: check b failed"]
    assert len(alive.received) == 2
    assert in_words(status(config, outbox)) == "4 sent"
    revived.close()
    alive.close()


def test_a_url_apprise_cannot_read_is_a_dead_channel_beside_live_ones(outbox, webhook) -> None:
    config = to(f"nonsense://{CANARY}", CANARY, webhook.url())
    outbox.enqueue([failure("a")], names(config))
    deliver(config, outbox)
    assert len(webhook.received) == 1
    found = status(config, outbox)
    assert [channel.tally.channel for channel in found.dead] == names(config)[:2]
    assert "Apprise cannot read this URL" in in_words(found)


def test_several_processes_at_once_send_each_alert_once(tmp_path: Path, webhook) -> None:
    path = tmp_path / "alerts.sqlite"
    children = [delivering(path, webhook.url(), 25) for _ in range(3)]
    assert [child.wait(60) for child in children] == [0, 0, 0]
    assert len(webhook.received) == 25


def test_a_process_killed_between_send_and_mark_is_followed_by_a_second_delivery(
    outbox, clock, webhook
) -> None:
    config = to(webhook.url())
    clock.now = time.time()  # the child goes by the real time
    outbox.enqueue([failure("a")], names(config))
    child = delivering(outbox.path, webhook.url(), 0)
    webhook.on_receipt = child.kill  # the message is there, the child has no answer yet
    assert child.wait(60) == -signal.SIGKILL
    assert len(webhook.received) == 1

    webhook.on_receipt = lambda: None
    clock.now = time.time()
    assert deliver(config, outbox) == []
    clock.now += LEASE_SECONDS
    assert [result.error for result in deliver(config, outbox)] == [None]
    assert webhook.titles() == ["d/v: check a failed"] * 2


@pytest.mark.parametrize("answer", [200, 404])
def test_no_secret_of_a_url_is_kept_or_logged(outbox, webhook, answer, caplog, capfd) -> None:
    webhook.answer = answer
    caplog.set_level(logging.NOTSET)
    config = to(
        f"json://me:{CANARY}1@127.0.0.1:{webhook.port}/{CANARY}2/x?+X-Key={CANARY}3&rto=1",
        f"json://me:{CANARY}1@127.0.0.1:1/{CANARY}2?+X-Key={CANARY}3",
        f"nonsense://{CANARY}",
        f"slack://{CANARY}",
        f"discord://{CANARY}",
    )
    outbox.enqueue([failure("a")], names(config))
    results = [*deliver(config, outbox), *send_test(config, outbox)]
    assert len(results) == 10
    assert sum(result.error is None for result in results) == (2 if answer == 200 else 0)
    assert len(webhook.received) == 2
    told = [repr(results), repr(config), in_words(status(config, outbox)), *capfd.readouterr()]
    kept = b"".join(path.read_bytes() for path in outbox.path.parent.iterdir())
    assert CANARY not in " ".join([*told, caplog.text])
    assert CANARY.encode() not in kept
    assert "error=404" in repr(results) or answer == 200


def test_a_test_message_reaches_every_channel_and_heals_its_record(outbox, clock, webhook) -> None:
    config = to(webhook.url())
    outbox.enqueue([failure("a")], names(config))
    webhook.answer = 500
    for _ in range(3):
        deliver(config, outbox)
        clock.now += 300
    assert status(config, outbox).dead
    webhook.answer = 200
    assert send_test(config, outbox) == [ChannelResult(names(config)[0])]
    assert not status(config, outbox).dead
    assert webhook.received[-1]["title"] == "Seedbed: test alert"
    (channel,) = status(config, outbox).channels
    assert channel.tally.last_success == clock.now
    assert channel.tally.pending == 1


def test_what_waits_for_a_removed_channel_is_shown(outbox, webhook) -> None:
    outbox.enqueue([failure("a")], ["json://…beef"])
    config = to(webhook.url())
    assert deliver(config, outbox) == []
    assert in_words(status(config, outbox)) == (
        "0 sent, 1 for channels that are no longer configured"
    )
