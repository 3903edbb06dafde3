"""The options that say how texts are made and vectors indexed, for track and retrack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

F = TypeVar("F", bound="Callable[..., Any]")


def recipe_options(command: F) -> F:
    """--columns, --template, --text-sql, --where and --depends-on."""
    for option in (
        click.option(
            "--depends-on",
            metavar="JSON",
            help="Other tables that the text reads, and how their rows lead to this table's.",
        ),
        click.option("--where", metavar="SQL", help="Only rows that meet this have a vector."),
        click.option("--text-sql", metavar="SQL", help="The text, as an expression over the row."),
        click.option("--template", metavar="TEXT", help="The text, with {column} holes."),
        click.option(
            "--columns",
            multiple=True,
            metavar="A,B,…",
            help="Columns that make the text, as 'Name: value' lines.",
        ),
    ):
        command = option(command)
    return command


def index_choices(index: str | None, vector_type: str | None) -> Callable[[F], F]:
    """--index, --precision, --vector-type and --index-options, with the defaults of two of them."""

    def decorate(command: F) -> F:
        for option in (
            click.option(
                "--index-options",
                metavar="JSON",
                help="m, ef_construction; lists; rerank: see evervec.track.",
            ),
            click.option(
                "--vector-type",
                default=vector_type,
                show_default=True,
                help="Type of the stored vectors: vector or halfvec.",
            ),
            click.option(
                "--precision",
                help="Of the index: full, half or bit; default: the first that fits.",
            ),
            click.option(
                "--index",
                default=index,
                show_default=True,
                help="Kind of index: hnsw, ivfflat or none.",
            ),
        ):
            command = option(command)
        return command

    return decorate


def named_columns(columns: Sequence[str]) -> list[str] | None:
    """The names in `--columns a,b --columns c`; None when the option was not given."""
    named = [column.strip() for part in columns for column in part.split(",") if column.strip()]
    return named if columns else None
