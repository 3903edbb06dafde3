"""evervec reset: drop every vector of a source and make them anew."""

from __future__ import annotations

import click

from evervec.cli.app import App, Command, common_options, pass_app
from evervec.errors import EvervecError


@click.command(cls=Command, examples=["evervec reset film --yes"])
@click.argument("source")
@click.option("--yes", is_flag=True, help="Yes, drop the vectors.")
@common_options
@pass_app
def reset(app: App, source: str, yes: bool) -> None:
    """Drop all vectors of SOURCE and start to make them anew.

    Searches find nothing until workers have caught up. Texts that the cache has are not paid for
    again.
    """
    if not yes:
        raise EvervecError(
            f"the vectors of {source} would be dropped", hint="If that is meant: add --yes"
        )
    with app.database() as db:
        dropped = db.reset(source)
    if app.as_json:
        app.print_json({"source": source, "dropped": dropped})
    else:
        app.say(f"Dropped {dropped:,} vectors of {source}. Go on with: evervec backfill {source}")
