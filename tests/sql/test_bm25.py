"""hybrid_search where pg_textsearch is installed: BM25 puts the rows that the words find in order.

EVERVEC_TEST_URL names a server that has the extension; the embedded one has it not.
"""

from __future__ import annotations

import math

import psycopg
import pytest

from tests.support.roles import role
from tests.support.sql_worker import (
    Row,
    add_toy_model,
    claim,
    complete,
    drain,
    raises,
    rows,
    toy_vector,
    value,
)

pytestmark = pytest.mark.pg_textsearch

TITLES = {
    1: "A duck in a western",
    2: "Western ducks, western towns, western nights, western western",
    3: "Some like it hot",
    4: "High Noon",
    5: "The duck",
    6: "Unforgiven",
    7: "Ducks of the west",
    8: "The the of and",
    9: "A duck, a duck, my kingdom for a duck, and a rare western zanzibar",
}
QUERY = toy_vector("q")
STATE = "select text_ranking from evervec.get_source('film')"


@pytest.fixture
def textsearch(superuser_conn: psycopg.Connection) -> psycopg.Connection:
    """A superuser's connection to a database with the extension."""
    superuser_conn.execute("create extension if not exists pg_textsearch")
    return superuser_conn


def track(conn: psycopg.Connection, options: str = "p_text_search => 'english'") -> None:
    add_toy_model(conn)
    conn.execute("create table film (id integer primary key, title text, year integer)")
    with conn.cursor() as cursor:
        cursor.executemany(
            "insert into film values (%s, %s, 1990 + %s)", [(i, t, i) for i, t in TITLES.items()]
        )
    conn.execute(
        "select evervec.track('film', p_template => '{title}', p_model => 'toy',"
        f" {options})".encode()
    )


@pytest.fixture
def film(textsearch: psycopg.Connection, conn: psycopg.Connection) -> psycopg.Connection:
    """Nine films, embedded, indexed."""
    track(conn)
    drain(conn)
    value(conn, "select evervec.build_index('film')")
    assert value(conn, STATE) == "bm25"
    return conn


def by_words(conn: psycopg.Connection, words: str, **options: object) -> list[Row]:
    """The answer of the words alone; no vector takes part."""
    named = "".join(f", {name} => %s" for name in options)
    query = f"select * from evervec.hybrid_search('film', %s, p_vector_weight => 0{named})"
    return rows(conn, query, words, *options.values())


def scores(found: list[Row]) -> dict[int, float]:
    return {row["row_key"]["id"]: row["text_score"] for row in found}


def cover_density(conn: psycopg.Connection, words: str) -> dict[int, float]:
    """From the table, without anything of evervec's."""
    query = """
        select f.id, ts_rank_cd(d, q, 1) as score
          from film f, to_tsvector('english', f.title) d, websearch_to_tsquery('english', %s) q
         where d @@ q
         order by 2 desc, 1
        """
    return {row["id"]: row["score"] for row in rows(conn, query, words)}


def bm25(conn: psycopg.Connection, lexemes: list[str]) -> dict[int, float]:
    """The textbook's: k1 = 1.2, b = 0.75, over the words that PostgreSQL makes of the titles."""
    query = """
        select f.id, w.lexeme, cardinality(w.positions) as times
          from film f, unnest(to_tsvector('english', f.title)) w
        """
    texts: dict[int, dict[str, int]] = {}  # one without words is no text
    for row in rows(conn, query):
        texts.setdefault(row["id"], {})[row["lexeme"]] = row["times"]
    mean = sum(sum(words.values()) for words in texts.values()) / len(texts)
    result = {}
    for number, words in texts.items():
        score = 0.0
        for lexeme in lexemes:
            having = sum(lexeme in other for other in texts.values())
            rarity = math.log(1 + (len(texts) - having + 0.5) / (having + 0.5))
            times = words.get(lexeme, 0)
            length = sum(words.values()) / mean
            score += rarity * times * 2.2 / (times + 1.2 * (0.25 + 0.75 * length))
        result[number] = score
    return result


