"""evervec search: rows by their meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from evervec import queries
from evervec.cli import results
from evervec.cli.app import App, Command, common_options, pass_app

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evervec.records import Match, Neighbour


@click.command(
    cls=Command,
    examples=[
        'evervec search film "cowboys and outlaws in the Wild West" --limit 5',
        'evervec search film "scott -alien" --hybrid',
    ],
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
    "--hybrid",
    is_flag=True,
    help="Find rows by the words themselves, too (SOURCE tracked with --text-search).",
)
@click.option(
    "--tenant",
    metavar="NAME",
    help="Ask the provider with the profile that EVERVEC_PROFILES gives this user or tenant.",
)
@click.option("--no-cache", is_flag=True, help="Ask the model, even for the same words again.")
@common_options
@pass_app
def search(
    app: App,
    source: str,
    words: tuple[str, ...],
    limit: int,
    min_similarity: float | None,
    hybrid: bool,
    tenant: str | None,
    no_cache: bool,
) -> None:
    """Find rows of SOURCE by their meaning: nearest to WORDS.

    The vector of the words is kept for 24 hours, so that the same search is not paid for again, and
    what they find while no vector of SOURCE changes.
    """
    text = " ".join(words).strip()
    if not text:
        raise click.UsageError("The words to search for are empty.")
    if hybrid and min_similarity is not None:
        raise click.UsageError("--hybrid and --min-similarity exclude one another.")
    found: Sequence[Match | Neighbour]
    with app.database() as db:
        providers = app.providers()
        if hybrid:
            found = queries.hybrid_search(
                db, providers, source, text, limit, tenant=tenant, cached=not no_cache
            )
        else:
            found = queries.search(
                db,
                providers,
                source,
                text,
                limit,
                min_similarity,
                tenant=tenant,
                cached=not no_cache,
            )
        results.show(app, db, source, found)
