"""Whether the queue keeps its shape: `make bench NAME=shape`.

A million jobs in waves of 10,000, log and queue vacuumed after each: how large the tables and their
indexes are, against the first wave. Then the same without a VACUUM of ours: what autovacuum keeps
them at. Printed, and written to docs/reliability.md unless --quick.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from rich.console import Console

from bench.report import Report, Table, write
from bench.server import ROOT, Server, running_server, versions
from bench.stats import ratio, size, thousands

DOCS = ROOT / "docs" / "reliability.md"
WAVE = 10_000
CLAIM = 1_000
RATE = 2_000  # jobs a second while autovacuum is watched: the same for each setting
BAR = 3.0
TABLES = ("change_log", "processing_queue")

# Tables without their indexes, and each index of them; TOAST counts as table.
_SIZES = """
    select c.relname, pg_table_size(c.oid) as bytes
      from pg_class c
     where c.relnamespace = 'evervec'::regnamespace
       and (c.relname = any (%(tables)s)
            or c.oid in (select i.indexrelid from pg_index i join pg_class t on t.oid = i.indrelid
                          where t.relnamespace = 'evervec'::regnamespace
                            and t.relname = any (%(tables)s)))
     order by c.relname
"""

Sizes = dict[str, int]


@dataclass
class Waves:
    """A table of WAVE rows; each wave changes all of them, and a worker embeds them."""

    conn: psycopg.Connection
    rows: int = WAVE
    number: int = 0

    def create(self) -> None:
        """The table, tracked; its model's vectors are made up here, and as small as can be."""
        self.conn.execute(
            """
            select evervec.add_model('shape', 'none', 1);
            create table shape (id bigint primary key, body text);
            """
        )
        self.conn.execute("insert into shape select generate_series(1, %s)", [self.rows])
        self.conn.execute(
            "select evervec.track('shape', p_columns => '{body}', p_model => 'shape',"
            " p_index => 'none', p_backfill => false)"
        )

    def wave(self) -> int:
        """Change every row, then claim and complete until nothing is left; how many jobs."""
        self.number += 1
        self.conn.execute("update shape set body = %s || ' ' || id", [f"wave {self.number}"])
        done = 0
        while claimed := self._batch():
            done += claimed
        return done

    def _batch(self) -> int:
        jobs = self.conn.execute(
            "select job_id, lease_token from evervec.claim_jobs(%s) where state = 'embed'", [CLAIM]
        ).fetchall()
        if jobs:
            job_ids = [job_id for job_id, _ in jobs]
            self.conn.execute(
                "select from evervec.complete_jobs(%s, %s::bigint[],"
                " array_fill('[1]'::vector, array[%s::int]))",
                [jobs[0][1], job_ids, len(jobs)],
            )
        return len(jobs)

    def vacuum(self) -> None:
        """What autovacuum would do now."""
        for table in TABLES:
            self.conn.execute(f"vacuum evervec.{table}".encode())

    def sizes(self) -> Sizes:
        """Bytes of each table and each index."""
        return dict(self.conn.execute(_SIZES, {"tables": list(TABLES)}).fetchall())


@dataclass
class Shape:
    """Sizes before the VACUUM that follows a wave: of the first wave, and the largest of all."""

    first: Sizes
    largest: Sizes
    last: Sizes  # after the last VACUUM
    jobs: int

    @property
    def growth(self) -> dict[str, float]:
        """The largest size of each relation, in times of the first wave's."""
        return {name: self.largest[name] / max(self.first[name], 1) for name in self.first}


def measure(waves: Waves, jobs: int) -> Shape:
    """Wave after wave until so many jobs are done, each followed by a VACUUM."""
    done = waves.wave()
    first = waves.sizes()
    waves.vacuum()
    largest = dict(first)
    while done < jobs:
        done += waves.wave()
        largest = {name: max(largest[name], found) for name, found in waves.sizes().items()}
        waves.vacuum()
    return Shape(first, largest, waves.sizes(), done)


@dataclass(frozen=True)
class Setting:
    """One way to let autovacuum work."""

    title: str
    naptime: str
    own: bool  # with the storage parameters that evervec gives its tables


