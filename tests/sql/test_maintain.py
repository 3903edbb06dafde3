"""maintain: the upkeep of workers, once in its time however many there are."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.support.sessions import sessions
from tests.support.sql_worker import Row, rows, value


def maintain(conn: psycopg.Connection) -> list[Row]:
    """All that is due, in its order."""
    done = []
    while (row := rows(conn, "select * from evervec.maintain()")[0])["job"] is not None:
        done.append(row)
    return done


def make_due(conn: psycopg.Connection, job: str, by: str = "1 second") -> None:
    conn.execute(
        "update evervec.maintenance set ran_at = now() - every - %s::interval where job = %s",
        [by, job],
    )


@pytest.fixture
def kept(film: psycopg.Connection) -> psycopg.Connection:
    """Nothing is due."""
    maintain(film)
    return film


def test_everything_is_due_at_first_and_nothing_afterwards(film: psycopg.Connection) -> None:
    film.execute("update film set title = 'Changed' where id = 1")

    done = {row["job"]: row["result"] for row in maintain(film)}

    assert done["cleanup_expired"] == {"cleanup_expired": 0}
    assert done["tick"] == {"folded": 1, "reclaimed": 0}
    assert set(done) == {
        row["job"] for row in rows(film, "select job from evervec.maintenance where by_worker")
    }
    assert maintain(film) == []


def test_what_has_been_due_longest_comes_first(kept: psycopg.Connection) -> None:
    for first, second in (("tick", "cleanup_expired"), ("cleanup_expired", "tick")):
        make_due(kept, first, "2 seconds")
        make_due(kept, second, "1 second")

        assert [row["job"] for row in maintain(kept)] == [first, second]


def test_what_is_under_way_elsewhere_is_left_alone(kept: psycopg.Connection) -> None:
    for job in ("tick", "cleanup_expired"):
        make_due(kept, job)
    kept.execute("set statement_timeout = '5 s'")
    with sessions(kept.info.dsn + f" password={kept.info.password}") as others:
        other = others.begin()
        busy = rows(other, "select * from evervec.maintain()")[0]["job"]

        assert busy not in [row["job"] for row in maintain(kept)]

        other.execute("commit")
    assert maintain(kept) == []


def test_many_who_ask_at_once_run_it_once(kept: psycopg.Connection, url: str) -> None:
    kept.execute("update evervec.maintenance set every = '1 hour'")
    make_due(kept, "tick")

    def ask(_: int) -> str | None:
        with psycopg.connect(url, autocommit=True) as conn:
            found: str | None = value(conn, "select job from evervec.maintain()")
            return found

    with ThreadPoolExecutor(8) as pool:
        assert [job for job in pool.map(ask, range(16)) if job] == ["tick"]


def test_what_fails_is_told_keeps_nothing_and_stops_nothing_else(
    kept: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    superuser_conn.execute("alter table evervec.model_call rename to hidden")
    make_due(kept, "cleanup_expired", "2 seconds")
    make_due(kept, "tick", "1 second")

    failed, done = maintain(kept)

    assert (failed["job"], failed["result"], done["job"]) == ("cleanup_expired", None, "tick")
    assert 'relation "evervec.model_call" does not exist' in failed["error"]
    found = rows(kept, "select * from evervec.doctor() where finding = 'failing upkeep'")
    assert "cleanup_expired failed when it was last run" in found[0]["problem"]
    assert found[0]["remedy"] == "select * from evervec.cleanup_expired();"

    superuser_conn.execute("alter table evervec.hidden rename to model_call")
    make_due(kept, "cleanup_expired")
    maintain(kept)
    assert rows(kept, "select * from evervec.doctor() where finding = 'failing upkeep'") == []
