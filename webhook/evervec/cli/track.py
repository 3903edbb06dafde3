"""evervec track: begin to keep embeddings of a table."""

from __future__ import annotations

import click

from evervec.cli.app import App, Command, common_options, pass_app
from evervec.cli.recipe import index_choices, named_columns, recipe_options


@click.command(
    cls=Command,
    examples=[
        "evervec track public.film --columns title,genres,director",
        "evervec track public.film --template '{title} ({year}). {genres}.'",
        "evervec track public.film --text-sql \"title || coalesce(': ' || genres, '')\"",
        "evervec track public.offer --columns title --where active --priority 2",
        "evervec track public.offer --columns title --precision bit",
    ],
)
@click.argument("table")
@recipe_options
@click.option("--model", default="local", show_default=True, help="Model that embeds it.")
@click.option("--name", help="Name of the source; default: the table's.")
@click.option(
    "--distance",
    default="cosine",
    show_default=True,
    help="cosine, l2, inner_product or l1.",
)
@index_choices("hnsw", "vector")
@click.option(
    "--priority",
    default="5",
    show_default=True,
    metavar="N|SQL",
    help="1 (first) to 10, or an SQL expression over the row.",
)
@click.option(
    "--storage",
    default="table",
    show_default=True,
    help="Where the vectors are: table, column, or manual (you bring them).",
)
@click.option("--storage-columns", metavar="JSON", help="Names of the columns of column storage.")
@click.option("--foreign-key", is_flag=True, help="Vectors go with their rows by a foreign key.")
@click.option(
    "--too-long",
    default="cut",
    show_default=True,
    help="A text beyond the model's limit: cut, or dead_letter.",
)
@click.option("--no-cache", is_flag=True, help="Keep no vectors of its texts apart from its rows.")
@click.option(
    "--text-search",
    metavar="CONFIG",
    help="Keep the words of each text too, for hybrid_search: english, simple, ….",
)
@click.option(
    "--bm25/--no-bm25",
    default=None,
    help="Rank words by BM25 of pg_textsearch; default: where it is installed.",
)
@click.option(
    "--retention",
    metavar="JSON",
    help="Which rows are archived: older_than, column, where. See evervec archive.",
)
@click.option("--no-backfill", is_flag=True, help="Leave the rows that are there alone.")
@common_options
@pass_app
def track(
    app: App,
    table: str,
    columns: tuple[str, ...],
    template: str | None,
    text_sql: str | None,
    where: str | None,
    depends_on: str | None,
    model: str,
    name: str | None,
    distance: str,
    index: str,
    precision: str | None,
    vector_type: str,
    index_options: str | None,
    priority: str,
    storage: str,
    storage_columns: str | None,
    foreign_key: bool,
    too_long: str,
    no_cache: bool,
    text_search: str | None,
    bm25: bool | None,
    retention: str | None,
    no_backfill: bool,
) -> None:
    """Keep an embedding of every row of TABLE from now on."""
    with app.database() as db:
        source = db.track(
            table,
            columns=named_columns(columns),
            template=template,
            text_sql=text_sql,
            where=where,
            depends_on=depends_on,
            model=model,
            name=name,
            distance=distance,
            index=index,
            precision=precision,
            vector_type=vector_type,
            index_options=index_options or "{}",
            priority=priority,
            storage=storage,
            storage_columns=storage_columns,
            foreign_key=foreign_key,
            too_long=too_long,
            cache=not no_cache,
            text_search=text_search,
            bm25=bm25,
            retention=retention,
            backfill=not no_backfill,
        )
    if app.as_json:
        app.print_json({"source": source})
        return
    app.say(f"Table {table} is tracked as source {source}.")
    if storage == "manual":
        app.say(f"Bring its vectors with: select evervec.put_embedding('{source}', …)")
    elif not no_backfill:
        app.say(f"Embed its rows now with: evervec backfill {source}, or let a worker do it.")
