"""evervec status: every source and its queue."""

from __future__ import annotations

from dataclasses import asdict

import click
from rich.table import Table

from evervec.cli.app import App, Command, common_options, pass_app


@click.command(cls=Command, examples=["evervec status --json"])
@common_options
@pass_app
def status(app: App) -> None:
    """Show every source: its queue, its vectors, its index.

    The number of vectors is the planner's estimate (`evervec coverage` counts), the others are
    exact.
    """
    with app.database() as db:
        sources = db.status()
    if app.as_json:
        app.print_json([asdict(source) for source in sources])
        return
    if not sources:
        app.say("No table is tracked yet. Try: evervec track public.film --columns title,genres")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("source", "table", "model", "state"):
        table.add_column(name)
    for name in ("pending", "processing", "retrying", "dead", "≈ vectors"):
        table.add_column(name, justify="right")
    table.add_column("index")
    for s in sources:
        state = f"{s.state}, backfill" if s.backfill else s.state
        numbers = (s.pending, s.processing, s.retrying, s.dead, s.vectors)
        shown = ("–" if n is None else f"{n:,}" for n in numbers)
        built = "" if s.index_progress is None else f" {s.index_progress:.0%}"
        table.add_row(s.source, s.relation, s.model, state, *shown, s.index_state + built)
    app.console.print(table)
