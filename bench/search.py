"""How fast evervec searches, beside statements written by hand: `make bench NAME=search`.

100,000 vectors of 384 dimensions and 50,000 of 1,536 under HNSW: a plain search, one with a filter
that lets half, a tenth, a hundredth and a thousandth of the rows through, one under row-level
security, and 10,000 vectors with and without an index. Printed, and written to docs/benchmarks.md
unless --quick.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from statistics import median, quantiles
from typing import LiteralString

import numpy as np
import psycopg
from numpy.typing import NDArray
from pgvector.psycopg import register_vector
from psycopg import sql
from rich.console import Console

from bench.report import Report, Table, write
from bench.server import Server, running_server, scalar, script, versions
from bench.stats import duration, ratio, thousands

Vectors = NDArray[np.float32]

LIMIT = 10
QUERIES = 200
SHAPES = ((100_000, 384), (50_000, 1_536))  # vectors, dimensions
SMALL = 10_000
SHARES = (500, 100, 10, 1)  # of 1,000 rows, those that qualify
INTRINSIC = 32
SPREAD = 0.7  # within a cluster, where centres are 1 apart in each intrinsic dimension
NOISE = 0.2
VISIBLE = 100  # of 1,000, under row-level security
READER = "search_reader"

# Post-filtering asks for so many times what should be enough, as far as hnsw.ef_search reaches.
OVERSAMPLING = 2
MOST_EF_SEARCH = 1_000

BY_HAND = "by hand"
NEAREST = "nearest_item"
TYPED = "find_similar_item"
GENERAL = "find_similar"
FILTER = "filter"
# With as much effort as evervec's searches take, so that what is compared finds the same.
EFFORT: LiteralString = "set hnsw.ef_search = 100"
POST = "more, filtered afterwards"
EXACT = "exact"


@dataclass(frozen=True)
class Way:
    """One way to search: a statement over %(query)s and what is set before, for a session."""

    name: str
    statement: LiteralString
    settings: tuple[LiteralString | bytes, ...] = ()
    parameters: Mapping[str, int] = field(default_factory=dict)
    reader: bool = False  # as a role that sees a tenth of the rows


@dataclass
class Found:
    """What searches by one way took, in seconds, and what they found."""

    seconds: list[float] = field(default_factory=list)
    ids: list[list[int]] = field(default_factory=list)

    @property
    def p50(self) -> float:
        """Median, in seconds."""
        return median(self.seconds)

    @property
    def p95(self) -> float:
        """95 % took less, in seconds."""
        return quantiles(self.seconds, n=20)[-1]

    def recall(self, exact: Sequence[frozenset[int]]) -> float:
        """Of the nearest rows that there are, the share that was found."""
        due = sum(len(ids) for ids in exact)
        return sum(len(ids & set(self.ids[i])) for i, ids in enumerate(exact)) / due

    @property
    def rows(self) -> float:
        """Rows of an answer, on average."""
        return sum(map(len, self.ids)) / len(self.ids)


PLAIN = (
    Way(
        BY_HAND,
        "select id, embedding <=> %(query)s as distance from search.item_embedding"
        " order by embedding <=> %(query)s limit 10",
        (EFFORT,),
    ),
    Way(NEAREST, "select id, distance from evervec.nearest_item(%(query)s, 10)", (EFFORT,)),
    Way(TYPED, "select id, distance from evervec.find_similar_item(%(query)s, 10)"),
    Way(
        GENERAL,
        "select (row_key ->> 'id')::bigint, distance"
        " from evervec.find_similar('item', %(query)s, 10)",
    ),
)
BARS = {NEAREST: 1.05, TYPED: 1.2, GENERAL: 1.5}

GUARDED = (
    Way(
        BY_HAND,
        "select e.id, e.embedding <=> %(query)s as distance from search.guarded_embedding e"
        " where (select g.share from search.guarded g where g.id = e.id) < 100"
        " order by e.embedding <=> %(query)s limit 10",
        (EFFORT, "set hnsw.iterative_scan = strict_order"),
    ),
    Way(
        "find_similar_guarded",
        "select id, distance from evervec.find_similar_guarded(%(query)s, 10)",
        reader=True,
    ),
)
GUARDED_BAR = 1.3
FILTER_BAR = 1.5
FILTER_RECALL = 0.95


def filtered(share: int) -> tuple[Way, ...]:
    """The three ways to find the nearest among those that are below the share."""
    fetched = min(LIMIT * 1_000 // share * OVERSAMPLING, MOST_EF_SEARCH)
    parameters = {"share": share, "fetched": fetched}
    return (
        Way(
            FILTER,
            "select id, distance from evervec.find_similar_item_below(%(query)s, %(share)s, 10)",
            parameters=parameters,
        ),
        Way(
            POST,
            "with n as materialized (select id, embedding <=> %(query)s as distance"
            " from search.item_embedding order by embedding <=> %(query)s limit %(fetched)s)"
            " select n.id, n.distance from n join search.item i using (id)"
            " where i.share < %(share)s order by n.distance limit 10",
            ("set hnsw.ef_search = 1000",) if fetched > 400 else ("set hnsw.ef_search = 400",),
            parameters,
        ),
        Way(
            EXACT,
            "with c as materialized (select e.id, e.embedding from search.item i"
            " join search.item_embedding e using (id) where i.share < %(share)s)"
            " select id, embedding <=> %(query)s as distance from c order by 2 limit 10",
            parameters=parameters,
        ),
    )


# -- the stage -----------------------------------------------------------------------------------


def vectors(count: int, dimensions: int, seed: int) -> Vectors:
    """Unit vectors around a thousand centres; shape (count, dimensions). Always the same.

    They vary in INTRINSIC dimensions, as embeddings do, with a little noise in the others.
    """
    common = np.random.default_rng(0)
    centres = common.normal(size=(1_000, INTRINSIC))
    turned = common.normal(size=(INTRINSIC, dimensions)) / np.sqrt(dimensions)
    random = np.random.default_rng(seed)
    latent = centres[random.integers(0, 1_000, count)]
    latent = latent + SPREAD * random.normal(size=latent.shape)
    found = latent @ turned + NOISE / np.sqrt(dimensions) * random.normal(size=(count, dimensions))
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    unit: Vectors = found.astype(np.float32)
    return unit


def fill(superuser: psycopg.Connection, source: str, given: Vectors) -> None:
    """Rows 1 to n with these vectors, as if workers had made them, and the index of the source."""
    table = sql.Identifier("search", source)
    target = sql.Identifier("search", f"{source}_embedding")
    superuser.execute(sql.SQL("truncate {}, {}").format(table, target))
    superuser.execute(
        sql.SQL(
            "insert into {} select g, (g * 7919) %% 1000, 'row ' || g from generate_series(1, %s) g"
        ).format(table),
        [len(given)],
    )
    model = scalar(superuser, "select model_id from evervec.model where name = 'search'")
    statement = sql.SQL(
        "copy {} (id, content_hash, model_id, embedding) from stdin with (format binary)"
    )
    register_vector(superuser)
    with superuser.cursor().copy(statement.format(target)) as copy:
        copy.set_types(["int8", "bytea", "int4", "vector"])
        for number, vector in enumerate(given, 1):
            copy.write_row((number, bytes(32), model, vector))


def build(server: Server, source: str) -> None:
    """The index, as a worker builds it, and statistics."""
    with server.connect() as conn:
        conn.execute("set maintenance_work_mem = '1GB'")
        conn.execute(sql.SQL("select evervec.build_index({})").format(sql.Literal(source)))
    with server.connect_superuser() as conn:
        conn.execute("vacuum (analyze)")


def nearest(given: Vectors, queries: Vectors, share: int = 1_000) -> list[frozenset[int]]:
    """The ids of the nearest rows below a share, by numpy."""
    ids = np.arange(1, len(given) + 1)
    ids = ids[(ids * 7919) % 1_000 < share]
    found = queries @ given[ids - 1].T
    order = np.argsort(-found, axis=1)[:, :LIMIT]
    return [frozenset(map(int, ids[row])) for row in order]


# -- searching -----------------------------------------------------------------------------------


def search(url: str, way: Way, queries: Vectors, seconds: float | None = None) -> Found:
    """One client: every query once, or again and again for so many seconds."""
    found = Found()
    with psycopg.connect(url, autocommit=True) as conn:
        register_vector(conn)
        for setting in way.settings:
            conn.execute(setting)
        give_up = time.perf_counter() + (seconds or 0)
        number = 0
        while number < len(queries) if seconds is None else time.perf_counter() < give_up:
            parameters = {**way.parameters, "query": queries[number % len(queries)]}
            began = time.perf_counter()
            rows = conn.execute(way.statement, parameters, binary=True).fetchall()
            found.seconds.append(time.perf_counter() - began)
            if seconds is None:
                found.ids.append([row[0] for row in rows])
            number += 1
    return found


def in_turn(
    server: Server, ways: Sequence[Way], queries: Vectors, rounds: int
) -> dict[str, list[Found]]:
    """Every way once a round, in another order each time; a first round is not counted."""
    runs: dict[str, list[Found]] = {way.name: [] for way in ways}
    for number in range(rounds + 1):
        first = number % len(ways)
        for way in (*ways[first:], *ways[:first]):
            url = server.embedded.url(user=READER) if way.reader else server.url
            found = search(url, way, queries[:20] if number == 0 else queries)
            if number:
                runs[way.name].append(found)
    return runs


def a_second(server: Server, way: Way, queries: Vectors, clients: int, seconds: float) -> float:
    """Searches a second of so many clients at once, each a process."""
    with ProcessPoolExecutor(clients, mp_context=get_context("spawn")) as pool:
        work = partial(search, server.url, way, queries)
        for one in [pool.submit(work, 0.1) for _ in range(clients)]:
            one.result()
        runs: list[Future[Found]] = [pool.submit(work, seconds) for _ in range(clients)]
        return sum(len(run.result().seconds) for run in runs) / seconds


# -- tables --------------------------------------------------------------------------------------


def spread(runs: Sequence[Found]) -> str:
    """Lowest and highest median of a round."""
    medians = [run.p50 for run in runs]
    return f"{duration(min(medians))} – {duration(max(medians))}"


def together(runs: Sequence[Found]) -> Found:
    """All searches of all rounds."""
    return Found(
        [second for run in runs for second in run.seconds], [ids for run in runs for ids in run.ids]
    )


def met(good: bool) -> str:
    """What is said of a bar."""
    return "met" if good else "MISSED"


def plain(
    server: Server, given: Vectors, queries: Vectors, options: argparse.Namespace, *, barred: bool
) -> Table:
    """A search for the ten nearest rows."""
    runs = in_turn(server, PLAIN, queries, options.rounds)
    exact = nearest(given, queries) * options.rounds
    reference = together(runs[BY_HAND]).p50
    lines = []
    for way in PLAIN:
        all_of_it = together(runs[way.name])
        rates = [a_second(server, way, queries, clients, options.seconds) for clients in (1, 2)]
        times = all_of_it.p50 / reference
        bar = BARS.get(way.name) if barred else None
        lines.append(
            (
                way.name,
                duration(all_of_it.p50),
                spread(runs[way.name]),
                duration(all_of_it.p95),
                *map(thousands, rates),
                f"{all_of_it.recall(exact):.3f}",
                ratio(times),
                f"≤ {ratio(bar)}, {met(times <= bar)}" if bar else "",
            )
        )
    title = f"The ten nearest of {thousands(len(given))} vectors of {given.shape[1]:,} dimensions"
    columns = ("", "p50", "min – max", "p95", "1 client/s", "2 clients/s", "recall", "ratio", "bar")
    return Table(title, columns, tuple(lines))


def filters(server: Server, given: Vectors, queries: Vectors, rounds: int) -> Table:
    """The ten nearest of those that qualify."""
    lines = []
    for share in SHARES:
        runs = in_turn(server, filtered(share), queries, rounds)
        exact = nearest(given, queries, share) * rounds
        of = {name: together(found) for name, found in runs.items()}
        # Who does not find the rows is no competitor.
        others = [one.p50 for name, one in of.items() if name != FILTER and one.rows > 9.9]
        times = of[FILTER].p50 / min(others)
        recall = of[FILTER].recall(exact)
        good = times <= FILTER_BAR and recall >= FILTER_RECALL and of[FILTER].rows == LIMIT
        lines.append(
            (
                f"{share / 10:g} %",
                duration(of[FILTER].p50),
                spread(runs[FILTER]),
                f"{of[FILTER].rows:.1f}",
                f"{recall:.3f}",
                duration(of[POST].p50),
                f"{of[POST].rows:.1f}",
                f"{of[POST].recall(exact):.3f}",
                duration(of[EXACT].p50),
                ratio(times),
                met(good),
            )
        )
    columns = (
        "qualify",
        "filter",
        "min – max",
        "rows",
        "recall",
        POST,
        "rows",
        "recall",
        EXACT,
        "ratio",
        f"≤ {ratio(FILTER_BAR)}, recall ≥ {FILTER_RECALL}",
    )
    return Table("Ten rows through a filter", columns, tuple(lines))


def guarded(server: Server, given: Vectors, queries: Vectors, rounds: int) -> Table:
    """The ten nearest of those that a policy lets through."""
    runs = in_turn(server, GUARDED, queries, rounds)
    exact = nearest(given, queries, VISIBLE) * rounds
    reference = together(runs[BY_HAND]).p50
    lines = []
    for way in GUARDED:
        all_of_it = together(runs[way.name])
        times = all_of_it.p50 / reference
        good = times <= GUARDED_BAR and all_of_it.rows == LIMIT
        lines.append(
            (
                way.name,
                duration(all_of_it.p50),
                spread(runs[way.name]),
                f"{all_of_it.rows:.1f}",
                f"{all_of_it.recall(exact):.3f}",
                ratio(times),
                f"≤ {ratio(GUARDED_BAR)}, {met(good)}" if way.reader else "",
            )
        )
    columns = ("", "p50", "min – max", "rows", "recall", "ratio", "bar")
    return Table("Ten rows where a policy shows a tenth", columns, tuple(lines))


def without_index(server: Server, queries: Vectors, rounds: int, dimensions: int) -> Table:
    """10,000 vectors, before the index is built and after."""
    with server.connect_superuser() as conn:
        drop_index(conn)
        fill(conn, "item", vectors(SMALL, dimensions, 3))
        conn.execute("vacuum (analyze)")
        none = together(in_turn(server, PLAIN[:1], queries, rounds)[BY_HAND])
    build(server, "item")
    index = together(in_turn(server, PLAIN[:1], queries, rounds)[BY_HAND])
    times = none.p50 / index.p50
    lines = (
        ("no index", duration(none.p50), duration(none.p95), met(none.p95 < 0.5)),
        ("HNSW", duration(index.p50), duration(index.p95), ""),
        ("ratio", ratio(times), "", f"≥ {ratio(5)}, {met(times >= 5)}"),
    )
    title = f"{thousands(SMALL)} vectors of {dimensions:,} dimensions"
    return Table(title, ("", "p50", "p95", "well under 500 ms; five times as fast"), lines)


def drop_index(conn: psycopg.Connection) -> None:
    """Take the vector index of search.item away."""
    found = conn.execute(
        "select i.indexrelid::regclass::text from pg_index i join pg_class c on c.oid ="
        " i.indexrelid join pg_am a on a.oid = c.relam and a.amname = 'hnsw'"
        " where i.indrelid = 'search.item_embedding'::regclass"
    ).fetchall()
    for (name,) in found:
        conn.execute(f"drop index {name}".encode())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run as a command."""
    options = _options(arguments)
    console = Console()
    tables: list[Table] = []
    facts: dict[str, str] = {"queries": str(QUERIES), "rounds": str(options.rounds)}
    found_versions: dict[str, str] = {}
    settings: Mapping[str, str] = {}
    for count, dimensions in SHAPES[:1] if options.quick else SHAPES:
        rows = count // 10 if options.quick else count
        console.print(f"{thousands(rows)} vectors of {dimensions:,} dimensions …")
        given, queries = vectors(rows, dimensions, 1), vectors(QUERIES, dimensions, 2)
        with running_server() as server:
            with server.connect() as owner:
                owner.execute(script("search.sql", dimensions=sql.Literal(dimensions)))
                found_versions, settings = versions(owner), server.settings
            with server.connect_superuser() as superuser:
                fill(superuser, "item", given)
            build(server, "item")
            first = dimensions == SHAPES[0][1]
            tables.append(plain(server, given, queries, options, barred=first))
            console.print(tables[-1].rich())
            if first:
                tables.append(filters(server, given, queries, options.rounds))
                console.print(tables[-1].rich())
                _guard(server, given)
                tables.append(guarded(server, given, queries, options.rounds))
                tables.append(without_index(server, queries, options.rounds, dimensions))
    report = Report("search", found_versions, settings, facts, tuple(tables))
    report.print(console)
    if not (options.quick or options.no_docs):
        console.print(f"Written to {write(report)}")


def _guard(server: Server, given: Vectors) -> None:
    """A reader whom policies show a tenth of search.guarded."""
    with server.connect_superuser() as superuser:
        fill(superuser, "guarded", given)
        superuser.execute(sql.SQL("create role {} login").format(sql.Identifier(READER)))
        superuser.execute("grant usage on schema search to search_reader")
        superuser.execute("grant select on search.guarded to search_reader")
    build(server, "guarded")
    with server.connect() as owner:
        owner.execute("alter table search.guarded enable row level security")
        owner.execute("create policy tenth on search.guarded to search_reader using (share < 100)")
        owner.execute("select evervec.protect('guarded')")
        owner.execute("select evervec.grant_access('search_reader', 'reader')")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.search", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows; writes no docs")
    parser.add_argument("--no-docs", action="store_true", help="print only")
    parser.add_argument("--rounds", type=int, help="rounds of all ways (default 5)")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (2 if options.quick else 5)
    options.seconds = 0.5 if options.quick else 3.0
    return options


if __name__ == "__main__":
    main()
