"""The worker in this process: draining, waiting for retries, surviving the database's absence."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import psycopg
import pytest

from evervec.db import DatabaseUnavailableError
from evervec.errors import EvervecError
from evervec.processor import Batch
from evervec.providers import ProviderError
from tests.webhook.conftest import Service, poisoned_by

ROWS = [(1, "whales", "of the sea"), (2, "a clock", "in Prague"), (3, "samurai", "and swords")]


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)


class Running:
    """A worker in a thread, stopped at the end of the block."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.worker = service.worker()
        self._thread = threading.Thread(target=self.worker.run)

    def __enter__(self) -> Running:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._service.stop.set()
        self._thread.join(timeout=20)
        assert not self._thread.is_alive()


def test_draining_leaves_log_queue_and_backfill_empty(service: Service) -> None:
    service.track(rows=[(i, f"row {i}", "x") for i in range(250)])

    summary = service.worker().drain()

    assert summary.embedded == 250
    assert service.db.pending().total == 0
    assert service.db.coverage("note").percent == 100


def test_draining_waits_for_retries(service: Service) -> None:
    calls: list[int] = []

    def fail_once(_: Sequence[str]) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise ProviderError("server_error", "busy")

    service.provider.fail = fail_once
    service.track(rows=ROWS)

    summary = service.worker().drain()

    assert (summary.retried, summary.embedded) == (3, 3)


def test_draining_ends_although_rows_are_dead(service: Service) -> None:
    service.provider.fail = poisoned_by("whales")
    service.track(rows=ROWS)

    summary = service.worker().drain()

    assert (summary.embedded, summary.dead) == (2, 1)


def test_draining_stops_at_a_wrong_key_and_leaves_the_rows_queued(service: Service) -> None:
    def refuse(_: Sequence[str]) -> None:
        raise ProviderError("auth", "the provider refused the request: wrong key", status_code=401)

    service.provider.fail = refuse
    service.track(rows=ROWS)

    with pytest.raises(EvervecError, match="wrong key") as error:
        service.worker().drain()

    assert "3 rows are still queued" in (error.value.detail or "")
    assert service.db.pending().total == 3


def test_peer_23_a_source_without_a_key_does_not_stop_the_others(service: Service) -> None:
    service.track(rows=ROWS)
    service.conn.execute("select evervec.add_model('m2', 'nobody', 32)")
    service.conn.execute("create table other (id int primary key, a text)")
    service.conn.execute("insert into other select i, 'x' || i from generate_series(1, 30) i")
    service.db.track("other", columns=["a"], model="m2")

    with Running(service):
        wait_for(lambda: service.vectors() == {1, 2, 3})


def test_draining_one_source_leaves_the_others_alone(service: Service) -> None:
    service.track(rows=ROWS)
    service.conn.execute("create table other (id int primary key, a text)")
    service.conn.execute("insert into other values (1, 'x')")
    service.db.track("other", columns=["a"], model="words")

    service.worker(sources=["other"]).drain()

    assert service.vectors() == set()
    assert service.db.pending("other").total == 0
    assert service.db.pending("note").total > 0


def test_peer_24_a_batch_of_vanished_rows_does_not_end_the_run(service: Service) -> None:
    service.track(rows=[(i, f"row {i}", "x") for i in range(300)])
    service.batch()
    service.conn.execute("delete from note where id between 50 and 290")
    service.conn.execute("insert into note values (1000, 'new', 'one')")

    service.worker().drain()

    assert service.vectors() == {*range(50), *range(291, 300), 1000}


def test_peer_04_ten_updates_of_a_row_are_one_text(service: Service) -> None:
    service.track(rows=ROWS)
    service.worker().drain()
    service.provider.batches.clear()
    for number in range(10):
        service.conn.execute("update note set title = %s where id = 1", [f"title {number}"])

    service.worker().drain()

    assert len(service.provider.texts) == 1
    assert "title 9" in service.provider.texts[0]


def test_peer_01_and_02_other_columns_and_no_op_updates_cost_no_call(service: Service) -> None:
    service.track(rows=ROWS)
    service.worker().drain()
    service.provider.batches.clear()
    service.conn.execute("update note set seen = seen + 1")
    service.conn.execute("update note set title = title")

    service.worker().drain()

    assert service.provider.batches == []


