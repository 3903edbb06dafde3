"""evervec retrack: bring a suspended source back, or give it another recipe or index."""

from __future__ import annotations

import click

from evervec.cli.app import App, Command, common_options, pass_app
from evervec.cli.recipe import index_choices, named_columns, recipe_options


@click.command(
    cls=Command,
    examples=[
        "evervec retrack film",
        "evervec retrack film --columns title,genres,year",
        "evervec retrack film --precision half",
    ],
)
@click.argument("source")
@recipe_options
@click.option("--too-long", help="A text beyond the model's limit: cut, or dead_letter.")
@click.option("--cache/--no-cache", default=None, help="Keep vectors by text, or not any more.")
@click.option(
    "--text-search",
    metavar="CONFIG",
    help="Keep the words of each text too: english, simple, …; '': not any more.",
)
@click.option(
    "--bm25/--no-bm25",
    default=None,
    help="Rank words by BM25 of pg_textsearch, or not any more.",
)
@index_choices(None, None)
@click.option(
    "--retention",
    metavar="JSON",
    help="Which rows are archived: older_than, column, where; '{}': none any more.",
)
@common_options
@pass_app
def retrack(
    app: App,
    source: str,
    columns: tuple[str, ...],
    template: str | None,
    text_sql: str | None,
    where: str | None,
    depends_on: str | None,
    too_long: str | None,
    cache: bool | None,
    text_search: str | None,
    bm25: bool | None,
    index: str | None,
    precision: str | None,
    vector_type: str | None,
    index_options: str | None,
    retention: str | None,
) -> None:
    """Bring SOURCE back after `evervec suspend`, or change how its text is made, or its index.

    What is not given stays as it is. Workers then compare every row and embed what differs.
    """
    with app.database() as db:
        db.retrack(
            source,
            columns=named_columns(columns),
            template=template,
            text_sql=text_sql,
            where=where,
            depends_on=depends_on,
            too_long=too_long,
            cache=cache,
            text_search=text_search,
            bm25=bm25,
            index=index,
            precision=precision,
            vector_type=vector_type,
            index_options=index_options,
            retention=retention,
        )
    if app.as_json:
        app.print_json({"source": source, "state": "active"})
    else:
        app.say(f"Source {source} is active. See what differs with: evervec reconcile {source}")
