"""evervec egress: which columns go to which provider, and where that is."""

from __future__ import annotations

from dataclasses import asdict

import click
from rich.table import Table
from rich.text import Text

from evervec.cli.app import App, Command, common_options, pass_app, printable
from evervec.providers import host


@click.command(cls=Command, examples=["evervec egress", "evervec egress --json"])
@common_options
@pass_app
def egress(app: App) -> None:
    """Show which columns of which tables are sent to which provider.

    The host is the one that a worker with this environment would send to. A recipe in SQL is taken
    to send whatever it reads.
    """
    with app.database() as db:
        found = db.egress()
    rows = [(row, host(row.provider) if row.leaves else None) for row in found]
    if app.as_json:
        app.print_json([asdict(row) | {"host": to} for row, to in rows])
        return
    if not rows:
        app.say("Nothing is sent anywhere.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("source", "table", "column", "model", "provider", "to"):
        table.add_column(name, overflow="fold")
    for row, to in rows:
        cells = (row.source, row.relation, row.column_name, row.model, row.provider)
        where = (to or "unknown") if row.leaves else "stays here"
        table.add_row(*(Text(printable(cell)) for cell in (*cells, where)))
    app.console.print(table)
