"""Rings by pg_net: one a transaction, so far apart, and no matter of the writer's."""

from __future__ import annotations

import psycopg
import pytest

from evervec import migrate
from tests.support import pg_net
from tests.support.cluster import Database
from tests.support.migrating import wait_for
from tests.support.rings import checked
from tests.support.roles import role, session_of
from tests.support.sessions import sessions
from tests.support.sql_worker import claim, rows, value

WEBHOOK = "http://127.0.0.1:9"


@pytest.fixture
def film(film: psycopg.Connection, superuser_conn: psycopg.Connection) -> psycopg.Connection:
    """Ten tracked films, and pg_net."""
    pg_net.install(superuser_conn)
    return film


def push(conn: psycopg.Connection, *, debounce: str = "0", transport: str = "auto") -> None:
    conn.execute("select evervec.configure_push(%s, %s, %s)", [WEBHOOK, transport, debounce])


def add(conn: psycopg.Connection, *ids: int) -> None:
    for n in ids:
        conn.execute("insert into film values (%s, 'Another', 2000)", [n])


def rung(conn: psycopg.Connection) -> int:
    return len(pg_net.requests(conn))


def test_a_change_rings_the_webhook_with_a_signature_that_holds(film: psycopg.Connection) -> None:
    push(film)
    film.execute("update film set title = 'Changed' where id = 1")

    (request,) = pg_net.requests(film)

    assert request.url == f"{WEBHOOK}/v1/wake"
    assert request.timeout_milliseconds == 1000
    assert request.headers["Content-Type"] == "application/json"
    assert checked(film, request.ring) == "ok"


@pytest.mark.parametrize(
    "change",
    [
        "insert into film values (11, 'New', 2000)",
        "update film set title = 'Changed'",
        "delete from film",
        "truncate film",
    ],
)
def test_every_kind_of_change_rings(film: psycopg.Connection, change: str) -> None:
    push(film)
    film.execute(change.encode())
    assert rung(film) == 1


def test_peer_36_a_transaction_rings_once(film: psycopg.Connection) -> None:
    push(film)
    with film.transaction():
        add(film, 11, 12)
        film.execute("update film set title = title || '!'")
    assert rung(film) == 1
    add(film, 13)
    assert rung(film) == 2


def test_peer_36_rings_of_all_sessions_are_so_far_apart(film: psycopg.Connection, url: str) -> None:
    push(film, debounce="1 hour")
    add(film, 11)
    with psycopg.connect(url, autocommit=True) as other:
        add(other, 12)
    add(film, 13)
    assert rung(film) == 1

    film.execute("select setval('evervec.next_ring', last_value - 3600000) from evervec.next_ring")
    film.execute("reset evervec.no_ring_before")  # or a second later
    add(film, 14)
    assert rung(film) == 2


def test_a_shorter_distance_holds_at_once(film: psycopg.Connection) -> None:
    push(film, debounce="1 hour")
    add(film, 11)
    push(film, debounce="1 second")
    add(film, 12)
    assert rung(film) == 2


def test_a_session_that_came_too_soon_looks_again_within_a_second(
    film: psycopg.Connection, url: str
) -> None:
    push(film, debounce="1 hour")
    add(film, 11)
    with psycopg.connect(url, autocommit=True) as other:
        add(other, 12)
        push(film)
        assert rung(film) == 1
        wait_for(lambda: _adds_until(other, film))


def _adds_until(writer: psycopg.Connection, film: psycopg.Connection) -> bool:
    writer.execute("insert into film select max(id) + 1, 'Another', 2000 from film")
    return rung(film) == 2


@pytest.mark.parametrize("value_of_a_users", ["", "soon", "9", "-1"])
def test_no_value_of_the_setting_fails_a_write(
    film: psycopg.Connection, value_of_a_users: str
) -> None:
    push(film)
    film.execute("select set_config('evervec.no_ring_before', %s, false)", [value_of_a_users])
    add(film, 11)
    assert value(film, "select count(*) from film") == 11


