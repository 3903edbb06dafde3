"""What a model allows: requests and tokens a minute, requests at once; over all who ask."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from tests.support.sql_worker import add_toy_model, claim, raises, rows, value


@pytest.fixture
def model(conn: psycopg.Connection) -> psycopg.Connection:
    add_toy_model(conn)
    return conn


def limit(conn: psycopg.Connection, **limits: int) -> None:
    for name, most in limits.items():
        conn.execute(f"update evervec.model set {name} = {most}".encode())


def begin(conn: psycopg.Connection, tokens: int = 10) -> tuple[int | None, float]:
    """The call's id, or how many seconds to wait."""
    (answer,) = rows(conn, "select * from evervec.begin_call('toy', %s::bigint)", tokens)
    return answer["call_id"], answer["wait"].total_seconds()


def end(conn: psycopg.Connection, call_id: int | None, tokens: int | None = None) -> bool:
    return bool(value(conn, "select evervec.end_call(%s, %s::bigint)", call_id, tokens))


def go_by(conn: psycopg.Connection, seconds: float) -> None:
    """Time goes by for every call."""
    conn.execute(
        "update evervec.model_call set started_at = started_at - make_interval(secs => %s),"
        " finished_at = finished_at - make_interval(secs => %s),"
        " expires_at = expires_at - make_interval(secs => %s)",
        [seconds] * 3,
    )


def test_a_model_says_whether_it_is_limited(model: psycopg.Connection) -> None:
    limited = "select limited from evervec.get_model('toy')"
    assert value(model, limited) is False
    for name in ("requests_per_minute", "tokens_per_minute", "concurrent_requests"):
        limit(model, **{name: 5})
        assert value(model, limited) is True
        model.execute(f"update evervec.model set {name} = null".encode())
    assert begin(model)[0] is not None


def test_a_model_is_added_with_its_limits(conn: psycopg.Connection) -> None:
    conn.execute("select evervec.add_model('m', 'toy', 4, p_concurrent_requests => 3)")
    assert value(conn, "select concurrent_requests from evervec.get_model('m')") == 3
    with raises(conn, "VE109", "a value is out of its range"):
        conn.execute("select evervec.add_model('n', 'toy', 4, p_concurrent_requests => 0)")


def test_requests_are_counted_for_a_minute_after_their_end(model: psycopg.Connection) -> None:
    limit(model, requests_per_minute=2)
    first, second = begin(model)[0], begin(model)[0]
    go_by(model, 50)
    assert end(model, first)
    go_by(model, 15)

    call_id, wait = begin(model)

    # The first began 65 seconds ago, but the provider may have seen it 15 seconds ago.
    assert call_id is None
    assert 44 < wait <= 45
    go_by(model, 46)
    assert begin(model)[0] is not None
    assert end(model, second)
    assert begin(model)[0] is None


def test_the_wait_is_for_what_leaves_first(model: psycopg.Connection) -> None:
    limit(model, requests_per_minute=3)
    for _ in range(3):
        end(model, begin(model)[0])
        go_by(model, 10)

    assert 29 < begin(model)[1] <= 30
    limit(model, requests_per_minute=1)
    assert 49 < begin(model)[1] <= 50


def test_of_a_request_in_flight_nobody_knows_when_it_ends(model: psycopg.Connection) -> None:
    limit(model, requests_per_minute=1)
    begin(model)
    go_by(model, 100)

    call_id, wait = begin(model)

    assert call_id is None
    assert 59 < wait <= 60


def test_a_call_that_nobody_ends_expires(model: psycopg.Connection) -> None:
    limit(model, requests_per_minute=1)
    begin(model)
    go_by(model, 130)
    assert 49 < begin(model)[1] <= 50

    go_by(model, 55)

    assert begin(model)[0] is not None
    assert value(model, "select count(*) from evervec.model_call") == 1


def test_tokens_are_counted_as_they_were_in_the_end(model: psycopg.Connection) -> None:
    limit(model, tokens_per_minute=100)
    first = begin(model, 60)[0]
    assert begin(model, 41)[0] is None
    assert begin(model, 40)[0] is not None
    assert begin(model, 1)[0] is None

    end(model, first, 30)

    assert begin(model, 31)[0] is None
    assert begin(model, 30)[0] is not None


