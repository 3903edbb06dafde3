"""How relevant is what searches find: `make bench NAME=relevance`.

Queries are the 642 tags that Debian describes packages by, each by the first line of its
description; judgements are which packages bear it. Searched are the packages that bear any tag:
of others nobody has said what they are. By meaning, by words, and by both, with either offline
model. Weights are chosen on one half of the queries; bars are for the other. Printed, and written
to docs/benchmarks.md unless --no-docs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
import psycopg
from pgvector.psycopg import register_vector
from psycopg import sql
from rich.console import Console

from bench import debian, search
from bench.kept import Vectors, embed
from bench.report import Report, Table, write
from bench.server import Server, running_server, scalar, script, versions
from bench.stats import duration, thousands

MODELS = ("local", "minilm")
LIMIT = 10
BAR = 0.385
BARRED = "minilm"


@dataclass(frozen=True)
class Weights:
    """Arguments of hybrid_search."""

    vector: float
    text: float
    k: int


MEANING = Weights(1, 0, 60)
WORDS = Weights(0, 1, 60)
DEFAULT = Weights(1, 1, 60)
OTHERS = tuple(Weights(1, text, k) for k in (10, 60, 200) for text in (0.25, 0.5, 1, 2, 4))


@dataclass(frozen=True)
class Query:
    """Words, and the numbers of the packages that are to be found."""

    words: str
    relevant: frozenset[int]


@dataclass(frozen=True)
class Score:
    """Means over queries, and the median time of a search in seconds."""

    ndcg: float
    hit: float
    seconds: float


def ndcg(found: Sequence[int], relevant: frozenset[int], limit: int) -> float:
    """Discounted cumulative gain of the first so many, over the best that there could be."""
    discounts = 1 / np.log2(np.arange(2, limit + 2))
    gains = [discounts[n] for n, one in enumerate(found[:limit]) if one in relevant]
    return float(sum(gains) / discounts[: len(relevant)].sum())


def stock() -> tuple[list[str], list[Query]]:
    """Texts of the packages, and the tags that any of them bears."""
    packages = [package for package in debian.catalogue() if package.tags]
    queries = []
    for tag in debian.vocabulary():
        bearing = frozenset(n for n, package in enumerate(packages) if tag.name in package.tags)
        if bearing:
            queries.append(Query(tag.title, bearing))
    return [package.text for package in packages], queries


def load(server: Server, texts: Sequence[str], vectors: Vectors) -> None:
    """The packages, their vectors and their words, as if workers had written them; the indexes."""
    with server.connect() as owner:
        owner.execute(script("relevance.sql", dimensions=sql.Literal(vectors.shape[1])))
    with server.connect_superuser() as superuser:
        with superuser.cursor().copy("copy relevance.package from stdin") as copy:
            for number, text in enumerate(texts):
                copy.write_row((number, text))
        model = scalar(superuser, "select model_id from evervec.model where name = 'relevance'")
        register_vector(superuser)
        with superuser.cursor().copy(
            "copy relevance.package_embedding (id, content_hash, model_id, embedding) from stdin"
            " with (format binary)"
        ) as copy:
            copy.set_types(["int4", "bytea", "int4", "vector"])
            for number, vector in enumerate(vectors):
                copy.write_row((number, bytes(32), model, vector))
        superuser.execute(
            "update relevance.package_embedding e set document = evervec.document_package(p.body)"
            " from relevance.package p where p.id = e.id"
        )
    search.build(server, "package")


def score(
    owner: psycopg.Connection, queries: Sequence[Query], vectors: Vectors, weights: Weights
) -> Score:
    """Every query once."""
    statement = (
        "select (row_key ->> 'id')::integer"
        " from evervec.hybrid_search_package(%s, %s, %s, %s, %s, %s) order by score desc"
    )
    gains, hits, seconds = [], [], []
    for query, vector in zip(queries, vectors, strict=True):
        began = time.perf_counter()
        rows = owner.execute(
            statement,
            [query.words, vector, LIMIT, weights.vector, weights.text, weights.k],
        ).fetchall()
        seconds.append(time.perf_counter() - began)
        found = [row[0] for row in rows]
        gains.append(ndcg(found, query.relevant, LIMIT))
        hits.append(not query.relevant.isdisjoint(found))
    return Score(float(np.mean(gains)), float(np.mean(hits)), median(seconds))


def of_model(
    server: Server, model: str, texts: Sequence[str], queries: Sequence[Query]
) -> tuple[Table, Table]:
    """What is found, and what other weights would find."""
    load(server, texts, embed("tagged", texts, model))
    vectors = embed("tag-titles", [query.words for query in queries], model)
    halves = (slice(0, None, 2), slice(1, None, 2))
    with server.connect() as owner:
        register_vector(owner)
        score(owner, queries[:20], vectors[:20], DEFAULT)

        def both(weights: Weights) -> tuple[Score, Score]:
            first, second = (score(owner, queries[h], vectors[h], weights) for h in halves)
            return first, second

        legs = {"vectors": both(MEANING), "full text": both(WORDS)}
        legs["hybrid, as by default"] = both(DEFAULT)
        tried = {weights: both(weights)[0] for weights in OTHERS}
        best = max(tried, key=lambda weights: tried[weights].ndcg)
        chosen = both(best)
    *single, hybrid = (scores[1].ndcg for scores in legs.values())
    least = max(*single, BAR if model == BARRED else 0)
    legs[f"hybrid, best of those below ({best.text:g}, k {best.k})"] = chosen
    lines = [
        (
            name,
            *(f"{value:.3f}" for one in scores for value in (one.ndcg, one.hit)),
            duration(scores[1].seconds),
            f"≥ {least:.3f}, {search.met(hybrid >= least)}" if name.endswith("default") else "",
        )
        for name, scores in legs.items()
    ]
    title = f"{model}: {thousands(len(queries))} tags, {thousands(len(texts))} packages"
    columns = ("", "nDCG@10, one half", "hit@10", "nDCG@10, other half", "hit@10", "p50", "bar")
    found = Table(title, columns, tuple(lines))
    ks = sorted({weights.k for weights in OTHERS})
    grid = [
        (
            f"{text:g}",
            *(f"{tried[Weights(1, text, k)].ndcg:.3f}" for k in ks),
        )
        for text in sorted({weights.text for weights in OTHERS})
    ]
    others = Table(
        f"{model}: nDCG@10 by p_text_weight and p_k, on the one half",
        ("p_text_weight", *(f"k {k}" for k in ks)),
        tuple(grid),
    )
    return found, others


def main(arguments: Sequence[str] | None = None) -> None:
    """Run as a command."""
    options = _options(arguments)
    console = Console()
    texts, queries = stock()
    tables: list[Table] = []
    for model in options.models or MODELS:
        console.print(f"{model} …")
        with running_server() as server:
            tables += of_model(server, model, texts, queries)
            with server.connect() as owner:
                found_versions = versions(owner)
            settings = server.settings
    facts = {"suite": debian.SUITE, "a text": f"{debian.CHARACTERS} characters at most"}
    report = Report("relevance", found_versions, settings, facts, tuple(tables))
    report.print(console)
    if not (options.models or options.no_docs):
        console.print(f"Written to {write(report)}")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.relevance", description=__doc__)
    parser.add_argument(
        "models", nargs="*", help=f"only these of {', '.join(MODELS)}; writes no docs"
    )
    parser.add_argument("--no-docs", action="store_true", help="print only")
    options = parser.parse_args(arguments)
    if unknown := set(options.models) - set(MODELS):
        parser.error(f"no model: {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    main()