# -- the order -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "lexemes"),
    [
        ("ducks", ["duck"]),
        ("duck western", ["duck", "western"]),
        ("zanzibar or duck", ["zanzibar", "duck"]),
        ('"western towns"', ["western", "town"]),
        ("duck -zanzibar", ["duck"]),
        ('western -"duck in a" -noon', ["western"]),
    ],
)
def test_rows_that_the_words_find_are_in_the_order_of_bm25(
    film: psycopg.Connection, words: str, lexemes: list[str]
) -> None:
    found = by_words(film, words)
    expected = bm25(film, lexemes)
    assert set(scores(found)) == set(cover_density(film, words))
    assert scores(found) == pytest.approx({n: expected[n] for n in scores(found)}, rel=1e-4)
    assert list(scores(found)) == sorted(scores(found), key=lambda n: (-expected[n], n))
    assert [row["text_rank"] for row in found] == list(range(1, len(found) + 1))


def test_the_order_is_another_than_that_of_ts_rank_cd(film: psycopg.Connection) -> None:
    ranked = by_words(film, "duck or zanzibar or western")
    assert list(scores(ranked)) != list(cover_density(film, "duck or zanzibar or western"))


def test_both_searches_are_fused_as_ever(film: psycopg.Connection) -> None:
    found = rows(
        film, "select * from evervec.hybrid_search('film', 'duck', %s::vector, p_k => 7)", QUERY
    )
    assert len(found) == len(TITLES)
    for row in found:
        parts = [1 / (7 + row[rank]) for rank in ("vector_rank", "text_rank") if row[rank]]
        assert row["score"] == pytest.approx(sum(parts))


@pytest.mark.parametrize("off", ["enable_bitmapscan", "enable_indexscan"])
@pytest.mark.parametrize(
    "words",
    ["duck", "western duck", "duck -western", '"western ducks"', "noon or unforgiven",
     "x " * 70 + "or duck", '" -duck"', "zanzibar missing"],
)  # fmt: skip
def test_by_either_index_the_same_rows_are_found(
    film: psycopg.Connection, words: str, off: str
) -> None:
    usual = by_words(film, words)
    film.execute(f"set {off} = off; set enable_seqscan = off".encode())
    assert by_words(film, words) == usual
    assert set(scores(usual)) == set(cover_density(film, words))


def test_words_of_most_rows_are_read_in_the_order_of_the_index(film: psycopg.Connection) -> None:
    film.execute("insert into film select g, 'duck ' || g from generate_series(100, 4000) g")
    drain(film, 4000)
    film.execute("analyze film_embedding")
    with psycopg.connect(film.info.dsn, autocommit=True) as conn:
        scans = """select idx_scan from pg_stat_user_indexes
                    where indexrelname = 'film_embedding_document_text_idx'"""
        before = value(conn, scans)
        found = by_words(conn, "duck")
        conn.execute("select pg_stat_force_next_flush()")
        assert value(conn, scans) == before + 1
    assert len(found) == 10
    assert [row["text_score"] for row in found] == sorted(
        (row["text_score"] for row in found), reverse=True
    )


@pytest.mark.parametrize("words", ["the of and", "-duck", "!!!", "''", '"', "🦆", "or"])
def test_words_that_cannot_be_looked_up_find_nothing(film: psycopg.Connection, words: str) -> None:
    assert by_words(film, words) == []


def test_words_without_an_end_are_cut(film: psycopg.Connection) -> None:
    for words in ("duck " * 400_000, "x" * 2_000_000, "(" * 100_000, '"' * 100_000, "a-" * 50_000):
        by_words(film, words)
    many = " or ".join(f"word{n}" for n in range(500)) + " or duck"
    assert set(scores(by_words(film, many))) == set(cover_density(film, many))


