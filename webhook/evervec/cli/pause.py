"""evervec pause and evervec resume: stop the work on sources, and take it up again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from evervec.cli.app import App, Command, common_options, pass_app

if TYPE_CHECKING:
    from collections.abc import Callable


def _wanted(source: str | None, every: bool) -> str | None:
    """The source that is meant; None for all. Raises a usage error unless one was said."""
    if (source is None) == (not every):
        raise click.UsageError("Give a SOURCE, or --all.")
    return source


def _tell(app: App, act: Callable[[str | None], int], source: str | None, state: str) -> None:
    changed = act(source)
    if app.as_json:
        app.print_json({state: changed})
    elif source is None:
        app.say(f"{changed} {'source is' if changed == 1 else 'sources are'} {state} now.")
    else:
        app.say(f"Source {source} is {state} now." if changed else f"Source {source} is as it was.")


@click.command(cls=Command, examples=["evervec pause film", "evervec pause --all"])
@click.argument("source", required=False)
@click.option("--all", "every", is_flag=True, help="All sources.")
@common_options
@pass_app
def pause(app: App, source: str | None, every: bool) -> None:
    """Stop embedding SOURCE; its changes are kept for later."""
    source = _wanted(source, every)
    with app.database() as db:
        _tell(app, db.pause, source, "paused")


@click.command(cls=Command, examples=["evervec resume film", "evervec resume --all"])
@click.argument("source", required=False)
@click.option("--all", "every", is_flag=True, help="All paused sources.")
@common_options
@pass_app
def resume(app: App, source: str | None, every: bool) -> None:
    """Go on with a paused SOURCE."""
    source = _wanted(source, every)
    with app.database() as db:
        _tell(app, db.resume, source, "active")
