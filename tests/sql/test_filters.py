"""add_filter, drop_filter, find_similar_<source>_<filter>: conditions inside the scan."""

from __future__ import annotations

import psycopg
import pytest

from tests.sql.test_typed_search import QUERY, asked_the_index
from tests.support.roles import role
from tests.support.sql_worker import raises, rows, value
from tests.support.vectors import OPERATORS, vector_source

BY_YEAR = (
    "select evervec.add_filter('item', 'by_year', 'year between p_from and p_to',"
    " '{p_from integer,p_to integer}')"
)
# The planner takes a third of the rows to be far; of 2,500 there are seven.
FAR = """
    create function is_far(integer) returns boolean stable language plpgsql as
        'begin return mod($1, 400) = 77; end';
    select evervec.add_filter('item', 'far', 'public.is_far(id)');
"""
OWNED = """
    create table owned (user_name text, item_id integer, primary key (user_name, item_id));
    insert into owned select u.name, id from item,
           (values ('all', 1), ('half', 2), ('tenth', 10), ('few', 250)) as u (name, every)
     where id % u.every = 0;
    analyze owned;
    select evervec.add_filter('item', 'owned',
        'exists (select from public.owned o where o.item_id = item.id and o.user_name = p_user)',
        '{p_user text}');
"""


def keys(conn: psycopg.Connection, call: str) -> list[int]:
    return [row["id"] for row in rows(conn, f"select id from evervec.find_similar_item_{call}")]


def truth(
    conn: psycopg.Connection, condition: str, limit: int = 10, distance: str = "cosine"
) -> list[int]:
    return [
        row["id"]
        for row in rows(
            conn,
            f"select i.id from item i join item_embedding e using (id) where {condition}"
            f" order by (e.embedding {OPERATORS[distance]} '{QUERY}') + 0, i.id limit {limit}",
        )
    ]


@pytest.fixture
def items(conn: psycopg.Connection) -> psycopg.Connection:
    """2,500 items of a hundred years, indexed, in so many pages that the index is worth asking."""
    vector_source(conn, 2500, sparse=True)
    conn.execute("select evervec.build_index('item')")
    conn.execute("analyze item")
    return conn


def test_add_filter_makes_a_function_with_typed_parameters(items: psycopg.Connection) -> None:
    assert value(items, BY_YEAR) == "find_similar_item_by_year"

    found = rows(
        items,
        "select * from evervec.find_similar_item_by_year(%s, p_from => 1910, p_to => 1919)",
        QUERY,
    )

    assert list(found[0]) == ["id", "title", "year", "similarity", "distance"]
    assert [row["id"] for row in found] == truth(items, "year between 1910 and 1919")
    assert value(
        items,
        "select pg_get_function_identity_arguments('evervec.find_similar_item_by_year'::regproc)",
    ) == (
        "p_query vector, p_from integer, p_to integer, p_limit integer, p_min_similarity real,"
        " p_exclude integer[], p_diversity real"
    )


@pytest.mark.parametrize(("years", "qualify"), [(50, 1250), (10, 250), (1, 25)])
@pytest.mark.parametrize("distance", list(OPERATORS))
def test_peer_33_a_filtered_search_is_full_and_right(
    conn: psycopg.Connection, distance: str, years: int, qualify: int
) -> None:
    vector_source(conn, 2500, sparse=True, distance=distance)
    conn.execute("select evervec.build_index('item'); analyze item")
    conn.execute(BY_YEAR)
    for limit in (10, 100, 2000):
        call = f"by_year('{QUERY}', 1900, {1899 + years}, {limit})"
        right = truth(conn, f"year < {1900 + years}", limit, distance)
        found = keys(conn, call)
        assert len(found) == min(limit, qualify)
        assert len(set(found) & set(right)) >= 0.95 * len(right)


@pytest.mark.parametrize(("user", "qualify"), [("all", 2500), ("half", 1250), ("tenth", 250)])
def test_peer_33_only_what_a_user_owns(items: psycopg.Connection, user: str, qualify: int) -> None:
    items.execute(OWNED)
    found = keys(items, f"owned('{QUERY}', '{user}', 20)")
    right = truth(items, f"id in (select item_id from owned where user_name = '{user}')", 20)
    assert len(found) == 20
    assert len(set(found) & set(right)) >= 19
    assert len(keys(items, f"owned('{QUERY}', '{user}', 5000)")) == qualify