def test_an_answer_is_full_though_the_index_ends_before(film: psycopg.Connection) -> None:
    """Its scan gives 100,000 texts at most, the best ones: here those that are wanted are last."""
    film.execute("drop index film_embedding_document_text_idx, film_embedding_document_idx")
    film.execute("drop index if exists film_embedding_embedding_idx")
    film.execute(
        """
        insert into film_embedding (id, content_hash, model_id, embedding, document, document_text)
        select g, '', e.model_id, e.embedding, to_tsvector('english', t.title), t.title
          from generate_series(10, 100300) g
          cross join lateral (select case when g > 100290 then 'duck pond' || repeat(' long', 40)
                                          else 'pond duck' end as title) t
          cross join film_embedding e
         where e.id = 1
        """
    )
    value(film, "select evervec.build_index('film')")
    film.execute("analyze film_embedding")
    film.execute("set enable_bitmapscan = off; set enable_seqscan = off")
    found = by_words(film, '"duck pond"', p_limit=20)
    assert sorted(scores(found)) == list(range(100291, 100301))


def test_no_search_path_and_no_schema_matter(
    textsearch: psycopg.Connection, conn: psycopg.Connection
) -> None:
    textsearch.execute('drop extension pg_textsearch; create schema "Text Search"')
    textsearch.execute('create extension pg_textsearch schema "Text Search"')
    textsearch.execute('grant usage on schema "Text Search" to public')
    track(conn, "p_text_search => 'english', p_name => 'film.\"s'")
    drain(conn)
    conn.execute("select evervec.build_index('film.\"s')")
    conn.execute("set search_path = ''")
    found = rows(
        conn,
        "select * from evervec.hybrid_search('film.\"s', 'duck western', p_vector_weight => 0)",
    )
    conn.execute("reset search_path")
    expected = bm25(conn, ["duck", "western"])
    assert scores(found) == pytest.approx({n: expected[n] for n in scores(found)}, rel=1e-4)
    assert len(found) == 3


def test_a_filter_stands_in_its_search(film: psycopg.Connection) -> None:
    film.execute("select evervec.add_filter('film', 'since', 'year >= p_year', '{p_year integer}')")
    found = rows(
        film,
        "select * from evervec.hybrid_search_film_since('duck', 1992, p_vector_weight => 0)",
    )
    expected = bm25(film, ["duck"])
    assert scores(found) == pytest.approx({n: expected[n] for n in (9, 5, 7, 2)}, rel=1e-4)


# -- rights --------------------------------------------------------------------------------------


def test_a_score_tells_nobody_of_texts_that_he_may_not_see(
    film: psycopg.Connection, textsearch: psycopg.Connection
) -> None:
    """BM25 counts the texts with a word, all of them; under row-level security it does not rank."""
    film.execute(
        """
        alter table film enable row level security;
        create policy odd on film using (id % 2 = 1);
        select evervec.protect('film');
        """
    )
    with role(textsearch) as tenant:
        film.execute(f"grant select on film to {tenant}".encode())
        film.execute("select evervec.grant_access(%s, 'reader')", [tenant])
        textsearch.execute(f"set role {tenant}")
        before = by_words(textsearch, "zanzibar or duck")
        film.execute("update film set title = title || ' zanzibar' where id % 2 = 0")
        drain(film)
        after = by_words(textsearch, "zanzibar or duck")
        textsearch.execute("reset role")
    expected = cover_density(film, "zanzibar or duck")
    assert after == before
    assert scores(before) == {n: expected[n] for n in expected if n % 2 == 1}
    # The owner, who sees everything, is told more by BM25.
    assert scores(by_words(film, "zanzibar or duck")) != expected


def test_a_reader_searches_without_further_rights(
    film: psycopg.Connection, textsearch: psycopg.Connection
) -> None:
    usual = by_words(film, "duck")
    with role(textsearch) as reader:
        film.execute("select evervec.grant_access(%s, 'reader')", [reader])
        textsearch.execute(f"set role {reader}")
        assert by_words(textsearch, "duck") == usual
        textsearch.execute("reset role")


def test_it_answers_on_a_read_only_server(film: psycopg.Connection) -> None:
    usual = by_words(film, "duck")
    film.execute("set default_transaction_read_only = on")
    assert by_words(film, "duck") == usual


