"""The program itself: its commands, and how it ends.

Exit codes: 0 done · 1 a failure told in one sentence · 2 wrong usage · 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click
import psycopg

from evervec import __version__, logs
from evervec.cli.access import grant, revoke
from evervec.cli.app import App, Group, common_options
from evervec.cli.archive import archive, restore
from evervec.cli.backfill import backfill
from evervec.cli.budget import budget
from evervec.cli.cost import cost
from evervec.cli.coverage import coverage
from evervec.cli.demo import demo
from evervec.cli.dlq import dlq
from evervec.cli.egress import egress
from evervec.cli.embedded import embedded
from evervec.cli.enqueue import enqueue
from evervec.cli.health import alerts, doctor
from evervec.cli.index import index
from evervec.cli.job import job
from evervec.cli.migrate import migrate
from evervec.cli.pause import pause, resume
from evervec.cli.protect import protect, unprotect
from evervec.cli.push import push
from evervec.cli.recall import recall, tune
from evervec.cli.recommend import recommend
from evervec.cli.reconcile import reconcile
from evervec.cli.reset import reset
from evervec.cli.retrack import retrack
from evervec.cli.rollback import rollback
from evervec.cli.schedule import schedule, unschedule
from evervec.cli.search import search
from evervec.cli.secret import secret
from evervec.cli.serve import serve
from evervec.cli.similar import similar
from evervec.cli.status import status
from evervec.cli.suspend import suspend
from evervec.cli.token import token
from evervec.cli.track import track
from evervec.cli.untrack import untrack
from evervec.cli.user import user
from evervec.cli.worker import worker
from evervec.errors import EvervecError

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.group(
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    examples=[
        "evervec demo                                         # see it work",
        "evervec migrate                                      # then, on a database of yours:",
        "evervec track public.film --columns title,genres",
        "evervec worker",
        'evervec search film "space opera"',
    ],
)
@click.version_option(__version__, prog_name="evervec")
@common_options
@click.pass_context
def program(context: click.Context) -> None:
    """Keep embeddings in PostgreSQL true to the rows they describe.

    The database is the one of EVERVEC_DATABASE_URL, else of libpq's PG* variables.
    """
    context.ensure_object(App)


for command in (
    migrate,
    rollback,
    track,
    untrack,
    backfill,
    worker,
    serve,
    status,
    coverage,
    doctor,
    alerts,
    cost,
    budget,
    egress,
    dlq,
    enqueue,
    job,
    reconcile,
    pause,
    resume,
    suspend,
    retrack,
    reset,
    index,
    recall,
    tune,
    archive,
    restore,
    protect,
    unprotect,
    grant,
    revoke,
    schedule,
    unschedule,
    push,
    token,
    user,
    secret,
    search,
    similar,
    recommend,
    embedded,
    demo,
):
    program.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and end the process: one message at most, never a traceback."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code."""
    logs.hush_libraries()
    debug = os.environ.get("EVERVEC_DEBUG") == "1"
    try:
        answer = program.main(
            args=None if arguments is None else list(arguments),
            prog_name="evervec",
            standalone_mode=False,
        )
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("evervec: interrupted", err=True)
        return 130
    except BrokenPipeError:
        # The reader (head, less) has gone: no message, and none from Python at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if debug:
            raise
        _show(error)
        return 1
    return answer if isinstance(answer, int) else 0


def _show(error: Exception) -> None:
    """The error as psql shows one: a sentence, DETAIL, HINT."""
    if isinstance(error, psycopg.Error):
        error = EvervecError.from_psycopg(error)
    if isinstance(error, EvervecError):
        message, detail, hint, state = error.message, error.detail, error.hint, error.sqlstate
    else:
        message, detail, state = f"unexpected {type(error).__name__}: {error}", None, None
        hint = "This is a fault of evervec. EVERVEC_DEBUG=1 shows where it happened."
    # An SQLSTATE of ours is worth looking up; PostgreSQL's own say no more than the message.
    code = f"{state}: " if state is not None and state.startswith("VE") else ""
    click.echo(f"evervec: error: {code}{message}", err=True)
    if detail:
        click.echo(f"DETAIL:  {detail}", err=True)
    if hint:
        click.echo(f"HINT:  {hint}", err=True)
