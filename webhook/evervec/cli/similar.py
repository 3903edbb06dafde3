"""evervec similar: rows like a row."""

from __future__ import annotations

import click

from evervec.cli import results
from evervec.cli.app import App, Command, common_options, pass_app


@click.command(
    cls=Command,
    examples=[
        "evervec similar film 11618",
        'evervec similar line \'{"order_id": 7, "position": 2}\'',
    ],
)
@click.argument("source")
@click.argument("key")
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(1, 10_000),
    default=10,
    show_default=True,
    help="Rows at most.",
)
@click.option("--min-similarity", type=float, help="Leave out rows less similar than this.")
@common_options
@pass_app
def similar(app: App, source: str, key: str, limit: int, min_similarity: float | None) -> None:
    """Find the rows of SOURCE most like the row with KEY.

    KEY is the value of the key, or a JSON object where the key has several columns.
    """
    with app.database() as db:
        row_key = db.parse_key(source, key)
        found = db.find_similar_to(source, row_key, limit, min_similarity)
        results.show(app, db, source, found)
