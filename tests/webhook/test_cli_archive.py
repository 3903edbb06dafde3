"""evervec archive and restore, as a person and as a machine use them."""

from __future__ import annotations

import json

import psycopg
import pytest

from tests.support.sql_worker import drain, rows, value
from tests.webhook.conftest import Program


@pytest.fixture
def film(film: psycopg.Connection) -> psycopg.Connection:
    """Ten films of 1991 to 2000, embedded."""
    drain(film)
    return film


def test_rows_are_archived_and_restored_slice_by_slice(
    program: Program, film: psycopg.Connection
) -> None:
    archived = program.run("archive", "film", "--where", "year < 1998", "--rows", "3")
    restored = program.run("restore", "film", "--where", "year < 1993", "--rows", "1", "--json")

    assert (archived.code, archived.out) == (0, "7 rows of film were archived.\n")
    assert json.loads(restored.out) == {"source": "film", "restored": 2}
    (counted,) = json.loads(program.run("coverage", "film", "--json").out)
    assert (counted["embedded"], counted["archived"], counted["missing"]) == (3, 5, 2)
    assert "evervec backfill film" in program.run("restore", "film").out


def test_age_column_and_retention_reach_the_database(
    program: Program, film: psycopg.Connection
) -> None:
    film.execute("alter table film add made date")
    film.execute("update film set made = make_date(year, 1, 1)")
    keep = '{"older_than": "1 day", "column": "made", "where": "year = 1991"}'
    assert program.run("retrack", "film", "--retention", keep).code == 0

    done = program.run("archive", "film", "--json")
    aged = program.run("archive", "film", "--older-than", "1 day", "--column", "made", "--json")

    assert json.loads(done.out) == {"source": "film", "archived": 1}
    assert json.loads(aged.out) == {"source": "film", "archived": 9}
    assert program.run("retrack", "film", "--retention", "{}").code == 0
    assert value(film, "select retention from evervec.source") is None


def test_a_table_is_tracked_with_a_retention(program: Program, film: psycopg.Connection) -> None:
    film.execute("create table note (id integer primary key, title text)")
    keep = '{"older_than": "90 days"}'

    done = program.run("track", "note", "--columns", "title", "--model", "toy", "--retention", keep)

    assert done.code == 0
    (source,) = rows(film, "select retention from evervec.source where name = 'note'")
    assert source["retention"] == {"older_than": "90 days"}


@pytest.mark.parametrize(
    ("arguments", "state"),
    [
        (["archive", "film"], "VE601"),
        (["archive", "film", "--older-than", "soon"], ""),
        (["archive", "film", "--where", "nonsense"], "VE104"),
        (["archive", "film", "--older-than", "1 day", "--column", "nonsense"], "VE103"),
        (["restore", "nowhere"], "VE101"),
        (["retrack", "film", "--retention", "[]"], "VE601"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    program: Program, film: psycopg.Connection, arguments: list[str], state: str
) -> None:
    done = program.run(*arguments)

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"evervec: error: {state}")
    assert "Traceback" not in done.err
