"""What alerts says about models, letters and indexes; the rest is in test_doctor.py."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.sql_worker import Row, add_toy_model, claim, complete, drain, rows, value


def alerts(conn: psycopg.Connection) -> list[Row]:
    return rows(conn, "select * from evervec.alerts")


def kinds(conn: psycopg.Connection) -> list[tuple[str | None, str]]:
    return [(row["source"], row["alert"]) for row in alerts(conn)]


@pytest.fixture
def idle(film: psycopg.Connection) -> psycopg.Connection:
    """Ten films that are all embedded, and all the jobs of another model's source."""
    add_toy_model(film, "other_toy")
    film.execute("create table other (id integer primary key, title text)")
    film.execute(
        "select evervec.track('other', '{title}', p_model => 'other_toy', p_index => 'none')"
    )
    drain(film)
    return film


def refuse(conn: psycopg.Connection, error_class: str, message: str = "no") -> None:
    """The next batch of films is refused."""
    conn.execute("update film set title = title || '!'")
    conn.execute("update evervec.processing_queue set available_at = now() - interval '1 s'")
    jobs = rows(conn, "select * from evervec.claim_jobs(p_sources => '{film}')")
    conn.execute(
        "select evervec.fail_jobs(%s, %s, %s, %s)",
        [jobs[0]["lease_token"], [job["job_id"] for job in jobs], error_class, message],
    )


def make_due(conn: psycopg.Connection) -> None:
    conn.execute("update evervec.processing_queue set available_at = now() - interval '1 s'")
    conn.execute("update evervec.model set paused_until = now() where name = 'toy'")


@pytest.mark.parametrize(
    ("error_class", "alert"), [("auth", "key refused"), ("quota", "quota used up")]
)
def test_peer_23_a_missing_key_is_told_at_once_for_its_own_source_until_a_success(
    idle: psycopg.Connection, error_class: str, alert: str
) -> None:
    refuse(idle, error_class, "OPENAI_API_KEY is not set")

    assert kinds(idle) == [("film", alert)]
    assert "OPENAI_API_KEY is not set" in alerts(idle)[0]["problem"]
    assert value(idle, "select state from evervec.status where source = 'other'") == "active"

    # The next attempt may begin: nothing is mended by that.
    make_due(idle)
    assert kinds(idle) == [("film", alert)]

    complete(idle, claim(idle))
    assert kinds(idle) == []


def test_the_remedy_of_a_refused_key_takes_the_work_up_again(idle: psycopg.Connection) -> None:
    refuse(idle, "auth")

    idle.execute(alerts(idle)[0]["remedy"].encode())

    assert kinds(idle) == []
    assert len(claim(idle)) == 10


def test_peer_20_a_rate_limit_is_told_only_when_it_lasts(idle: psycopg.Connection) -> None:
    refuse(idle, "rate_limit")
    assert kinds(idle) == []

    idle.execute("update evervec.model set paused_at = now() - interval '16 minutes'")
    assert kinds(idle) == [("film", "rate limited")]

    # Another one follows: the pause has still begun back then.
    make_due(idle)
    refuse(idle, "rate_limit")
    assert kinds(idle) == [("film", "rate limited")]


def test_letters_are_counted_in_all(idle: psycopg.Connection) -> None:
    idle.execute("update evervec.setting set value = '10' where name = 'alert_dead_letters'")
    refuse(idle, "bad_input")
    assert kinds(idle) == []
    idle.execute("select evervec.enqueue_task('paint')")
    claim(idle)

    told = {row["source"]: row for row in alerts(idle)}

    assert {source: row["alert"] for source, row in told.items()} == {
        "film": "dead letters",
        None: "dead letters",
    }
    assert len(rows(idle, told["film"]["remedy"])) == 10
    assert len(rows(idle, told[None]["remedy"])) == 11


def test_a_missing_index_is_told_when_there_is_much_to_search(idle: psycopg.Connection) -> None:
    idle.execute("update evervec.setting set value = '10' where name ~ 'without_index'")
    idle.execute("analyze film_embedding")
    assert kinds(idle) == [("film", "index not built")]

    idle.execute(alerts(idle)[0]["remedy"].encode())
    assert kinds(idle) == []


def test_a_missing_index_is_not_told_while_rows_are_embedded(idle: psycopg.Connection) -> None:
    idle.execute("update evervec.setting set value = '10' where name ~ 'without_index'")
    idle.execute("analyze film_embedding; update film set title = 'Changed' where id < 5")
    idle.execute("select evervec.fold()")
    assert kinds(idle) == []
    drain(idle)
    idle.execute("select evervec.backfill('film')")
    assert kinds(idle) == []


def test_a_source_without_an_index_by_choice_is_no_alert(film: psycopg.Connection) -> None:
    film.execute("select evervec.untrack('film', p_drop_vectors => true)")
    film.execute("select evervec.track('film', '{title}', p_model => 'toy', p_index => 'none')")
    drain(film)
    film.execute("update evervec.setting set value = '1' where name ~ 'without_index'")
    assert kinds(film) == []