SETTINGS = (
    Setting("evervec's parameters, autovacuum_naptime = 1min (default)", "1min", own=True),
    Setting("evervec's parameters, autovacuum_naptime = 10s", "10s", own=True),
    Setting("the server's default parameters, autovacuum_naptime = 1min", "1min", own=False),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(prog="bench.shape", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of it; writes no docs")
    parser.add_argument("--seconds", type=float, default=240.0, help="of each line of autovacuum")
    parser.add_argument("--no-docs", action="store_true", help="print only")
    options = parser.parse_args(arguments)
    console = Console()
    jobs, seconds = (100_000, 20.0) if options.quick else (1_000_000, options.seconds)
    # What stands on the command line of the server, ALTER SYSTEM cannot change.
    with running_server(autovacuum="on") as server, server.connect() as owner:
        _nap(server, "1d")
        waves = Waves(owner)
        waves.create()
        console.print(f"{thousands(jobs)} jobs in waves of {thousands(WAVE)} …")
        began = time.monotonic()
        shape = measure(waves, jobs)
        took = time.monotonic() - began
        tables = (_kept(shape), _between(server, waves, seconds, console))
        report = Report(
            name="shape",
            versions=versions(owner),
            settings=server.settings,
            facts={
                "jobs": thousands(shape.jobs),
                "jobs a second": thousands(shape.jobs / took),
                "the second table": f"{seconds:.0f} s a line",
            },
            tables=tables,
        )
    report.print(console)
    if not (options.quick or options.no_docs):
        console.print(f"Written to {write(report, DOCS)}")


def _kept(shape: Shape) -> Table:
    lines = [
        (
            name,
            size(shape.first[name]),
            size(shape.largest[name]),
            ratio(times),
            size(shape.last[name]),
            "met" if times <= BAR else "MISSED",
        )
        for name, times in shape.growth.items()
    ]
    columns = (
        "table or index",
        "first wave",
        "largest wave",
        "ratio",
        "after the last VACUUM",
        f"at most {BAR:.0f} ×",
    )
    return Table(f"{thousands(shape.jobs)} jobs, a VACUUM after each wave", columns, tuple(lines))


def _between(server: Server, waves: Waves, seconds: float, console: Console) -> Table:
    lines = []
    for setting in SETTINGS:
        console.print(f"{setting.title} …")
        _configure(server, waves, setting)
        largest: Sizes = {}
        done, began = 0, time.monotonic()
        while done < RATE * seconds:
            done += waves.wave()
            for name, found in waves.sizes().items():
                largest[name] = max(largest.get(name, 0), found)
            time.sleep(max(0.0, began + done / RATE - time.monotonic()))
        rate = done / (time.monotonic() - began)
        log = sum(n for name, n in largest.items() if name.startswith("change_log"))
        queue = sum(n for name, n in largest.items() if name.startswith("processing_queue"))
        lines.append((setting.title, thousands(rate), size(log), size(queue)))
    columns = ("", "jobs a second", "change_log", "processing_queue")
    return Table(
        "Largest sizes between two runs of autovacuum, with indexes", columns, tuple(lines)
    )


def _nap(server: Server, naptime: str) -> None:
    """How long autovacuum waits between two looks at the database."""
    with psycopg.connect(server.superuser_url, autocommit=True) as superuser:
        superuser.execute(f"alter system set autovacuum_naptime = '{naptime}'".encode())
        superuser.execute("select pg_reload_conf()")


def _configure(server: Server, waves: Waves, setting: Setting) -> None:
    """Fresh tables under this setting; the server's own parameters come last."""
    _nap(server, setting.naptime)
    for table in TABLES:
        waves.conn.execute(f"vacuum full evervec.{table}".encode())
        if not setting.own:
            waves.conn.execute(
                f"alter table evervec.{table} reset (autovacuum_vacuum_scale_factor,"
                " autovacuum_vacuum_threshold, autovacuum_vacuum_insert_scale_factor,"
                " autovacuum_vacuum_insert_threshold)".encode()
            )


if __name__ == "__main__":
    main()
