"""evervec schedule and unschedule, with pg_cron here, elsewhere, and nowhere."""

from __future__ import annotations

import json
from collections.abc import Iterator

import psycopg
import pytest

from tests.support import pg_cron
from tests.support.cluster import OWNER, Cluster, Database
from tests.support.sql_worker import rows, value
from tests.webhook.conftest import Program


@pytest.fixture
def elsewhere(bare_database: Database) -> Iterator[psycopg.Connection]:
    """A superuser's connection to another database, which pg_cron is in."""
    with psycopg.connect(bare_database.superuser_url, autocommit=True) as conn:
        pg_cron.install(conn, role=OWNER)
        yield conn


def test_pg_cron_in_the_same_database(
    program: Program, conn: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    pg_cron.install(superuser_conn, role=OWNER)

    said = program.run("schedule").out
    machine = json.loads(program.run("schedule", "--json").out)

    assert f"evervec.tick@{conn.info.dbname}: 15 seconds\n" in said
    assert machine[f"evervec.tick@{conn.info.dbname}"] == "15 seconds"
    assert machine.keys() == {row["jobname"] for row in rows(conn, "select jobname from cron.job")}
    assert program.run("unschedule").out == f"{len(machine)} jobs are removed.\n"
    assert program.run("unschedule").out == "There were no jobs of this database.\n"
    assert json.loads(program.run("unschedule", "--json").out) == {"removed": 0}


def test_pg_cron_in_another_database_runs_the_jobs_in_this_one_as_its_owner(
    program: Program, conn: psycopg.Connection, elsewhere: psycopg.Connection, cluster: Cluster
) -> None:
    url = cluster.url(elsewhere.info.dbname)
    elsewhere.execute("select cron.schedule('mine', '* * * * *', 'select 1')")

    for _ in range(2):
        assert program.run("schedule", "--cron-dsn", url).code == 0

    jobs = {
        row["jobname"].partition("@")[0]: (row["database"], row["username"])
        for row in rows(elsewhere, "select * from cron.job where jobname <> 'mine'")
    }
    ours = {
        f"evervec.{row['job']}": (conn.info.dbname, OWNER)
        for row in rows(conn, "select job from evervec.maintenance")
    }
    assert jobs == ours | {"evervec.prune": (elsewhere.info.dbname, elsewhere.info.user)}
    removed = program.run("unschedule", "--cron-dsn", url).out
    assert removed == f"{len(jobs)} jobs are removed.\n"
    assert rows(elsewhere, "select jobname from cron.job") == [{"jobname": "mine"}]


def test_who_is_no_superuser_there_schedules_for_himself(
    program: Program, conn: psycopg.Connection, elsewhere: psycopg.Connection, cluster: Cluster
) -> None:
    done = program.run("schedule", "--cron-dsn", cluster.url(elsewhere.info.dbname, OWNER))

    assert done.code == 0, done.err
    scheduled = value(elsewhere, "select count(*) from cron.job where username = %s", OWNER)
    assert scheduled == value(conn, "select count(*) + 1 from evervec.maintenance")


def test_an_old_pg_cron_elsewhere_is_asked_for_minutes(
    program: Program, conn: psycopg.Connection, bare_database: Database
) -> None:
    with psycopg.connect(bare_database.superuser_url, autocommit=True) as there:
        pg_cron.install(there, seconds=False)

    done = program.run("schedule", "--cron-dsn", bare_database.superuser_url, "--json")

    assert json.loads(done.out)[f"evervec.tick@{conn.info.dbname}"] == "* * * * *"


def test_without_pg_cron_there_is_one_message(
    program: Program, conn: psycopg.Connection, bare_database: Database
) -> None:
    here = program.run("schedule")
    there = program.run("schedule", "--cron-dsn", bare_database.superuser_url)
    nonsense = program.run("schedule", "--cron-dsn", "postgresql://[")

    assert (here.code, there.code, nonsense.code) == (1, 1, 1)
    assert "VE421" in here.err
    assert "pg_cron is not in the database of --cron-dsn" in there.err
    assert "SHOW cron.database_name" in there.err
    assert "--cron-dsn is neither a PostgreSQL URL nor" in nonsense.err
