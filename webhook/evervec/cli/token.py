"""evervec token: who may call the webhook."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click
from rich.table import Table
from rich.text import Text

from evervec.cli.app import App, Command, Group, common_options, pass_app
from evervec.cli.job import moment

if TYPE_CHECKING:
    from evervec.records import Token


@click.group(
    cls=Group,
    examples=[
        "evervec token create shop_web",
        "evervec token create importer --scope write --days 90",
        "evervec token list",
        "evervec token revoke shop_web",
    ],
)
def token() -> None:
    """Say who may call the webhook.

    A token is shown when it is made, and never again: the database keeps its hash.
    """


@token.command(cls=Command, examples=["evervec token create shop_web --scope read --tenant acme"])
@click.argument("name")
@click.option(
    "--scope",
    type=click.Choice(["read", "write", "admin"]),
    default="read",
    show_default=True,
    help="read: search, embed, look. write: process, queue, retry, wake, too. admin: everything.",
)
@click.option(
    "--tenant",
    metavar="NAME",
    help="Ask providers with the profile that EVERVEC_PROFILES gives this user or tenant.",
)
@click.option(
    "--days",
    type=click.IntRange(1, 36_500),
    help="Good for so many days; default: until it is revoked.",
)
@common_options
@pass_app
def create(app: App, name: str, scope: str, tenant: str | None, days: int | None) -> None:
    """Make a token for NAME and print it, this once."""
    expires = None if days is None else timedelta(days=days)
    with app.database() as db:
        made = db.create_token(name, [scope], tenant, expires)
    if app.as_json:
        app.print_json({"name": name, "token": made})
        return
    app.say(made)
    app.notes.print("It is not shown again.")


@token.command(name="list", cls=Command, examples=["evervec token list --json"])
@common_options
@pass_app
def list_tokens(app: App) -> None:
    """List the tokens that were made, revoked ones too."""
    with app.database() as db:
        tokens = db.tokens()
    if app.as_json:
        app.print_json([asdict(found) for found in tokens])
        return
    if not tokens:
        app.say("There are no tokens. Try: evervec token create shop_web")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("name", "scopes", "tenant", "created", "last used", ""):
        table.add_column(column, overflow="fold")
    for found in tokens:
        table.add_row(
            Text(found.name),
            ", ".join(found.scopes),
            Text(found.tenant or "–"),
            moment(found.created_at),
            moment(found.last_used_at) or "–",
            _state(found),
        )
    app.console.print(table)


@token.command(cls=Command, examples=["evervec token revoke shop_web"])
@click.argument("name")
@common_options
@pass_app
def revoke(app: App, name: str) -> None:
    """Make the token of NAME worthless, from the next request on."""
    with app.database() as db:
        db.revoke_token(name)
    if app.as_json:
        app.print_json({"name": name})
    else:
        app.say(f"The token {name} is revoked.")


def _state(found: Token) -> str:
    if found.revoked_at is not None:
        return f"revoked {moment(found.revoked_at)}"
    if found.expires_at is None:
        return "in use"
    over = found.expires_at <= datetime.now(UTC)
    return f"{'expired' if over else 'until'} {moment(found.expires_at)}"
