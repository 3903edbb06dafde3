"""What the catalog must say: privileges, search_path, names, comments; wherever evervec is put."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from evervec import migrate
from tests.support.cluster import OWNER, Cluster, Database
from tests.support.sql_worker import add_toy_model, drain, raises, rows, toy_vector, value

# An application's role that owns tables, and one that may write to them and nothing else.
APP_OWNER, APP_USER = "evervec_app_owner", "evervec_app_user"

SUFFIX = {"p": "pkey", "u": "key", "f": "fkey", "c": "check"}

# Objects of evervec, and those that it made for the sources of the fixtures.
FUNCTIONS = """
    select p.oid, p.proname as name, p.oid::regprocedure::text as signature, p.prosecdef as definer,
           p.proconfig as config, p.prosqlbody is not null as standard_body,
           coalesce(obj_description(p.oid, 'pg_proc'), '') as comment
      from pg_proc p
     where p.pronamespace = 'evervec'::regnamespace
"""
RELATIONS = """
    select c.oid, c.oid::regclass::text as name, c.relkind::text as kind,
           coalesce(obj_description(c.oid, 'pg_class'), '') as comment
      from pg_class c
     where c.relkind in ('r', 'p', 'v')
       and (c.relnamespace = 'evervec'::regnamespace
            or c.oid in (select target from evervec.source))
