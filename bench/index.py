"""Which index: what each finds, takes and costs: `make bench NAME=index`.

100,000 real texts (descriptions of Debian packages and sentences of them, by the offline model
`local`), and as many generated vectors of 384, 1,536 and 2,048 dimensions: without an index, and
under each that evervec builds; as by default, and after tune. Queries are of the same kind, and
not stored. Each part is printed, written to its section of docs/benchmarks.md, and drawn as
docs/index_<part>.svg, unless --no-docs or --rows.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql
from rich.console import Console

from bench import debian, search
from bench.kept import Vectors, embed
from bench.report import DOCS, Report, Table, write
from bench.search import Found, Way, met
from bench.server import Server, running_server, scalar, script, versions
from bench.stats import duration, ratio, size, thousands

ROWS = 100_000
LIMIT = 10
QUERIES = 500
EXACT_QUERIES = 50  # without an index
EFFORTS = {"hnsw": (10, 20, 40, 70, 100, 200, 400, 800), "ivfflat": (1, 2, 5, 10, 20, 40, 80)}
CLIENTS = 2
SEED = 9

LEAST = 0.95
TUNED = 0.99
BARRED = 1_536  # dimensions at which sizes have bars
CLOSE = 0.01

# The larger indexes stay in memory.
SETTINGS = {"shared_buffers": "4GB"}
MEMORY = "4GB"  # of a build

FIND = "select id, distance from evervec.find_similar_item(%(query)s, 10)"
SEARCH = Way("", FIND)


@dataclass(frozen=True)
class Kind:
    """An index as track knows it; share: of the size of FULL that it may have."""

    name: str
    method: str
    precision: str | None = None
    share: float | None = None

    def fits(self, dimensions: int) -> bool:
        """Whether pgvector has it."""
        return self.precision != "full" or dimensions <= 2_000


NONE = Kind("no index", "none")
FULL = Kind("hnsw", "hnsw", "full")
KINDS = (
    NONE,
    FULL,
    Kind("hnsw, half", "hnsw", "half", 0.55),
    Kind("hnsw, bit", "hnsw", "bit", 0.10),
    Kind("ivfflat", "ivfflat", "full"),
    Kind("ivfflat, half", "ivfflat", "half"),
)


@dataclass(frozen=True)
class Stock:
    """What is searched, and what is searched for: unit vectors, of which none is in both.

    strange: other queries, unlike the rows; may be none
    """

    name: str
    rows: Vectors
    queries: Vectors
    strange: Vectors

    @property
    def dimensions(self) -> int:
        """Of each vector."""
        return int(self.rows.shape[1])


@dataclass(frozen=True)
class Seen:
    """Searches with one effort.

    recall, strange  the share of the nearest that was found, of either queries
    rate             searches a second of CLIENTS at once
    """

    found: Found
    recall: float
    strange: float | None
    rate: float


@dataclass
class Result:
    """What was seen of one kind.

    seconds, bytes  of the build
    plain, tuned    as by default, and after tune, which chose effort; None: it did not get there
    curve           effort, recall and p50 in seconds
    """

    kind: Kind
    seconds: float
    bytes: int
    plain: Seen
    tuned: Seen | None = None
    effort: int | None = None
    curve: list[tuple[int, float, float]] = field(default_factory=list)


# -- what is searched ----------------------------------------------------------------------------


def texts(rows: int) -> Stock:
    """Descriptions of packages, and sentences to fill up; tags are strange queries."""
    described = [package.text for package in debian.catalogue()]
    chance = np.random.default_rng(SEED)
    spoken = list(debian.sentences())
    most = ROWS + QUERIES - len(described)
    filling = [spoken[n] for n in chance.permutation(len(spoken))[:most]]
    given = np.concatenate([embed("packages", described), embed("sentences", filling)])
    given = given[chance.permutation(len(given))]
    titles = [tag.title for tag in debian.vocabulary()]
    return Stock("Texts", given[QUERIES:][:rows], given[:QUERIES], embed("titles", titles))


def generated(dimensions: int, rows: int) -> Stock:
    """The clusters of bench/search.py."""
    queries = search.vectors(QUERIES, dimensions, 2)
    return Stock("Generated", search.vectors(rows, dimensions, 1), queries, queries[:0])


PARTS: Mapping[str, Callable[[int], Stock]] = {
    "texts": texts,
    **{str(dimensions): partial(generated, dimensions) for dimensions in (384, 1_536, 2_048)},
}


# -- measuring -----------------------------------------------------------------------------------


def recall(similarities: NDArray[np.float32], found: Sequence[Sequence[int]], limit: int) -> float:
    """The share of the nearest rows that was found; ids count from 1.

    similarities: of queries (rows) and stored vectors (columns). Whatever is as near as the last
    of the nearest is one of them.
    """
    last = np.partition(similarities, -limit, axis=1)[:, -limit] - 1e-6
    good = [
        min(int((similarities[n, np.array(ids, dtype=int) - 1] >= last[n]).sum()), limit)
        for n, ids in enumerate(found)
    ]
    return sum(good) / limit / len(good)


@dataclass(frozen=True)
class Bench:
    """What is searched on which server. seconds: that searches a second are counted for."""

    server: Server
    stock: Stock
    similarities: NDArray[np.float32]
    strange: NDArray[np.float32]
    seconds: float

    def measure(self, kind: Kind) -> Result:
        """The index instead of the one that is there, and searches with it."""
        with self.server.connect() as owner:
            owner.execute(
                "select evervec.retrack('item', p_index => %s, p_precision => %s)",
                [kind.method, kind.precision],
            )
            began = time.perf_counter()
            owner.execute(sql.SQL("set maintenance_work_mem = {}").format(MEMORY))
            owner.execute("select evervec.build_index('item')")
            seconds = time.perf_counter() - began
        with self.server.connect_superuser() as superuser:
            # Of the former index, and of what retrack wrote.
            superuser.execute("checkpoint")
            result = Result(kind, seconds, _size(superuser), self._seen(kind))
        if kind is not NONE:
            for effort in EFFORTS[kind.method]:
                way = Way("", FIND, (f"set evervec.search_effort = {effort}".encode(),))
                found = search.search(self.server.url, way, self.stock.queries)
                share = recall(self.similarities, found.ids, LIMIT)
                result.curve.append((effort, share, found.p50))
            result.effort = self._tune()
            if result.effort is not None:
                result.tuned = self._seen(kind)
                with self.server.connect() as owner:
                    owner.execute("select evervec.tune('item', null)")
        return result

    def _tune(self) -> int | None:
        """The effort that tune chose, or None."""
        with self.server.connect() as owner:
            try:
                rows = owner.execute(
                    "select effort from evervec.tune('item', %s) where chosen", [TUNED]
                ).fetchall()
            except psycopg.DatabaseError as error:
                if error.sqlstate != "VE221":
                    raise
                return None
        return int(rows[0][0])

    def _seen(self, kind: Kind) -> Seen:
        queries = self.stock.queries[: EXACT_QUERIES if kind is NONE else None]
        url = self.server.url
        search.search(url, SEARCH, queries)
        found = search.search(url, SEARCH, queries)
        strange = None
        if len(self.stock.strange) and kind is not NONE:
            ids = search.search(url, SEARCH, self.stock.strange).ids
            strange = recall(self.strange, ids, LIMIT)
        return Seen(
            found,
            recall(self.similarities, found.ids, LIMIT),
            strange,
            search.a_second(self.server, SEARCH, queries, CLIENTS, self.seconds),
        )


def _size(conn: psycopg.Connection) -> int:
    """Bytes of the vector index of search.item."""
    return int(
        scalar(
            conn,
            "select coalesce(sum(pg_relation_size(i.indexrelid)), 0) from pg_index i"
            " join pg_class c on c.oid = i.indexrelid"
            " join pg_am a on a.oid = c.relam and a.amname in ('hnsw', 'ivfflat')"
            " where i.indrelid = 'search.item_embedding'::regclass",
        )
    )


# -- what is said of it --------------------------------------------------------------------------


def tables(stock: Stock, results: Sequence[Result]) -> tuple[Table, ...]:
    """As by default, and after tune."""
    full = next((result for result in results if result.kind is FULL), None)
    strange = ("recall, tags",) if len(stock.strange) else ()
    plain, tuned = [], []
    for result in results:
        times = result.bytes / full.bytes if full and result.bytes else None
        plain.append(
            (
                result.kind.name,
                f"{result.seconds:.0f} s" if result.bytes else "",
                size(result.bytes) if result.bytes else "",
                f"{times:.2f} ×" if times else "",
                *_cells(result.plain, stock),
                "; ".join(_bars(result, full, stock)),
            )
        )
        if result.kind is not NONE:
            tuned.append(
                (result.kind.name, "not reached", *("" for _ in (1, 2, 3, 4, *strange)), "MISSED")
                if result.tuned is None
                else (
                    result.kind.name,
                    str(result.effort),
                    *_cells(result.tuned, stock),
                    met(result.tuned.recall >= TUNED),
                )
            )
    asked = ("recall", *strange, "p50", "p95", f"{CLIENTS} clients/s")
    title = f"{stock.name}: {thousands(len(stock.rows))} vectors of {stock.dimensions:,} dimensions"
    return (
        Table(title, ("", "build", "size", "of hnsw", *asked, "bars"), tuple(plain)),
        Table(
            f"The same after tune(…, {TUNED})",
            ("", "effort", *asked, f"recall ≥ {TUNED}"),
            tuple(tuned),
        ),
    )


def _cells(seen: Seen, stock: Stock) -> list[str]:
    strange = [] if seen.strange is None else [f"{seen.strange:.3f}"]
    return [
        f"{seen.recall:.3f}",
        *(strange or [""] * bool(len(stock.strange))),
        duration(seen.found.p50),
        duration(seen.found.p95),
        thousands(seen.rate),
    ]


def _bars(result: Result, full: Result | None, stock: Stock) -> Iterator[str]:
    kind = result.kind
    if kind is not NONE:
        yield f"recall ≥ {LEAST}: {met(result.plain.recall >= LEAST)}"
    if kind.share and full and stock.dimensions == BARRED:
        yield f"size ≤ {ratio(kind.share)}: {met(result.bytes <= kind.share * full.bytes)}"
        if kind.precision == "half":
            lost = full.plain.recall - result.plain.recall
            yield f"recall within {CLOSE} of hnsw: {met(abs(lost) <= CLOSE)}"


def draw(path: Path, stock: Stock, results: Sequence[Result]) -> None:
    """Recall against time by effort, and sizes."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # Text as text, and always the same file for the same figures.
    mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "evervec", "font.size": 9}
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(2, 1))
    built = [result for result in results if result.curve]
    for number, result in enumerate(built):
        colour = f"C{number}"
        times = [1_000 * seconds for _, _, seconds in result.curve]
        shares = [share for _, share, _ in result.curve]
        left.plot(times, shares, ".-", color=colour, label=result.kind.name)
        left.plot(1_000 * result.plain.found.p50, result.plain.recall, "o", color=colour)
        right.barh(result.kind.name, result.bytes / 1e6, color=colour)
    left.axhline(LEAST, color="grey", linewidth=0.5, linestyle="--")
    left.set(xscale="log", xlabel="p50, ms", ylabel=f"recall@{LIMIT}")
    left.set_title(f"{thousands(len(stock.rows))} × {stock.dimensions:,}; ● as by default")
    left.legend()
    right.invert_yaxis()
    right.set_title("size, MB")
    figure.savefig(path, metadata={"Date": None})