def test_peer_06_a_text_set_to_null_takes_its_vector_along(service: Service) -> None:
    service.track(rows=ROWS)
    service.worker().drain()
    service.conn.execute("update note set title = null, body = '' where id = 3")

    service.worker().drain()

    assert service.vectors() == {1, 2}


def test_peer_14_two_workers_pay_once_for_each_row(service: Service) -> None:
    service.track(rows=[(i, f"row {i}", "x") for i in range(600)])
    workers = [service.worker(), service.worker()]
    threads = [threading.Thread(target=worker.drain) for worker in workers]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert sorted(service.provider.texts) == sorted(set(service.provider.texts))
    assert service.db.coverage("note").percent == 100


def test_a_running_worker_follows_what_changes(service: Service) -> None:
    service.track(rows=ROWS)

    with Running(service):
        wait_for(lambda: service.vectors() == {1, 2, 3})
        service.conn.execute("insert into note values (4, 'penguins', 'at the pole')")
        wait_for(lambda: service.nearest("penguins pole", 1) == [4])


def test_a_running_worker_waits_for_a_database_that_went_away(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.track()
    reopened: list[int] = []

    def reopen() -> None:
        reopened.append(1)
        if len(reopened) < 3:
            raise DatabaseUnavailableError("cannot reach the database")

    claim = service.db.claim_jobs
    monkeypatch.setattr(service.db, "reopen", reopen)
    monkeypatch.setattr(service.db, "claim_jobs", _raising(DatabaseUnavailableError("gone"), claim))

    with Running(service):
        service.conn.execute("insert into note values (1, 'whales', 'x')")
        wait_for(lambda: service.vectors() == {1})

    assert len(reopened) == 3


def _raising(error: Exception, then: Callable[..., object]) -> Callable[..., object]:
    """Raise once, then do what is to be done."""
    raised: list[int] = []

    def call(*arguments: object) -> object:
        if not raised:
            raised.append(1)
            raise error
        return then(*arguments)

    return call


def test_a_running_worker_survives_its_connections_being_cut(
    service: Service, superuser_conn: psycopg.Connection
) -> None:
    service.track()
    cut = (
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where application_name = 'evervec' and datname = current_database()"
    )

    with Running(service):
        for key in range(5):
            superuser_conn.execute(cut)
            service.conn.execute("insert into note values (%s, 'whales', 'x')", [key])
            wait_for(lambda key=key: key in service.vectors())  # type: ignore[misc]


def test_a_running_worker_outlives_what_a_person_has_to_mend(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = EvervecError("permission denied for table note", sqlstate="42501")
    monkeypatch.setattr(service.db, "claim_jobs", _raising(error, service.db.claim_jobs))
    service.track(rows=ROWS)

    with Running(service):
        wait_for(lambda: service.vectors() == {1, 2, 3})


def test_an_idle_worker_looks_for_work_at_most_once_a_poll(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []
    claim = service.db.claim_jobs

    def counted(*arguments: object) -> object:
        looks.append(time.monotonic())
        return claim(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(service.db, "claim_jobs", counted)
    service.track()

    with Running(service):
        time.sleep(1.0)

    assert 5 <= len(looks) <= 25  # poll_seconds is 0.05 here


def test_progress_is_told_batch_by_batch(service: Service) -> None:
    told: list[Batch] = []
    service.track(rows=[(i, f"row {i}", "x") for i in range(250)])

    service.worker(on_batch=told.append).drain()

    assert sum(batch.embedded for batch in told) == 250


def test_a_paused_source_is_not_waited_for(service: Service) -> None:
    service.track(rows=ROWS)
    service.conn.execute("update evervec.source set state = 'paused'")

    assert service.worker().drain().embedded == 0


def test_a_model_that_somebody_stopped_is_not_waited_for(service: Service) -> None:
    service.track(rows=ROWS)
    service.conn.execute("select evervec.pause_model('words')")

    assert service.worker().drain().embedded == 0


def test_a_model_that_is_held_for_a_moment_is_waited_for(service: Service) -> None:
    service.track(rows=ROWS)
    service.conn.execute("select evervec.pause_model('words', now() + interval '0.5 seconds')")

    assert service.worker().drain().embedded == 3


def test_expired_leases_of_a_dead_worker_are_taken_over(service: Service) -> None:
    from datetime import timedelta

    service.track(rows=ROWS)
    assert service.db.claim_jobs(10, timedelta(milliseconds=300), "dead") is not None

    service.worker().drain()

    assert service.vectors() == {1, 2, 3}
