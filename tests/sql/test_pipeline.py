"""From a change to a vector: log, fold, claim, complete, fail."""

from __future__ import annotations

import hashlib

import psycopg
import pytest

from tests.support.sql_worker import claim, complete, drain, raises, rows, toy_vector, value


def vectors(conn: psycopg.Connection) -> dict[int, bytes]:
    """id → content_hash of every vector."""
    return {r["id"]: r["content_hash"] for r in rows(conn, "select * from film_embedding")}


def expected(conn: psycopg.Connection) -> dict[int, bytes]:
    """id → hash of the text that each row has now."""
    return {
        r["id"]: hashlib.sha256(f"Title: {r['title']}".encode()).digest()
        for r in rows(conn, "select * from film where title ~ '\\S'")
    }


def test_backfill_embeds_what_was_there_before(film: psycopg.Connection) -> None:
    drained = drain(film)

    assert sorted(drained.texts) == sorted(f"Title: Film {i}" for i in range(1, 11))
    assert vectors(film) == expected(film)
    assert rows(film, "select * from evervec.coverage('film')") == [
        {"source": "film", "total": 10, "embedded": 10, "archived": 0, "missing": 0, "percent": 100}
    ]


def test_insert_update_delete_are_followed(film: psycopg.Connection) -> None:
    drain(film)
    film.execute("insert into film values (11, 'New', 2000)")
    film.execute("update film set title = 'Changed' where id = 1")
    film.execute("delete from film where id = 2")

    drained = drain(film)

    assert sorted(drained.texts) == ["Title: Changed", "Title: New"]
    assert vectors(film) == expected(film)


def test_a_delete_takes_its_vector_at_once(film: psycopg.Connection) -> None:
    drain(film)

    film.execute("delete from film where id in (2, 3)")

    assert set(vectors(film)) == {1, 4, 5, 6, 7, 8, 9, 10}


def test_truncate_takes_all_vectors(film: psycopg.Connection) -> None:
    drain(film)

    film.execute("truncate film")

    assert vectors(film) == {}
    assert drain(film).texts == []


def test_a_changed_key_moves_the_vector(film: psycopg.Connection) -> None:
    drain(film)

    film.execute("update film set id = 100 where id = 1")

    assert 1 not in vectors(film)
    drain(film)
    assert vectors(film) == expected(film)


def test_a_rolled_back_change_leaves_no_trace(film: psycopg.Connection) -> None:
    drain(film)
    with film.transaction(force_rollback=True):
        film.execute("update film set title = 'Changed'")
        film.execute("delete from film where id = 1")

    assert value(film, "select count(*) from evervec.change_log") == 0
    assert vectors(film) == expected(film)


def test_unchanged_text_costs_no_call(film: psycopg.Connection) -> None:
    drain(film)
    film.execute("update film set title = 'Changed' where id = 1")
    film.execute("update film set title = 'Film 1' where id = 1")

    drained = drain(film)

    assert drained.texts == []
    assert drained.states == {"unchanged": 1}


def test_a_session_that_planned_for_empty_tables_reads_rows_by_key(
    film: psycopg.Connection,
) -> None:
    film.execute("truncate film cascade")
    drain(film)
    film.execute("vacuum analyze film, film_embedding")
    for number in range(1, 11):  # a plan is kept from the sixth execution on
        film.execute("insert into film values (%s, 'Early')", [number])
        complete(film, claim(film))
    film.execute("insert into film select n, 'Late ' || n from generate_series(11, 3000) n")

    film.execute("select evervec.fold()")

    assert rows_read_by_a_batch(film) < 20 * 100


def test_a_queue_without_statistics_is_read_by_key(film: psycopg.Connection) -> None:
    """As after TRUNCATE, or before the first ANALYZE."""
    film.execute("insert into film select n, 'New ' || n from generate_series(11, 3000) n")
    film.execute("select evervec.fold()")

    assert rows_read_by_a_batch(film) < 20 * 100


