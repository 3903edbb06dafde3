"""What ringing a webhook costs the writer: `make bench NAME=push`.

The same tracked table with push off and on, in turn: many short runs, as the speed of a machine
drifts by more than what is measured. pg_net is not in the embedded server: a recorder takes
requests into a queue, as pg_net does within the transaction. On Debian's server
(`EVERVEC_TEST_DEBIAN=FOLDER`, a folder of tools/trixie in which pg_net was installed) it is pg_net
itself, which rings a closed and a silent port.
"""

from __future__ import annotations

import argparse
import socket
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median

import psycopg
from rich.console import Console

from bench import contenders, staging
from bench.cases import CASES, Case, Pgbench
from bench.contenders import EVERVEC
from bench.measure import Bench
from bench.report import Report, Table, write
from bench.server import Server, running_debian, running_server, scalar, versions
from bench.stats import duration, ratio, thousands
from evervec import embedded
from tests.support import debian, pg_net

# The cases, by their names in bench.cases, and how much slower they may be with push on.
BARS: dict[str, float | None] = {
    "insert": 1.1,
    "pipelined": 1.1,
    "pgbench-2-simple": 1.1,
    "pgbench-32-simple": 1.1,
    "update-text": None,
}
CLOSED = "http://127.0.0.1:9"  # nobody listens
OFF = "off"
AGAIN = "off, again"  # what noise alone makes of a ratio

Seconds = Mapping[tuple[str, str], Sequence[float]]  # by case and state, one a round


def main(arguments: Sequence[str] | None = None) -> None:
    """Run as a command."""
    options = _options(arguments)
    console = Console()
    cases = [case for case in CASES if case.name in BARS]
    rows = 2_000 if options.quick else 10_000
    seconds: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    real = debian.folder() is not None
    with _server() as server, _silent() as silent:
        webhooks = {"closed port": CLOSED, "silent port": silent} if real else {"on": CLOSED}
        states = [OFF, AGAIN, *webhooks]
        contenders.install_evervec(server)
        with server.connect_superuser() as superuser, server.connect() as application:
            staging.fill(superuser, rows)
            texts = superuser.execute("select id, title, body from bench.short").fetchall()
            bench = Bench(server, superuser, application, texts, options.seconds)
            for number in range(options.rounds + 1):
                first = number % len(states)
                for case in cases:
                    for state in (*states[first:], *states[:first]):
                        _configure(application, case, webhooks.get(state))
                        measurement = bench.run(case, EVERVEC)
                        if number > 0:  # the first round makes WAL files and caches warm
                            seconds[case.name, state].append(measurement.seconds)
            found, facts = versions(superuser), {}
            if real:
                found["pg_net"] = scalar(
                    superuser, "select extversion from pg_extension where extname = 'pg_net'"
                )
                facts["what pg_net was answered"] = _answers(superuser)
    report = Report(
        name="push_pg_net" if real else "push",
        versions=found,
        settings=server.settings,
        facts={"rows": thousands(rows), "rounds": str(options.rounds), **facts},
        tables=(
            Table(
                "Ratios to push off: the median of the rounds, the lowest and the highest",
                ("case", OFF, AGAIN, *webhooks, "bar", ""),
                tuple(_line(case, [AGAIN, *webhooks], seconds) for case in cases),
            ),
        ),
    )
    report.print(console)
    if not options.quick:
        console.print(f"Written to {write(report)}")


@contextmanager
def _server() -> Iterator[Server]:
    """One that has pg_net, or its recorder."""
    root = debian.folder()
    if root is None:
        with running_server() as server:
            with psycopg.connect(server.superuser_url, autocommit=True) as conn:
                pg_net.install(conn)
            yield server
        return
    settings = {
        "shared_preload_libraries": "pg_net",
        "pg_net.database_name": embedded.DATABASE,
    }
    with running_debian(root, **settings) as server:
        with psycopg.connect(server.superuser_url, autocommit=True) as conn:
            conn.execute("create extension pg_net")
            conn.execute(f"grant usage on schema net to {embedded.OWNER}")
            conn.execute("select net.wait_until_running()")
        yield server


@contextmanager
def _silent() -> Iterator[str]:
    """The address of a port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def _configure(application: psycopg.Connection, case: Case, webhook: str | None) -> None:
    """Push to that webhook, or off.

    Single rows ring as they do by default, all of them together once a second. Otherwise every run
    is one transaction, and rings.
    """
    if webhook is None:
        application.execute("select evervec.push_off()")
    else:
        debounce = "1 second" if isinstance(case, Pgbench) else "0"
        configure = "select evervec.configure_push(%s, 'pg_net', %s)"
        application.execute(configure, [webhook, debounce])


def _answers(superuser: psycopg.Connection) -> str:
    """What became of the rings, with their numbers."""
    query = """
        select string_agg(format('%s × %s', count, answer), ', ')
          from (select count(*), coalesce(r.status_code::text, left(r.error_msg, 18)) as answer
                  from net._http_response r group by 2 order by 2) x
    """
    answers = superuser.execute(query).fetchone()
    if answers is None or answers[0] is None:
        raise RuntimeError("pg_net has sent nothing")
    return str(answers[0])


def _line(case: Case, states: Sequence[str], seconds: Seconds) -> tuple[str, ...]:
    """Ratios to the run with push off of the same round: neighbours in time have the same noise."""
    off = seconds[case.name, OFF]
    cells, worst = [], 0.0
    for state in states:
        ratios = [slow / fast for slow, fast in zip(seconds[case.name, state], off, strict=True)]
        if state != AGAIN:
            worst = max(worst, median(ratios))
        cells.append(f"{ratio(median(ratios))} ({min(ratios):.2f} – {max(ratios):.2f})")
    bar = BARS[case.name]
    told = ("", "") if bar is None else (ratio(bar), "met" if worst <= bar else "MISSED")
    return case.title, duration(median(off)), *cells, *told


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.push", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rows, few rounds; writes no docs")
    parser.add_argument("--rounds", type=int, help="runs of each case in each state (default 31)")
    parser.add_argument("--seconds", type=int, help="length of a pgbench run (default 1)")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (3 if options.quick else 31)
    options.seconds = options.seconds or 1
    return options


if __name__ == "__main__":
    main()
