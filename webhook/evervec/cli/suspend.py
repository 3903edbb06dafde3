"""evervec suspend: take the triggers of a source away for a while."""

from __future__ import annotations

import click

from evervec.cli.app import App, Command, common_options, pass_app


@click.command(cls=Command, examples=["evervec suspend film"])
@click.argument("source")
@common_options
@pass_app
def suspend(app: App, source: str) -> None:
    """Take the triggers of SOURCE away, so that its columns can be altered.

    Changes go unnoticed until `evervec retrack`, which compares every row.
    """
    with app.database() as db:
        db.suspend(source)
    if app.as_json:
        app.print_json({"source": source, "state": "suspended"})
    else:
        app.say(f"Source {source} is suspended. Bring it back with: evervec retrack {source}")