def test_peer_33_a_user_who_owns_nothing_finds_nothing(items: psycopg.Connection) -> None:
    items.execute(OWNED)
    assert keys(items, f"owned('{QUERY}', 'nobody')") == []
    assert len(keys(items, f"owned('{QUERY}', 'few', 50)")) == 10
    assert keys(items, f"owned('{QUERY}', null)") == []


def test_many_that_qualify_are_looked_for_in_the_index_and_few_are_read(
    items: psycopg.Connection,
) -> None:
    items.execute(BY_YEAR)
    many = f"select * from evervec.find_similar_item_by_year('{QUERY}', 1900, 1950)"
    few = f"select * from evervec.find_similar_item_by_year('{QUERY}', 1900, 1900)"

    assert asked_the_index(items, many) > 0
    assert asked_the_index(items, few) == 0


def test_an_answer_that_the_index_cannot_fill_is_searched_exactly(
    items: psycopg.Connection,
) -> None:
    items.execute(FAR)
    items.execute("set hnsw.max_scan_tuples = 1")
    call = f"far('{QUERY}', 7)"

    assert asked_the_index(items, f"select * from evervec.find_similar_item_{call}") > 0
    assert keys(items, call) == truth(items, "mod(id, 400) = 77", 7)


def test_peer_33_the_index_goes_on_until_enough_qualify(items: psycopg.Connection) -> None:
    """The planner takes a third of the rows for rare; it is a twentieth."""
    items.execute(
        """
        create function is_rare(integer) returns boolean stable language plpgsql as
            'begin return mod($1, 20) = 7; end';
        select evervec.add_filter('item', 'rare', 'public.is_rare(id)');
        set evervec.exact_search = off;
        """
    )
    heard: list[str | None] = []
    items.add_notice_handler(lambda d: heard.append(d.message_primary))

    found = keys(items, f"rare('{QUERY}')")

    assert len(found) == 10
    assert len(set(found) & set(truth(items, "mod(id, 20) = 7"))) >= 9
    assert heard == []


@pytest.mark.parametrize("off", ["off", "false", "0"])
def test_a_search_that_may_not_read_everything_says_that_it_was_cut(
    items: psycopg.Connection, off: str
) -> None:
    items.execute(FAR)
    items.execute(f"set hnsw.max_scan_tuples = 1; set evervec.exact_search = {off}")
    heard: list[tuple[str | None, str | None]] = []
    items.add_notice_handler(lambda d: heard.append((d.sqlstate, d.message_primary)))

    found = keys(items, f"far('{QUERY}', 8)")

    assert len(found) < 8
    assert heard == [("VE211", f"the index gave {len(found)} of 8 rows, and there may be more")]
    items.execute("reset evervec.exact_search")
    heard.clear()
    assert len(keys(items, f"far('{QUERY}', 8)")) == 7
    assert heard == []


def test_threshold_exclusion_and_diversity_of_a_filtered_search(items: psycopg.Connection) -> None:
    items.execute(BY_YEAR)
    right = truth(items, "year between 1900 and 1950", 50)
    excluded = f"p_exclude => '{set(right[:5])}'"

    found = keys(items, f"by_year('{QUERY}', 1900, 1950, {excluded})")
    assert len(found) == 10
    assert len(set(found) & set(right[5:15])) >= 9
    assert keys(items, f"by_year('{QUERY}', 1900, 1950, p_min_similarity => 2)") == []
    diverse = keys(items, f"by_year('{QUERY}', 1900, 1950, p_diversity => 0.5)")
    assert len(diverse) == 10
    assert diverse[0] == right[0]
    assert set(diverse) != set(right[:10])


def test_parameters_by_number_and_a_condition_with_everything_in_it(
    items: psycopg.Connection,
) -> None:
    condition = "starts_with(title, $1) /* $2 */ and year <> all ($2) -- (over)"
    items.execute(
        "select evervec.add_filter('item', 'odd name', %s, '{p_prefix text,p_years integer[]}')",
        [condition],
    )
    found = rows(
        items,
        'select id from evervec."find_similar_item_odd name"(%s, %s, %s, 2000)',
        QUERY,
        "Item 2",
        [1900, 1950],
    )
    right = truth(items, "starts_with(title, 'Item 2') and year not in (1900, 1950)", 2000)
    assert [row["id"] for row in found] == right