def rows_read_by_a_batch(conn: psycopg.Connection) -> int:
    """Rows that a claim of 100 jobs and their completion look at, in all tables that grow."""
    with conn.transaction():
        before = value(conn, READ)
        complete(conn, claim(conn, 100))
        return int(value(conn, READ) - before)


READ = """
    select coalesce(sum(seq_tup_read + idx_tup_fetch), 0)
      from pg_stat_xact_all_tables
     where relname in ('film', 'film_embedding', 'processing_queue')
"""


def test_a_job_is_delivered_to_one_worker(film: psycopg.Connection) -> None:
    first, second = claim(film, 6), claim(film, 6)

    assert len(first) == 6
    assert len(second) == 4
    assert not {j["job_id"] for j in first} & {j["job_id"] for j in second}
    assert first[0]["lease_token"] != second[0]["lease_token"]


def test_a_result_without_its_lease_is_discarded(film: psycopg.Connection) -> None:
    late = claim(film)
    film.execute("update evervec.processing_queue set lease_expires_at = now() - interval '1 s'")
    current = claim(film)

    assert complete(film, late) == {"lost": 10}
    assert vectors(film) == {}
    assert complete(film, current) == {"completed": 10}


def test_an_expired_lease_makes_the_job_pending_again(film: psycopg.Connection) -> None:
    first = claim(film)
    film.execute("update evervec.processing_queue set lease_expires_at = now() - interval '1 s'")

    again = claim(film)

    assert {j["job_id"] for j in again} == {j["job_id"] for j in first}
    assert again[0]["attempts"] == 0


def test_a_row_that_changed_meanwhile_is_embedded_again(film: psycopg.Connection) -> None:
    jobs = claim(film)
    film.execute("update film set title = 'Changed' where id = 1")

    assert complete(film, jobs) == {"completed": 9, "superseded": 1}
    assert 1 not in vectors(film)
    assert drain(film).texts == ["Title: Changed"]
    assert vectors(film) == expected(film)


def test_a_change_that_comes_back_is_not_stored_twice(film: psycopg.Connection) -> None:
    """The generation says that something changed; the hash says that it does not matter."""
    jobs = claim(film)
    film.execute("update film set title = 'Changed' where id = 1")
    film.execute("update film set title = 'Film 1' where id = 1")
    film.execute("select evervec.fold()")

    assert complete(film, jobs) == {"completed": 10}
    assert drain(film).states == {"unchanged": 1}


def test_a_row_deleted_meanwhile_leaves_nothing(film: psycopg.Connection) -> None:
    jobs = claim(film)
    film.execute("delete from film where id = 1")

    assert complete(film, jobs) == {"completed": 9, "gone": 1}
    drain(film)
    assert vectors(film) == expected(film)


def test_complete_never_waits_for_a_user(film: psycopg.Connection, url: str) -> None:
    jobs = claim(film)
    with psycopg.connect(url) as user:
        user.execute("delete from film where id = 1")

        assert complete(film, jobs) == {"completed": 9, "locked": 1}
        user.rollback()

    film.execute("update evervec.processing_queue set available_at = now()")
    drain(film)
    assert vectors(film) == expected(film)


def test_a_delete_returns_at_once_while_its_row_is_at_the_provider(
    film: psycopg.Connection, url: str
) -> None:
    claim(film)
    with psycopg.connect(url, autocommit=True) as user:
        user.execute("set lock_timeout = '1ms'")
        user.execute("delete from film where id = 1")


def test_empty_text_takes_the_vector_away(film: psycopg.Connection) -> None:
    drain(film)
    film.execute(
        "update film set title = null where id = 1; update film set title = ' ' where id = 2"
    )

    drained = drain(film)

    assert drained.states == {"empty": 2}
    assert vectors(film) == expected(film)
    assert set(vectors(film)) == set(range(3, 11))


def test_ten_changes_are_one_job(film: psycopg.Connection) -> None:
    drain(film)
    for i in range(10):
        film.execute("update film set title = %s where id = 1", [f"Version {i}"])

    jobs = claim(film)

    assert [j["content"] for j in jobs] == ["Title: Version 9"]


