"""evervec untrack: stop keeping embeddings of a table."""

from __future__ import annotations

import click

from evervec.cli.app import App, Command, common_options, pass_app


@click.command(cls=Command, examples=["evervec untrack film"])
@click.argument("source")
@click.option("--drop-vectors", is_flag=True, help="Drop the embedding table, too.")
@common_options
@pass_app
def untrack(app: App, source: str, drop_vectors: bool) -> None:
    """Stop keeping embeddings of SOURCE.

    Triggers and functions go, the vectors stay unless --drop-vectors is given.
    """
    with app.database() as db:
        db.untrack(source, drop_vectors=drop_vectors)
    if app.as_json:
        app.print_json({"source": source, "vectors_dropped": drop_vectors})
    else:
        app.say(f"Source {source} is no longer tracked.")
