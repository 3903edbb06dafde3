"""Several batches at a time in one worker."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from evervec.crew import Crew
from evervec.errors import EvervecError
from evervec.processor import Batch
from evervec.providers import ProviderError
from evervec.worker import Worker
from tests.webhook.conftest import Service, WordsProvider
from tests.webhook.test_worker import wait_for

PATIENCE_SECONDS = 20


def worker(service: Service, concurrency: int) -> Worker:
    config = replace(service.config, batch_size=5, concurrency=concurrency)
    return Worker(service.db, service.providers, config, stop=service.stop)


def track(service: Service, rows: int) -> None:
    service.track(rows=[(i, f"row {i}", "x") for i in range(rows)])


def others(service: Service, rows: int, priority: int = 1) -> WordsProvider:
    """Films, of a provider and a model of their own; notes have priority 5."""
    provider = WordsProvider()
    service.providers.register("others", lambda *_, **__: provider)
    service.conn.execute("select evervec.add_model('others', 'others', %s)", [provider.dimensions])
    service.conn.execute("create table film (id integer primary key, title text)")
    service.conn.execute(
        "insert into film select g, 'film ' || g from generate_series(1, %s) g", [rows]
    )
    service.conn.execute(
        "select evervec.track('film', '{title}', p_model => 'others', p_priority => %s::int)",
        [priority],
    )
    return provider


@contextmanager
def hanging(provider: WordsProvider) -> Iterator[threading.Semaphore]:
    """No request is answered during the block; released once for each that came."""
    over, came = threading.Event(), threading.Semaphore(0)

    def hang(_: Sequence[str]) -> None:
        came.release()
        over.wait(PATIENCE_SECONDS)

    provider.fail = hang
    try:
        yield came
    finally:
        over.set()


@contextmanager
def running(service: Service, concurrency: int) -> Iterator[None]:
    thread = threading.Thread(target=worker(service, concurrency).run)
    thread.start()
    try:
        yield
    finally:
        service.stop.set()
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()


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
    films = others(service, rows=0)
    at_work, refused = threading.Barrier(2), threading.Event()

    def meet(_: Sequence[str]) -> None:
        if not refused.is_set():
            at_work.wait(PATIENCE_SECONDS)
            refused.wait(PATIENCE_SECONDS)

    def refuse(_: Sequence[str]) -> None:
        at_work.wait(PATIENCE_SECONDS)
        refused.set()
        raise ProviderError("auth", "the key is wrong", status_code=401)

    service.provider.fail, films.fail = meet, refuse
    track(service, 500)
    # A batch of films for the caller, which calls another who finds notes.
    service.conn.execute("insert into film select g, 'film ' || g from generate_series(1, 5) g")

    with pytest.raises(EvervecError, match="the key is wrong"):
        worker(service, concurrency=2).drain()

    assert len(service.vectors()) < 100


def test_a_provider_that_hangs_does_not_hold_up_the_rows_of_others(service: Service) -> None:
    films = others(service, rows=100)

    track(service, 40)

    with running(service, concurrency=4), hanging(films):
        wait_for(lambda: len(service.vectors()) == 40)

    assert len(films.batches) == 3


def test_a_batch_does_not_go_on_to_a_provider_that_has_all_other_threads(service: Service) -> None:
    films = others(service, rows=0, priority=9)
    track(service, 0)
    service.conn.execute(
        "insert into note select g, 'note ' || g, 'x' from generate_series(1, 3) g"
    )
    service.conn.execute("insert into film values (1, 'Alien'), (2, 'Heat')")
    began, go_on = threading.Event(), threading.Event()

    def hold(_: Sequence[str]) -> None:
        began.set()
        go_on.wait(PATIENCE_SECONDS)

    service.provider.fail = hold
    processor = service.processor(batch_size=5, concurrency=2)
    batches: list[Batch] = []
    threads = [
        threading.Thread(target=lambda: batches.append(processor.run_batch())) for _ in range(2)
    ]

    with hanging(films) as came:
        threads[0].start()
        assert began.wait(PATIENCE_SECONDS)
        service.conn.execute("insert into film values (3, 'another')")
        threads[1].start()
        assert came.acquire(timeout=PATIENCE_SECONDS)
        go_on.set()
        threads[0].join(PATIENCE_SECONDS)
        assert [(batch.embedded, batch.released) for batch in batches] == [(3, 2)]
    threads[1].join(PATIENCE_SECONDS)


def test_one_model_alone_has_all_threads(service: Service) -> None:
    films = others(service, rows=100)

    with running(service, concurrency=3), hanging(films) as came:
        for _ in range(3):
            assert came.acquire(timeout=PATIENCE_SECONDS)


def test_so_has_one_whose_others_are_paused(service: Service) -> None:
    films = others(service, rows=100)
    track(service, 0)
    service.db.pause("note")

    with running(service, concurrency=3), hanging(films) as came:
        for _ in range(3):
            assert came.acquire(timeout=PATIENCE_SECONDS)


def test_a_worker_whose_own_request_hangs_sees_what_comes_in_meanwhile(service: Service) -> None:
    films = others(service, rows=1)
    track(service, 0)

    with running(service, concurrency=3), hanging(films) as came:
        assert came.acquire(timeout=PATIENCE_SECONDS)
        service.conn.execute("insert into note values (1, 'whales', 'x')")
        wait_for(lambda: service.vectors() == {1})


def test_who_waits_for_a_claim_when_told_to_stop_makes_none(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims: list[str] = []
    claiming, go_on = threading.Event(), threading.Event()
    claim = service.db.claim_jobs

    def slow(*arguments: Any) -> object:
        claims.append(threading.current_thread().name)
        claiming.set()
        go_on.wait(PATIENCE_SECONDS)
        return claim(*arguments)

    monkeypatch.setattr(service.db, "claim_jobs", slow)
    track(service, 30)
    processor = service.processor(batch_size=5)
    threads = [threading.Thread(target=processor.run_batch) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert claiming.wait(PATIENCE_SECONDS)
    service.stop.set()
    go_on.set()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)

    assert len(claims) == 1


def test_a_fault_of_the_program_ends_a_run_when_what_is_in_hand_is_done(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work = worker(service, concurrency=2)
    together, crashed = threading.Barrier(2), threading.Event()

    def meet(_: Sequence[str]) -> None:
        if len(service.provider.batches) <= 2:
            together.wait(PATIENCE_SECONDS)
        if threading.current_thread() is not threading.main_thread():
            crashed.wait(PATIENCE_SECONDS)

    def crash() -> None:
        crashed.set()
        raise RuntimeError("a bug")

    service.provider.fail = meet
    monkeypatch.setattr(at_work, "_maintain_when_due", crash)
    track(service, 500)

    with pytest.raises(RuntimeError, match="a bug"):
        at_work.run()

    assert service.db.pending().processing == 0
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


def test_a_thread_that_cannot_be_started_leaves_the_work_to_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    crew = Crew(lambda: pytest.fail("nobody could come"), 2, threading.Event())

    crew.call()

    crew.join()
    crew.check()


def test_a_crew_of_none_leaves_the_work_to_the_caller() -> None:
    crew = Crew(lambda: pytest.fail("nobody was to be called"), 0, threading.Event())
    crew.call()
    crew.join()
    crew.check()
