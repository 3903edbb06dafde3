"""Rows that somebody asks for: keys, priorities, and the job that each row has."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.sql_worker import claim, complete, drain, raises, rows, value


def enqueue(
    conn: psycopg.Connection, keys: list[int], operation: str = "update", **options: object
) -> list[int]:
    """Job ids of the films of these ids."""
    more = "".join(f", {name} => %s" for name in options)
    found = rows(
        conn,
        "select job_id from evervec.enqueue('film', %s::text[]::jsonb[], %s"
        f"{more}) with ordinality as e (job_id, n) order by n",
        [f'{{"id": {key}}}' for key in keys],
        operation,
        *options.values(),
    )
    return [row["job_id"] for row in found]


def job(conn: psycopg.Connection, job_id: int) -> dict[str, object]:
    return rows(conn, "select * from evervec.processing_queue where job_id = %s", job_id)[0]


@pytest.fixture
def idle(film: psycopg.Connection) -> psycopg.Connection:
    """Ten films that are all embedded."""
    drain(film)
    return film


def test_every_key_gets_its_job_in_the_order_given(idle: psycopg.Connection) -> None:
    ids = enqueue(idle, [7, 3, 7, 1])

    assert [job(idle, i)["row_key"] for i in ids] == [{"id": k} for k in (7, 3, 7, 1)]
    assert ids[0] == ids[2]
    assert len(set(ids)) == 3


@pytest.mark.parametrize(
    ("operation", "priority"), [("create", 1), ("update", 5), ("bulk", 8), ("retry", 5)]
)
def test_an_operation_has_its_priority(
    idle: psycopg.Connection, operation: str, priority: int
) -> None:
    assert job(idle, enqueue(idle, [1], operation)[0])["priority"] == priority
    assert job(idle, enqueue(idle, [2], operation, p_priority=3)[0])["priority"] == 3


def test_metadata_is_kept_with_the_job_and_in_its_receipt(idle: psycopg.Connection) -> None:
    (job_id,) = enqueue(
        idle,
        [1],
        "create",
        p_triggered_by="importer",
        p_metadata='{"request": "a1", "operation": 1}',
    )
    drain(idle)

    metadata = value(idle, "select metadata from evervec.job_receipt where job_id = %s", job_id)
    assert metadata.pop("triggered_at")
    assert metadata == {"request": "a1", "operation": "create", "triggered_by": "importer"}


def test_an_unchanged_text_is_never_paid_for_twice(idle: psycopg.Connection) -> None:
    (job_id,) = enqueue(idle, [1])

    drained = drain(idle)

    assert drained.texts == []
    outcome = value(idle, "select outcome from evervec.job_receipt where job_id = %s", job_id)
    assert outcome == "unchanged"


def test_a_row_that_does_not_exist_is_settled_as_gone(idle: psycopg.Connection) -> None:
    (job_id,) = enqueue(idle, [404])
    drain(idle)
    outcome = value(idle, "select outcome from evervec.job_receipt where job_id = %s", job_id)
    assert outcome == "gone"


def test_a_queued_row_keeps_its_job_and_gets_the_better_priority(
    idle: psycopg.Connection,
) -> None:
    (first,) = enqueue(idle, [1], "bulk", p_metadata='{"first": 1}')
    (second,) = enqueue(idle, [1], "create", p_metadata='{"second": 2}')
    (third,) = enqueue(idle, [1], "bulk")

    assert first == second == third
    assert job(idle, first)["priority"] == 1
    assert {"first", "second"} <= set(job(idle, first)["metadata"])  # type: ignore[call-overload]


def test_what_waits_for_a_retry_is_due_when_somebody_asks_for_it(
    idle: psycopg.Connection,
) -> None:
    enqueue(idle, [1])
    idle.execute("update evervec.processing_queue set available_at = now() + interval '1 hour'")
    assert claim(idle) == []

    enqueue(idle, [1], "retry")

    assert len(claim(idle)) == 1


def test_a_row_asked_for_while_it_is_worked_on_is_looked_at_again(
    idle: psycopg.Connection,
) -> None:
    idle.execute("update film set title = 'Changed' where id = 1")
    jobs = claim(idle)
    (job_id,) = enqueue(idle, [1])
    assert job_id == jobs[0]["job_id"]

    assert complete(idle, jobs) == {"completed": 1}

    assert job(idle, job_id)["status"] == "pending"
    assert drain(idle).states == {"unchanged": 1}


def test_no_keys_are_no_jobs(idle: psycopg.Connection) -> None:
    assert enqueue(idle, []) == []


def test_all_makes_every_vector_anew(idle: psycopg.Connection) -> None:
    job_id = value(idle, "select evervec.enqueue('film', 'all', 'bulk')")

    assert job(idle, job_id)["task_type"] == "regenerate"
    assert job(idle, job_id)["priority"] == 8
    assert len(drain(idle).texts) == 10


def test_missing_finds_the_rows_without_a_vector(idle: psycopg.Connection) -> None:
    idle.execute("delete from film_embedding where id <= 3")

    job_id = value(idle, "select evervec.enqueue('film', 'missing')")

    assert job(idle, job_id)["task_type"] == "batch"
    assert sorted(drain(idle).texts) == ["Title: Film 1", "Title: Film 2", "Title: Film 3"]


@pytest.mark.parametrize(
    ("arguments", "state", "message"),
    [
        ("'nowhere', 'all'", "VE101", "nowhere"),
        ("'nowhere', '{}'::jsonb[]", "VE101", "nowhere"),
        ("'film', 'some'", "VE302", "'some' is neither all nor missing"),
        ("'film', null::text", "VE302", "NULL is neither"),
        ("'film', '{}'::jsonb[], 'upsert'", "VE302", "operation 'upsert' is not known"),
        ("'film', 'all', 'upsert'", "VE302", "operation 'upsert' is not known"),
        ("'film', 'all', 'upsert', 3", "VE302", "operation 'upsert' is not known"),
        ("'film', '{}'::jsonb[], p_priority => 11", "VE302", "priority is from 1 to 10"),
        ("'film', '{}'::jsonb[], p_metadata => '[]'", "VE302", "p_metadata is not a JSON object"),
        ("'film', 'all', p_metadata => null", "VE302", "p_metadata is not a JSON object"),
        ("'film', array['{\"no\": 1}']::jsonb[]", "VE202", "is not a key"),
        ("'film', array[null]::jsonb[]", "VE202", "NULL is not a key"),
        ("'film', array['{\"id\": \"x\"}']::jsonb[]", "VE202", "is not a key"),
    ],
)
def test_bad_requests_are_refused(
    film: psycopg.Connection, arguments: str, state: str, message: str
) -> None:
    with raises(film, state, message):
        film.execute(f"select evervec.enqueue({arguments})".encode())


def test_a_key_too_long_for_the_queue_is_named(film: psycopg.Connection) -> None:
    film.execute("create table word (word text primary key)")
    film.execute("select evervec.track('word', '{word}', p_model => 'toy')")
    with raises(film, "VE303", 'a key of source "word" is too long'):
        film.execute(
            "select evervec.enqueue('word', array[jsonb_build_object('word', repeat('x', 3000))])"
        )


def test_vectors_of_the_application_are_not_queued(film: psycopg.Connection) -> None:
    film.execute(
        "select evervec.track('film', p_model => 'toy', p_name => 'own', p_storage => 'manual')"
    )
    for rest in ("array['{\"id\": 1}']::jsonb[]", "'all'", "'missing'"):
        with raises(film, "VE111", 'the storage of "own"'):
            film.execute(f"select evervec.enqueue('own', {rest})".encode())
