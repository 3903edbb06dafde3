"""evervec user: what is known of one, learned anew or erased."""

from __future__ import annotations

import click

from evervec.cli.app import App, Command, Group, common_options, pass_app


@click.group(
    cls=Group,
    examples=["evervec user update ada film", "evervec user forget ada"],
)
def user() -> None:
    """Learn anew what a user likes, or erase all that is kept of one."""


@user.command(cls=Command, examples=["evervec user update ada film"])
@click.argument("user_id", metavar="USER")
@click.argument("source")
@common_options
@pass_app
def update(app: App, user_id: str, source: str) -> None:
    """Learn at once what USER likes among the rows of SOURCE; maintenance does it in time."""
    with app.database() as db:
        learned = db.update_user_embedding(user_id, source)
    if app.as_json:
        app.print_json({"user": user_id, "source": source, "learned": learned})
    elif learned:
        app.say(f"What {user_id} likes among the rows of {source} is up to date.")
    else:
        app.say(f"There is nothing to learn from about {user_id} and {source}.")


@user.command(cls=Command, examples=["evervec user forget ada --json"])
@click.argument("user_id", metavar="USER")
@common_options
@pass_app
def forget(app: App, user_id: str) -> None:
    """Erase everything that evervec keeps of USER, and say how much of what it was."""
    with app.database() as db:
        erased = db.forget_user(user_id)
    if app.as_json:
        app.print_json({"user": user_id, "erased": erased})
        return
    kept = {kind: rows for kind, rows in erased.items() if rows}
    if not kept:
        app.say(f"Nothing was kept of {user_id}.")
    for kind, rows in kept.items():
        app.say(f"{kind}: {rows:,}")
