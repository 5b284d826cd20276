from __future__ import annotations

from pathlib import Path

import pytest

from dagster_project.orchestration.alerts.failure import Failure
from dagster_project.orchestration.alerts.outbox import LEASE_SECONDS, Outbox, OutboxError


def failure(number: int) -> Failure:
    return Failure(run_id=f"run{number}", timestamp=1.0, asset_key="d/v", check="c")


def test_a_failure_is_enqueued_once_whatever_the_channels_are_later(outbox) -> None:
    assert outbox.enqueue([failure(1), failure(1), failure(2)], ["a"]) == 2
    assert outbox.enqueue([failure(2), failure(3)], ["a", "b"]) == 1
    assert {t.channel: t.pending for t in outbox.tallies()} == {"a": 3, "b": 1}


def test_a_claim_is_exclusive_until_its_lease_ends(outbox, clock) -> None:
    outbox.enqueue([failure(1)], ["a"])
    assert outbox.claim(["a"]).attempts == 1
    clock.now += LEASE_SECONDS - 1
    assert outbox.claim(["a"]) is None
    clock.now += 1
    claim = outbox.claim(["a"])
    assert claim.attempts == 2
    outbox.mark_sent(claim)
    clock.now += 10 * LEASE_SECONDS
    assert outbox.claim(["a"]) is None


def test_waits_double_from_30_seconds_to_an_hour(outbox, clock) -> None:
    outbox.enqueue([failure(1)], ["a"])
    for wait in (30, 60, 120, 240, 480, 960, 1920, 3600, 3600):
        outbox.mark_failed(outbox.claim(["a"]), "no")
        clock.now += wait - 1
        assert outbox.claim(["a"]) is None
        clock.now += 1


def test_a_channel_that_failed_rests_and_does_not_hold_up_the_others(outbox, clock) -> None:
    outbox.enqueue([failure(1), failure(2)], ["a", "b"])
    outbox.mark_failed(outbox.claim(["a"]), "no")
    assert outbox.claim(["a"]) is None
    assert outbox.claim(["a", "b"]).channel == "b"
    clock.now += 30
    assert outbox.claim(["a"]).failure == failure(2)


def test_what_had_no_channel_is_shown_and_sent_only_when_asked(outbox) -> None:
    outbox.enqueue([failure(1)], [])
    assert outbox.unrouted() == [failure(1)]
    outbox.enqueue([failure(1)], ["a"])
    assert outbox.claim(["a"]) is None
    assert outbox.retry([]) == 0
    assert outbox.retry(["a"]) == 1
    assert outbox.unrouted() == []
    assert outbox.claim(["a"]).failure == failure(1)


def test_retry_moves_what_waits_for_a_removed_channel_but_nothing_being_sent(outbox) -> None:
    outbox.enqueue([failure(1), failure(2)], ["old"])
    being_sent = outbox.claim(["old"])
    assert outbox.retry(["new"]) == 1
    assert outbox.claim(["new"]).failure == failure(2)
    outbox.mark_sent(being_sent)
    assert {t.channel: (t.sent, t.pending) for t in outbox.tallies()} == {
        "new": (0, 1),
        "old": (1, 0),
    }


def test_retry_revives_the_dead(outbox) -> None:
    outbox.enqueue([failure(1)], ["a"])
    outbox.mark_dead(outbox.claim(["a"]), "unusable")
    assert outbox.claim(["a"]) is None
    assert outbox.retry(["a"]) == 1
    assert outbox.claim(["a"]).failure == failure(1)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "alerts.sqlite"
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(OutboxError, match=r"alerts\.sqlite: .* cannot be used"):
        Outbox(path)
