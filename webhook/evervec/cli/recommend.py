"""evervec recommend: rows for a user."""

from __future__ import annotations

import click

from evervec.cli import results
from evervec.cli.app import App, Command, common_options, pass_app


@click.command(
    cls=Command,
    examples=[
        "evervec recommend ada film",
        "evervec recommend ada film --type adventurous -n 20 --json",
    ],
)
@click.argument("user")
@click.argument("source")
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(1, 1_000),
    default=10,
    show_default=True,
    help="Rows at most.",
)
@click.option(
    "--type",
    "kind",
    metavar="TYPE",
    default="personalized",
    show_default=True,
    help="Or trending, similar_users, adventurous, a filter of the source.",
)
@click.option(
    "--preference",
    metavar="NAME",
    default="default",
    show_default=True,
    help="A kind of preference (add_preference).",
)
@common_options
@pass_app
def recommend(app: App, user: str, source: str, limit: int, kind: str, preference: str) -> None:
    """Recommend rows of SOURCE to USER, who neither has nor dismissed them.

    Where nothing is known of the user, what trends is recommended.
    """
    with app.database() as db:
        found = db.recommend(user, source, limit, kind, preference)
        results.show(app, db, source, found)
