"""A table, a server, an API and workers, all real; and what has to be true after a fault."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from psycopg import sql

from tests.support.api import Api, running_api
from tests.support.in_step import digest
from tests.support.migrating import wait_for
from tests.support.openai_server import DIMENSIONS, words_vector
from tests.support.sql_worker import rows, value
from tests.support.workers import Line, Workers, workers

ENVIRONMENT = {
    "OPENAI_API_KEY": "sk-faults-0123456789",
    # Short, so that a test of an expired lease takes seconds.
    "EVERVEC_LEASE_SECONDS": "2",
    "EVERVEC_REQUEST_TIMEOUT": "20",
    "EVERVEC_POLL_SECONDS": "0.05",
    "EVERVEC_CONNECT_TIMEOUT": "2",
    "EVERVEC_LOG_LEVEL": "debug",
}

# How long a job waits here where the provider does not say; what a person has to mend waits.
SQL_SHORT_WAITS = """
    update evervec.retry_policy
       set base_delay = '0.1 seconds', max_delay = '0.3 seconds'
     where error_class not in ('bad_input', 'auth', 'quota')
"""


@dataclass
class Stage:
    """Table `note`, whose text is its column body, and what works on it.

    url  of the database, as its owner
    """

    url: str
    api: Api
    workers: Workers

    def __post_init__(self) -> None:
        self.conn = self.connect()

    def connect(self) -> psycopg.Connection:
        """A session of the owner."""
        return psycopg.connect(self.url, autocommit=True)

    # -- the application ---------------------------------------------------------------------------

    def track(
        self,
        name: str = "note",
        model: str = "wire",
        provider: str = "openai",
        **options: object,
    ) -> None:
        """A table like note, tracked under a model of its own."""
        self.conn.execute("select evervec.add_model(%s, %s, %s)", [model, provider, DIMENSIONS])
        table = sql.Identifier(name)
        self.conn.execute(
            sql.SQL("create table {} (id bigint primary key, body text)").format(table)
        )
        further = sql.SQL("").join(
            sql.SQL(", {} => {}").format(sql.Identifier(option), sql.Literal(given))
            for option, given in options.items()
        )
        track = sql.SQL("select evervec.track({}, p_template => '{{body}}', p_model => {} {})")
        self.conn.execute(track.format(sql.Literal(name), sql.Literal(model), further))

    def write(self, count: int, first: int = 1, body: str = "text") -> None:
        """Rows first … first + count − 1, whose texts differ from one another."""
        self.conn.execute(
            "insert into note select g, %s || ' ' || g from generate_series(%s::bigint, %s) g",
            [body, first, first + count - 1],
        )

    def value(self, query: str, *parameters: object) -> Any:
        """The first column of the first row."""
        return value(self.conn, query, *parameters)

    def embedded(self, table: str = "note") -> set[int]:
        """The keys that have a vector."""
        return {int(row["id"]) for row in rows(self.conn, f"select id from {table}_embedding")}

    # -- waiting -----------------------------------------------------------------------------------

    def wait_for_requests(self, count: int = 1) -> None:
        """Until the API has been asked so often."""
        wait_for(lambda: len(self.api.journal) >= count)

    def wait_until_done(self) -> None:
        """Until nothing of note is left to do: a vector may be there before its change is folded,
        where a backfill has found the row first.
        """
        query = "select * from evervec.pending('note')"
        wait_for(lambda: not any(rows(self.conn, query)[0].values()))

    def wait_for_line(self, event: str, **fields: object) -> Line:
        """Until a worker has said this; the line."""
        found: list[Line] = []

        def said() -> bool:
            found[:] = self.lines(event, **fields)
            return bool(found)

        wait_for(said)
        return found[0]

    def lines(self, event: str, **fields: object) -> list[Line]:
        """The lines of an event with these fields."""
        return [
            line
            for line in self.workers.said
            if line["event"] == event and all(line.get(k) == v for k, v in fields.items())
        ]


def consistent(
    stage: Stage,
    *,
    dead: Collection[int] = (),
    told: str | None = None,
    paid_twice: int = 0,
    stored_as: Callable[[str], str] = lambda text: text,
) -> None:
    """What has to be true once all is done, whatever died in between.

    dead        keys of the rows that gave up: each has a dead letter, and no vector
    told        a class of error: a log line names it, source and jobs
    paid_twice  payments that may have been made again: those of the batch in flight
    stored_as   what a text became before it was embedded (cut, for example)
    """
    conn = stage.conn
    left = rows(conn, "select * from evervec.pending()")[0]
    assert not any(left.values()), f"work is left: {left}"
    assert value(conn, "select count(*) from evervec.change_log") == 0
    assert value(conn, "select count(*) from evervec.processing_queue") == 0

    texts = {row["id"]: row["body"] for row in rows(conn, "select id, body from note")}
    alive = {key: body for key, body in texts.items() if body and key not in dead}
    vectors = {row["id"]: row for row in rows(conn, "select * from note_embedding")}
    assert set(vectors) == set(alive), _differences(set(vectors), set(alive))
    stale = {key for key, body in alive.items() if vectors[key]["content_hash"] != digest(body)}
    assert stale == set(), f"stale: {sorted(stale)[:10]}"
    for key, body in alive.items():
        numbers = np.array(vectors[key]["embedding"].strip("[]").split(","), dtype=np.float32)
        np.testing.assert_array_equal(numbers, words_vector(stored_as(body)), err_msg=str(key))

    letters = rows(conn, "select * from evervec.dead_letter where resolved_at is null")
    assert sorted(letter["row_key"]["id"] for letter in letters) == sorted(dead)

    assert stage.api.paid_twice <= paid_twice
    _told(stage, told)


def _told(stage: Stage, told: str | None) -> None:
    """Every job that a worker has named ended somewhere, and the class that was met is named."""
    lines = [line for line in stage.workers.said if "job_ids" in line]
    named = {job for line in lines if line["source"] == "note" for job in line["job_ids"]}
    query = "select job_id from evervec.job_receipt union select job_id from evervec.dead_letter"
    lost = named - {row["job_id"] for row in rows(stage.conn, query)}
    assert lost == set(), f"lost jobs: {sorted(lost)[:10]}"
    for line in lines:
        assert line["source"], line
        assert line["jobs"] >= len(line["job_ids"]) > 0, line
    if told is not None:
        about = [line for line in lines if line.get("error_class") == told]
        assert about, f"no line names class {told} with its jobs and source"


def _differences(found: set[int], wanted: set[int]) -> str:
    return f"no vector: {sorted(wanted - found)[:10]}, no row: {sorted(found - wanted)[:10]}"


@contextmanager
def staged(url: str, folder: Path) -> Iterator[Stage]:
    """A stage on a migrated database, with table note tracked."""
    with running_api(folder) as api:
        environment = ENVIRONMENT | {"EVERVEC_DATABASE_URL": url, "OPENAI_BASE_URL": api.url}
        with workers(folder, environment) as found:
            stage = Stage(url, api, found)
            try:
                stage.conn.execute(SQL_SHORT_WAITS)
                stage.track()
                yield stage
            finally:
                stage.conn.close()
