"""The index of a source is built when it is due, by whoever may, and never in anybody's way."""

from __future__ import annotations

import threading

import pytest

from evervec import index
from evervec.errors import EvervecError
from evervec.records import SourceStatus
from tests.webhook.conftest import Service

ROWS = [(i, f"row {i}", "x") for i in range(50)]


def status(**changes: object) -> SourceStatus:
    values: dict[str, object] = {
        "source": "s", "relation": "s", "model": "m", "state": "active", "pending": 0,
        "processing": 0, "retrying": 0, "dead": 0, "vectors": 1000, "index_state": "not built",
        "backfill": False,
    }  # fmt: skip
    return SourceStatus(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "due"),
    [
        ({}, True),
        ({"index_state": "invalid"}, True),
        ({"pending": 50}, True),
        ({"pending": 30, "retrying": 21}, False),
        ({"backfill": True}, False),
        ({"vectors": 0}, False),
        ({"vectors": None}, False),
        ({"index_state": "valid"}, False),
        ({"index_state": "none"}, False),
    ],
)
def test_an_index_is_due_when_nearly_everything_is_embedded(
    changes: dict[str, object], due: bool
) -> None:
    assert index.is_due(status(**changes)) is due


def test_draining_ends_with_a_valid_index(service: Service) -> None:
    service.track(rows=ROWS)

    service.worker().drain()

    assert service.db.status()[0].index_state == "valid"
    assert service.db.index_statement("note") is None


def test_an_invalid_index_is_replaced(service: Service) -> None:
    service.track(rows=ROWS)
    service.worker().drain()
    service.conn.execute("drop index if exists note_embedding_embedding_idx")
    service.worker().drain()

    assert service.db.status()[0].index_state == "valid"


def test_a_source_without_an_index_gets_none(service: Service) -> None:
    service.conn.execute("create table note (id int primary key, title text)")
    service.conn.execute("insert into note values (1, 'x')")
    service.db.track("note", columns=["title"], model="words", index="none")

    service.worker().drain()

    assert service.db.status()[0].index_state == "none"


def test_a_worker_that_may_not_build_says_so_and_goes_on(
    service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: str) -> None:
        raise EvervecError("must be owner of table note_embedding", sqlstate="42501")

    monkeypatch.setattr(service.db, "execute_index_statement", refuse)
    service.track(rows=ROWS)

    with caplog.at_level("WARNING", "evervec"):
        summary = service.worker().drain()

    assert summary.embedded == 50
    assert "index_not_permitted" in caplog.text


def test_peer_26_a_running_worker_builds_the_index_beside_its_work(service: Service) -> None:
    service.track(rows=ROWS)
    builder = index.IndexBuilder(service.db)
    service.batch()
    service.conn.execute("analyze note_embedding")
    while service.batch().claimed:
        pass

    builder.start_due()
    service.conn.execute("insert into note values (999, 'new', 'row')")
    assert service.batch().embedded == 1

    assert builder._thread is not None
    builder._thread.join(timeout=20)
    assert service.db.status()[0].index_state == "valid"


def test_a_build_that_failed_is_not_tried_again_by_the_same_worker(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def fail(statement: str) -> None:
        tried.append(statement)
        raise EvervecError("could not resize shared memory segment", sqlstate="53100")

    monkeypatch.setattr(service.db, "execute_index_statement", fail)
    service.track(rows=ROWS)
    service.batch()
    while service.batch().claimed:
        pass
    builder = index.IndexBuilder(service.db)

    for _ in range(3):
        builder.start_due()
        if builder._thread is not None:
            builder._thread.join(timeout=20)

    assert len(tried) == 1


def test_two_workers_that_begin_to_build_at_once_end_with_one_index(service: Service) -> None:
    service.track(rows=ROWS)
    while service.batch().claimed:
        pass
    errors: list[Exception] = []

    def build() -> None:
        try:
            while service.db.status()[0].index_state != "valid":
                index.build(service.db, "note")
        except EvervecError as error:
            errors.append(error)

    threads = [threading.Thread(target=build) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)

    assert errors == []
    assert service.db.status()[0].index_state == "valid"
