"""The options that say how the text of a row is made, for track and retrack."""

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


def named_columns(columns: Sequence[str]) -> list[str] | None:
    """The names in `--columns a,b --columns c`; None when the option was not given."""
    named = [column.strip() for part in columns for column in part.split(",") if column.strip()]
    return named if columns else None
