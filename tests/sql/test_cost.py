"""Batches by source, and the view cost: what log_batch records."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from tests.support.sql_worker import add_toy_model, raises, rows, value

Counts = dict[str, Any]


def log(conn: psycopg.Connection, *counts: Counts, times: tuple[float | None, ...] = ()) -> None:
    """One batch; times: milliseconds of claim, embed, complete."""
    claim, embed, complete = (*times, None, None, None)[:3]
    conn.execute(
        "select evervec.log_batch('w', %s, %s::real, %s::real, %s::real)",
        [json.dumps(counts), claim, embed, complete],
    )


def of(source: str | None, model: str | None = "toy", **counts: int) -> Counts:
    return {"source": source, "model": model, **counts}


@pytest.fixture
def priced(conn: psycopg.Connection) -> psycopg.Connection:
    """Models toy, at 2 a million tokens, and free, without a price."""
    add_toy_model(conn)
    add_toy_model(conn, "free")
    conn.execute("update evervec.model set price_per_million_tokens = 2 where name = 'toy'")
    return conn


def test_a_batch_has_a_row_for_each_source(priced: psycopg.Connection) -> None:
    log(
        priced,
        of("a", claimed=6, embedded=3, cached=1, unchanged=1, failed=1, requests=2, tokens=500_000),
        of("b", "free", claimed=2, unchanged=2),
    )

    found = rows(
        priced,
        "select worker, source, model, claimed, embedded, cached, unchanged, failed, requests,"
        " tokens, cost from evervec.batch_log order by source",
    )

    assert [tuple(row.values()) for row in found] == [
        ("w", "a", "toy", 6, 3, 1, 1, 1, 2, 500_000, Decimal(1)),
        ("w", "b", "free", 2, 0, 0, 2, 0, 0, 0, None),
    ]


def test_the_times_of_a_batch_are_divided_by_its_jobs(priced: psycopg.Connection) -> None:
    log(priced, of("a", claimed=3), of("b", claimed=1), times=(100, 1000, 40))

    found = rows(
        priced, "select claim_ms, embed_ms, complete_ms from evervec.batch_log order by source"
    )

    assert [tuple(row.values()) for row in found] == [(75, 750, 30), (25, 250, 10)]


def test_a_batch_of_tasks_of_no_source_is_recorded_and_costs_nothing(
    priced: psycopg.Connection,
) -> None:
    log(priced, of(None, None, claimed=1), times=(1,))

    assert value(priced, "select claimed from evervec.batch_log where source is null") == 1
    assert rows(priced, "select * from evervec.cost") == []


def test_costs_add_up_by_day_source_and_model(priced: psycopg.Connection) -> None:
    log(priced, of("a", embedded=1, requests=1, tokens=100), of("b", cached=5))
    log(priced, of("a", embedded=2, requests=1, tokens=50, failed=1))
    log(priced, of("a", "free", embedded=1, requests=1, tokens=7))
    priced.execute("update evervec.spending set day = day - 1 where model = 'free'")
    log(priced, of("a", unchanged=9))

    found = rows(
        priced,
        "select (now() at time zone 'UTC')::date - day as ago, source, model, requests, texts,"
        " cached, unchanged, failed, tokens, cost from evervec.cost order by day desc, source",
    )

    assert [tuple(row.values()) for row in found] == [
        (0, "a", "toy", 2, 3, 0, 9, 1, 150, Decimal("0.0003")),
        (0, "b", "toy", 0, 0, 5, 0, 0, 0, Decimal(0)),
        (1, "a", "free", 1, 1, 0, 0, 0, 7, None),
    ]


def test_a_later_price_changes_no_former_cost(priced: psycopg.Connection) -> None:
    log(priced, of("a", tokens=1_000_000))
    priced.execute("update evervec.model set price_per_million_tokens = 10 where name = 'toy'")
    log(priced, of("a", tokens=1_000_000))

    assert value(priced, "select cost from evervec.cost") == 12


def test_a_price_that_comes_late_counts_from_then_on(priced: psycopg.Connection) -> None:
    log(priced, of("a", "free", tokens=1_000_000))
    priced.execute("update evervec.model set price_per_million_tokens = 3 where name = 'free'")
    log(priced, of("a", "free", tokens=1_000_000))
    priced.execute("update evervec.model set price_per_million_tokens = null")
    log(priced, of("a", "free", tokens=1_000_000))

    assert value(priced, "select cost from evervec.cost") == 3


def test_what_was_paid_for_outlives_the_source(film: psycopg.Connection) -> None:
    log(film, of("film", embedded=1, tokens=3))

    film.execute("select evervec.untrack('film', p_drop_vectors => true)")

    assert value(film, "select texts from evervec.cost where source = 'film'") == 1


@pytest.mark.parametrize("counts", ["{}", "[1]", '[{"claimed": "x"}]', '[{"tokens": -1}]', "3"])
def test_bad_counts_are_refused_whole(priced: psycopg.Connection, counts: str) -> None:
    with raises(priced, "VE301", "log_batch needs the counts"):
        priced.execute("select evervec.log_batch('w', %s)", [counts])
    assert value(priced, "select count(*) from evervec.batch_log") == 0


def test_workers_that_log_the_same_sources_neither_deadlock_nor_lose_a_count(
    priced: psycopg.Connection, url: str
) -> None:
    names = ["a", "b", "c", "d"]

    def work(order: list[str]) -> None:
        with psycopg.connect(url, autocommit=True) as conn:
            for _ in range(50):
                log(conn, *(of(name, tokens=1) for name in order))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, [names, names[::-1]] * 2))

    found = rows(priced, "select source, tokens from evervec.cost order by source")
    assert found == [{"source": name, "tokens": 200} for name in names]


def test_cleanup_forgets_batches_and_days_after_the_setting(priced: psycopg.Connection) -> None:
    log(priced, of("a", tokens=1))
    log(priced, of("b", tokens=1))
    age = "update evervec.{} set {} = {} - {} where source = 'a'"
    priced.execute(age.format("batch_log", "finished_at", "finished_at", "interval '399 days'"))
    priced.execute(age.format("spending", "day", "day", "399"))
    assert value(priced, "select sum(removed) from evervec.cleanup_expired()") == 0
    priced.execute(age.format("batch_log", "finished_at", "finished_at", "interval '2 days'"))
    priced.execute(age.format("spending", "day", "day", "2"))

    assert value(priced, "select sum(removed) from evervec.cleanup_expired()") == 2
    assert [row["source"] for row in rows(priced, "select source from evervec.cost")] == ["b"]
    assert value(priced, "select string_agg(source, '') from evervec.batch_log") == "b"

    priced.execute("update evervec.setting set value = '\"0\"' where name = 'batch_log_keep'")
    priced.execute("select evervec.cleanup_expired()")
    assert value(priced, "select count(*) from evervec.batch_log") == 0


def test_the_days_of_cost_are_those_of_utc(priced: psycopg.Connection) -> None:
    priced.execute("set timezone = 'Pacific/Kiritimati'")
    log(priced, of("a", tokens=1))
    priced.execute("set timezone = 'Pacific/Pago_Pago'")
    log(priced, of("a", tokens=1))

    assert rows(
        priced, "select day = (now() at time zone 'UTC')::date as utc from evervec.cost"
    ) == [{"utc": True}]