def test_peer_36_a_request_holds_neither_data_nor_secret(film: psycopg.Connection) -> None:
    push(film)
    film.execute("update film set title = 'Confidential' where id = 1")

    (request,) = rows(film, "select * from net.http_request_queue")
    secret = value(film, "select * from evervec.secret_values('ring')")

    assert request["body"] == b'{"evervec": "ring"}'
    assert set(request["headers"]) == {
        "Content-Type",
        "X-Evervec-Timestamp",
        "X-Evervec-Nonce",
        "X-Evervec-Signature",
    }
    assert "Confidential" not in str(request)
    assert secret not in str(request)


def test_peer_36_lost_and_doubled_rings_lose_and_double_nothing(film: psycopg.Connection) -> None:
    push(film)
    add(film, 11)
    (request,) = pg_net.requests(film)
    assert [checked(film, request.ring) for _ in range(2)] == ["ok", "replayed"]

    # The queue of pg_net is unlogged: a crash empties it.
    film.execute("truncate net.http_request_queue")
    assert value(film, "select rang from evervec.ring()") is True

    assert rung(film) == 1
    assert 11 in [job["row_key"]["id"] for job in claim(film)]


def test_a_rollback_takes_its_ring_along_and_the_next_one_rings(film: psycopg.Connection) -> None:
    push(film)
    with film.transaction(force_rollback=True):
        add(film, 11)
    assert rung(film) == 0

    with film.transaction():
        with film.transaction(force_rollback=True):
            add(film, 11)
        add(film, 12)
    assert rung(film) == 1


def test_a_transport_that_fails_fails_no_write(
    film: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    push(film)
    superuser_conn.execute("alter table net.http_request_queue rename to gone")
    add(film, 11)
    superuser_conn.execute("drop schema net cascade")
    add(film, 12)
    assert value(film, "select count(*) from film") == 12


def test_a_transaction_tries_once_although_that_fails(
    film: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    push(film)
    superuser_conn.execute("alter table net.http_request_queue rename to gone")
    with film.transaction():
        add(film, 11)
        superuser_conn.execute("alter table net.gone rename to http_request_queue")
        add(film, 12)
    assert rung(film) == 0


def test_without_a_secret_nothing_rings_and_no_write_fails(film: psycopg.Connection) -> None:
    push(film)
    film.execute("delete from evervec.secret")
    add(film, 11)
    assert rung(film) == 0


def test_a_locked_queue_of_pg_net_keeps_no_writer_waiting(
    film: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    push(film)
    film.execute("set statement_timeout = '5 s'")
    with superuser_conn.transaction():
        superuser_conn.execute("lock table net.http_request_queue in access exclusive mode")
        add(film, 11)
    assert rung(film) == 0


def test_writers_do_not_wait_for_one_another(film: psycopg.Connection, url: str) -> None:
    push(film)
    with sessions(url) as others:
        first, second = others.begin(), others.begin()
        second.execute("set statement_timeout = '5 s'")
        add(first, 11)
        add(second, 12)
        second.execute("commit")
        first.execute("commit")
    assert rung(film) == 2


def test_an_application_without_rights_on_evervec_rings_as_it_writes(
    film: psycopg.Connection, superuser_conn: psycopg.Connection, database: Database
) -> None:
    push(film, debounce="1 second")
    with role(superuser_conn) as writer:
        film.execute(f"grant select, insert on film to {writer}")
        with session_of(database, writer) as session:
            add(session, 11)
    assert rung(film) == 1


def test_the_trigger_is_there_only_while_push_is_on(film: psycopg.Connection) -> None:
    triggers = "select count(*) from pg_trigger where tgname = 'evervec_ring'"
    assert value(film, triggers) == 0
    push(film)
    push(film)
    assert value(film, triggers) == 1

    assert value(film, "select evervec.push_off()") is True

    assert value(film, triggers) == 0
    assert value(film, "select evervec.push_off()") is False
    add(film, 11)
    assert rung(film) == 0


def test_a_rollback_of_evervec_is_not_kept_by_its_trigger(
    film: psycopg.Connection, database: Database
) -> None:
    push(film)
    migrate.rollback(database.url, everything=True)
    assert value(film, "select to_regnamespace('evervec') is null")