# -- the texts that are kept ---------------------------------------------------------------------


def test_texts_are_written_with_their_words_and_go_with_them(film: psycopg.Connection) -> None:
    film.execute("update film set title = 'Swans' where id = 1")
    film.execute("update film set title = null where id = 2")
    film.execute("delete from film where id = 3")
    film.execute("insert into film values (10, 'Geese and swans')")
    drain(film)
    kept = rows(film, "select id, document_text as title from film_embedding order by id")
    assert kept == rows(film, "select id, title from film where title is not null order by id")
    assert list(scores(by_words(film, "swan"))) == [1, 10]
    assert 2 not in scores(by_words(film, "western or duck"))


def test_a_text_of_any_kind_has_its_vector(film: psycopg.Connection) -> None:
    texts = {
        100: "word " * 500_000,
        101: " ".join(f"word{n}" for n in range(300_000)),
        102: "x" * 3_000_000,
        104: "\x01\x02 \ufeff \u200b \U0010ffff 'a' \\ {x} $1 %s",
        105: "a/b/c.html?x=1&y=<z> http://example.org/" + "p/" * 100_000,
        106: "🦆" * 100_000,
    }
    with film.cursor() as cursor:
        cursor.executemany("insert into film values (%s, %s)", list(texts.items()))
    drain(film)
    assert value(film, "select count(*) from film_embedding where id >= 100") == len(texts)
    assert value(film, "select max(length(document_text)) from film_embedding") == 200_000
    assert list(scores(by_words(film, "word299"))) == [101]


def test_until_the_index_stands_ts_rank_cd_ranks(
    textsearch: psycopg.Connection, conn: psycopg.Connection
) -> None:
    """The worker builds it, concurrently, when the fill is over."""
    track(conn)
    complete(conn, claim(conn, 3))
    assert rows(conn, "select evervec.due_indexes()") == []
    drain(conn)
    assert value(conn, STATE) == "ts_rank_cd"
    assert scores(by_words(conn, "duck")) == cover_density(conn, "duck")
    built = []
    while rows(conn, "select evervec.due_indexes()"):
        built.append(value(conn, "select evervec.index_statement('film')"))
        conn.execute(built[-1].encode())
    assert "concurrently" in built[-1]
    assert "bm25" in built[-1]
    assert value(conn, STATE) == "bm25"
    assert scores(by_words(conn, "duck")) != cover_density(conn, "duck")


def test_it_can_be_given_up_and_taken_again_without_paying(film: psycopg.Connection) -> None:
    ranked = by_words(film, "duck")
    words = "select id, xmin::text from film_embedding order by id"
    before = rows(film, words)
    film.execute("select evervec.retrack('film', p_bm25 => false)")
    drain(film)
    assert rows(film, words) == before
    assert value(film, STATE) == "ts_rank_cd"
    assert scores(by_words(film, "duck")) == cover_density(film, "duck")
    columns = "select count(*) from information_schema.columns where column_name = 'document_text'"
    assert value(film, columns) == 0
    film.execute("update film set title = 'The duck' where id = 5")
    film.execute("select evervec.cache_delete()")

    film.execute("select evervec.retrack('film', p_bm25 => true)")
    assert scores(by_words(film, "duck")) == cover_density(film, "duck")
    assert drain(film, 3).texts == []
    value(film, "select evervec.build_index('film')")
    assert by_words(film, "duck") == ranked


def test_what_is_not_said_stays(film: psycopg.Connection) -> None:
    film.execute("select evervec.retrack('film', p_bm25 => false)")
    film.execute("select evervec.retrack('film', p_template => '{title} {year}')")
    assert value(film, "select bm25 from evervec.source") is False
    film.execute("select evervec.retrack('film', p_text_search => 'english')")
    assert value(film, "select bm25 from evervec.source") is True
    film.execute("select evervec.retrack('film', p_text_search => '')")
    assert value(film, "select bm25 from evervec.source") is False
    with raises(film, "VE219", "keeps no words"):
        by_words(film, "duck")


