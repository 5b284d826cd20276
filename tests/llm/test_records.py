"""The file of calls: what it tells, and what becomes of it when it cannot be written."""

from __future__ import annotations

import resource
import signal

import pytest

from dagster_project.llm.books import ledger
from dagster_project.llm.records import RecordsFailed
from dagster_project.warehouse.store import Store
from tests.llm.asking import VERSION, ask, ask_each, chat, model
from tests.llm.fault_server import Fault, FaultServer


def test_spend_is_told_apart(tmp_path) -> None:
    def script(body, seen):
        return Fault(cut_after=9) if body["messages"][0]["content"] == "c" and not seen else Fault()

    assert ledger(Store(tmp_path), str(VERSION)) == []
    with FaultServer(script) as server:
        asked = [chat("a"), chat("b", purpose="judging"), chat("c", purpose="judging")]
        ask_each(tmp_path, model(server.url), asked)
    generation, judging = ledger(Store(tmp_path), str(VERSION))
    assert (generation.model, generation.purpose, generation.calls) == ("m", "generation", 1)
    assert (judging.purpose, judging.calls, judging.doubtful) == ("judging", 3, 1)
    assert ledger(Store(tmp_path), "other/v1") == []


def test_a_file_that_is_none(tmp_path) -> None:
    path = tmp_path / "calls" / "calls.sqlite"
    path.parent.mkdir()
    path.write_bytes(b"no database " * 1000)
    with FaultServer() as server:
        with pytest.raises(
            RecordsFailed, match=r"calls\.sqlite: the records of calls cannot be read"
        ):
            ask(tmp_path, model(server.url), chat("a"))
        assert not server.served


def test_a_full_disk_ends_the_run_before_anything_is_asked(tmp_path) -> None:
    with FaultServer() as server:
        declared = model(server.url)
        ask(tmp_path, declared, chat("a"))
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
            with pytest.raises(RecordsFailed):
                ask(tmp_path, declared, chat("b"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, ignored)
        assert len(server.served) == 1
        assert ask(tmp_path, declared, chat("b")).text == "an answer"
        assert len(server.served) == 2
