"""Several batches at a time in one worker."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

import pytest

from evervec.crew import Crew
from evervec.errors import EvervecError
from evervec.processor import Batch
from evervec.providers import ProviderError
from evervec.worker import Worker
from tests.webhook.conftest import Service, WordsProvider

PATIENCE_SECONDS = 20


def worker(service: Service, concurrency: int) -> Worker:
    config = replace(service.config, batch_size=5, concurrency=concurrency)
    return Worker(service.db, service.providers, config, stop=service.stop)


def track(service: Service, rows: int) -> None:
    service.track(rows=[(i, f"row {i}", "x") for i in range(rows)])


def test_requests_are_in_flight_together(service: Service) -> None:
    together = threading.Barrier(3)

    def meet(_: Sequence[str]) -> None:
        # None of the first three is answered before all of them are there.
        if len(service.provider.batches) <= 3:
            together.wait(PATIENCE_SECONDS)

    service.provider.fail = meet
    track(service, 30)

    summary = worker(service, concurrency=3).drain()

    assert (summary.embedded, summary.retried, summary.batches) == (30, 0, 6)
    assert service.db.coverage("note").percent == 100


def test_no_more_batches_at_a_time_than_allowed(service: Service) -> None:
    at_work, most = 0, 0
    counting = threading.Lock()

    def count(_: Sequence[str]) -> None:
        nonlocal at_work, most
        with counting:
            at_work += 1
            most = max(most, at_work)
        # Long enough that all who may come do come.
        service.stop.wait(0.05)
        with counting:
            at_work -= 1

    service.provider.fail = count
    track(service, 100)

    worker(service, concurrency=2).drain()

    assert most == 2


def test_one_who_finds_little_calls_nobody(service: Service) -> None:
    threads: set[str] = set()
    service.provider.fail = lambda _: threads.add(threading.current_thread().name)
    track(service, 4)

    worker(service, concurrency=8).drain()

    assert threads == {threading.current_thread().name}


def test_one_batch_is_one_batch(service: Service) -> None:
    track(service, 30)

    summary = worker(service, concurrency=8).once()

    assert (summary.batches, summary.claimed) == (1, 5)


def test_a_setup_error_of_any_thread_ends_a_drain(service: Service) -> None:
    def refuse(_: Sequence[str]) -> None:
        raise ProviderError("auth", "the key is wrong", status_code=401)

    service.provider.fail = refuse
    track(service, 30)

    with pytest.raises(EvervecError, match="the key is wrong"):
        worker(service, concurrency=4).drain()

    pending = service.db.pending()
    assert (pending.queued, pending.processing) == (30, 0)


def test_a_drain_that_cannot_go_on_finishes_what_is_in_hand_and_no_more(service: Service) -> None:
    others = WordsProvider()
    at_work, refused = threading.Barrier(2), threading.Event()

    def meet(_: Sequence[str]) -> None:
        if not refused.is_set():
            at_work.wait(PATIENCE_SECONDS)
            refused.wait(PATIENCE_SECONDS)

    def refuse(_: Sequence[str]) -> None:
        at_work.wait(PATIENCE_SECONDS)
        refused.set()
        raise ProviderError("auth", "the key is wrong", status_code=401)

    service.provider.fail, others.fail = meet, refuse
    service.providers.register("others", lambda *_, **__: others)
    service.conn.execute(
        """
        select evervec.add_model('others', 'others', %s);
        create table film (id integer primary key, title text);
        select evervec.track('film', p_columns => '{title}', p_model => 'others', p_priority => 1);
        """.replace("%s", str(others.dimensions))
    )
    track(service, 500)
    # A batch of films for the caller, which calls another who finds notes.
    service.conn.execute("insert into film select g, 'film ' || g from generate_series(1, 5) g")

    with pytest.raises(EvervecError, match="the key is wrong"):
        worker(service, concurrency=2).drain()

    assert len(service.vectors()) < 100


def test_stopping_waits_for_what_is_in_flight_and_releases_the_rest(service: Service) -> None:
    together = threading.Barrier(2)

    def meet(_: Sequence[str]) -> None:
        together.wait(PATIENCE_SECONDS)
        service.stop.set()

    service.provider.fail = meet
    track(service, 30)

    summary = worker(service, concurrency=2).run()

    assert summary.embedded == 10
    assert service.db.pending().processing == 0
    assert len(service.vectors()) == 10


def test_what_stops_a_thread_is_raised_by_the_next_look_and_once() -> None:
    def fail() -> Batch:
        raise EvervecError("permission denied")

    crew = Crew(fail, 2, threading.Event())
    crew.call()
    crew.join()

    with pytest.raises(EvervecError, match="permission denied"):
        crew.check()
    crew.check()


def test_a_crew_of_none_leaves_the_work_to_the_caller() -> None:
    crew = Crew(lambda: pytest.fail("nobody was to be called"), 0, threading.Event())
    crew.call()
    crew.join()
    crew.check()
