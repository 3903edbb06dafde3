"""evervec secret: what the database signs its rings with."""

from __future__ import annotations

from datetime import timedelta

import click

from evervec.cli.app import App, Command, Group, common_options, pass_app


@click.group(cls=Group, examples=["evervec secret rotate", "evervec secret rotate --overlap 0"])
def secret() -> None:
    """Change the secret of the rings. It stays in the database; nobody is shown it."""


@secret.command(cls=Command, examples=["evervec secret rotate --overlap 60"])
@click.option(
    "--overlap",
    type=click.IntRange(0, 1440),
    default=10,
    show_default=True,
    help="Minutes for which the former one is good, too; 0 when it has leaked.",
)
@common_options
@pass_app
def rotate(app: App, overlap: int) -> None:
    """Sign rings with a new secret from now on; none on its way is refused."""
    with app.database() as db:
        db.rotate_secret(timedelta(minutes=overlap))
    if app.as_json:
        app.print_json({"overlap_minutes": overlap})
    elif overlap:
        app.say(f"Rings have a new secret; the former one is good for {overlap} more minutes.")
    else:
        app.say("Rings have a new secret; the former one is no good any more.")
