"""hybrid_search: meaning and words in one order; words are written with the vector, never lost."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.support.cluster import OWNER
from tests.support.roles import role
from tests.support.sql_worker import (
    Row,
    claim,
    complete,
    drain,
    raises,
    rows,
    toy_vector,
    value,
)

TITLES = {
    1: "A duck in a western",
    2: "Western ducks, western towns",
    3: "Some like it hot",
    4: "High Noon",
    5: "The duck",
    6: "Unforgiven",
    7: "Ducks of the west",
    8: "The the of and",
}
QUERY = toy_vector("q")
HYBRID = "select * from evervec.hybrid_search('film', %s, %s::vector, %s)"
TOP = "select row_key ->> 'id' as id from evervec.hybrid_search('film', %s, %s::vector, %s)"


def track(conn: psycopg.Connection, *, text_search: str | None = "english") -> None:
    conn.execute("select evervec.add_model('toy', 'toy', 4)")
    conn.execute("create table film (id integer primary key, title text, year integer)")
    with conn.cursor() as cursor:
        cursor.executemany(
            "insert into film values (%s, %s, 1990 + %s)", [(i, t, i) for i, t in TITLES.items()]
        )
    conn.execute(
        "select evervec.track('film', p_template => '{title}', p_model => 'toy',"
        " p_text_search => %s)",
        [text_search],
    )


@pytest.fixture
def film(conn: psycopg.Connection) -> psycopg.Connection:
    """Eight films, embedded, their words kept."""
    track(conn)
    drain(conn)
    return conn


def hybrid(conn: psycopg.Connection, words: str, limit: int = 10, **options: object) -> list[Row]:
    named = "".join(f", {name} => %s" for name in options)
    return rows(
        conn,
        f"select * from evervec.hybrid_search('film', %s, %s::vector, %s{named})",
        words,
        QUERY,
        limit,
        *options.values(),
    )


def ids(found: list[Row]) -> list[int]:
    return [row["row_key"]["id"] for row in found]


def by_meaning(conn: psycopg.Connection) -> list[int]:
    query = "select id from film_embedding order by embedding <=> %s::vector, id"
    return [row["id"] for row in rows(conn, query, QUERY)]


def by_words(conn: psycopg.Connection, words: str) -> list[int]:
    """From the table, without anything of evervec's."""
    return [
        row["id"]
        for row in rows(
            conn,
            """
            select f.id
              from film f, to_tsvector('english', f.title) d,
                   websearch_to_tsquery('english', %s) q
             where d @@ q
             order by ts_rank_cd(d, q, 1) desc, f.id
            """,
            words,
        )
    ]


def documents(conn: psycopg.Connection) -> dict[int, str | None]:
    query = "select id, document::text from film_embedding order by id"
    return {row["id"]: row["document"] for row in rows(conn, query)}


def expected(conn: psycopg.Connection, config: str = "english") -> dict[int, str]:
    query = "select id, to_tsvector(%s::regconfig, title)::text as d from film where title ~ '\\S'"
    return {row["id"]: row["d"] for row in rows(conn, query + " order by id", config)}


# -- the order -----------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [(1, 1), (1, 0.2), (0.3, 2)])
@pytest.mark.parametrize("k", [1, 60])
def test_the_score_is_the_weighted_reciprocal_rank_of_both_searches(
    film: psycopg.Connection, weights: tuple[float, float], k: int
) -> None:
    places = {"vector": by_meaning(film), "text": by_words(film, "ducks")}
    scores: dict[int, float] = {}
    for weight, places_of in zip(weights, places.values(), strict=True):
        for place, number in enumerate(places_of, 1):
            scores[number] = scores.get(number, 0) + weight / (k + place)

    found = hybrid(film, "ducks", p_vector_weight=weights[0], p_text_weight=weights[1], p_k=k)

    assert len(places["text"]) == 4
    assert {row["row_key"]["id"]: row["score"] for row in found} == pytest.approx(scores, rel=1e-5)
    assert ids(found) == sorted(scores, key=lambda number: (-round(scores[number], 7), number))
    for leg in ("vector", "text"):
        ranks = {row["row_key"]["id"]: row[f"{leg}_rank"] for row in found}
        assert [n for n in sorted(ranks, key=lambda n: ranks[n] or 99) if ranks[n]] == places[leg]