def test_a_failed_job_waits_and_a_dead_one_is_kept(film: psycopg.Connection) -> None:
    token = claim(film, 1)[0]["lease_token"]
    job_id = value(
        film, "select job_id from evervec.processing_queue where lease_token = %s", token
    )
    for attempt in (1, 2, 3):
        outcome = rows(
            film,
            "select * from evervec.fail_jobs(%s, %s, 'server_error', 'no luck', 503)",
            token,
            [job_id],
        )[0]
        assert outcome["outcome"] == ("retry" if attempt < 3 else "dead")
        if attempt < 3:
            wait = value(film, "select %s - clock_timestamp()", outcome["available_at"])
            assert 2 ** (attempt - 1) * 0.9 < wait.total_seconds() <= 2 ** (attempt - 1) * 1.3
            film.execute(
                "update evervec.processing_queue"
                " set available_at = now() - interval '1 day', priority = 1 where job_id = %s",
                [job_id],
            )
            token = claim(film, 1)[0]["lease_token"]

    letter = rows(film, "select * from evervec.dead_letter")[0]
    assert letter["job_id"] == job_id
    assert [f["status"] for f in letter["failures"]] == [503, 503, 503]


def test_auth_errors_never_bury_a_job(film: psycopg.Connection) -> None:
    for _ in range(10):
        jobs = claim(film, 1)
        rows(
            film,
            "select * from evervec.fail_jobs(%s, %s, 'auth', 'wrong key', 401, '0 seconds')",
            jobs[0]["lease_token"],
            [jobs[0]["job_id"]],
        )

    assert value(film, "select count(*) from evervec.dead_letter") == 0
    assert value(film, "select max(attempts) from evervec.processing_queue") == 0


def test_released_jobs_cost_no_attempt(film: psycopg.Connection) -> None:
    jobs = claim(film, 4)

    released = value(
        film,
        "select evervec.release_jobs(%s, %s)",
        jobs[0]["lease_token"],
        [j["job_id"] for j in jobs],
    )

    assert released == 4
    assert {j["job_id"] for j in claim(film, 4)} == {j["job_id"] for j in jobs}


def test_a_lease_can_be_extended(film: psycopg.Connection) -> None:
    token = claim(film, 4)[0]["lease_token"]

    assert value(film, "select evervec.extend_lease(%s, '1 hour')", token) == 4
    assert value(
        film,
        "select min(lease_expires_at) > now() + interval '59 minutes'"
        " from evervec.processing_queue where lease_token = %s",
        token,
    )


def test_wrong_dimensions_are_refused(film: psycopg.Connection) -> None:
    job = claim(film, 1)[0]

    with raises(film, "VE109", "has 3 dimensions, not 4"):
        film.execute(
            "select * from evervec.complete_jobs(%s, %s, %s::vector[])",
            [job["lease_token"], [job["job_id"]], [toy_vector("x", 3)]],
        )
    assert complete(film, [job]) == {"completed": 1}


@pytest.mark.parametrize(
    "call",
    [
        "evervec.claim_jobs(0)",
        "evervec.claim_jobs(1, '-1 second')",
        "evervec.complete_jobs(null, '{}', '{}')",
        "evervec.complete_jobs(gen_random_uuid(), '{1,2}', '{}')",
        "evervec.fail_jobs(gen_random_uuid(), '{1}', 'sorrow', '')",
    ],
)
def test_bad_calls_of_a_worker_are_refused(film: psycopg.Connection, call: str) -> None:
    with raises(film, "VE301", ""):
        film.execute(f"select * from {call}")


def test_a_job_completed_twice_in_one_call_is_refused_and_stores_nothing(
    film: psycopg.Connection,
) -> None:
    jobs = claim(film)[:2]

    with raises(film, "VE301", "a job twice"):
        complete(film, [*jobs, jobs[0]])

    assert vectors(film) == {}
    assert complete(film, jobs) == {"completed": 2}