"""


@pytest.fixture
def tracked(film: psycopg.Connection) -> psycopg.Connection:
    """Two sources: a plain one, and one with a key that prints differently by session."""
    film.execute(
        """
        create table sighting (at timestamptz, place text, note text, primary key (at, place))
               partition by range (at);
        create table sighting_all partition of sighting default;
        insert into sighting values ('2026-01-01 00:00+00', 'Roswell', 'a light in the sky');
        select evervec.track('sighting', p_template => '{place}: {note}', p_model => 'toy');
        """
    )
    drain(film)
    return film


def test_nothing_of_evervec_is_executable_by_everybody(tracked: psycopg.Connection) -> None:
    open_to_all = rows(
        tracked,
        f"""
        select f.signature
          from ({FUNCTIONS}) f
          join pg_proc p on p.oid = f.oid
          cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
         where a.grantee = 0
        """,
    )
    assert open_to_all == []


def test_no_table_or_view_of_evervec_is_open_to_everybody(tracked: psycopg.Connection) -> None:
    open_to_all = rows(
        tracked,
        f"""
        select r.name, a.privilege_type
          from ({RELATIONS}) r
          join pg_class c on c.oid = r.oid
          cross join lateral aclexplode(c.relacl) a
         where a.grantee = 0
        union all
        select n.nspname, a.privilege_type
          from pg_namespace n
          cross join lateral aclexplode(n.nspacl) a
         where n.nspname = 'evervec' and a.grantee = 0
        """,
    )
    assert open_to_all == []


def test_every_function_pins_its_search_path_unless_it_must_inline_or_be_quick(
    tracked: psycopg.Connection,
) -> None:
    unpinned = [
        f["signature"]
        for f in rows(tracked, FUNCTIONS)
        if not _search_path(f)
        and not (_inlines(f["name"]) and f["standard_body"])
        and f["name"] != "ring_after_change"
    ]
    assert unpinned == []


def test_a_security_definer_function_searches_temporary_objects_last(
    tracked: psycopg.Connection,
) -> None:
    wrong = {
        f["signature"]: _search_path(f)
        for f in rows(tracked, FUNCTIONS)
        if f["definer"] and not _search_path(f).endswith(", pg_temp")
    }
    assert wrong == {}


def test_functions_that_inline_are_never_security_definer(tracked: psycopg.Connection) -> None:
    unpinned = [f for f in rows(tracked, FUNCTIONS) if not _search_path(f)]
    assert unpinned
    assert [f["signature"] for f in unpinned if f["definer"]] == []


def test_every_function_table_and_view_has_a_comment(conn: psycopg.Connection) -> None:
    objects = rows(conn, FUNCTIONS) + rows(conn, RELATIONS)
    assert len(objects) > 50
    assert [o.get("signature", o["name"]) for o in objects if not o["comment"]] == []


def test_what_an_application_uses_of_a_source_has_a_comment(tracked: psycopg.Connection) -> None:
    functions = [f for f in rows(tracked, FUNCTIONS) if f["name"].startswith("nearest_")]
    tables = [r for r in rows(tracked, RELATIONS) if r["name"].endswith("_embedding")]
    objects = functions + tables
    assert len(objects) == 4
    assert [o["name"] for o in objects if not o["comment"]] == []


def test_constraints_and_indexes_are_named_by_table_columns_and_kind(
    tracked: psycopg.Connection,
) -> None:
    constraints = rows(
        tracked,
        """
        select c.conname as name, t.relname as table, c.contype::text as kind,
               (select string_agg(a.attname, '_' order by k.n)
                  from unnest(c.conkey) with ordinality as k (num, n)
                  join pg_attribute a on a.attrelid = t.oid and a.attnum = k.num) as columns
          from pg_constraint c
          join pg_class t on t.oid = c.conrelid
         where c.contype in ('c', 'f', 'p', 'u')
           and (t.relnamespace = 'evervec'::regnamespace
                or t.oid in (select target from evervec.source))
        """,
    )
    indexes = rows(
        tracked,
        """
        select i.relname as name, t.relname as table
          from pg_index x
          join pg_class i on i.oid = x.indexrelid
          join pg_class t on t.oid = x.indrelid
         where (t.relnamespace = 'evervec'::regnamespace
                or t.oid in (select target from evervec.source))
           and not exists (select from pg_constraint c where c.conindid = i.oid)
        """,
    )
    assert len(constraints) > 30
    assert [c["name"] for c in constraints if not _well_named_constraint(c)] == []
    assert [i["name"] for i in indexes if not _shape(i["table"], "idx").fullmatch(i["name"])] == []


def test_the_whole_life_of_a_source_without_any_search_path(conn: psycopg.Connection) -> None:
    conn.execute("set search_path = ''")
    _whole_life(conn, "public")


@pytest.mark.parametrize("search_path", ["", '"$user", public', "public, extensions"])
def test_the_whole_life_of_a_source_with_pgvector_in_a_schema_of_its_own(
    cluster: Cluster, search_path: str
) -> None:
    with cluster.bare_database("extensions") as database:
        migrate.apply(database.url)
        with psycopg.connect(database.url, autocommit=True) as conn:
            conn.execute("select set_config('search_path', %s, false)", [search_path])
            _whole_life(conn, "extensions")


def test_a_table_of_another_role_is_tracked_embedded_and_untracked(
    foreign_table: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    name = value(
        foreign_table,
        "select evervec.track('app.note', p_columns => '{body}', p_model => 'toy')",
    )
    assert drain(foreign_table).states["embed"] == 3
    assert value(foreign_table, "select percent from evervec.coverage('note')") == 100
    owner = "select tableowner from pg_tables where tablename = 'note_embedding'"
    assert value(foreign_table, owner) == APP_OWNER

    foreign_table.execute("select evervec.untrack(%s, p_drop_vectors => true)", [name])

    left = "select count(*) from pg_trigger where tgrelid = 'app.note'::regclass"
    assert value(superuser_conn, left) == 0
    assert value(superuser_conn, "select to_regclass('app.note_embedding')") is None


def test_an_application_without_rights_on_evervec_writes_as_before(
    foreign_table: psycopg.Connection, cluster: Cluster, database: Database
) -> None:
    foreign_table.execute(
        "select evervec.track('app.note', p_columns => '{body}', p_model => 'toy')"
    )
    drain(foreign_table)

    with psycopg.connect(database.superuser_url, autocommit=True) as app:
        app.execute(f"set session authorization {APP_USER}")
        app.execute("insert into app.note values (4, 'four')")
        app.execute("update app.note set body = 'uno' where id = 1")
        app.execute("update app.note set id = 20 where id = 2")
        app.execute("delete from app.note where id = 3")
        for forbidden in (
            "select * from evervec.status",
            "select evervec.track('app.note', p_columns => '{body}')",
            "select * from app.note_embedding",
        ):
            with raises(app, "42501", "permission denied", ours=False):
                app.execute(forbidden)

    assert sorted(drain(foreign_table).texts) == ["Body: four", "Body: two", "Body: uno"]
    keys = rows(foreign_table, "select id from app.note_embedding order by id")
    assert [row["id"] for row in keys] == [1, 4, 20]


@pytest.fixture
def foreign_table(
    cluster: Cluster, conn: psycopg.Connection, superuser_conn: psycopg.Connection
) -> Iterator[psycopg.Connection]:
    """The owner of evervec's connection; app.note belongs to a role that it is a member of."""
    with _roles(cluster):
        superuser_conn.execute(
            f"""
            create schema app authorization {APP_OWNER};
            grant usage on schema app to {OWNER}, {APP_USER};
            set role {APP_OWNER};
            create table app.note (id integer primary key, body text);
            insert into app.note values (1, 'one'), (2, 'two'), (3, 'three');
            grant select, insert, update, delete on app.note to {APP_USER};
            reset role;
            """
        )
        add_toy_model(conn)
        yield conn
        superuser_conn.execute(f"drop owned by {APP_OWNER}, {APP_USER} cascade")