def test_the_columns_of_each_search_are_those_of_it_alone(film: psycopg.Connection) -> None:
    similar = {
        row["row_key"]["id"]: row["similarity"]
        for row in rows(film, "select * from evervec.find_similar('film', %s::vector)", QUERY)
    }
    for row in hybrid(film, "ducks"):
        assert row["similarity"] == similar[row["row_key"]["id"]]
        assert (row["text_rank"] is None) == (row["text_score"] is None)
        assert row["text_score"] is None or row["text_score"] > 0


def test_a_row_that_words_alone_find_far_from_the_query_comes_up(
    film: psycopg.Connection,
) -> None:
    far = by_meaning(film)[-1]
    film.execute("update film set title = title || ' zanzibar' where id = %s", [far])
    film.execute("update evervec.source set model_id = model_id")
    drain(film)
    assert ids(hybrid(film, "zanzibar", 1, p_text_weight=2)) == [far]


def test_words_follow_the_language(film: psycopg.Connection) -> None:
    assert set(by_words(film, "duck")) == {1, 2, 5, 7}
    found = {row["row_key"]["id"] for row in hybrid(film, "DUCKS") if row["text_rank"]}
    assert found == {1, 2, 5, 7}


def test_phrases_or_and_exclusions_work_as_in_a_search_engine(film: psycopg.Connection) -> None:
    for words in ('"western ducks"', "noon or unforgiven", "duck -western", "high noon"):
        matched = [row["row_key"]["id"] for row in hybrid(film, words) if row["text_rank"]]
        assert sorted(matched) == sorted(by_words(film, words)), words
        assert matched, words


@pytest.mark.parametrize("words", ["the of and", "-duck", "-the", "!!!", "''", '"', "🦆", "& | !"])
def test_words_that_cannot_be_looked_up_leave_the_order_to_the_vectors(
    film: psycopg.Connection, words: str
) -> None:
    found = hybrid(film, words)
    assert ids(found) == by_meaning(film)
    assert {row["text_rank"] for row in found} == {None}


@pytest.mark.parametrize("limit", [0, 1, 3, 8, 10_000, 2_147_483_647])
def test_the_answer_is_full(film: psycopg.Connection, limit: int) -> None:
    assert len(hybrid(film, "ducks", limit)) == min(limit, 8)


def test_excluded_rows_do_not_shorten_the_answer(film: psycopg.Connection) -> None:
    everything = ids(hybrid(film, "ducks"))
    left_out = everything[:3]
    found = hybrid(film, "ducks", 4, p_exclude=[Jsonb({"id": number}) for number in left_out])
    assert len(found) == 4
    assert not set(ids(found)) & set(left_out)


def test_more_rows_than_a_leg_brings_are_no_less_full(film: psycopg.Connection) -> None:
    film.execute("insert into film select g, 'duck ' || g from generate_series(100, 700) g")
    drain(film, 1000)
    assert len(hybrid(film, "duck", 500)) == 500
    assert len(hybrid(film, "duck", 605, p_vector_weight=0)) == 605


def test_an_empty_source_finds_nothing(conn: psycopg.Connection) -> None:
    track(conn)
    assert rows(conn, HYBRID, "ducks", QUERY, 10) == []


