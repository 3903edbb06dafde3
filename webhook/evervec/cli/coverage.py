"""evervec coverage: how much is embedded, counted."""

from __future__ import annotations

from dataclasses import asdict

import click
from rich.table import Table

from evervec.cli.app import App, Command, common_options, pass_app


@click.command(cls=Command, examples=["evervec coverage film"])
@click.argument("source", required=False)
@common_options
@pass_app
def coverage(app: App, source: str | None) -> None:
    """Count the rows that have their vector, or are archived.

    Of SOURCE, or of every source. Reads the whole table.
    """
    with app.database() as db:
        names = [source] if source else [status.source for status in db.status()]
        counts = [db.coverage(name) for name in names]
    if app.as_json:
        app.print_json([asdict(count) for count in counts])
        return
    table = Table("source", box=None, pad_edge=False)
    for name in ("rows", "embedded", "archived", "missing", "percent"):
        table.add_column(name, justify="right")
    for c in counts:
        numbers = (c.total, c.embedded, c.archived, c.missing)
        table.add_row(c.source, *(f"{n:,}" for n in numbers), f"{c.percent:.1f} %")
    app.console.print(table)