def test_another_language_is_another_index(film: psycopg.Connection) -> None:
    film.execute('create text search configuration "My" (copy = simple)')
    film.execute("select evervec.retrack('film', p_text_search => '\"My\"')")
    drain(film)
    value(film, "select evervec.build_index('film')")
    assert set(scores(by_words(film, "ducks"))) == {2, 7}
    assert value(film, STATE) == "bm25"


def test_a_configuration_that_is_gone_stops_nobody(
    textsearch: psycopg.Connection, conn: psycopg.Connection
) -> None:
    conn.execute("create text search configuration mine (copy = english)")
    track(conn, "p_text_search => 'public.mine'")
    drain(conn)
    value(conn, "select evervec.build_index('film')")
    conn.execute("drop text search configuration mine cascade")
    conn.execute("update film set title = title || '!' where id = 1")
    conn.execute("insert into film values (10, 'Geese')")
    drain(conn)
    assert value(conn, "select count(*) from film_embedding") == len(TITLES) + 1
    assert value(conn, "select count(*) from evervec.dead_letter") == 0


# -- without the extension again -----------------------------------------------------------------


def test_an_extension_that_is_gone_stops_nobody(
    film: psycopg.Connection, textsearch: psycopg.Connection
) -> None:
    textsearch.execute("drop extension pg_textsearch cascade")
    film.execute("update film set title = 'Swans and a duck' where id = 1")
    drain(film)
    assert scores(by_words(film, "duck")) == cover_density(film, "duck")
    assert value(film, STATE) == "ts_rank_cd"
    assert rows(film, "select evervec.due_indexes()") == []
    (found,) = rows(film, "select * from evervec.doctor('film')")
    assert (found["finding"], found["severity"]) == ("no bm25", "advice")

    textsearch.execute("create extension pg_textsearch")
    assert [f["finding"] for f in rows(film, "select * from evervec.doctor('film')")] == [
        "missing index"
    ]
    assert value(film, "select evervec.build_index('film')") is True
    assert rows(film, "select * from evervec.doctor('film')") == []
    assert scores(by_words(film, "duck")) != cover_density(film, "duck")


def test_after_that_in_another_schema_ts_rank_cd_ranks_until_retrack(
    film: psycopg.Connection, textsearch: psycopg.Connection
) -> None:
    textsearch.execute(
        "drop extension pg_textsearch cascade; create schema other;"
        " create extension pg_textsearch schema other; grant usage on schema other to public"
    )
    assert value(film, "select evervec.build_index('film')") is True
    assert scores(by_words(film, "duck")) == cover_density(film, "duck")
    film.execute("select evervec.retrack('film')")
    assert scores(by_words(film, "duck")) != cover_density(film, "duck")


def test_untrack_and_reset_leave_nothing(film: psycopg.Connection) -> None:
    film.execute("select evervec.reset('film')")
    assert by_words(film, "duck") == []
    drain(film)
    assert len(by_words(film, "duck")) == 5
    film.execute("select evervec.untrack('film', true)")
    left = "select relname from pg_class where relname like 'film\\_%%' and relname <> 'film_pkey'"
    assert rows(film, left) == []


def test_completing_is_all_or_nothing_for_words_and_text(film: psycopg.Connection) -> None:
    film.execute("update film set title = 'Swans' where id = 1")
    jobs = claim(film)
    film.execute("update film set title = 'Geese' where id = 1")
    assert complete(film, jobs) == {"superseded": 1}
    kept = "select document_text from film_embedding where id = 1"
    assert value(film, kept) == TITLES[1]
    drain(film)
    assert value(film, kept) == "Geese"


def test_the_call_that_makes_it_again_says_what_track_would_not_choose(
    film: psycopg.Connection,
) -> None:
    call = "select evervec.track_statement(s) from evervec.source s"
    assert "p_bm25" not in value(film, call)
    film.execute("select evervec.retrack('film', p_bm25 => false)")
    assert "p_bm25 => false" in value(film, call)