def test_words_are_looked_up_in_their_index(film: psycopg.Connection) -> None:
    film.execute("insert into film select g, 'filler ' || g from generate_series(100, 3000) g")
    drain(film, 3000)
    film.execute("select evervec.build_index('film')")
    film.execute("analyze film_embedding")
    scans = """select idx_scan from pg_stat_user_indexes
                where indexrelname = 'film_embedding_document_idx'"""
    film.execute("select pg_stat_force_next_flush()")
    before = value(film, scans)
    hybrid(film, "ducks")
    film.execute("select pg_stat_force_next_flush()")
    assert value(film, scans) == before + 1


def test_no_search_path_matters(film: psycopg.Connection) -> None:
    expected = hybrid(film, "ducks")
    film.execute("set search_path = ''")
    query = HYBRID.replace("::vector", "::public.vector")
    assert rows(film, query, "ducks", QUERY, 10) == expected


# -- its vector ----------------------------------------------------------------------------------


def test_peer_32_without_a_vector_the_known_one_is_used(film: psycopg.Connection) -> None:
    query = "select * from evervec.hybrid_search('film', 'ducks')"
    with raises(film, "VE207", "not known"):
        film.execute(query)
    film.execute("select evervec.cache_query('toy', 'ducks', %s::vector)", [QUERY])
    assert rows(film, query) == hybrid(film, "ducks")


def test_a_weight_of_nothing_leaves_a_search_out(film: psycopg.Connection) -> None:
    words = rows(film, "select * from evervec.hybrid_search('film', 'ducks', p_vector_weight => 0)")
    assert ids(words) == by_words(film, "ducks")
    assert {row["vector_rank"] for row in words} == {None}
    meaning = hybrid(film, "ducks", p_text_weight=0)
    assert ids(meaning) == by_meaning(film)
    assert {row["text_rank"] for row in meaning} == {None}


@pytest.mark.parametrize(
    ("arguments", "state", "message"),
    [
        ("'movie', 'x'", "VE101", 'source "movie" does not exist'),
        ("'plain', 'x'", "VE219", 'source "plain" keeps no words'),
        ("'film', null", "VE218", "no words"),
        ("'film', e' \\t\\n'", "VE218", "no words"),
        ("'film', 'x', '[1,2,3]'", "VE201", "3 dimensions, not 4"),
        ("'film', 'x', '[0,0,0,0]'", "VE201", "zero"),
        ("'film', 'x', '[1,2,3,4]', -1", "VE204", "a limit of -1"),
        ("'film', 'x', '[1,2,3,4]', null", "VE204", "a limit of NULL"),
        ("'film', 'x', '[1,2,3,4]', p_k => 0", "VE220", "out of range"),
        ("'film', 'x', '[1,2,3,4]', p_k => null", "VE220", "out of range"),
        ("'film', 'x', '[1,2,3,4]', p_text_weight => -1", "VE220", "out of range"),
        ("'film', 'x', '[1,2,3,4]', p_text_weight => 'NaN'", "VE220", "out of range"),
        ("'film', 'x', '[1,2,3,4]', p_vector_weight => 'Infinity'", "VE220", "out of range"),
        ("'film', 'x', '[1,2,3,4]', 3, 0, 0", "VE220", "out of range"),
        ("'film', 'x', '[1,2,3,4]', p_exclude => null", "VE202", "NULL"),
    ],
)
def test_bad_searches_are_refused(
    film: psycopg.Connection, arguments: str, state: str, message: str
) -> None:
    film.execute("select evervec.track('film', '{title}', p_name => 'plain', p_model => 'toy')")
    with raises(film, state, message):
        film.execute(f"select * from evervec.hybrid_search({arguments})".encode())


def test_words_without_an_end_are_cut(film: psycopg.Connection) -> None:
    for words in ("duck " * 400_000, "x" * 2_000_000, "(" * 100_000, '"' * 100_000, "a-" * 50_000):
        assert len(hybrid(film, words)) == 8


# -- the words that are kept ---------------------------------------------------------------------


