"""evervec push: which webhook the database rings."""

from __future__ import annotations

from typing import Final

import click

from evervec.cli.app import App, Command, common_options, pass_app

_BY: Final = {
    "pg_net": "by pg_net, after each commit that changes something.",
    "http": "by pgsql-http, from ring(): let pg_cron call that with evervec schedule.",
    "none": "by nobody: neither pg_net nor pgsql-http is there. It has to look by itself.",
}


@click.command(
    cls=Command, examples=["evervec push https://webhook.example.org", "evervec push --off"]
)
@click.argument("url", required=False)
@click.option(
    "--transport",
    type=click.Choice(["auto", "pg_net", "http"]),
    default="auto",
    show_default=True,
    help="The extension that sends; auto: the best that is there.",
)
@click.option("--search", is_flag=True, help="Ask it for the vectors of searches in SQL, too.")
@click.option("--off", is_flag=True, help="Ring nobody any more.")
@common_options
@pass_app
def push(app: App, url: str | None, transport: str, search: bool, off: bool) -> None:
    """Let the database ring the webhook at URL when there is work.

    May be repeated; the last URL counts. docs/doorbells.md has what goes over the wire.
    """
    if off == (url is not None):
        raise click.UsageError("Give the webhook's URL, or --off.")
    with app.database() as db:
        chosen = None if url is None else db.configure_push(url, transport, search=search)
        was_on = chosen is None and db.push_off()
    if app.as_json:
        app.print_json({"url": url, "transport": chosen})
    elif chosen is not None:
        app.say(f"{url} is rung {_BY[chosen]}")
    else:
        app.say("Nobody is rung any more." if was_on else "Nobody was rung.")
