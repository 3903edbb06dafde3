"""Budgets: what is spent on a day holds back a model's sources, or a source, until midnight UTC."""

from __future__ import annotations

import json

import psycopg
import pytest

from tests.support.sql_worker import claim, drain, raises, rows, value


@pytest.fixture
def two(film: psycopg.Connection) -> psycopg.Connection:
    """Sources film and copy, of one model at 1 a million tokens, with ten rows each to do."""
    film.execute("update evervec.model set price_per_million_tokens = 1")
    film.execute("create table copy as select * from film; alter table copy add primary key (id)")
    film.execute("select evervec.track('copy', p_columns => '{title}', p_model => 'toy')")
    return film


@pytest.fixture
def other_model(two: psycopg.Connection) -> psycopg.Connection:
    """A third source, poster, of a model of its own."""
    two.execute("select evervec.add_model('other', 'toy', 4)")
    two.execute(
        "create table poster as select * from film; alter table poster add primary key (id)"
    )
    two.execute("select evervec.track('poster', p_columns => '{title}', p_model => 'other')")
    return two


def spend(conn: psycopg.Connection, source: str, tokens: int, model: str = "toy") -> None:
    counts = [{"source": source, "model": model, "tokens": tokens}]
    conn.execute("select evervec.log_batch('w', %s)", [json.dumps(counts)])


def claimed(conn: psycopg.Connection) -> set[str]:
    """The sources that jobs are given out of; they go back."""
    jobs = claim(conn)
    if jobs:
        conn.execute(
            "select evervec.release_jobs(%s, %s)",
            [jobs[0]["lease_token"], [job["job_id"] for job in jobs]],
        )
    return {job["source"] for job in jobs}


def budget(conn: psycopg.Connection, arguments: str) -> None:
    conn.execute(f"select evervec.set_budget({arguments})".encode())


def test_a_source_that_has_spent_its_tokens_gets_no_jobs_and_the_other_goes_on(
    two: psycopg.Connection,
) -> None:
    budget(two, "p_source => 'film', p_tokens_a_day => 100")
    spend(two, "film", 99)
    assert claimed(two) == {"film", "copy"}

    spend(two, "film", 1)

    assert len(claim(two)) == 10
    assert claim(two) == []


def test_a_source_that_has_spent_its_money_gets_no_jobs(two: psycopg.Connection) -> None:
    budget(two, "p_source => 'film', p_cost_a_day => 0.0001")
    spend(two, "film", 99)
    assert claimed(two) == {"film", "copy"}

    spend(two, "film", 1)

    assert claimed(two) == {"copy"}


@pytest.mark.parametrize("limit", ["p_tokens_a_day => 100", "p_cost_a_day => 0.0001"])
def test_the_budget_of_a_model_is_that_of_all_its_sources_together(
    other_model: psycopg.Connection, limit: str
) -> None:
    budget(other_model, f"'toy', {limit}")
    spend(other_model, "film", 60)
    spend(other_model, "poster", 60, "other")
    assert claimed(other_model) == {"film", "copy", "poster"}

    spend(other_model, "copy", 40)

    assert claimed(other_model) == {"poster"}


def test_the_one_of_two_limits_that_is_reached_counts(two: psycopg.Connection) -> None:
    budget(two, "p_source => 'film', p_tokens_a_day => 1000, p_cost_a_day => 0.0001")
    spend(two, "film", 100)
    assert claimed(two) == {"copy"}


def test_a_new_day_has_a_new_budget(two: psycopg.Connection) -> None:
    budget(two, "p_source => 'film', p_tokens_a_day => 100")
    spend(two, "film", 500)
    assert claimed(two) == {"copy"}

    two.execute("update evervec.spending set day = day - 1")

    assert claimed(two) == {"film", "copy"}
    assert value(two, "select tokens_today from evervec.budget_status") == 0


def test_a_budget_is_raised_and_removed(two: psycopg.Connection) -> None:
    budget(two, "p_source => 'film', p_tokens_a_day => 100")
    spend(two, "film", 100)
    budget(two, "p_source => 'film', p_tokens_a_day => 200")
    assert claimed(two) == {"film", "copy"}
    spend(two, "film", 100)
    assert claimed(two) == {"copy"}

    budget(two, "p_source => 'film'")

    assert claimed(two) == {"film", "copy"}
    assert rows(two, "select * from evervec.budget_status") == []


