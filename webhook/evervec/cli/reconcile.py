"""evervec reconcile: compare rows and vectors, and queue what differs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from evervec.cli.app import App, Command, common_options, pass_app
from evervec.records import Slice

if TYPE_CHECKING:
    from rich.console import Console

    from evervec.db import Database


@click.command(cls=Command, examples=["evervec reconcile film", "evervec reconcile --all"])
@click.argument("source", required=False)
@click.option("--all", "every", is_flag=True, help="All sources, one after the other.")
@click.option(
    "--rows",
    type=click.IntRange(1),
    default=10_000,
    show_default=True,
    help="Rows in one transaction.",
)
@common_options
@pass_app
def reconcile(app: App, source: str | None, every: bool, rows: int) -> None:
    """Compare the text of every row of SOURCE with its vector.

    Queues exactly what is missing, stale or orphaned; a worker, or `evervec backfill`, does the
    rest. May be interrupted: the next call goes on where this one was.
    """
    if (source is None) == (not every):
        raise click.UsageError("Give a SOURCE, or --all.")
    with app.database() as db:
        names = [source] if source else [status.source for status in db.status()]
        found = {name: _compare(app.notes, db, name, rows) for name in names}
    if app.as_json:
        app.print_json([{"source": name, **asdict(total)} for name, total in found.items()])
        return
    for name, total in found.items():
        app.say(
            f"{name}: {total.examined:,} rows and vectors examined, {total.missing:,} missing,"
            f" {total.stale:,} stale, {total.orphaned:,} orphaned."
        )


def _compare(console: Console, db: Database, source: str, rows: int) -> Slice:
    """All slices of one pass, added up; what a former call or a worker examined is not counted."""
    total = Slice(0, 0, 0, 0)
    with Progress(
        TextColumn("   {task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task(source, total=None)
        while True:
            part = db.reconcile(source, rows)
            if part.examined == 0:
                return total
            total += part
            left = db.pending(source).backfill  # an estimate; 0 only when a worker ended the pass
            if left == 0:
                return total
            progress.update(task, completed=total.examined, total=total.examined + left)
