"""evervec job: what became of a job."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from rich.table import Table
from rich.text import Text

from evervec.cli.app import App, Command, common_options, pass_app, printable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from evervec.records import JobStatus


@click.command(cls=Command, examples=["evervec job 4711", "evervec job 4711 --json"])
@click.argument("job_id", type=int, metavar="ID")
@common_options
@pass_app
def job(app: App, job_id: int) -> int:
    """Show the state of job ID, as `evervec enqueue` gave it.

    queued, processing, retrying, completed, superseded, gone, dead or unknown. Receipts are kept
    for 24 hours. Exit code 1 when the job is dead or unknown.
    """
    with app.database() as db:
        told = db.job_status(job_id)
    if app.as_json:
        app.print_json(asdict(told))
    else:
        details(app, _lines(told))
    return int(told.state in ("dead", "unknown"))


def details(app: App, lines: Iterable[tuple[str, str | None]]) -> None:
    """Names and what they have; those that have nothing are left out."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, content in lines:
        if content is not None:
            table.add_row(name, Text(printable(content)))
    app.console.print(table)


def moment(at: datetime | None) -> str | None:
    """A time to the second, where it is."""
    return None if at is None else at.isoformat(sep=" ", timespec="seconds")


def _lines(told: JobStatus) -> list[tuple[str, str | None]]:
    attempts = None
    if told.attempt is not None and told.state in ("processing", "retrying", "dead"):
        attempts = f"{told.attempt} of {told.max_attempts or 'as many as it takes'}"
    return [
        ("job", str(told.job_id)),
        ("state", told.state),
        ("task", told.task_type),
        ("source", told.source),
        ("key", told.row_key),
        ("progress", None if told.progress is None else f"{100 * told.progress:.0f} %"),
        ("attempt", attempts),
        ("next try", moment(told.next_try_at) if told.state == "retrying" else None),
        ("last error", told.last_error),
        ("queued", moment(told.queued_at)),
        ("started", moment(told.started_at)),
        ("ended", moment(told.ended_at)),
        ("note", told.note),
    ]