def test_removing_a_budget_leaves_the_others(two: psycopg.Connection) -> None:
    budget(two, "'toy', p_tokens_a_day => 5")
    budget(two, "p_source => 'film', p_tokens_a_day => 6")
    budget(two, "p_source => 'copy', p_tokens_a_day => 7")

    budget(two, "p_source => 'film'")

    assert rows(
        two, "select model, source, tokens_a_day from evervec.budget_status order by 3"
    ) == [
        {"model": "toy", "source": None, "tokens_a_day": 5},
        {"model": None, "source": "copy", "tokens_a_day": 7},
    ]


def test_changes_are_queued_meanwhile_and_done_afterwards(two: psycopg.Connection) -> None:
    drain(two)
    budget(two, "p_source => 'film', p_tokens_a_day => 1")
    spend(two, "film", 1)
    two.execute("update film set title = 'Nosferatu' where id = 1")
    assert claim(two) == []
    assert value(two, "select queued from evervec.pending('film')") == 1

    two.execute("update evervec.spending set day = day - 1")

    assert drain(two).texts == ["Title: Nosferatu"]


def test_alerts_doctor_and_status_tell_and_the_remedy_mends_it(two: psycopg.Connection) -> None:
    budget(two, "p_source => 'film', p_tokens_a_day => 100, p_cost_a_day => 5")
    spend(two, "film", 250)
    state = "select state from evervec.status where source = 'film'"
    assert value(two, state) == "budget spent"
    assert value(two, "select state from evervec.status where source = 'copy'") == "active"

    (alert,) = rows(two, "select source, alert, problem, remedy from evervec.alerts")
    (finding,) = rows(two, "select finding, severity from evervec.doctor('film')")

    assert (alert["source"], alert["alert"]) == ("film", "budget spent")
    assert "250 of 100 tokens and cost 0.00025" in alert["problem"]
    assert finding == {"finding": "budget spent", "severity": "advice"}
    two.execute(alert["remedy"])
    assert rows(two, "select * from evervec.alerts") == []
    assert value(two, state) == "active"
    assert claimed(two) == {"film", "copy"}


def test_the_budget_of_a_model_is_told_for_each_of_its_sources(
    other_model: psycopg.Connection,
) -> None:
    budget(other_model, "'toy', p_tokens_a_day => 1")
    spend(other_model, "film", 1)

    alerts = rows(other_model, "select source, problem, remedy from evervec.alerts order by source")

    assert [alert["source"] for alert in alerts] == ["copy", "film"]
    assert 'The budget of model "toy" is spent' in alerts[0]["problem"]
    other_model.execute(alerts[0]["remedy"])
    assert rows(other_model, "select * from evervec.alerts") == []


def test_a_budget_goes_with_its_source(two: psycopg.Connection) -> None:
    budget(two, "p_source => 'film', p_tokens_a_day => 1")
    two.execute("select evervec.untrack('film', p_drop_vectors => true)")
    assert rows(two, "select * from evervec.budget_status") == []


@pytest.mark.parametrize(
    ("arguments", "sqlstate", "message"),
    [
        ("", "VE111", "of one model or of one source"),
        ("'toy', 'film', 1", "VE111", "of one model or of one source"),
        ("p_source => 'nothing', p_tokens_a_day => 1", "VE101", "nothing"),
        ("'nothing', p_tokens_a_day => 1", "VE108", "nothing"),
        ("'toy', p_tokens_a_day => 0", "VE111", "more than nothing"),
        ("'toy', p_cost_a_day => -1", "VE111", "more than nothing"),
        ("'toy', p_cost_a_day => 'NaN'", "VE111", "less than infinite"),
        ("'free', p_cost_a_day => 1", "VE111", 'nobody knows what model "free" costs'),
    ],
)
def test_a_bad_budget_is_refused(
    two: psycopg.Connection, arguments: str, sqlstate: str, message: str
) -> None:
    two.execute("select evervec.add_model('free', 'toy', 4)")
    with raises(two, sqlstate, message):
        budget(two, arguments)


def test_a_claim_looks_at_one_row_a_source_and_day_however_many_batches_there_were(
    two: psycopg.Connection,
) -> None:
    budget(two, "'toy', p_tokens_a_day => 1000000")
    for _ in range(50):
        spend(two, "film", 1)
    assert value(two, "select count(*) from evervec.spending") == 1
    plan = value(
        two,
        "explain (analyze, format json, costs off, timing off)"
        " select * from evervec.budget_status where spent",
    )
    assert "batch_log" not in json.dumps(plan)
