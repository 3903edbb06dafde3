"""evervec protect and evervec unprotect: row-level security of the vectors."""

from __future__ import annotations

import click

from evervec.cli.app import App, Command, common_options, pass_app


@click.command(cls=Command, examples=["evervec protect note"])
@click.argument("source")
@common_options
@pass_app
def protect(app: App, source: str) -> None:
    """Show vectors of SOURCE only to those who see their rows.

    For a table that gains row-level security after it was tracked; track does it by itself.
    """
    with app.database() as db:
        protected = db.protect(source)
    if app.as_json:
        app.print_json({"source": source, "changed": protected})
    elif protected:
        app.say(f"The vectors of {source} are protected by the policies of its table.")
    else:
        app.say(f"The vectors of {source} are in its table, whose own policies protect them.")


@click.command(cls=Command, examples=["evervec unprotect note"])
@click.argument("source")
@common_options
@pass_app
def unprotect(app: App, source: str) -> None:
    """Show every vector of SOURCE to those who may select from its embedding table."""
    with app.database() as db:
        protected = db.unprotect(source)
    if app.as_json:
        app.print_json({"source": source, "changed": protected})
    elif protected:
        app.say(f"The vectors of {source} are not protected any more.")
    else:
        app.say(f"The vectors of {source} were not protected.")
