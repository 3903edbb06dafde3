"""The demo as a newcomer runs it: interrupted, resumed, repeated; and what its films answer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from evervec import embedded
from evervec.db import Database
from evervec.demo import films
from evervec.demo.searches import FIRST, MUST_HOLD, TEN
from evervec.providers import Providers

FILMS = 17_472


@dataclass(frozen=True)
class Shown:
    """The demo's database after a first run that was interrupted and a second that was not."""

    folder: Path
    url: str
    interrupted: str
    finished: str


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    folder = tmp_path_factory.mktemp("demo") / "pgdata"
    try:
        interrupted = _interrupted(folder)
        finished = _run(folder)
        yield Shown(folder, embedded.url(folder), interrupted, finished)
    finally:
        embedded.stop(folder)


def _start(folder: Path) -> subprocess.Popen[str]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("EVERVEC_", "PG"))
    } | {"EVERVEC_EMBEDDED_DIR": str(folder)}
    return subprocess.Popen(
        [sys.executable, "-m", "evervec", "demo"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _run(folder: Path) -> str:
    with _start(folder) as process:
        out, _ = process.communicate(timeout=300)
    assert process.returncode == 0, out
    return out


def _interrupted(folder: Path) -> str:
    """Press Ctrl-C once vectors are there."""
    with _start(folder) as process:
        assert process.stdout is not None
        out = ""
        while "A vector for every row" not in out:
            line = process.stdout.readline()
            assert line, out
            out += line
        with psycopg.connect(embedded.url(folder), autocommit=True) as conn:
            while conn.execute("select from film_embedding limit 1").fetchone() is None:
                time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out += process.communicate(timeout=60)[0]
    assert process.returncode == 1, out
    return out


@pytest.fixture
def demo_db(shown: Shown) -> Iterator[Database]:
    with Database(shown.url) as db:
        yield db


@pytest.fixture
def demo_conn(shown: Shown) -> Iterator[psycopg.Connection]:
    with psycopg.connect(shown.url, autocommit=True) as conn:
        yield conn


def test_an_interrupted_demo_ends_with_a_sentence_that_says_how_to_go_on(shown: Shown) -> None:
    assert "Traceback" not in shown.interrupted
    assert "Run the demo again: it goes on from here." in shown.interrupted


def test_the_next_run_goes_on_where_the_former_stopped(shown: Shown) -> None:
    assert "the films are there already" in shown.finished
    assert f"{FILMS:,} rows embedded" not in shown.finished
    assert f"{FILMS:,} of {FILMS:,} rows have their vector (100 %)" in shown.finished


def test_a_run_over_finished_work_starts_at_the_searches(shown: Shown) -> None:
    started = time.monotonic()

    out = _run(shown.folder)

    assert "rows embedded" not in out
    assert "searches hold" in out
    assert time.monotonic() - started < 20


def test_the_demo_shows_that_a_changed_film_is_found_by_its_new_title(shown: Shown) -> None:
    assert "finds Matchstick Men: not in the first 1,000" in shown.finished
    assert "finds The Robot Who Played the Piano: place 1\n" in shown.finished


def test_every_film_is_embedded_and_nothing_is_left_to_do(demo_db: Database) -> None:
    covered = demo_db.coverage("film")

    assert (covered.total, covered.embedded, covered.percent) == (FILMS, FILMS, 100)
    assert demo_db.pending().total == 0


def test_at_least_eight_of_the_ten_searches_hold(
    demo_db: Database, demo_conn: psycopg.Connection
) -> None:
    model = demo_db.get_model("local")
    providers = Providers()
    held = []

    for search in TEN:
        found = demo_db.find_similar("film", providers.embed_query(model, search.words), FIRST)
        held.append(search.holds(films.by_id(demo_conn, [row.key["id"] for row in found])))

    assert len(held) == 10
    assert sum(held) >= MUST_HOLD, dict(zip([s.words for s in TEN], held, strict=True))


def test_nearest_film_inlines_into_the_callers_plan_and_uses_the_index(
    demo_conn: psycopg.Connection,
) -> None:
    vector = "[" + ",".join(["0.1"] * 512) + "]"

    plan = "\n".join(
        line
        for (line,) in demo_conn.execute(
            "explain select f.title, n.distance from evervec.nearest_film(%s::vector, 10) n"
            " join film f using (id)",
            [vector],
        )
    )

    assert "Index Scan using film_embedding" in plan
    assert "Function Scan" not in plan


def test_more_like_a_film_never_has_the_film_itself(
    demo_db: Database, demo_conn: psycopg.Connection
) -> None:
    film = films.by_title(demo_conn, "Seven Samurai", 1954)

    found = demo_db.find_similar_to("film", f'{{"id": {film.id}}}', FIRST)

    assert len(found) == FIRST
    assert film.id not in [row.key["id"] for row in found]
