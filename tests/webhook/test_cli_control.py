"""The commands that control sources and examine them, as a person and as a machine use them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import psycopg
import pytest

from evervec.db import Database
from evervec.errors import EvervecError
from evervec.records import Slice
from tests.support.sql_worker import drain, rows, value
from tests.webhook.conftest import Program

GENRES = (
    '{"public.genre": {"columns": ["film_id"], "watch": ["name", "film_id"],'
    ' "keys": "select c.film_id from changed c"}}'
)


@pytest.fixture
def film(film: psycopg.Connection) -> psycopg.Connection:
    """Ten films, embedded, indexed."""
    drain(film)
    film.execute("select evervec.build_index('film')")
    return film


def source(conn: psycopg.Connection, name: str = "film") -> dict[str, Any]:
    return rows(conn, "select * from evervec.source where name = %s", name)[0]


def test_doctor_says_that_all_is_well(program: Program, film: psycopg.Connection) -> None:
    done = program.run("doctor")

    assert (done.code, done.out, done.err) == (0, "All is well.\n", "")
    assert json.loads(program.run("doctor", "--json").out) == []


def test_doctor_fails_with_sentence_and_statement_when_something_is_wrong(
    program: Program, film: psycopg.Connection
) -> None:
    film.execute("alter table film disable trigger evervec_film_update")

    done = program.run("doctor")
    machine = program.run("doctor", "film", "--json")

    assert (done.code, machine.code) == (1, 1)
    assert "error: disabled triggers" in done.out
    assert "select evervec.retrack('film');" in done.out
    (finding,) = json.loads(machine.out)
    assert (finding["source"], finding["severity"]) == ("film", "error")
    film.execute(finding["remedy"])
    assert program.run("doctor").code == 0


def test_advice_is_no_failure(program: Program, film: psycopg.Connection) -> None:
    film.execute("drop index film_embedding_embedding_idx")

    done = program.run("doctor")

    assert done.code == 0
    assert "advice: missing index" in done.out


def test_doctor_of_an_unknown_source(program: Program, film: psycopg.Connection) -> None:
    done = program.run("doctor", "nowhere")

    assert done.code == 1
    assert "VE101" in done.err


def test_alerts_fail_only_when_there_are_some(program: Program, film: psycopg.Connection) -> None:
    well = program.run("alerts")
    film.execute("update evervec.source set last_error = 'no such column'")
    ill = program.run("alerts")
    machine = program.run("alerts", "--json")

    assert (well.code, well.out) == (0, "No alerts.\n")
    assert (ill.code, machine.code) == (1, 1)
    assert "failing" in ill.out
    assert [a["alert"] for a in json.loads(machine.out)] == ["failing"]


def test_reconcile_counts_what_it_queues(program: Program, film: psycopg.Connection) -> None:
    with film.transaction():
        film.execute("set local evervec.bypass = on")
        film.execute("update film set title = 'Other' where id <= 2; delete from film where id = 3")
        film.execute("insert into film values (11, 'New')")

    told = program.run("reconcile", "film", "--rows", "3")
    queued = value(film, "select count(*) from evervec.processing_queue")
    again = program.run("reconcile", "--all", "--json")

    assert told.out == ("film: 20 rows and vectors examined, 1 missing, 2 stale, 1 orphaned.\n")
    assert queued == 4
    assert json.loads(again.out)[0]["stale"] == 2
    assert len(drain(film).texts) == 3


def test_reconcile_goes_on_where_it_was_interrupted(
    film: psycopg.Connection, program: Program
) -> None:
    film.execute("select * from evervec.reconcile('film', 4)")

    rest = json.loads(program.run("reconcile", "film", "--json").out)

    assert rest == [{"source": "film", "examined": 16, "missing": 0, "stale": 0, "orphaned": 0}]


@pytest.mark.parametrize("command", ["reconcile", "pause", "resume"])
@pytest.mark.parametrize("arguments", [(), ("film", "--all")])
def test_a_source_or_all_must_be_said(
    program: Program, command: str, arguments: tuple[str, ...]
) -> None:
    done = program.run(command, *arguments)

    assert done.code == 2
    assert "--all" in done.err


def test_pause_and_resume_one_and_all(program: Program, film: psycopg.Connection) -> None:
    one = program.run("pause", "film")
    paused = source(film)["state"]
    same = program.run("pause", "film")
    every = program.run("resume", "--all", "--json")

    assert one.out == "Source film is paused now.\n"
    assert paused == "paused"
    assert same.out == "Source film is as it was.\n"
    assert json.loads(every.out) == {"active": 1}
    assert source(film)["state"] == "active"


def test_a_column_is_retyped_between_suspend_and_retrack(
    program: Program, film: psycopg.Connection
) -> None:
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        film.execute("alter table film alter column title type varchar(100)")

    suspended = program.run("suspend", "film")
    film.execute("alter table film alter column title type varchar(100)")
    back = program.run("retrack", "film")

    assert (suspended.code, back.code) == (0, 0)
    assert "evervec retrack film" in suspended.out
    assert source(film)["state"] == "active"
    assert drain(film).texts == []


def test_retrack_gives_another_recipe(program: Program, film: psycopg.Connection) -> None:
    done = program.run("retrack", "film", "--columns", "title,year", "--where", "id <= 4")

    assert done.code == 0
    assert drain(film).texts[:1] == ["Title: Film 1\nYear: 1991"]
    assert value(film, "select count(*) from film_embedding") == 4


def test_reset_wants_a_yes(program: Program, film: psycopg.Connection) -> None:
    refused = program.run("reset", "film")
    kept = value(film, "select count(*) from film_embedding")
    done = program.run("reset", "film", "--yes")

    assert (refused.code, kept) == (1, 10)
    assert "--yes" in refused.err
    assert "Dropped 10 vectors of film." in done.out
    assert len(drain(film).texts) == 10


def test_track_takes_every_option_of_the_recipe_and_the_storage(
    program: Program, film: psycopg.Connection
) -> None:
    film.execute("create table genre (id integer primary key, film_id integer, name text)")
    film.execute("insert into genre values (1, 1, 'Western')")

    done = program.run(
        *("track", "film", "--name", "joined", "--model", "toy", "--index", "none"),
        *("--text-sql", "title || (select g.name from public.genre g where g.film_id = film.id)"),
        *("--where", "year < 1995", "--depends-on", GENRES),
        *("--priority", "id", "--foreign-key"),
    )

    assert done.code == 0, done.err
    joined = source(film, "joined")
    assert (joined["priority_sql"], joined["foreign_key"]) == ("id", True)
    assert drain(film).texts == ["Film 1Western"]
    film.execute("update genre set name = 'Comedy'")
    assert drain(film).texts == ["Film 1Comedy"]


def test_track_with_columns_of_the_table_itself(program: Program, film: psycopg.Connection) -> None:
    done = program.run(
        *("track", "film", "--name", "inside", "--model", "toy", "--columns", "title"),
        *("--storage", "column", "--storage-columns", '{"embedding": "vec"}'),
    )

    assert done.code == 0, done.err
    drain(film)
    assert value(film, "select count(vec) from film") == 10


def test_track_of_a_manual_source_says_how_vectors_come(
    program: Program, film: psycopg.Connection
) -> None:
    done = program.run("track", "film", "--name", "own", "--model", "toy", "--storage", "manual")

    assert done.code == 0, done.err
    assert "evervec.put_embedding('own'" in done.out


def test_what_the_machine_reads_of_suspend_and_retrack(
    program: Program, film: psycopg.Connection
) -> None:
    assert json.loads(program.run("suspend", "film", "--json").out)["state"] == "suspended"
    assert json.loads(program.run("retrack", "film", "--json").out)["state"] == "active"
    assert json.loads(program.run("reset", "film", "--yes", "--json").out)["dropped"] == 10


def test_vectors_go_in_and_out_as_arrays(film: psycopg.Connection, url: str) -> None:
    film.execute(
        "select evervec.track('film', p_model => 'toy', p_name => 'own', p_storage => 'manual')"
    )
    vectors = [np.array([1, 0, 0, 0], np.float32), np.array([0, 0.5, 0, 0], np.float32)]
    keys = ['{"id": 1}', '{"id": 2}']

    with Database(url) as db:
        put = db.put_embeddings("own", keys, vectors, metadata=["{}", '{"by": "me"}'])
        got = db.get_embeddings("own", keys)
        removed = db.delete_embeddings("own", keys)
        with pytest.raises(EvervecError, match="not written by hand"):
            db.put_embeddings("film", keys, vectors)

    assert (put, removed) == (2, 2)
    assert [g.row_key for g in got] == keys
    assert np.array_equal([g.embedding for g in got], vectors)
    assert (got[1].model, got[1].metadata) == ("toy", {"by": "me"})


def test_slices_add_up() -> None:
    assert Slice(1, 2, 3, 4) + Slice(10, 20, 30, 40) == Slice(11, 22, 33, 44)