@contextmanager
def _roles(cluster: Cluster) -> Iterator[None]:
    """The two roles, which belong to the whole server: one test at a time has them."""
    with cluster.connect() as conn:
        conn.execute("select pg_advisory_lock(hashtext(%s))", [APP_OWNER])
        for role in (APP_OWNER, APP_USER):
            conn.execute(f"create role {role}")
        conn.execute(f"grant {APP_OWNER} to {OWNER}")
        try:
            yield
        finally:
            conn.execute(f"drop role {APP_OWNER}, {APP_USER}")


def _whole_life(conn: psycopg.Connection, extension_schema: str) -> None:
    """Everything that an application or a worker calls, on a table in a schema of its own."""
    conn.execute("create schema if not exists shop")
    conn.execute("create table shop.item (id integer primary key, name text)")
    conn.execute("insert into shop.item select g, 'item ' || g from generate_series(1, 20) g")
    add_toy_model(conn)
    conn.execute("select evervec.track('shop.item', p_columns => '{name}', p_model => 'toy')")
    _drain(conn, extension_schema)
    assert value(conn, "select percent from evervec.coverage('item')") == 100

    conn.execute("update shop.item set name = 'a chair' where id = 1")
    conn.execute("delete from shop.item where id = 2")
    conn.execute("insert into shop.item values (21, 'a lamp')")
    _drain(conn, extension_schema)
    assert value(conn, "select evervec.build_index('item')") is True
    assert value(conn, "select evervec.index_statement('item')") is None

    query = f"%s::{extension_schema}.vector"
    chair = toy_vector("Name: a chair")
    found = rows(conn, f"select * from evervec.find_similar('item', {query}, 3)", chair)
    assert [found[0]["row_key"], len(found)] == [{"id": 1}, 3]
    assert value(conn, f"select id from evervec.nearest_item({query}, 1)", chair) == 1
    assert rows(conn, "select * from evervec.find_similar_to('item', '{\"id\": 1}', 5)")
    assert value(conn, "select evervec.render('item', evervec.parse_key('item', '21'))") == (
        "Name: a lamp"
    )
    assert rows(conn, "select * from evervec.status")[0]["index_state"] == "valid"
    conn.execute("select * from evervec.tick()")
    conn.execute("truncate shop.item")
    _drain(conn, extension_schema)
    assert value(conn, "select count(*) from shop.item_embedding") == 0
    conn.execute("select evervec.untrack('item', p_drop_vectors => true)")


def _drain(conn: psycopg.Connection, extension_schema: str) -> None:
    """drain(), which casts to a vector by its bare name."""
    former = value(conn, "show search_path")
    conn.execute("select set_config('search_path', %s, false)", [f"pg_catalog, {extension_schema}"])
    drain(conn)
    conn.execute("select set_config('search_path', %s, false)", [former])


def _search_path(function: dict[str, object]) -> str:
    settings = function["config"]
    assert settings is None or isinstance(settings, list)
    found = [s for s in settings or [] if s.startswith("search_path=")]
    return found[0].removeprefix("search_path=") if found else ""


def _inlines(name: str) -> bool:
    return name.startswith(("nearest_", "key_"))


def _shape(table: str, suffix: str) -> re.Pattern[str]:
    return re.compile(rf"{re.escape(table)}_[a-z0-9_]+_{suffix}")


def _well_named_constraint(constraint: dict[str, str]) -> bool:
    """Exact for keys; a check may have a word in place of several columns."""
    table, kind, name = constraint["table"], constraint["kind"], constraint["name"]
    if kind == "p":
        return name == f"{table}_pkey"
    if kind == "c":
        return bool(_shape(table, "check").fullmatch(name))
    return name == f"{table}_{constraint['columns']}_{SUFFIX[kind]}"
