"""evervec demo: the whole of it in a few minutes."""

from __future__ import annotations

import click

from evervec.cli.app import App, Command, pass_app


@click.command(cls=Command, examples=["evervec demo"])
@pass_app
def demo(app: App) -> None:
    """Show evervec at work on 17,472 films.

    Server, migrations, embeddings, searches, changes. Everything is kept in .evervec below the
    working directory (or in EVERVEC_EMBEDDED_DIR). A
    second run starts at the searches, an interrupted one goes on where it was.
    """
    from evervec.demo import run

    run(app.console)
