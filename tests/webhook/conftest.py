"""What the tests of the service share: a fake provider, a connected service, a process of it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import psycopg
import pytest

from evervec.config import Config
from evervec.db import Database
from evervec.processor import Batch, Processor
from evervec.providers import Embeddings, Kind, ProviderError, Providers
from evervec.records import Model
from evervec.worker import Worker
from tests.support.openai_server import DIMENSIONS, OpenAIServer, words_vector

SQL_ADD_MODEL = "select evervec.add_model('words', 'words', %s)"


@dataclass
class WordsProvider:
    """Bags of words in this process: deterministic, instant, and failing on demand.

    batches  the texts of every request, in order
    fail     called with the texts before they are embedded; raises to fail the request
    """

    dimensions: int = DIMENSIONS
    batches: list[list[str]] = field(default_factory=list)
    fail: Callable[[Sequence[str]], None] = lambda _: None

    @property
    def texts(self) -> list[str]:
        return [text for batch in self.batches for text in batch]

    def embed(self, texts: Sequence[str], kind: Kind) -> Embeddings:
        del kind
        self.batches.append(list(texts))
        self.fail(texts)
        vectors = np.stack([words_vector(text, self.dimensions) for text in texts])
        return Embeddings(vectors, tokens=len(texts))


def poisoned_by(word: str) -> Callable[[Sequence[str]], None]:
    """Refuse every request that has the word in one of its texts."""

    def refuse(texts: Sequence[str]) -> None:
        if any(word in text for text in texts):
            raise ProviderError("bad_input", "one of the texts is poison", status_code=400)

    return refuse


@dataclass
class Service:
    """evervec's service on the test's database, with the fake provider."""

    conn: psycopg.Connection
    db: Database
    provider: WordsProvider
    providers: Providers
    config: Config
    stop: threading.Event = field(default_factory=threading.Event)

    def processor(self, **changes: Any) -> Processor:
        return Processor(self.db, self.providers, replace(self.config, **changes), self.stop)

    def worker(self, **options: Any) -> Worker:
        return Worker(self.db, self.providers, self.config, stop=self.stop, **options)

    def batch(self, **changes: Any) -> Batch:
        return self.processor(**changes).run_batch()

    def track(
        self, columns: str = "{title,body}", rows: Sequence[tuple[int, str, str]] = ()
    ) -> None:
        """A table `note` of title and body with these rows, tracked."""
        self.conn.execute(
            "create table note (id int primary key, title text, body text, seen int default 0)"
        )
        with self.conn.cursor() as cursor:
            cursor.executemany("insert into note (id, title, body) values (%s, %s, %s)", rows)
        self.conn.execute(
            "select evervec.track('note', p_columns => %s::text[], p_model => 'words')", [columns]
        )

    def vectors(self) -> set[int]:
        """The keys of the rows that have a vector."""
        return {row[0] for row in self.conn.execute("select id from note_embedding")}

    def value(self, sql: str, *parameters: object) -> Any:
        row = self.conn.execute(sql, parameters).fetchone()
        return None if row is None else row[0]

    def nearest(self, words: str, limit: int = 3) -> list[int]:
        """The keys of the rows that a search for these words finds, nearest first."""
        found = self.db.find_similar("note", words_vector(words), limit)
        return [row.key["id"] for row in found]


@pytest.fixture
def openai_server() -> Iterator[OpenAIServer]:
    with OpenAIServer().running() as server:
        yield server


@pytest.fixture
def model() -> Model:
    """The model that the OpenAI-wire server serves."""
    return Model("wire", "openai", "wire-model", DIMENSIONS)


@pytest.fixture
def service(conn: psycopg.Connection, url: str) -> Iterator[Service]:
    conn.execute(SQL_ADD_MODEL, [DIMENSIONS])
    provider = WordsProvider()
    providers = Providers()
    providers.register("words", lambda *_, **__: provider)
    with Database(url) as db:
        config = Config(database_url=url, worker_name="test", poll_seconds=0.05)
        yield Service(conn, db, provider, providers, config)


@dataclass(frozen=True)
class Finished:
    """How a command ended."""

    code: int
    out: str
    err: str


class Program:
    """The command line as a process of its own."""

    def __init__(self, url: str) -> None:
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("EVERVEC_", "OPENAI_", "PG"))
        } | {"EVERVEC_DATABASE_URL": url}

    def run(self, *arguments: str, **environment: str) -> Finished:
        done = subprocess.run(
            [sys.executable, "-m", "evervec", *arguments],
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def started(
        self, *arguments: str, stderr: int = subprocess.PIPE, **environment: str
    ) -> Iterator[subprocess.Popen[str]]:
        """The process for the time of the block; killed when it still runs at its end."""
        with subprocess.Popen(
            [sys.executable, "-m", "evervec", *arguments],
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()


@pytest.fixture
def program(url: str) -> Program:
    return Program(url)
