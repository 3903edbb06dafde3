"""evervec cost: what the days cost, by source and model."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import click
from rich.table import Table
from rich.text import Text

from evervec.cli.app import App, Command, common_options, pass_app

_COUNTS = ("requests", "texts", "cached", "unchanged", "failed", "tokens")


@click.command(cls=Command, examples=["evervec cost", "evervec cost --days 1 --source film --json"])
@click.option(
    "--days",
    type=click.IntRange(1, 10_000),
    default=30,
    show_default=True,
    help="So many days, today included.",
)
@click.option("--source", help="Only of this source, which may be gone.")
@common_options
@pass_app
def cost(app: App, days: int, source: str | None) -> None:
    """Show what the workers asked of providers, and what it cost.

    Days are those of UTC; money is in the currency of the models' prices. Searches are not counted.
    """
    since = datetime.now(UTC).date() - timedelta(days=days - 1)
    with app.database() as db:
        found = db.cost(since, source)
    if app.as_json:
        app.print_json([asdict(row) for row in found])
        return
    if not found:
        app.say(f"Nothing since {since}.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold", show_footer=True)
    table.add_column("day", footer="total")
    table.add_column("source", overflow="fold")
    table.add_column("model", overflow="fold")
    for name in _COUNTS:
        total = sum(getattr(row, name) for row in found)
        table.add_column(name, justify="right", footer=f"{total:,}")
    prices = [row.cost for row in found if row.cost is not None]
    table.add_column("cost", justify="right", footer=money(sum(prices) if prices else None))
    for row in found:
        counts = (f"{getattr(row, name):,}" for name in _COUNTS)
        names = (Text(row.source), Text(row.model))
        table.add_row(str(row.day), *names, *counts, money(row.cost))
    app.console.print(table)


def money(amount: float | None) -> str:
    """An amount as a person reads it: small ones with the digits that they have."""
    if amount is None:
        return "–"
    return f"{amount:,.2f}" if amount == 0 or amount >= 1 else f"{amount:.4g}"
