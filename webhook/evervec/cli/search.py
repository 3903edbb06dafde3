"""evervec search: rows by their meaning."""

from __future__ import annotations

import click

from evervec.cli import results
from evervec.cli.app import App, Command, common_options, pass_app


@click.command(
    cls=Command, examples=['evervec search film "cowboys and outlaws in the Wild West" --limit 5']
)
@click.argument("source")
@click.argument("words", nargs=-1, required=True)
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(1, 10_000),
    default=10,
    show_default=True,
    help="Rows at most.",
)
@click.option("--min-similarity", type=float, help="Leave out rows less similar than this.")
@click.option(
    "--tenant",
    metavar="NAME",
    help="Ask the provider with the profile that EVERVEC_PROFILES gives this user or tenant.",
)
@common_options
@pass_app
def search(
    app: App,
    source: str,
    words: tuple[str, ...],
    limit: int,
    min_similarity: float | None,
    tenant: str | None,
) -> None:
    """Find rows of SOURCE by their meaning: nearest to WORDS."""
    text = " ".join(words).strip()
    if not text:
        raise click.UsageError("The words to search for are empty.")
    with app.database() as db:
        model = db.get_model(db.get_source(source).model)
        query = app.providers().embed_query(model, text, tenant)
        results.show(app, db, source, db.find_similar(source, query, limit, min_similarity))
