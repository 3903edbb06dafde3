"""What users do while a row's text is at the API, and what several workers do to one another."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.faults.stage import Stage, consistent
from tests.support.api import Rules
from tests.support.migrating import wait_for
from tests.support.openai_server import Answer

ROWS = 20


@contextmanager
def in_flight(stage: Stage) -> Iterator[None]:
    """Rows whose texts are at the API for the time of the block; everything is done after it."""
    stage.api.script(Answer(held=True))
    stage.write(ROWS)
    worker = stage.workers.start()
    stage.wait_for_requests()
    yield
    stage.api.release()
    stage.wait_until_done()
    assert stage.workers.stop(worker) == 0


def test_peer_09_a_row_deleted_in_flight_leaves_nothing(stage: Stage) -> None:
    with in_flight(stage):
        stage.conn.execute("delete from note where id = 7")

    assert 7 not in stage.embedded()
    consistent(stage)


def test_peer_10_a_row_changed_in_flight_gets_the_vector_of_its_last_text(stage: Stage) -> None:
    with in_flight(stage):
        stage.conn.execute("update note set body = 'another text' where id = 7")

    assert stage.api.paid["text 7"] == stage.api.paid["another text"] == 1
    consistent(stage)


def test_peer_11_keys_that_change_in_flight(stage: Stage) -> None:
    with in_flight(stage):
        stage.conn.execute("update note set id = id + 1000 where id <= 5")

    consistent(stage, paid_twice=5)


def test_peer_11_a_table_emptied_in_flight(stage: Stage) -> None:
    with in_flight(stage):
        stage.conn.execute("truncate note")
        stage.write(3, first=5, body="new")

    assert stage.embedded() == {5, 6, 7}
    consistent(stage)


@pytest.mark.parametrize(
    "statement",
    ["delete from note where id = 7", "update note set body = 'x' where id = 7", "truncate note"],
)
def test_peer_13_no_statement_waits_for_a_row_in_flight(stage: Stage, statement: str) -> None:
    with in_flight(stage):
        started = time.monotonic()
        stage.conn.execute(statement)
        waited = time.monotonic() - started

    assert waited < 0.5
    consistent(stage)


def test_peer_13_no_transaction_is_open_during_a_call(stage: Stage) -> None:
    open_since = (
        "select count(*) from pg_stat_activity where datname = current_database()"
        " and application_name like 'evervec%%' and xact_start <= %s"
    )
    with in_flight(stage):
        # Other threads look for work meanwhile, but no transaction is as old as the call.
        asked = stage.value("select clock_timestamp()")
        wait_for(lambda: stage.value(open_since, asked) == 0)


def test_peer_14_two_workers_pay_once_for_each_row(stage: Stage) -> None:
    stage.conn.execute("update evervec.model set batch_texts = 7")
    stage.write(400)
    working = [stage.workers.start("--drain", EVERVEC_BATCH_SIZE="20") for _ in range(2)]

    assert [worker.wait(timeout=60) for worker in working] == [0, 0]

    assert len(stage.lines("finished")) == 2
    consistent(stage)


def test_the_same_job_for_two_workers_at_once_is_one_payment_and_one_receipt(stage: Stage) -> None:
    stage.api.rules(Rules(slow=0.3))
    working = [stage.workers.start() for _ in range(2)]
    stage.wait_for_line("started")
    stage.write(1)
    for _ in range(10):  # while it is queued, at the API, and done
        stage.conn.execute("select evervec.enqueue('note', array['{\"id\": 1}'::jsonb])")
        time.sleep(0.1)
    stage.wait_until_done()
    for worker in working:
        assert stage.workers.stop(worker) == 0

    assert stage.api.paid == {"text 1": 1}
    outcomes = {
        row[0] for row in stage.conn.execute("select outcome from evervec.job_receipt").fetchall()
    }
    # Asked for again in flight, a job goes round once more, and then finds that nothing changed.
    assert "unchanged" in outcomes
    assert outcomes <= {"completed", "unchanged"}
    consistent(stage)


def test_the_same_job_an_hour_later_costs_nothing_and_its_receipt_says_so(stage: Stage) -> None:
    stage.write(1)
    assert stage.workers.drain() == 0
    for table, column in (("job_receipt", "finished_at"), ("note_embedding", "updated_at")):
        schema = "evervec" if table == "job_receipt" else "public"
        stage.conn.execute(f"update {schema}.{table} set {column} = now() - interval '1 hour'")
    job = stage.value("select evervec.enqueue('note', array['{\"id\": 1}'::jsonb])")

    assert stage.workers.drain() == 0

    assert stage.api.paid == {"text 1": 1}
    assert (
        stage.value("select outcome from evervec.job_receipt where job_id = %s", job) == "unchanged"
    )
    consistent(stage)


def test_peer_18_texts_of_every_kind_pass(stage: Stage) -> None:
    texts = [
        "$1 {body} {{x}} %s \\ ' \" \\x00 \\u0000",
        "<|endoftext|> <|im_start|>",
        "שלום עולם مرحبا",
        "🧑‍🚀🏳️‍🌈 é̂",
        "\x01\x02\t\r\n\x7f\ufeff\u2028\uffff",
        "100 kB " * 14_000,
    ]
    stage.conn.execute("update evervec.model set input_limit = 200000")
    for key, text in enumerate(texts):
        stage.conn.execute("insert into note values (%s, %s)", [key, text])

    assert stage.workers.drain() == 0

    consistent(stage)
    assert set(stage.api.paid) == set(texts)


def test_peer_20_a_429_met_by_one_worker_is_heeded_by_the_other(stage: Stage) -> None:
    stage.conn.execute("update evervec.model set batch_texts = 5")
    stage.api.rules(Rules(slow=0.1))
    stage.write(200)
    working = [
        stage.workers.start(EVERVEC_BATCH_SIZE="50", EVERVEC_CONCURRENCY="2") for _ in range(2)
    ]
    stage.wait_for_requests(4)
    stage.api.script(Answer(status=429, headers={"Retry-After": "2"}))
    wait_for(lambda: any(sent.status == 429 for sent in stage.api.journal))
    wait_for(lambda: len(stage.embedded()) == 200)
    stage.wait_until_done()
    for worker in working:
        assert stage.workers.stop(worker) == 0

    journal = stage.api.journal
    refused = next(sent.at for sent in journal if sent.status == 429)
    # Requests under way cannot be called back, and of the three other batches at work each may
    # send one while the first is told.
    soon = [sent for sent in journal if refused < sent.at < refused + 2]
    assert len(soon) <= 3
    assert all(sent.at < refused + 0.5 for sent in soon)
    consistent(stage, told="rate_limit")


def test_peer_20_and_23_a_429_or_a_missing_key_stalls_only_its_own_sources(stage: Stage) -> None:
    stage.track("limited", model="limited")
    stage.track("keyless", model="keyless")
    stage.conn.execute("update evervec.model set provider = 'nobody' where name = 'keyless'")
    stage.api.rules(Rules(limited={"limited": 30}))
    for table in ("limited", "keyless"):
        stage.conn.execute(f"insert into {table} select g, 'x ' || g from generate_series(1, 50) g")
    worker = stage.workers.start()
    stage.wait_for_line("embed_failed", source="limited", error_class="rate_limit")
    stage.wait_for_line("embed_failed", source="keyless", error_class="auth")
    stage.write(ROWS)

    wait_for(lambda: len(stage.embedded()) == ROWS)
    stage.wait_until_done()

    assert stage.workers.stop(worker) == 0
    assert sum(sent.model == "limited" for sent in stage.api.journal) <= 2
    paused: dict[str, str | None] = dict(
        stage.conn.execute("select name, pause_class from evervec.model").fetchall()
    )
    assert (paused["wire"], paused["limited"], paused["keyless"]) == (None, "rate_limit", "auth")
    stage.conn.execute("select evervec.untrack('limited', true), evervec.untrack('keyless', true)")
    consistent(stage)


def test_peer_21_fresh_work_goes_before_retries(stage: Stage) -> None:
    stage.conn.execute("update evervec.retry_policy set max_attempts = 50")
    stage.api.rules(Rules(poison="old", poison_status=500))
    stage.write(300, body="old")
    worker = stage.workers.start()
    wait_for(lambda: len(stage.api.journal) > 5)
    stage.write(5, first=1000, body="new")

    before = len(stage.api.journal)
    wait_for(lambda: len(stage.embedded()) == 5)

    assert len(stage.api.journal) - before < 20
    stage.api.rules(Rules())
    wait_for(lambda: len(stage.embedded()) == 305, 40)
    stage.wait_until_done()
    assert stage.workers.stop(worker) == 0
    consistent(stage, told="server_error")


def test_peer_24_rows_that_vanish_by_the_batch_do_not_end_a_run(stage: Stage) -> None:
    with in_flight(stage):
        stage.write(500, first=100)
        stage.conn.execute("delete from note where id between 100 and 580")

    assert stage.embedded() == {*range(1, ROWS + 1), *range(581, 600)}
    consistent(stage)
