"""Upkeep as jobs of pg_cron; what pg_cron is told is recorded by a stand-in."""

from __future__ import annotations

import psycopg
import pytest

from evervec import migrate
from tests.support import pg_cron
from tests.support.cluster import OWNER, Database
from tests.support.roles import role, session_of
from tests.support.sql_worker import raises, rows, value

# Those of evervec.maintenance, and prune.
JOBS = "select count(*) + 1 from evervec.maintenance"


@pytest.fixture
def cron(conn: psycopg.Connection, superuser_conn: psycopg.Connection) -> psycopg.Connection:
    """The owner's connection to a database that pg_cron is in."""
    pg_cron.install(superuser_conn, role=OWNER)
    return conn


def schedules(conn: psycopg.Connection) -> dict[str, str]:
    """The schedule of each job, by what it does."""
    found = conn.execute("select jobname, schedule from cron.job").fetchall()
    return {name.removeprefix("evervec.").partition("@")[0]: when for name, when in found}


def run(conn: psycopg.Connection, job: str) -> None:
    """What pg_cron does when a job is due."""
    command = value(conn, "select command from cron.job where jobname like %s", f"evervec.{job}@%")
    conn.execute(command.encode())


def log_runs(superuser: psycopg.Connection, job: str, *ends: str) -> None:
    """Runs of a job that ended so long ago; '': a crash cut it short."""
    for end in ends:
        superuser.execute(
            "insert into cron.job_run_details (jobid, database, username, start_time, end_time)"
            " select jobid, database, username, now() - nullif(%s, '')::interval,"
            " now() - nullif(%s, '')::interval from cron.job where jobname like %s",
            [end, end, job],
        )


def test_the_upkeep_is_given_to_pg_cron_to_be_run_as_its_owner(cron: psycopg.Connection) -> None:
    cron.execute("select evervec.schedule_maintenance()")

    jobs = rows(cron, "select * from cron.job")
    assert schedules(cron) == {
        "apply_retention": "*/10 * * * *",
        "cleanup_expired": "5 seconds",
        "forget_leavers": "*/1 * * * *",
        "make_partitions": "0 */1 * * *",
        "prune": "0 */1 * * *",
        "ring": "5 seconds",
        "tick": "15 seconds",
        "update_trends": "*/5 * * * *",
        "update_user_embeddings": "*/15 * * * *",
    }
    assert {(job["username"], job["database"]) for job in jobs} == {(OWNER, cron.info.dbname)}
    assert all(job["jobname"].endswith(f"@{cron.info.dbname}") for job in jobs)


def test_what_is_scheduled_is_what_is_told(cron: psycopg.Connection) -> None:
    told = rows(cron, "select * from evervec.schedule_maintenance() order by name")

    assert told == rows(cron, "select name, schedule from evervec.maintenance_jobs() order by name")
    assert told == rows(
        cron, 'select jobname as name, schedule from cron.job order by jobname collate "C"'
    )


def test_every_job_runs(cron: psycopg.Connection) -> None:
    cron.execute("select evervec.schedule_maintenance()")
    for job in schedules(cron):
        run(cron, job)


