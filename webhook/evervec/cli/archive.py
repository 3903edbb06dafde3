"""evervec archive, restore: drop the vectors of settled rows, and have them made again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from evervec.cli.app import App, Command, common_options, pass_app

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

_rows_option = click.option(
    "--rows",
    type=click.IntRange(1),
    default=10_000,
    show_default=True,
    help="Rows in one transaction.",
)


@click.command(
    cls=Command,
    examples=[
        "evervec archive offer --older-than '90 days' --column closed_at",
        "evervec archive offer --where \"status in ('sold', 'cancelled')\"",
        "evervec archive offer    # by its retention",
    ],
)
@click.argument("source")
@click.option("--older-than", metavar="INTERVAL", help="Rows older than that, by --column.")
@click.option("--column", help="A date or timestamp; default: when the vector was stored.")
@click.option("--where", metavar="SQL", help="A condition over the row.")
@_rows_option
@common_options
@pass_app
def archive(
    app: App, source: str, older_than: str | None, column: str | None, where: str | None, rows: int
) -> None:
    """Drop the vectors of settled rows of SOURCE.

    They are still found by their words (--text-search), embedded again when their text changes,
    and brought back by `evervec restore`. Without --older-than and --where, the retention decides
    that the source was tracked with. May be interrupted and called again.
    """
    with app.database() as db:
        archived = _repeat(
            app.notes,
            "archiving",
            lambda: db.archive(
                source, older_than=older_than, where=where, column=column, limit=rows
            ),
        )
    if app.as_json:
        app.print_json({"source": source, "archived": archived})
    else:
        app.say(f"{archived:,} rows of {source} were archived.")


@click.command(
    cls=Command,
    examples=["evervec restore offer", 'evervec restore offer --where "seller = 7"'],
)
@click.argument("source")
@click.option("--where", metavar="SQL", help="A condition over the row; default: all archived.")
@_rows_option
@common_options
@pass_app
def restore(app: App, source: str, where: str | None, rows: int) -> None:
    """Queue archived rows of SOURCE to be embedded again.

    A worker, or `evervec backfill`, does the rest. May be interrupted and called again.
    """
    with app.database() as db:
        restored = _repeat(app.notes, "restoring", lambda: db.restore(source, where, rows))
    if app.as_json:
        app.print_json({"source": source, "restored": restored})
    else:
        app.say(f"{restored:,} rows of {source} were queued. Embed them: evervec backfill {source}")


def _repeat(console: Console, task: str, step: Callable[[], int]) -> int:
    """Slice after slice until one has nothing; the rows of all."""
    total = 0
    with Progress(
        TextColumn("   {task.description}"),
        TextColumn("{task.completed:,} rows"),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as progress:
        shown = progress.add_task(task, total=None)
        while (done := step()) > 0:
            total += done
            progress.update(shown, completed=total)
    return total
