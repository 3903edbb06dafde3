"""configure_push: what it takes, what it chooses, and what doctor says of it."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from tests.support import pg_net, pgsql_http
from tests.support.cluster import Database
from tests.support.roles import role, session_of
from tests.support.sql_worker import raises, rows, value

WEBHOOK = "https://webhook.example.org"
PUSH = f"select evervec.configure_push('{WEBHOOK}')"


def findings(conn: psycopg.Connection) -> list[tuple[str, str]]:
    found = rows(conn, "select * from evervec.doctor() where finding like 'push%%'")
    return [(row["severity"], row["finding"]) for row in found]


@pytest.mark.parametrize(
    ("installs", "transport"),
    [
        ([], "none"),
        ([pgsql_http.install], "http"),
        ([pg_net.install], "pg_net"),
        ([pg_net.install, pgsql_http.install], "pg_net"),
    ],
)
def test_the_best_transport_that_is_there_is_taken(
    conn: psycopg.Connection,
    superuser_conn: psycopg.Connection,
    installs: list[Callable[[psycopg.Connection], None]],
    transport: str,
) -> None:
    for install in installs:
        install(superuser_conn)

    assert value(conn, PUSH) == transport

    severity = "error" if transport == "none" else "info"
    (finding,) = rows(conn, "select * from evervec.doctor_push()")
    assert finding["severity"] == severity
    assert WEBHOOK in finding["problem"]


def test_the_first_time_makes_the_secret_and_the_next_one_keeps_it(
    conn: psycopg.Connection,
) -> None:
    conn.execute(PUSH)
    before = value(conn, "select * from evervec.secret_values('ring')")
    conn.execute(PUSH)
    assert rows(conn, "select * from evervec.secret_values('ring')") == [{"secret_values": before}]


@pytest.mark.parametrize(
    "address",
    [
        None,
        "",
        "webhook.example.org",
        "ftp://webhook.example.org",
        "https://",
        "https://user:secret@webhook.example.org",
        "https://webhook.example.org/?token=x",
        "https://webhook.example.org/#x",
        "https://webhook.example.org/a b",
        "https://webhook.example.org\n",
    ],
)
def test_what_is_no_address_of_a_webhook_is_refused(
    conn: psycopg.Connection, address: str | None
) -> None:
    with raises(conn, "VE422", "not the address of a webhook") as error:
        conn.execute("select evervec.configure_push(%s)", [address])
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    "option",
    ["p_transport => 'smoke'", "p_debounce => null", "p_debounce => '-1 s'", "p_debounce => '2 h'"],
)
def test_bad_options_are_refused(conn: psycopg.Connection, option: str) -> None:
    with raises(conn, "VE111", ""):
        conn.execute(f"select evervec.configure_push('{WEBHOOK}', {option})".encode())


@pytest.mark.parametrize(
    ("option", "missing"),
    [
        ("p_transport => 'pg_net'", "pg_net"),
        ("p_transport => 'http'", "pgsql-http"),
        ("p_search => true", "pgsql-http"),
    ],
)
def test_an_extension_that_is_asked_for_has_to_be_there(
    conn: psycopg.Connection, option: str, missing: str
) -> None:
    with raises(conn, "VE423", f"{missing} cannot be used"):
        conn.execute(f"select evervec.configure_push('{WEBHOOK}', {option})".encode())
    assert value(conn, "select count(*) from evervec.push") == 0


def test_a_slash_at_the_end_is_no_matter(conn: psycopg.Connection) -> None:
    conn.execute("select evervec.configure_push('http://webhook:8080/evervec/')")
    assert value(conn, "select url from evervec.push") == "http://webhook:8080/evervec"


def test_functions_of_a_role_that_could_be_anybody_are_not_called(
    conn: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    pg_net.install(superuser_conn)
    with role(superuser_conn) as somebody:
        superuser_conn.execute(f"alter function net.http_post owner to {somebody}")
        assert value(conn, PUSH) == "none"


def test_an_extension_that_comes_or_goes_is_noticed_and_doctor_mends_it(
    conn: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    pgsql_http.install(superuser_conn)
    conn.execute(PUSH)
    pg_net.install(superuser_conn)
    assert findings(conn) == [("advice", "push not as it could be")]
    mend(conn)
    assert findings(conn) == [("info", "push")]

    superuser_conn.execute("drop schema net cascade")
    assert findings(conn) == [("advice", "push not as it could be")]
    mend(conn)
    assert findings(conn) == [("info", "push")]

    superuser_conn.execute("drop schema web cascade")
    assert findings(conn) == [("error", "push not possible")]
    mend(conn)
    assert findings(conn) == []


def mend(conn: psycopg.Connection) -> None:
    """The remedy of the only finding about push."""
    conn.execute(value(conn, "select remedy from evervec.doctor_push()").encode())


def test_only_the_owner_decides_where_rings_go(
    conn: psycopg.Connection, superuser_conn: psycopg.Connection, database: Database
) -> None:
    with role(superuser_conn) as admin:
        conn.execute("select evervec.grant_access(%s, 'admin')", [admin])
        with session_of(database, admin) as session:
            for call in (PUSH, "select evervec.push_off()"):
                with raises(session, "42501", "permission denied", ours=False):
                    session.execute(call.encode())