def test_a_pg_cron_that_knows_no_seconds_is_asked_for_minutes(
    conn: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    pg_cron.install(superuser_conn, role=OWNER, seconds=False)

    conn.execute("select evervec.schedule_maintenance()")

    assert schedules(conn)["tick"] == "* * * * *"
    assert schedules(conn)["prune"] == "0 */1 * * *"


def test_scheduling_again_changes_what_has_changed(cron: psycopg.Connection) -> None:
    cron.execute("select evervec.schedule_maintenance()")
    before = rows(cron, "select * from cron.job order by jobid")
    cron.execute("select evervec.schedule_maintenance()")
    assert rows(cron, "select * from cron.job order by jobid") == before

    cron.execute("update evervec.maintenance set every = '1 second' where job = 'tick'")
    cron.execute("select evervec.schedule_maintenance()")

    assert schedules(cron)["tick"] == "1 seconds"
    assert len(schedules(cron)) == len(before)


@pytest.mark.parametrize(
    ("every", "schedule"),
    [
        ("1 second", "1 seconds"),
        ("59 seconds", "59 seconds"),
        ("60 seconds", "*/1 * * * *"),
        ("90 seconds", "*/1 * * * *"),
        ("59 minutes", "*/59 * * * *"),
        ("1 hour", "0 */1 * * *"),
        ("1 day", "0 0 * * *"),
    ],
)
def test_an_interval_in_the_words_of_pg_cron(
    conn: psycopg.Connection, every: str, schedule: str
) -> None:
    assert value(conn, "select evervec.cron_schedule(%s)", every) == schedule


def test_without_pg_cron_the_error_says_what_to_do(
    conn: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    with raises(conn, "VE421", "pg_cron cannot be used"):
        conn.execute("select evervec.schedule_maintenance()")
    pg_cron.install(superuser_conn)
    with raises(conn, "VE421", "pg_cron cannot be used"):
        conn.execute("select evervec.schedule_maintenance()")
    assert value(conn, "select evervec.unschedule_maintenance()") == 0


def test_a_schema_called_cron_that_is_somebody_else_s_is_not_pg_cron(
    cron: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    with role(superuser_conn) as somebody:
        superuser_conn.execute(f"alter schema cron owner to {somebody}".encode())
        with raises(cron, "VE421", "pg_cron cannot be used"):
            cron.execute("select evervec.schedule_maintenance()")
        superuser_conn.execute("alter schema cron owner to current_user")


def test_unscheduling_leaves_nothing_of_ours_and_all_of_others(
    cron: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    cron.execute("select cron.schedule('mine', '* * * * *', 'select 1')")
    cron.execute("select evervec.schedule_maintenance()")
    log_runs(superuser_conn, "%tick%", "1 second")
    log_runs(superuser_conn, "mine", "1 second")

    assert value(cron, "select evervec.unschedule_maintenance()") == value(cron, JOBS)

    assert rows(cron, "select jobname from cron.job") == [{"jobname": "mine"}]
    assert value(cron, "select count(*) from cron.job_run_details") == 1
    assert value(cron, "select evervec.unschedule_maintenance()") == 0


def test_peer_37_what_pg_cron_keeps_about_our_jobs_is_pruned_and_nothing_else(
    cron: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    cron.execute("select cron.schedule('mine', '* * * * *', 'select 1')")
    cron.execute("select evervec.schedule_maintenance()")
    log_runs(superuser_conn, "mine", "300 days")
    log_runs(superuser_conn, "%tick%", "", "3 days", "1 day", "")

    run(cron, "prune")

    left = rows(
        cron,
        "select jobname, date_part('day', now() - end_time) as days"
        " from cron.job_run_details join cron.job using (jobid) order by runid",
    )
    assert [row["days"] for row in left if row["jobname"] == "mine"] == [300]
    assert [row["days"] for row in left if row["jobname"] != "mine"] == [1, None]


def test_peer_37_how_long_is_a_setting(
    cron: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    cron.execute("update evervec.setting set value = '\"1 hour\"' where name = 'cron_history_keep'")
    cron.execute("select evervec.schedule_maintenance()")
    log_runs(superuser_conn, "%tick%", "2 hours", "1 minute")

    run(cron, "prune")

    assert value(cron, "select count(*) from cron.job_run_details") == 1


def test_an_admin_schedules_for_the_owner(
    cron: psycopg.Connection, superuser_conn: psycopg.Connection, database: Database
) -> None:
    with role(superuser_conn) as admin:
        cron.execute("select evervec.grant_access(%s, 'admin')", [admin])
        with session_of(database, admin) as session:
            session.execute("select evervec.schedule_maintenance()")

        scheduled = value(cron, "select count(*) from cron.job where username = %s", OWNER)
        assert scheduled == value(cron, JOBS)


def test_a_rollback_leaves_no_job_behind(cron: psycopg.Connection, database: Database) -> None:
    cron.execute("select evervec.schedule_maintenance()")

    migrate.rollback(database.url, everything=True)

    assert rows(cron, "select * from cron.job") == []
