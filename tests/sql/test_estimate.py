"""What estimate says before a backfill: exact for a small table, by a sample for a large one."""

from __future__ import annotations

from decimal import Decimal

import psycopg
import pytest

from evervec import embedded
from tests.support.cluster import running_own_cluster
from tests.support.sql_worker import Row, add_toy_model, drain, raises, rows, value


def estimate(conn: psycopg.Connection, source: str = "film") -> Row:
    (found,) = rows(conn, "select * from evervec.estimate(%s)", source)
    return found


def tokens_of(conn: psycopg.Connection, query: str) -> int:
    """A quarter of the bytes of each text of a query, added up."""
    return int(value(conn, f"select sum(greatest(octet_length(t) / 4, 1)) from ({query}) x (t)"))


def test_a_small_table_is_counted(film: psycopg.Connection) -> None:
    film.execute("update evervec.model set price_per_million_tokens = 50000")
    film.execute("update film set title = 'Ä' || repeat('é', 99) where id = 1")
    film.execute("update film set title = null where id = 2")

    found = estimate(film)

    tokens = tokens_of(film, "select 'Title: ' || title from film where title is not null")
    assert found == {
        "rows": 10,
        "missing": 9,
        "cached": 0,
        "tokens": tokens,
        "cost": Decimal(tokens) / 20,
        "sampled": False,
        "examined": 10,
    }


def test_what_is_embedded_costs_nothing_and_what_changed_since_does(
    film: psycopg.Connection,
) -> None:
    drain(film)
    assert estimate(film) | {"cost": None} == {
        "rows": 10,
        "missing": 0,
        "cached": 0,
        "tokens": 0,
        "cost": None,
        "sampled": False,
        "examined": 10,
    }

    film.execute("update film set title = repeat('x', 93) where id = 3")

    assert (estimate(film)["missing"], estimate(film)["tokens"]) == (1, 25)


def test_what_the_cache_holds_is_not_counted(film: psycopg.Connection) -> None:
    drain(film)
    film.execute("insert into film values (11, 'Film 1', 1), (12, 'Nosferatu', 1922)")

    found = estimate(film)
    assert (found["missing"], found["cached"], found["tokens"]) == (2, 1, 4)

    film.execute("update evervec.embedding_cache set used_at = now() - interval '31 days'")
    assert (estimate(film)["cached"], estimate(film)["tokens"]) == (0, 7)
    film.execute("update evervec.embedding_cache set used_at = now()")
    film.execute("update evervec.source set cache = false")
    assert (estimate(film)["cached"], estimate(film)["tokens"]) == (0, 7)


def test_a_text_of_several_rows_is_counted_once_where_the_cache_keeps_it(
    film: psycopg.Connection,
) -> None:
    film.execute("update film set title = 'The Same'")
    assert (estimate(film)["missing"], estimate(film)["tokens"]) == (10, 3)

    film.execute("update evervec.source set cache = false")

    assert estimate(film)["tokens"] == 30


def test_a_long_text_counts_for_what_the_model_reads_or_not_at_all(
    film: psycopg.Connection,
) -> None:
    film.execute("update evervec.model set input_limit = 10, document_prefix = 'passage '")
    film.execute("delete from film where id > 2")
    film.execute("update film set title = repeat('x', 1000) where id = 1")
    # "passage Title: Film 2" has 21 bytes, and of the other one the model reads 10 tokens.
    assert estimate(film)["tokens"] == 15

    film.execute("update evervec.source set too_long = 'dead_letter'")

    assert estimate(film)["tokens"] == 5