def main(arguments: Sequence[str] | None = None) -> None:
    """Run as a command."""
    options = _options(arguments)
    console = Console()
    for part in options.parts or PARTS:
        stock = PARTS[part](options.rows)
        console.print(f"{stock.name}: {len(stock.rows):,} × {stock.dimensions:,} …")
        with running_server(**SETTINGS) as server:
            with server.connect() as owner:
                owner.execute(script("search.sql", dimensions=sql.Literal(stock.dimensions)))
                found_versions = versions(owner)
            with server.connect_superuser() as superuser:
                search.fill(superuser, "item", stock.rows)
                superuser.execute("vacuum (analyze)")
            bench = Bench(
                server,
                stock,
                stock.queries @ stock.rows.T,
                stock.strange @ stock.rows.T,
                options.seconds,
            )
            results = []
            for kind in KINDS:
                if kind.fits(stock.dimensions) and kind.name in (options.kinds or kind.name):
                    results.append(bench.measure(kind))
                    console.print(f"{kind.name}: {results[-1].seconds:.0f} s")
        facts = {
            "queries": str(QUERIES),
            "without an index": str(EXACT_QUERIES),
            "maintenance_work_mem of builds": MEMORY,
        }
        picture = f"index_{part}.svg"
        report = Report(
            f"index_{part}",
            found_versions,
            server.settings,
            facts,
            tables(stock, results),
            picture,
        )
        report.print(console)
        for result in results:
            points = ", ".join(f"{e}: {r:.3f} {duration(t)}" for e, r, t in result.curve)
            console.print(f"{result.kind.name}: {points}")
        if options.draw:
            draw(options.draw, stock, results)
        elif not (options.no_docs or options.rows != ROWS):
            console.print(f"Written to {write(report)}")
            draw(DOCS.parent / picture, stock, results)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.index", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"only these of {', '.join(PARTS)}")
    parser.add_argument("--rows", type=int, default=ROWS, help="fewer rows; writes no docs")
    parser.add_argument("--kinds", nargs="+", help="only these indexes")
    parser.add_argument("--no-docs", action="store_true", help="print only")
    parser.add_argument("--draw", type=Path, help="where to draw, instead of the docs")
    parser.add_argument("--seconds", type=float, default=3.0, help="of counting searches")
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part: {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    main()