def test_words_are_written_with_the_vector_and_go_with_it(film: psycopg.Connection) -> None:
    assert documents(film) == expected(film)
    film.execute("update film set title = 'Swans' where id = 1")
    film.execute("update film set title = null where id = 2")
    film.execute("delete from film where id = 3")
    film.execute("insert into film values (9, 'Geese')")
    drain(film)
    assert documents(film) == expected(film)
    assert sorted(documents(film)) == [1, 4, 5, 6, 7, 8, 9]


def test_the_words_are_those_of_the_rendered_text(conn: psycopg.Connection) -> None:
    track(conn, text_search=None)
    conn.execute(
        """
        select evervec.track('film', p_text_sql => $$'prefix ' || upper(film.title)$$, p_name => 'other',
                             p_model => 'toy', p_text_search => 'simple', p_where => 'year < 1994')
        """  # noqa: E501
    )
    drain(conn)
    kept = rows(conn, "select id, document::text as d from other_embedding order by id")
    assert kept == rows(
        conn,
        "select id, to_tsvector('simple', 'prefix ' || upper(title))::text as d from film"
        " where year < 1994 order by id",
    )


def test_a_text_of_any_kind_has_its_vector(film: psycopg.Connection) -> None:
    texts = {
        100: "word " * 500_000,
        101: " ".join(f"word{n}" for n in range(300_000)),
        102: "x" * 3_000_000,
        103: " ".join(f"{chr(0x10400 + n % 40)}{chr(0x10400 + n // 40 % 40)}" * 3 + f"-{n}"
                      for n in range(100_000)),
        104: "\x01\x02 \ufeff \u200b \U0010ffff 'a' \\ {x} $1 %s",
        105: "a/b/c.html?x=1&y=<z> http://example.org/" + "p/" * 100_000,
        106: "🦆" * 100_000,
    }  # fmt: skip
    with film.cursor() as cursor:
        cursor.executemany("insert into film values (%s, %s)", list(texts.items()))
    drain(film)
    kept = rows(film, "select id, document is not null as d from film_embedding where id >= 100")
    assert kept == [{"id": number, "d": True} for number in texts]
    assert ids(hybrid(film, "word299", 1, p_vector_weight=0)) == [101]


def test_no_text_is_longer_than_what_a_tsvector_holds(film: psycopg.Connection) -> None:
    """Four bytes a character, each word several times over: cut, and cut again."""
    word = "chr(66560 + {0} %% 40) || chr(66560 + {0} / 40 %% 40) || chr(66560 + {0} / 1600 %% 40)"
    compound = " || '-' || ".join(word.format(n) for n in ("g", "(g + 20000)", "(g + 40000)"))
    words = f"string_agg({compound}, ' ')"
    numbers = "from generate_series(1, %s) g"

    kept = f"select evervec.document_film({words}) is not null {numbers}"
    assert value(film, kept, 20_000) is True
    with raises(film, "54000", "too long for tsvector", ours=False):
        value(film, f"select to_tsvector('english', left({words}, 200000)) {numbers}", 20_000)


def test_a_key_column_named_document_does_not_clash(conn: psycopg.Connection) -> None:
    conn.execute("select evervec.add_model('toy', 'toy', 4)")
    conn.execute(
        """
        create table "Odd Table" (document text, embedding integer, score text, w text, e text,
                                  primary key (document, embedding));
        insert into "Odd Table" values ('a', 1, 'ducks', 'x', 'y'), ('b', 2, 'swans', 'x', 'y');
        select evervec.track('"Odd Table"', p_columns => '{score,w,e}', p_model => 'toy',
                             p_text_search => 'english');
        """
    )
    drain(conn)
    found = rows(
        conn, "select * from evervec.hybrid_search('Odd Table', 'duck', %s::vector, 1)", QUERY
    )
    assert found[0]["row_key"] == {"document": "a", "embedding": 1}