def test_a_source_under_alter_table_stops_no_other(film: psycopg.Connection, url: str) -> None:
    film.execute("create table other (id integer primary key, title text)")
    film.execute("insert into other values (1, 'Other')")
    film.execute("select evervec.track('other', '{title}', p_model => 'toy')")
    claim(film, 1)
    with psycopg.connect(url) as user:
        user.execute("lock table film in access exclusive mode")

        states = {(j["source"], j["state"]) for _ in range(3) for j in claim(film)}

    assert states == {("film", "locked"), ("other", "embed")}


def test_untrack_leaves_the_table_as_it_was(film: psycopg.Connection) -> None:
    drain(film)

    film.execute("select evervec.untrack('film')")

    assert value(film, "select count(*) from pg_trigger where tgrelid = 'film'::regclass") == 0
    assert value(film, "select count(*) from pg_proc where proname ~ '_film$'") == 0
    assert len(vectors(film)) == 10
    film.execute("drop table film, film_embedding")


def test_tick_folds_what_is_logged(film: psycopg.Connection) -> None:
    drain(film)
    film.execute("update film set title = 'Changed'")

    assert rows(film, "select * from evervec.tick()") == [{"folded": 10, "reclaimed": 0}]


def test_receipts_are_forgotten_after_a_day(film: psycopg.Connection) -> None:
    drain(film)
    film.execute("update evervec.job_receipt set finished_at = now() - interval '23 hours'")
    assert value(film, "select sum(removed) from evervec.cleanup_expired()") == 0

    film.execute("update evervec.job_receipt set finished_at = now() - interval '25 hours'")

    assert value(film, "select sum(removed) from evervec.cleanup_expired()") == 10


def test_a_priority_by_row_decides_what_is_claimed_first(film: psycopg.Connection) -> None:
    film.execute(
        """
        create table offer (id integer primary key, label text, active boolean);
        select evervec.track('offer', '{label}', p_model => 'toy',
                             p_priority => 'case when active then 1 else 9 end');
        """
    )
    drain(film)
    film.execute("insert into offer select g, 'Offer ' || g, g > 5 from generate_series(1, 8) g")

    jobs = claim(film, 3)

    assert sorted(job["row_key"]["id"] for job in jobs) == [6, 7, 8]


@pytest.mark.parametrize("vacuumed", [False, True])
def test_an_urgent_row_does_not_wait_behind_a_bulk_update(
    film: psycopg.Connection, superuser_conn: psycopg.Connection, vacuumed: bool
) -> None:
    """Its change is at the end of the log, or where vacuum gave space back: folded at once."""
    film.execute(
        """
        create table offer (id integer primary key, label text);
        select evervec.track('offer', '{label}', p_model => 'toy',
                             p_priority => 'case when id = 0 then 1 else 9 end');
        insert into offer select g, 'Offer ' || g from generate_series(1, 9000) g;
        """
    )
    if vacuumed:
        film.execute("select evervec.fold(1000)")
        superuser_conn.execute("vacuum evervec.change_log")
    film.execute("insert into offer values (0, 'urgent')")

    film.execute("select evervec.fold(1000)")

    urgent = "select priority from evervec.processing_queue where row_key = '{\"id\": 0}'"
    assert value(film, urgent) == 1
    assert value(film, "select log > 0 from evervec.pending('offer')")


def test_a_priority_that_fails_costs_its_row_only_its_priority(film: psycopg.Connection) -> None:
    film.execute(
        """
        create table offer (id integer primary key, label text, rank integer);
        select evervec.track('offer', '{label}', p_model => 'toy', p_priority => '6 / rank');
        insert into offer values (1, 'broken', 0), (2, 'urgent', 6);
        """
    )

    assert value(film, "select evervec.fold()") == 2
    priorities = rows(
        film, "select row_key ->> 'id' as id, priority from evervec.processing_queue order by 1"
    )

    assert [(row["id"], row["priority"]) for row in priorities] == [("1", 5), ("2", 1)]
