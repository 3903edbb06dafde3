"""evervec rollback: undo migrations."""

from __future__ import annotations

import sys

import click

from evervec import migrate as migrations
from evervec.cli.app import App, Command, common_options, pass_app
from evervec.errors import EvervecError


@click.command(cls=Command, examples=["evervec rollback --all --drop-vectors"])
@click.option("--all", "everything", is_flag=True, help="Undo all: the schema evervec goes.")
@click.option("--to", metavar="MIGRATION", help="Undo what is newer than this migration.")
@click.option("--drop-vectors", is_flag=True, help="Drop tables that hold vectors, too.")
@click.option("--break-lock", is_flag=True, help="Break yoyo's lock although its owner may live.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@common_options
@pass_app
def rollback(
    app: App, everything: bool, to: str | None, drop_vectors: bool, break_lock: bool, yes: bool
) -> None:
    """Undo the newest migration, or more. Refuses to lose vectors unless told so."""
    if everything and to:
        raise click.UsageError("--all and --to exclude one another.")
    if not yes:
        _ask(everything, to, drop_vectors)
    outcome = migrations.rollback(
        app.config.database_url,
        to=to,
        everything=everything,
        drop_vectors=drop_vectors,
        break_lock=break_lock,
        tell=app.say,
    )
    if app.as_json:
        app.print_json({"rolled_back": outcome.done, "mended": outcome.mended})
    elif not outcome.done:
        app.say("Nothing to do: no migration is applied.")
    elif everything:
        app.say("evervec is gone from this database.")


def _ask(everything: bool, to: str | None, drop_vectors: bool) -> None:
    if not sys.stdin.isatty():
        raise EvervecError(
            "rollback asks before it changes anything, and there is nobody to answer",
            hint="Add --yes.",
        )
    what = "every migration" if everything else f"what is newer than {to}" if to else "the newest"
    vectors = ", vectors included" if drop_vectors else ""
    click.confirm(f"Roll back {what}{vectors}?", abort=True, err=True)
