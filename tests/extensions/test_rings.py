"""pgsql-http and pg_net themselves ring a webhook that listens, one that is silent, and none."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import psycopg
import pytest

from tests.support.cluster import Cluster
from tests.support.extensions import database_of_requests
from tests.support.listener import closed, listening, silent
from tests.support.rings import checked
from tests.support.sessions import until
from tests.support.sql_worker import add_toy_model, rows, value

NOBODY = pytest.mark.parametrize("nobody", [closed, silent])
Nobody = Callable[[], AbstractContextManager[str]]


@pytest.fixture
def http(film: psycopg.Connection, superuser_conn: psycopg.Connection) -> psycopg.Connection:
    """Ten films with work waiting, in a database that has pgsql-http."""
    superuser_conn.execute("create schema http; create extension http schema http")
    superuser_conn.execute("grant usage on schema http to public")
    return film


@pytest.mark.pgsql_http
def test_pgsql_http_rings(http: psycopg.Connection) -> None:
    with listening() as door:
        assert value(http, "select evervec.configure_push(%s)", door.address) == "http"
        assert rows(http, "select * from evervec.ring()") == [
            {"rang": True, "transport": "http", "problem": None}
        ]

    (ring,) = door.rings
    assert checked(http, ring) == "ok"


@NOBODY
@pytest.mark.pgsql_http
def test_pgsql_http_gives_up_after_a_second(http: psycopg.Connection, nobody: Nobody) -> None:
    with nobody() as address:
        http.execute("select evervec.configure_push(%s)", [address])
        began = time.monotonic()
        (told,) = rows(http, "select * from evervec.ring()")

    assert time.monotonic() - began < 3  # its own limit is 5
    assert (told["rang"], told["transport"]) == (False, "http")
    assert told["problem"]


@pytest.mark.pgsql_http
def test_the_limit_of_pgsql_http_is_put_back(http: psycopg.Connection) -> None:
    with listening() as door, http.transaction():
        http.execute("set http.timeout_msec = 4321")
        http.execute("select evervec.configure_push(%s)", [door.address])
        http.execute("select evervec.ring()")
        assert value(http, "show http.timeout_msec") in ("4321", "4321ms")


@pytest.fixture
def net(cluster: Cluster, template: str) -> Iterator[psycopg.Connection]:
    """A table that is tracked, in a database that has pg_net."""
    with database_of_requests(cluster, template) as database:
        with psycopg.connect(database.superuser_url, autocommit=True) as superuser:
            superuser.execute("create extension pg_net")
        with psycopg.connect(database.url, autocommit=True) as conn:
            add_toy_model(conn)
            conn.execute("create table note (id integer primary key, title text)")
            conn.execute("select evervec.track('note', '{title}', p_model => 'toy')")
            yield conn


@pytest.mark.pg_net
def test_pg_net_rings_once_after_the_commit(net: psycopg.Connection) -> None:
    with listening() as door:
        assert value(net, "select evervec.configure_push(%s)", door.address) == "pg_net"
        with net.transaction():
            net.execute("insert into note values (1, 'New')")
            net.execute("insert into note values (2, 'New')")
            assert door.rings == []
        until(lambda: door.rings)

    assert [checked(net, ring) for ring in door.rings] == ["ok"]


@NOBODY
@pytest.mark.pg_net
def test_pg_net_keeps_no_writer_waiting(net: psycopg.Connection, nobody: Nobody) -> None:
    with nobody() as address:
        net.execute("select evervec.configure_push(%s, p_debounce => '0')", [address])
        began = time.monotonic()
        for n in range(100):
            net.execute("insert into note values (%s, 'New')", [n])

    assert time.monotonic() - began < 1
    assert value(net, "select count(*) from note") == 100
