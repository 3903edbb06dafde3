"""SIGKILL at every step, of every part: what was committed is embedded, once, and nothing else."""

from __future__ import annotations

import signal
import time

import pytest

from evervec import failpoints
from tests.faults.stage import Stage, consistent
from tests.support.api import Rules
from tests.support.cluster import OwnCluster
from tests.support.migrating import wait_for
from tests.support.openai_server import Answer

ROWS = 100

# Three slices at least: the first has 20 rows, the next ones twice as many where that was quick.
PLACES = [
    *(place for place in failpoints.PLACES if place != "mid_complete"),
    "mid_complete@1",
    "mid_complete@2",
    "mid_complete@3",
]


@pytest.mark.parametrize("place", PLACES)
def test_peer_15_a_worker_killed_at_any_step_loses_nothing(stage: Stage, place: str) -> None:
    stage.write(ROWS)
    stage.workers.die_at(place)

    assert stage.workers.drain() == 0

    nothing_left = place == "after_complete"
    consistent(
        stage,
        told=None if nothing_left else "timeout",
        paid_twice=0 if place in ("after_claim", "after_complete") else ROWS,
    )
    if place == "mid_complete@3":
        assert 0 < stage.api.paid_twice < ROWS - 20  # two slices were stored


def test_peer_15_a_worker_killed_again_and_again_gets_through(stage: Stage) -> None:
    stage.write(ROWS)
    for place in failpoints.PLACES:
        stage.workers.die_at(place)

    assert stage.workers.drain() == 0

    consistent(stage, told="timeout", paid_twice=3 * ROWS)


def test_a_text_that_kills_its_worker_is_buried_alone(stage: Stage) -> None:
    """Here it is the number of the request that kills; what matters is that claims get smaller."""
    stage.write(10)
    for _ in range(2):
        stage.workers.die_at("during_call")
    sizes = []
    for _ in range(3):
        before = len(stage.api.journal)
        stage.workers.die_at("during_call")
        stage.wait_for_requests(before + 1)
        sizes.append(len(stage.api.journal[-1].texts))

    assert sizes == [1, 1, 1]
    assert stage.workers.drain() == 0
    letters = stage.conn.execute("select row_key -> 'id' from evervec.dead_letter").fetchall()
    assert len(letters) <= 1
    consistent(stage, dead=[row[0] for row in letters], told="timeout", paid_twice=ROWS)


@pytest.mark.parametrize("place", ["during_call:sleep=2", "mid_complete:sleep=2@2"])
def test_peer_15_a_server_that_crashes_loses_nothing(
    own_stage: Stage, own_cluster: OwnCluster, place: str
) -> None:
    own_stage.write(ROWS)
    worker = own_stage.workers.start(EVERVEC_FAILPOINT=place)
    own_stage.wait_for_line("failpoint")

    own_cluster.crash()
    time.sleep(0.5)
    own_cluster.start()

    own_stage.conn = own_stage.connect()
    wait_for(lambda: own_stage.embedded() == set(range(1, ROWS + 1)), 40)
    own_stage.write(1, first=1000)  # the worker that was there goes on
    wait_for(lambda: 1000 in own_stage.embedded(), 40)
    own_stage.wait_until_done()
    assert own_stage.workers.stop(worker) == 0
    assert own_stage.lines("database_gone") or own_stage.lines("heartbeat_failed")
    consistent(own_stage, paid_twice=ROWS)


def test_peer_15_server_and_worker_die_together(own_stage: Stage, own_cluster: OwnCluster) -> None:
    own_stage.write(ROWS)
    worker = own_stage.workers.start(EVERVEC_FAILPOINT="mid_complete:hang@2")
    own_stage.wait_for_line("failpoint")

    own_cluster.crash()
    worker.kill()
    own_cluster.start()

    own_stage.conn = own_stage.connect()
    assert own_stage.workers.drain() == 0
    consistent(own_stage, told="timeout", paid_twice=ROWS)


def test_an_api_killed_in_mid_call_is_asked_again_when_it_is_back(stage: Stage) -> None:
    stage.conn.execute("update evervec.retry_policy set max_attempts = 50")
    stage.api.script(Answer(held=True))
    stage.write(ROWS)
    worker = stage.workers.start()
    stage.wait_for_requests()

    stage.api.kill()
    stage.wait_for_line("embed_failed", error_class="network")
    stage.api.start()

    wait_for(lambda: len(stage.embedded()) == ROWS)
    stage.wait_until_done()
    assert stage.workers.stop(worker) == 0
    consistent(stage, told="network", paid_twice=ROWS)


def test_a_worker_told_to_stop_gives_its_batch_back_at_once(stage: Stage) -> None:
    stage.conn.execute("update evervec.model set batch_texts = 10")
    stage.api.rules(Rules(slow=0.5))
    stage.write(ROWS)
    worker = stage.workers.start()
    stage.wait_for_requests()

    assert stage.workers.stop(worker) == 0
    assert stage.value("select count(*) from evervec.processing_queue") == ROWS - 10
    assert stage.workers.drain() == 0

    consistent(stage)


def test_peer_12_a_worker_that_comes_back_late_is_not_listened_to(stage: Stage) -> None:
    stage.api.script(Answer(held=True))
    stage.write(10)
    # One thread, which waits for the provider: stopped in a transaction, another would keep locks.
    late = stage.workers.start(EVERVEC_CONCURRENCY="1")
    stage.wait_for_requests()
    late.send_signal(signal.SIGSTOP)
    stage.conn.execute("update note set body = 'fresh ' || id where id <= 3")

    assert stage.workers.drain() == 0
    stage.api.release()
    late.send_signal(signal.SIGCONT)
    stage.wait_for_line("result_discarded", source="note", jobs=10, error_class="timeout")

    assert stage.workers.stop(late) == 0
    assert stage.lines("finished", lost=10)
    consistent(stage, told="timeout", paid_twice=7)