def test_the_wait_is_until_there_are_tokens_enough(model: psycopg.Connection) -> None:
    limit(model, tokens_per_minute=100)
    for _ in range(4):
        end(model, begin(model, 25)[0])
        go_by(model, 10)

    assert 19 < begin(model, 25)[1] <= 20
    assert 29 < begin(model, 26)[1] <= 30
    assert 49 < begin(model, 100)[1] <= 50


def test_a_request_of_more_tokens_than_a_minute_goes_alone(model: psycopg.Connection) -> None:
    limit(model, tokens_per_minute=100)
    end(model, begin(model, 1)[0])
    assert begin(model, 500)[0] is None
    go_by(model, 61)

    assert begin(model, 500)[0] is not None
    assert begin(model, 1)[0] is None


def test_only_so_many_are_in_flight(model: psycopg.Connection) -> None:
    limit(model, concurrent_requests=2)
    first = begin(model)[0]
    begin(model)

    call_id, wait = begin(model)
    assert call_id is None
    assert 0 < wait <= 1

    end(model, first)
    assert begin(model)[0] is not None
    assert begin(model)[0] is None
    go_by(model, 121)
    assert begin(model)[0] is not None


def test_models_do_not_count_for_each_other(model: psycopg.Connection) -> None:
    add_toy_model(model, "other_toy")
    limit(model, requests_per_minute=1)
    begin(model)

    other = "select call_id from evervec.begin_call('other_toy', 1)"
    assert value(model, other) is not None


@pytest.mark.parametrize(
    ("until", "seconds"), [("now() + interval '90 s'", 90), ("'infinity'", 3600)]
)
def test_a_paused_model_sends_nothing(model: psycopg.Connection, until: str, seconds: int) -> None:
    model.execute(f"select evervec.pause_model('toy', {until})".encode())

    call_id, wait = begin(model)

    assert call_id is None
    assert seconds - 5 < wait <= seconds
    assert value(model, "select count(*) from evervec.model_call") == 0


def test_a_pause_that_was_met_ends_with_resume_model(film: psycopg.Connection) -> None:
    limit(film, requests_per_minute=5)
    film.execute("select evervec.pause_model('toy')")
    assert begin(film) == (None, 3600)
    film.execute("select evervec.resume_model('toy')")

    assert len(claim(film)) == 10
    assert begin(film)[1] == 0


def test_the_longest_of_several_waits_counts(model: psycopg.Connection) -> None:
    limit(model, requests_per_minute=1, concurrent_requests=1)
    end(model, begin(model)[0])
    model.execute("select evervec.pause_model('toy', now() + interval '20 s')")
    assert 59 < begin(model)[1] <= 60


def test_a_call_ends_once(model: psycopg.Connection) -> None:
    call_id = begin(model)[0]
    assert [end(model, call_id), end(model, call_id), end(model, -1)] == [True, False, False]


def test_the_window_is_a_setting(model: psycopg.Connection) -> None:
    model.execute("update evervec.setting set value = '\"1 hour\"' where name = 'rate_window'")
    limit(model, requests_per_minute=1)
    end(model, begin(model)[0])
    go_by(model, 600)
    assert 2990 < begin(model)[1] <= 3000


def test_calls_of_a_model_that_is_not_used_any_more_are_forgotten(
    model: psycopg.Connection,
) -> None:
    end(model, begin(model)[0])
    begin(model)
    model.execute("select evervec.cleanup_expired()")
    assert value(model, "select count(*) from evervec.model_call") == 2

    go_by(model, timedelta(hours=2).total_seconds())
    cleaned = value(model, "select sum(removed) from evervec.cleanup_expired()")

    assert (cleaned, value(model, "select count(*) from evervec.model_call")) == (2, 0)


@pytest.mark.parametrize(
    "call", ["'toy', null", "'toy', -1", "'toy', 1, null", "'toy', 1, '0 seconds'"]
)
def test_bad_arguments_are_named(model: psycopg.Connection, call: str) -> None:
    with raises(model, "VE301", "begin_call needs"):
        model.execute(f"select evervec.begin_call({call})".encode())
    with raises(model, "VE108", "nothing"):
        model.execute("select evervec.begin_call('nothing', 1)")


def test_a_snapshot_taken_before_cannot_count(model: psycopg.Connection) -> None:
    model.execute("set default_transaction_isolation = 'repeatable read'")
    with raises(model, "VE301", "READ COMMITTED"):
        begin(model)
