"""evervec schedule and evervec unschedule: the upkeep as jobs of pg_cron."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from evervec import schedule as schedules
from evervec.cli.app import App, Command, common_options, pass_app
from evervec.config import checked_url
from evervec.db import Database

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_ELSEWHERE = "--cron-dsn postgresql://postgres@db.example.org/postgres"


def _cron_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--cron-dsn",
        metavar="URL",
        help="The database that pg_cron is in, where it is another one.",
    )(command)


def _cron(app: App, url: str) -> Database:
    return Database(checked_url(url, "--cron-dsn"), connect_timeout=app.config.connect_timeout)


@click.command(cls=Command, examples=["evervec schedule", f"evervec schedule {_ELSEWHERE}"])
@_cron_option
@common_options
@pass_app
def schedule(app: App, cron_dsn: str | None) -> None:
    """Let pg_cron do the upkeep, so that it is done while no worker runs.

    May be repeated. Without pg_cron, workers do the same.
    """
    with app.database() as db:
        if cron_dsn is None:
            jobs = db.schedule_maintenance()
        else:
            with _cron(app, cron_dsn) as cron:
                jobs = schedules.schedule(db, cron)
    if app.as_json:
        app.print_json(jobs)
    for name, when in jobs.items():
        app.say(f"{name}: {when}")


@click.command(cls=Command, examples=["evervec unschedule", f"evervec unschedule {_ELSEWHERE}"])
@_cron_option
@common_options
@pass_app
def unschedule(app: App, cron_dsn: str | None) -> None:
    """Take the upkeep from pg_cron again."""
    with app.database() as db:
        if cron_dsn is None:
            removed = db.unschedule_maintenance()
        else:
            with _cron(app, cron_dsn) as cron:
                removed = schedules.unschedule(db, cron)
    if app.as_json:
        app.print_json({"removed": removed})
    elif removed:
        app.say(f"{removed} jobs are removed.")
    else:
        app.say("There were no jobs of this database.")