@pytest.mark.parametrize("storage", ["column", "manual"])
def test_a_filter_of_every_storage(conn: psycopg.Connection, storage: str) -> None:
    vector_source(conn, 100, storage=storage)
    conn.execute(BY_YEAR)
    conn.execute("select evervec.build_index('item')")
    assert len(keys(conn, f"by_year('{QUERY}', 1901, 1907)")) == 7


def test_a_filter_of_a_key_of_several_columns(conn: psycopg.Connection) -> None:
    conn.execute("select evervec.add_model('toy', 'toy', 4)")
    conn.execute(
        """
        create table item (place text, day integer, primary key (day, place));
        insert into item select 'p' || g, g from generate_series(1, 20) g;
        select evervec.track('item', p_model => 'toy', p_storage => 'manual');
        select evervec.put_embedding('item', evervec.key_item(day, place),
                                     array[day, 1, 1, 1]::vector) from item;
        select evervec.add_filter('item', 'since', 'day >= p_day', '{p_day integer}');
        """
    )
    found = rows(conn, "select day, place from evervec.find_similar_item_since(%s, 15)", QUERY)
    assert sorted(row["day"] for row in found) == [15, 16, 17, 18, 19, 20]


def test_the_caller_needs_the_right_to_read_what_the_condition_reads(
    items: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    items.execute(OWNED)
    with role(superuser_conn) as reader:
        superuser_conn.execute(
            f"""
            grant usage on schema evervec to {reader};
            grant execute on all functions in schema evervec to {reader};
            grant select on item, item_embedding to {reader};
            set role {reader};
            """
        )
        call = f"select id from evervec.find_similar_item_owned('{QUERY}', 'half', 5)"
        with raises(superuser_conn, "42501", "owned", ours=False):
            superuser_conn.execute(call.encode())
        superuser_conn.execute(f"reset role; grant select on owned to {reader}; set role {reader}")
        assert len(rows(superuser_conn, call)) == 5
        superuser_conn.execute("reset role")


def test_row_level_security_of_the_source_holds_in_a_filtered_search(
    items: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    items.execute(BY_YEAR)
    with role(superuser_conn) as reader:
        superuser_conn.execute(
            f"""
            grant usage on schema evervec to {reader};
            grant execute on all functions in schema evervec to {reader};
            grant select on item, item_embedding to {reader};
            alter table item enable row level security;
            create policy tenth on item to {reader} using (id % 10 = 0);
            set role {reader};
            """
        )
        call = f"select id from evervec.find_similar_item_by_year('{QUERY}', 1900, 1999, 2000)"
        found = [row["id"] for row in rows(superuser_conn, call)]
        superuser_conn.execute("reset role")
    assert sorted(found) == list(range(10, 2510, 10))


def test_drop_filter_takes_its_functions_away(items: psycopg.Connection) -> None:
    items.execute(BY_YEAR)
    items.execute("select evervec.drop_filter('item', 'by_year')")

    assert value(items, "select count(*) from pg_proc where proname ~ 'by_year$'") == 0
    with raises(items, "VE208", 'no filter "by_year"'):
        items.execute("select evervec.drop_filter('item', 'by_year')")
    items.execute(BY_YEAR)


def test_untrack_takes_filters_away_and_retrack_keeps_them(items: psycopg.Connection) -> None:
    items.execute(BY_YEAR)
    items.execute("select evervec.retrack('item')")
    assert len(keys(items, f"by_year('{QUERY}', 1900, 1910)")) == 10

    items.execute("select evervec.untrack('item')")
    assert value(items, "select count(*) from pg_proc where proname ~ 'by_year$'") == 0
    assert value(items, "select count(*) from evervec.filter") == 0


@pytest.mark.parametrize(
    ("arguments", "sqlstate", "message"),
    [
        ("'nope', 'f', 'true'", "VE101", "does not exist"),
        ("'item', null, 'true'", "VE106", "cannot be named NULL"),
        ("'item', ' ', 'true'", "VE106", "cannot be named"),
        ("'item', repeat('x', 50), 'true'", "VE106", "cannot be named"),
        ("'item', 'f', null", "VE210", "no condition"),
        ("'item', 'f', ''", "VE210", "no condition"),
        ("'item', 'f', 'nope = 1'", "VE210", "no condition"),
        ("'item', 'f', 'year'", "VE210", "no condition"),
        ("'item', 'f', 'year = p_year'", "VE210", "no condition"),
        ("'item', 'f', 'true); drop table item; select (true'", "VE210", "no condition"),
        ("'item', 'f', 'exists (select from elsewhere.owned)'", "VE210", "no condition"),
        ("'item', 'f', 'true', '{p_year}'", "VE210", "is not a parameter"),
        ("'item', 'f', 'true', '{p_year nope}'", "VE210", "is not a parameter"),
        ("'item', 'f', 'true', '{P_Year integer}'", "VE210", "is not a parameter"),
        ("'item', 'f', 'true', '{p_limit integer}'", "VE210", "is not a parameter"),
        ("'item', 'f', 'true', '{a integer,a integer}'", "VE210", "is not a parameter"),
        ("'item', 'f', 'year = year', '{year integer}'", "VE210", "is not a parameter"),
        ("'item', 'f', 'true', '{distance real}'", "VE210", "is not a parameter"),
        ("'item', 'f', 'true', '{a integer default 0}'", "VE210", "is not a parameter"),
        ("'item', 'f', 'true', '{null}'", "VE210", "NULL is not a parameter"),
    ],
)
def test_bad_filters_are_refused(
    conn: psycopg.Connection, arguments: str, sqlstate: str, message: str
) -> None:
    vector_source(conn, 3)
    conn.execute("create table owned (item_id integer)")
    with raises(conn, sqlstate, message):
        conn.execute(f"select evervec.add_filter({arguments})".encode())
    assert value(conn, "select count(*) from evervec.filter") == 0
    assert value(conn, "select count(*) from item") == 3


def test_names_that_would_clash_are_refused(conn: psycopg.Connection) -> None:
    vector_source(conn, 3)
    conn.execute("select evervec.add_filter('item', 'f', 'true')")
    with raises(conn, "VE209", 'has a filter "f" already'):
        conn.execute("select evervec.add_filter('item', 'f', 'true')")
    conn.execute("create table item_f (id integer primary key, title text)")
    with raises(conn, "VE106", "cannot be named"):
        conn.execute("select evervec.track('item_f', '{title}', p_model => 'toy')")
    conn.execute("select evervec.track('item_f', '{title}', p_model => 'toy', p_name => 'item_g')")
    with raises(conn, "VE106", "cannot be named"):
        conn.execute("select evervec.add_filter('item', 'g', 'true')")


def test_a_filter_whose_words_name_what_is_gone_is_told_by_doctor(
    items: psycopg.Connection,
) -> None:
    items.execute(BY_YEAR)
    assert rows(items, "select * from evervec.doctor('item')") == []
    items.execute("alter table item rename year to released")
    items.execute("select evervec.tick()")

    (finding,) = rows(items, "select * from evervec.doctor('item')")
    assert (finding["finding"], finding["severity"]) == ("broken filter", "error")
    assert "year" in finding["problem"]
    assert len(rows(items, f"select * from evervec.find_similar_item('{QUERY}')")) == 10

    items.execute(finding["remedy"].replace("year between", "released between"))
    assert rows(items, "select * from evervec.doctor('item')") == []
    assert len(keys(items, f"by_year('{QUERY}', 1900, 1910)")) == 10


def test_a_filter_follows_a_renamed_table(items: psycopg.Connection) -> None:
    items.execute(BY_YEAR)
    items.execute("alter table item rename to thing")
    items.execute("select evervec.tick()")
    assert len(keys(items, f"by_year('{QUERY}', 1900, 1910)")) == 10
    assert rows(items, "select * from evervec.doctor('item')") == []


def test_a_filter_keeps_nobody_from_dropping_what_it_reads(items: psycopg.Connection) -> None:
    items.execute(OWNED)
    items.execute("drop table owned; drop table item")
