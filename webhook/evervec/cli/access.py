"""evervec grant and evervec revoke: who may search, write, work, look after it."""

from __future__ import annotations

import click

from evervec.cli.app import App, Command, common_options, pass_app

_KIND = click.Choice(["reader", "writer", "worker", "admin"])


@click.command(
    cls=Command, examples=["evervec grant shop_web reader", "evervec grant embedder worker"]
)
@click.argument("role")
@click.argument("kind", type=_KIND)
@common_options
@pass_app
def grant(app: App, role: str, kind: str) -> None:
    """Give ROLE, which must exist, the rights of a KIND, on sources tracked later too.

    reader: searches, under the row-level security of the tables. writer: brings vectors, queues
    rows, asks about jobs. worker: embeds, and sees nothing but the texts that it claims. admin:
    watches, pauses, retries, changes limits.
    """
    with app.database() as db:
        new = db.grant_access(role, kind)
    if app.as_json:
        app.print_json({"role": role, "kind": kind, "changed": new})
    else:
        app.say(f"{role} is {'now' if new else 'still'} {kind}.")


@click.command(cls=Command, examples=["evervec revoke shop_web reader"])
@click.argument("role")
@click.argument("kind", type=_KIND)
@common_options
@pass_app
def revoke(app: App, role: str, kind: str) -> None:
    """Take the rights of a KIND from ROLE, except those that it has as another kind."""
    with app.database() as db:
        had = db.revoke_access(role, kind)
    if app.as_json:
        app.print_json({"role": role, "kind": kind, "changed": had})
    else:
        app.say(f"{role} is {'no longer' if had else 'not'} {kind}.")
