"""Upkeep for a pg_cron that lives in another database than evervec."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from evervec.db import Database
from evervec.errors import EvervecError

# What pg_cron before 1.5 says of a schedule in seconds, and what it takes.
_INVALID: Final = "22023"
_EVERY_MINUTE: Final = "* * * * *"

# No such schema, table or function.
_MISSING: Final = ("3F000", "42P01", "42883")


def schedule(db: Database, cron: Database) -> dict[str, str]:
    """Give the upkeep of a database to pg_cron in another one; schedule by job.

    Raises EvervecError where pg_cron is not.
    """
    found = {}
    with _naming_the_database():
        for job in db.maintenance_jobs():
            try:
                cron.cron_schedule(job)
            except EvervecError as error:
                if error.sqlstate != _INVALID:
                    raise
                job = replace(job, schedule=_EVERY_MINUTE)
                cron.cron_schedule(job)
            found[job.name] = job.schedule
    return found


def unschedule(db: Database, cron: Database) -> int:
    """Take it from there again; how many jobs there were."""
    with _naming_the_database():
        return cron.cron_unschedule([job.name for job in db.maintenance_jobs()])


@contextmanager
def _naming_the_database() -> Iterator[None]:
    try:
        yield
    except EvervecError as error:
        if error.sqlstate not in _MISSING:
            raise
        raise EvervecError(
            "pg_cron is not in the database of --cron-dsn",
            detail=error.message,
            hint="It is in the one that SHOW cron.database_name names.",
        ) from error
