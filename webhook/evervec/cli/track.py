"""evervec track: begin to keep embeddings of a table."""

from __future__ import annotations

import click

from evervec.cli.app import App, Command, common_options, pass_app


@click.command(
    cls=Command,
    examples=[
        "evervec track public.film --columns title,genres,director",
        "evervec track public.film --template '{title} ({year}). {genres}.'",
    ],
)
@click.argument("table")
@click.option(
    "--columns",
    multiple=True,
    metavar="A,B,…",
    help="Columns that make the text, as 'Name: value' lines.",
)
@click.option("--template", metavar="TEXT", help="The text, with {column} holes.")
@click.option("--model", default="local", show_default=True, help="Model that embeds it.")
@click.option("--name", help="Name of the source; default: the table's.")
@click.option(
    "--distance",
    default="cosine",
    show_default=True,
    help="cosine, l2, inner_product or l1.",
)
@click.option("--index", default="hnsw", show_default=True, help="Kind of index, or none.")
@click.option("--no-backfill", is_flag=True, help="Leave the rows that are there alone.")
@common_options
@pass_app
def track(
    app: App,
    table: str,
    columns: tuple[str, ...],
    template: str | None,
    model: str,
    name: str | None,
    distance: str,
    index: str,
    no_backfill: bool,
) -> None:
    """Keep an embedding of every row of TABLE from now on."""
    named = [column.strip() for part in columns for column in part.split(",") if column.strip()]
    with app.database() as db:
        source = db.track(
            table,
            columns=named if columns else None,
            template=template,
            model=model,
            name=name,
            distance=distance,
            index=index,
            backfill=not no_backfill,
        )
    if app.as_json:
        app.print_json({"source": source})
        return
    app.say(f"Table {table} is tracked as source {source}.")
    if not no_backfill:
        app.say(f"Embed its rows now with: evervec backfill {source}, or let a worker do it.")