def test_a_key_column_named_score_does_not_clash(conn: psycopg.Connection) -> None:
    conn.execute("select evervec.add_model('toy', 'toy', 4)")
    conn.execute("create table ranked (score integer primary key, title text)")
    conn.execute("insert into ranked values (1, 'ducks'), (2, 'swans')")
    conn.execute(
        "select evervec.track('ranked', '{title}', p_model => 'toy', p_text_search => 'english')"
    )
    drain(conn)
    query = "select * from evervec.hybrid_search('ranked', 'duck', p_vector_weight => 0)"
    assert [row["row_key"] for row in rows(conn, query)] == [{"score": 1}]


def test_without_pg_textsearch_bm25_cannot_be_had(film: psycopg.Connection) -> None:
    """Its own tests are in test_bm25."""
    state = "select text_ranking from evervec.get_source('film')"
    assert value(film, state) == "ts_rank_cd"
    with raises(film, "VE111", "p_bm25 cannot be true"):
        film.execute("select evervec.retrack('film', p_bm25 => true)")
    film.execute("select evervec.retrack('film', p_bm25 => false)")
    drain(film)
    assert documents(film) == expected(film)
    film.execute("select evervec.retrack('film', p_text_search => '')")
    assert value(film, state) is None


@pytest.mark.parametrize(
    "configuration", ["klingon", "12345", "-", "a.b.c", "nowhere.english", "x'y"]
)
def test_an_unknown_configuration_is_refused(conn: psycopg.Connection, configuration: str) -> None:
    with raises(conn, "VE111", "p_text_search cannot be"):
        track(conn, text_search=configuration)


@pytest.mark.parametrize("storage", ["column", "manual"])
def test_words_are_kept_in_evervecs_own_table_only(conn: psycopg.Connection, storage: str) -> None:
    conn.execute("select evervec.add_model('toy', 'toy', 4)")
    conn.execute("create table film (id integer primary key, title text)")
    columns = "null" if storage == "manual" else "'{title}'"
    with raises(conn, "VE111", f"cannot be had with p_storage '{storage}'"):
        conn.execute(
            f"select evervec.track('film', {columns}, p_model => 'toy', p_storage => '{storage}',"
            " p_text_search => 'english')".encode()
        )


def test_a_configuration_of_ones_own_is_kept_by_its_name(conn: psycopg.Connection) -> None:
    conn.execute('create schema words; create text search configuration words."My" (copy = simple)')
    track(conn, text_search='words."My"')
    drain(conn)
    assert value(conn, "select text_search from evervec.source") == 'words."My"'
    assert documents(conn) == expected(conn, "simple")


# -- later ---------------------------------------------------------------------------------------


def test_words_can_be_kept_from_now_on_without_paying_again(conn: psycopg.Connection) -> None:
    track(conn, text_search=None)
    drain(conn)
    conn.execute("select evervec.cache_delete()")

    conn.execute("select evervec.retrack('film', p_text_search => 'english')")
    assert ids(hybrid(conn, "ducks")) == by_meaning(conn)
    drained = drain(conn, 3)

    assert drained.texts == []
    assert documents(conn) == expected(conn)
    assert value(conn, "select percent from evervec.coverage('film')") == 100
    found = {row["row_key"]["id"] for row in hybrid(conn, "ducks") if row["text_rank"]}
    assert found == {1, 2, 5, 7}


def test_words_are_written_in_slices_and_a_row_that_changes_meanwhile_gets_its_own(
    conn: psycopg.Connection,
) -> None:
    track(conn, text_search=None)
    drain(conn)
    conn.execute("select evervec.retrack('film', p_text_search => 'english')")
    conn.execute("update film set title = 'Swans' where id = 8")
    claim(conn, 3)
    written = [number for number, words in documents(conn).items() if words is not None]
    assert 0 < len(written) <= 3
    conn.execute("update film set title = 'Geese' where id = %s", [written[0]])
    conn.execute("update evervec.processing_queue set lease_expires_at = now() - interval '1 hour'"
                 " where status = 'processing'")  # fmt: skip
    drain(conn)
    assert documents(conn) == expected(conn)


