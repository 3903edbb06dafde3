"""The run in the background: one at a time, and nothing that was rung for is left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import pytest

from evervec.service import runner
from evervec.worker import Worker
from tests.service.conftest import Webhook


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody debounces here."""
    monkeypatch.setattr(runner, "DEBOUNCE_SECONDS", 0.05)


def eventually(true: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for something to become true."""
    give_up = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < give_up, "it never came true"
        time.sleep(0.01)


def embedded(webhook: Webhook) -> int:
    ((count,),) = webhook.rows("select count(*) from note_embedding")
    return int(count)


def test_a_ring_is_answered_before_the_work(webhook: Webhook) -> None:
    held = threading.Event()

    def hold(_: Sequence[str]) -> None:
        held.wait(20)

    webhook.provider.fail = hold

    accepted = webhook.post("/wake")

    assert (accepted.status_code, embedded(webhook)) == (202, 0)
    held.set()
    eventually(lambda: embedded(webhook) == 10)


def test_however_often_it_rings_one_run_is_at_work(
    webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work: list[int] = []
    most: list[int] = []
    rung = threading.Event()
    run = runner.Runner._run

    def counted(self: runner.Runner) -> None:
        at_work.append(1)
        most.append(len(at_work))
        rung.wait(20)
        run(self)
        at_work.pop()

    monkeypatch.setattr(runner.Runner, "_run", counted)

    threads = [threading.Thread(target=webhook.state.runner.ring) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rung.set()

    eventually(lambda: embedded(webhook) == 10 and not at_work)
    assert max(most) == 1
    assert len(most) <= 3


def test_what_changes_during_a_run_is_done(webhook: Webhook) -> None:
    """A ring in the last moment of a run, when it has looked for work for the last time."""
    begun, held = threading.Event(), threading.Event()

    def hold(_: Sequence[str]) -> None:
        begun.set()
        held.wait(20)

    webhook.provider.fail = hold
    webhook.post("/wake")
    assert begun.wait(20)
    webhook.conn.execute("insert into note values (11, 'a late note')")
    webhook.post("/wake")
    held.set()

    eventually(lambda: embedded(webhook) == 11)


def test_a_change_that_was_not_rung_for_is_done_by_the_second_look(
    webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "DEBOUNCE_SECONDS", 1.0)
    over, run = threading.Event(), runner.Runner._run

    def told(self: runner.Runner) -> None:
        run(self)
        over.set()

    monkeypatch.setattr(runner.Runner, "_run", told)
    webhook.post("/wake")
    assert over.wait(20)

    webhook.conn.execute("insert into note values (11, 'right behind the ring')")

    eventually(lambda: embedded(webhook) == 11)


def test_a_run_that_fails_is_followed_by_another(
    webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = threading.Event()

    def break_down(*_: object, **__: object) -> None:
        failed.set()
        raise RuntimeError("no")

    with monkeypatch.context() as broken:
        broken.setattr(Worker, "catch_up", break_down)
        webhook.post("/wake")
        assert failed.wait(20)
    webhook.post("/wake")

    eventually(lambda: embedded(webhook) == 10)


def test_close_finishes_what_is_in_hand_and_gives_back_the_rest(webhook: Webhook) -> None:
    begun, held = threading.Event(), threading.Event()

    def hold(_: Sequence[str]) -> None:
        begun.set()
        held.wait(20)

    webhook.conn.execute("update evervec.model set batch_texts = 4 where name = 'words'")
    webhook.provider.fail = hold
    webhook.post("/wake")
    assert begun.wait(20)

    closing = threading.Thread(target=webhook.state.close)
    closing.start()
    eventually(webhook.state.runner._stop.is_set)
    held.set()
    closing.join(20)

    assert embedded(webhook) == 4
    assert webhook.rows(
        "select count(*) from evervec.processing_queue where lease_token is not null"
    ) == [(0,)]