@pytest.mark.parametrize("partitions", ["", "partition by hash (id)"])
def test_a_large_table_is_sampled(film: psycopg.Connection, partitions: str) -> None:
    film.execute(f"create table big (id bigint primary key, body text) {partitions}".encode())
    if partitions:
        for remainder in range(3):
            film.execute(
                f"create table big_{remainder} partition of big"
                f" for values with (modulus 3, remainder {remainder})".encode()
            )
    film.execute(
        "insert into big select g, repeat(md5(g::text), 1 + g % 20)"
        " from generate_series(1, 40000) g"
    )
    film.execute("select evervec.track('big', p_columns => '{body}', p_model => 'toy')")
    # A third has its vector: of the present text, every other one.
    film.execute(
        "insert into big_embedding (id, content_hash, model_id, embedding)"
        " select id, case when id % 6 = 0 then sha256(convert_to('Body: ' || body, 'UTF8'))"
        " else '' end, (select model_id from evervec.model where name = 'toy'), '[1,2,3,4]'"
        " from big where id % 3 = 0"
    )
    tokens = tokens_of(film, "select 'Body: ' || body from big where id %% 6 <> 0")

    before = estimate(film, "big")
    film.execute("analyze big")
    found = estimate(film, "big")

    for estimated in (before, found):
        assert estimated["sampled"] is True
        assert estimated["rows"] == pytest.approx(40_000, rel=0.05)
        assert estimated["missing"] == pytest.approx(40_000 * 5 / 6, rel=0.05)
        assert estimated["tokens"] == pytest.approx(tokens, rel=0.05)
    assert 3_000 < found["examined"] < 7_000
    assert estimate(film, "big") == found


def test_a_standby_estimates_without_the_cache_which_it_cannot_read() -> None:
    with running_own_cluster() as own, own.cluster.database(own.cluster.template()) as database:
        with psycopg.connect(database.url, autocommit=True) as conn:
            add_toy_model(conn)
            conn.execute("create table film (id integer primary key, title text)")
            conn.execute("insert into film values (1, 'Alien')")
            conn.execute("select evervec.track('film', '{title}', p_model => 'toy')")
            drain(conn)
            conn.execute("insert into film values (2, 'Alien')")
            assert estimate(conn)["cached"] == 1
        embedded.stop(own.data_dir)
        (own.data_dir / "standby.signal").touch()
        own.start()
        try:
            with psycopg.connect(database.url, autocommit=True) as conn:
                assert value(conn, "select pg_is_in_recovery()")
                found = estimate(conn)
        finally:
            assert embedded.pg_ctl(own.data_dir, "promote", "-w").returncode == 0

    assert (found["rows"], found["missing"], found["cached"], found["tokens"]) == (2, 1, 0, 3)


def test_an_empty_table_costs_nothing(film: psycopg.Connection) -> None:
    film.execute("truncate film")
    assert (estimate(film)["rows"], estimate(film)["tokens"]) == (0, 0)


def test_the_recipe_may_read_other_tables_and_vectors_be_in_a_column(
    film: psycopg.Connection,
) -> None:
    film.execute(
        """
        create table genre (film_id integer, name text);
        insert into genre select id, 'Western' from film;
        """
    )
    film.execute(
        "select evervec.track('film', p_name => 'in_words', p_model => 'toy', p_text_sql => %s,"
        " p_depends_on => '{\"public.genre\": \"film_id\"}', p_storage => 'column')",
        ["film.title || (select min(g.name) from public.genre g where g.film_id = film.id)"],
    )
    assert estimate(film, "in_words")["tokens"] == 9 * 3 + 3
    drain(film)
    assert estimate(film, "in_words")["missing"] == 0


def test_nothing_is_queued_or_started(film: psycopg.Connection) -> None:
    drain(film)
    film.execute("set evervec.bypass = on; update film set title = 'x'; reset evervec.bypass")

    assert estimate(film)["missing"] == 10

    assert not any(rows(film, "select * from evervec.pending()")[0].values())


def test_a_source_of_ones_own_vectors_has_no_estimate(film: psycopg.Connection) -> None:
    film.execute(
        "select evervec.track('film', p_name => 'mine', p_storage => 'manual', p_model => 'toy')"
    )
    with raises(film, "VE111", "for an estimate"):
        estimate(film, "mine")
    with raises(film, "VE101", "nothing"):
        estimate(film, "nothing")