def test_another_language_is_another_set_of_words(film: psycopg.Connection) -> None:
    film.execute("select evervec.retrack('film', p_text_search => 'simple')")
    assert set(documents(film).values()) == {None}
    assert drain(film).texts == []
    assert documents(film) == expected(film, "simple")


def test_the_same_language_again_writes_nothing(film: psycopg.Connection) -> None:
    before = rows(film, "select id, xmin::text from film_embedding order by id")
    film.execute("select evervec.retrack('film', p_text_search => 'english')")
    drain(film)
    assert rows(film, "select id, xmin::text from film_embedding order by id") == before


def test_words_can_be_given_up(film: psycopg.Connection) -> None:
    film.execute("select evervec.retrack('film', p_text_search => '')")
    columns = "select count(*) from information_schema.columns where column_name = 'document'"
    assert value(film, columns) == 0
    drain(film)
    with raises(film, "VE219", "keeps no words"):
        hybrid(film, "ducks")
    film.execute("update film set title = 'Swans' where id = 1")
    drain(film)
    film.execute("select evervec.untrack('film', true)")


def test_a_change_of_the_recipe_changes_the_words(film: psycopg.Connection) -> None:
    film.execute("select evervec.retrack('film', p_template => '{title} {year}')")
    drain(film)
    assert "'1991'" in (documents(film)[1] or "")


def test_the_index_of_the_words_stands_from_the_beginning_or_is_built_by_the_worker(
    conn: psycopg.Connection,
) -> None:
    index = "select count(*) from pg_indexes where indexdef like '%% using gin (document)%%'"
    statement = "select evervec.index_statement('film')"
    track(conn)
    drain(conn)
    assert value(conn, index.replace("using", "USING")) == 1
    conn.execute(value(conn, statement))
    assert value(conn, statement) is None

    conn.execute("select evervec.retrack('film', p_text_search => 'simple')")
    assert value(conn, index.replace("using", "USING")) == 0
    assert rows(conn, "select evervec.due_indexes() as name") == [{"name": "film"}]
    assert "gin" in value(conn, statement)
    conn.execute(value(conn, statement))
    assert value(conn, statement) is None
    assert rows(conn, "select evervec.due_indexes()") == []
    assert value(conn, "select evervec.build_index('film')") is False
    conn.execute("drop index film_embedding_document_idx")
    assert value(conn, "select evervec.build_index('film')") is True


def test_a_reset_writes_vector_and_words_anew(film: psycopg.Connection) -> None:
    film.execute("select evervec.reset('film')")
    assert documents(film) == {}
    drain(film)
    assert documents(film) == expected(film)


def test_a_rename_is_followed(film: psycopg.Connection) -> None:
    film.execute("alter table film rename to movie; alter table movie rename id to number;"
                 " alter table film_embedding rename to vectors")  # fmt: skip
    drain(film)
    film.execute("update movie set title = 'Geese' where number = 3")
    drain(film)
    found = hybrid(film, "goose or geese", 1, p_vector_weight=0)
    assert [row["row_key"] for row in found] == [{"number": 3}]


def test_long_words_leave_the_vector_in_its_row(conn: psycopg.Connection) -> None:
    conn.execute("select evervec.add_model('wide', 'toy', 1536)")
    conn.execute("create table film (id integer primary key, title text)")
    conn.execute(
        "select evervec.track('film', '{title}', p_model => 'wide', p_text_search => 'simple')"
    )
    conn.execute(
        "insert into film select 1, string_agg(md5(g::text), ' ') from generate_series(1, 300) g"
    )
    (job,) = claim(conn)
    vector = "[" + ",".join(["0.1"] * 1536) + "]"
    complete_one = "select * from evervec.complete_jobs(%s, array[%s], array[%s::vector])"
    conn.execute(complete_one, [job["lease_token"], job["job_id"], vector])
    assert value(conn, "select pg_column_size(embedding) from film_embedding") >= 6000
    toasted = """select pg_relation_size(reltoastrelid) from pg_class
                  where oid = 'film_embedding'::regclass"""
    # Three hundred hashes take 10 kB; a vector of six would be there too.
    assert 8192 <= value(conn, toasted) <= 16384


