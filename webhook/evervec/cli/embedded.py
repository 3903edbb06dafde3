"""evervec embedded: a PostgreSQL from a wheel, for trying things out."""

from __future__ import annotations

import shlex

import click

from evervec import embedded as server
from evervec.cli.app import App, Group, json_option, pass_app


@click.group(
    cls=Group,
    examples=[
        "evervec embedded start",
        "export EVERVEC_DATABASE_URL=$(evervec embedded url)",
    ],
)
def embedded() -> None:
    """Run a PostgreSQL for trying things out.

    It comes with pgvector and needs no installation. Its data are in .evervec/pgdata below the
    working directory, or in EVERVEC_EMBEDDED_DIR.
    """


@embedded.command()
@json_option
@pass_app
def start(app: App) -> None:
    """Start the server, with its database evervec."""
    app.notes.print("Starting the embedded PostgreSQL …")
    url = server.prepare(server.start())
    if app.as_json:
        app.print_json({"url": url})
        return
    app.say("The embedded PostgreSQL is running. To use it:")
    app.say(f"  export EVERVEC_DATABASE_URL={shlex.quote(url)}")


@embedded.command()
@json_option
@pass_app
def stop(app: App) -> None:
    """Stop the server; its data stay."""
    stopped = server.stop()
    if app.as_json:
        app.print_json({"stopped": stopped})
    else:
        app.say("Stopped." if stopped else "It was not running.")


@embedded.command()
@json_option
@pass_app
def url(app: App) -> None:
    """Print the URL of the running server's database."""
    found = server.url()
    if app.as_json:
        app.print_json({"url": found})
    else:
        click.echo(found)