# -- filters -------------------------------------------------------------------------------------


@pytest.fixture
def filtered(film: psycopg.Connection) -> psycopg.Connection:
    film.execute(
        "select evervec.add_filter('film', 'by_year', 'year between p_from and p_to',"
        " '{p_from integer,p_to integer}')"
    )
    return film


BY_YEAR = "select * from evervec.hybrid_search_film_by_year(%s, %s, %s, %s::vector, %s)"


def test_a_filter_stands_in_both_searches_and_the_answer_is_full(
    filtered: psycopg.Connection,
) -> None:
    found = rows(filtered, BY_YEAR, "ducks", 1991, 1995, QUERY, 10)
    assert sorted(ids(found)) == [1, 2, 3, 4, 5]
    words = [row["row_key"]["id"] for row in found if row["text_rank"]]
    assert sorted(words) == [1, 2, 5]
    assert [row["text_rank"] for row in sorted(found, key=lambda r: r["text_rank"] or 9)][:3] == [
        1, 2, 3
    ]  # fmt: skip
    meaning = [number for number in by_meaning(filtered) if number <= 5]
    assert sorted(ids(found), key=lambda n: meaning.index(n)) == [
        row["row_key"]["id"] for row in sorted(found, key=lambda r: r["vector_rank"])
    ]


def test_a_filter_that_leaves_few_among_many_gives_them_all(filtered: psycopg.Connection) -> None:
    filtered.execute(
        "insert into film select g, 'duck ' || g, 2000 from generate_series(100, 1500) g"
    )
    drain(filtered, 1500)
    filtered.execute("select evervec.build_index('film'); analyze film_embedding; analyze film")
    found = rows(filtered, BY_YEAR, "ducks", 1991, 1998, QUERY, 10)
    assert sorted(ids(found)) == list(range(1, 9))
    assert len([row for row in found if row["text_rank"]]) == 4


def test_a_filter_without_parameters_and_one_over_a_join(film: psycopg.Connection) -> None:
    film.execute(
        """
        create table owned (player text, film integer);
        insert into owned values ('ann', 2), ('ann', 3), ('bob', 5);
        select evervec.add_filter('film', 'old', 'year < 1993');
        select evervec.add_filter('film', 'owned_by',
            'exists (select from public.owned o where o.film = film.id and o.player = p_player)',
            '{p_player text}');
        """
    )
    old = "select * from evervec.hybrid_search_film_old('ducks', %s::vector)"
    assert sorted(ids(rows(film, old, QUERY))) == [1, 2]
    owned = "select * from evervec.hybrid_search_film_owned_by('ducks', %s, %s::vector)"
    assert sorted(ids(rows(film, owned, "ann", QUERY))) == [2, 3]
    assert ids(rows(film, owned, "bob", QUERY)) == [5]
    assert rows(film, owned, "nobody", QUERY) == []


def test_filters_come_and_go_with_the_words(conn: psycopg.Connection) -> None:
    track(conn, text_search=None)
    drain(conn)
    conn.execute("select evervec.add_filter('film', 'old', 'year < 1993')")
    there = "select to_regproc('evervec.hybrid_search_film_old') is not null"
    assert value(conn, there) is False
    assert rows(conn, "select * from evervec.doctor('film') where finding = 'broken filter'") == []

    conn.execute("select evervec.retrack('film', p_text_search => 'english')")
    drain(conn)
    assert value(conn, there) is True
    conn.execute("select evervec.drop_filter('film', 'old')")
    assert value(conn, there) is False


def test_bad_arguments_of_a_filters_search_are_told(filtered: psycopg.Connection) -> None:
    for arguments, state in (
        (("", 1, 2, QUERY, 3), "VE218"),
        (("x", 1, 2, QUERY, -1), "VE204"),
        (("x", 1, 2, "[1,2]", 3), "VE201"),
        (("x", 1, 2, None, 3), "VE207"),
    ):
        with raises(filtered, state, ""):
            filtered.execute(BY_YEAR, arguments)


# -- rights --------------------------------------------------------------------------------------


def test_two_tenants_see_their_own_rows_only(
    film: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    with role(superuser_conn) as tenant:
        superuser_conn.execute(
            f"""
            set role {OWNER};
            grant usage on schema evervec to {tenant};
            grant select on film_embedding to {tenant};
            grant execute on all functions in schema evervec to {tenant};
            alter table film_embedding enable row level security;
            create policy odd on film_embedding to {tenant} using (id % 2 = 1);
            set role {tenant};
            """
        )
        found = hybrid(superuser_conn, "ducks")
        assert sorted(ids(found)) == [1, 3, 5, 7]
        words = sorted(row["row_key"]["id"] for row in found if row["text_rank"])
        assert words == [1, 5, 7]
        superuser_conn.execute(
            f"set role {OWNER}; revoke select on film_embedding from {tenant}; set role {tenant}"
        )
        with raises(superuser_conn, "42501", "permission denied for table", ours=False):
            hybrid(superuser_conn, "ducks")
        superuser_conn.execute("reset role")


def test_it_answers_on_a_read_only_server(film: psycopg.Connection) -> None:
    expected = hybrid(film, "ducks")
    film.execute("set default_transaction_read_only = on")
    assert hybrid(film, "ducks") == expected


def test_nothing_is_written_for_words_by_an_outcome_that_is_not_completed(
    film: psycopg.Connection,
) -> None:
    film.execute("update film set title = 'Swans' where id = 1")
    jobs = claim(film)
    film.execute("update film set title = 'Geese' where id = 1")
    assert complete(film, jobs) == {"superseded": 1}
    assert "duck" in (documents(film)[1] or "")
    drain(film)
    assert documents(film) == expected(film)


def test_a_configuration_that_is_gone_stops_nobody(conn: psycopg.Connection) -> None:
    """Vectors go on, for this source and others; doctor and the search tell."""
    conn.execute("create text search configuration mine (copy = english)")
    track(conn, text_search="public.mine")
    conn.execute("create table other (id integer primary key, title text)")
    conn.execute("select evervec.track('other', '{title}', p_model => 'toy')")
    drain(conn)
    conn.execute("drop text search configuration mine")
    conn.execute("update film set title = title || '!' where id = 1; update film set id = id")
    conn.execute("insert into other values (1, 'x')")
    conn.execute("select evervec.reconcile('film')")
    drain(conn)

    assert value(conn, "select count(*) from film_embedding") == len(TITLES)
    assert value(conn, "select count(*) from other_embedding") == 1
    assert value(conn, "select count(*) from evervec.dead_letter") == 0
    found = {row["finding"] for row in rows(conn, "select * from evervec.doctor('film')")}
    assert "broken words" in found
    with raises(conn, "VE219", "does not work"):
        hybrid(conn, "duck")


@pytest.mark.parametrize("words", ["-" * 60, "- " * 60, "-" * 40 + "duck", "duck -- --- west"])
def test_dashes_are_no_exclusions(film: psycopg.Connection, words: str) -> None:
    assert hybrid(film, words)


def test_null_among_the_excluded_excludes_nothing(film: psycopg.Connection) -> None:
    found = rows(
        film, TOP.replace("%s)", "%s, p_exclude => array[null]::jsonb[])"), "duck", QUERY, 10
    )
    assert len(found) == len(TITLES)
