"""Row-level security of a table reaches the vectors of its rows."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.support.cluster import OWNER, Database
from tests.support.in_step import assert_in_step, drain_all, reconcile
from tests.support.roles import role, session_of
from tests.support.sql_worker import Row, add_toy_model, drain, raises, rows, toy_vector, value


@pytest.fixture
def tenant(superuser_conn: psycopg.Connection) -> Iterator[str]:
    with role(superuser_conn) as name:
        yield name


@pytest.fixture
def note(conn: psycopg.Connection, tenant: str) -> psycopg.Connection:
    """note(id, tenant, body) with a policy: the tenant sees rows 1 to 3 of 10."""
    add_toy_model(conn)
    conn.execute(
        f"""
        create table note (id integer primary key, tenant name, body text);
        insert into note
        select g, case when g <= 3 then '{tenant}' else 'other' end, 'Note ' || g
          from generate_series(1, 10) g;
        alter table note enable row level security;
        create policy own on note using (tenant = current_user);
        grant select on note to {tenant};
        """
    )
    return conn


def track(conn: psycopg.Connection, tenant: str, **options: str) -> None:
    """Track note, embed it, and let the tenant search."""
    given = {"p_template": "{body}", "p_model": "toy", "p_index": "none"} | options
    more = "".join(f", {name} => '{option}'" for name, option in given.items() if option)
    conn.execute(f"select evervec.track('note'{more})".encode())
    drain(conn)
    conn.execute("select evervec.grant_access(%s, 'reader')", [tenant])


def assert_note_in_step(conn: psycopg.Connection) -> None:
    assert_in_step(conn, "note", text=lambda row: row["body"] or None)


def findings(conn: psycopg.Connection) -> list[Row]:
    return rows(conn, "select * from evervec.doctor('note')")


def keys(conn: psycopg.Connection, query: str = "select id from note_embedding") -> list[int]:
    return sorted(row[0] for row in conn.execute(query.encode()).fetchall())


def test_a_table_with_row_level_security_is_protected_by_track(
    note: psycopg.Connection, database: Database, tenant: str
) -> None:
    track(note, tenant)

    query = toy_vector("Note 7")
    with session_of(database, tenant) as conn:
        assert keys(conn) == [1, 2, 3]
        assert keys(conn, f"select id from evervec.nearest_note('{query}', 10)") == [1, 2, 3]
        found = rows(conn, "select row_key from evervec.find_similar('note', %s)", query)
        assert sorted(row["row_key"]["id"] for row in found) == [1, 2, 3]
        to = rows(conn, "select row_key from evervec.find_similar_to('note', '{\"id\": 1}')")
        assert sorted(row["row_key"]["id"] for row in to) == [2, 3]
        with raises(conn, "VE203", "has no vector"):
            conn.execute("select * from evervec.find_similar_to('note', '{\"id\": 7}')")
    assert keys(note) == list(range(1, 11))
    assert findings(note) == []


def test_a_table_that_gains_row_level_security_later_is_told_and_mended(
    note: psycopg.Connection, database: Database, tenant: str
) -> None:
    note.execute("alter table note disable row level security")
    track(note, tenant)
    with session_of(database, tenant) as conn:
        assert len(keys(conn)) == 10

    note.execute("alter table note enable row level security")

    (finding,) = findings(note)
    (alert,) = rows(note, "select * from evervec.alerts where source = 'note'")
    assert (finding["finding"], finding["severity"]) == ("unprotected vectors", "error")
    assert (alert["alert"], alert["remedy"]) == ("unprotected vectors", finding["remedy"])
    assert value(note, finding["remedy"]) is True
    assert findings(note) == []
    with session_of(database, tenant) as conn:
        assert keys(conn) == [1, 2, 3]


def test_protect_may_be_called_again(note: psycopg.Connection, tenant: str) -> None:
    track(note, tenant)
    before = rows(note, "select polname, polroles, pg_get_expr(polqual, polrelid) from pg_policy")

    assert value(note, "select evervec.protect('note')") is True

    query = "select polname, polroles, pg_get_expr(polqual, polrelid) from pg_policy"
    assert rows(note, query) == before


def test_unprotect_opens_the_vectors_and_leaves_policies_of_others(
    note: psycopg.Connection, database: Database, tenant: str
) -> None:
    track(note, tenant)
    assert value(note, "select evervec.unprotect('note')") is True
    with session_of(database, tenant) as conn:
        assert len(keys(conn)) == 10
    assert value(note, "select evervec.unprotect('note')") is False
    assert [f["finding"] for f in findings(note)] == ["unprotected vectors"]

    note.execute("select evervec.protect('note')")
    note.execute("create policy mine on note_embedding using (id = 9)")
    note.execute("select evervec.unprotect('note')")

    with session_of(database, tenant) as conn:
        assert keys(conn) == [9]


def test_retrack_protects_again(note: psycopg.Connection, database: Database, tenant: str) -> None:
    track(note, tenant)
    note.execute("select evervec.unprotect('note'); select evervec.retrack('note')")

    with session_of(database, tenant) as conn:
        assert keys(conn) == [1, 2, 3]
        assert keys(conn, f"select id from evervec.nearest_note('{toy_vector('x')}')") == [1, 2, 3]


def test_who_may_not_select_from_the_table_sees_no_vector(
    note: psycopg.Connection, database: Database, tenant: str
) -> None:
    track(note, tenant)
    note.execute(f"revoke select on note from {tenant}")

    with (
        session_of(database, tenant) as conn,
        raises(conn, "42501", "permission denied for table note", ours=False),
    ):
        keys(conn)


def test_who_may_select_the_key_column_alone_sees_what_the_policies_show(
    note: psycopg.Connection, database: Database, tenant: str
) -> None:
    track(note, tenant)
    note.execute(f"revoke select on note from {tenant}; grant select (id) on note to {tenant}")

    with session_of(database, tenant) as conn:
        assert keys(conn) == [1, 2, 3]


@pytest.mark.parametrize("forced", [False, True])
@pytest.mark.parametrize("foreign_key", ["false", "true"])
def test_evervec_sees_every_vector(
    note: psycopg.Connection,
    superuser_conn: psycopg.Connection,
    tenant: str,
    forced: bool,
    foreign_key: str,
) -> None:
    """Claim, complete, erase, slices, coverage and counts, also when forced upon the owner.

    Examined by a superuser: what policies hide from evervec, they would hide from its owner here.
    """
    track(note, tenant, p_foreign_key=foreign_key, p_index="hnsw")
    if forced:
        note.execute("alter table note_embedding force row level security")

    note.execute("update note set body = 'Changed' where id in (2, 5)")
    note.execute("update note set id = 40 where id = 4; update note set id = 30 where id = 3")
    note.execute("delete from note where id in (1, 6)")
    note.execute("insert into note values (11, 'other', 'New')")
    note.execute("update note set body = '' where id = 7")
    assert sorted(drain(note).texts) == [
        *("Changed", "Changed", "New"),
        *(("Note 3", "Note 4") if foreign_key == "false" else ()),
    ]
    assert_note_in_step(superuser_conn)
    assert keys(superuser_conn) == [2, 5, 8, 9, 10, 11, 30, 40]
    assert value(note, "select embedded from evervec.coverage('note')") == 8

    with note.transaction():
        note.execute("set local evervec.bypass = on")
        note.execute("update note set body = 'Unseen' where id = 8")
        if foreign_key == "false":
            note.execute("delete from note where id = 9")
    reconcile(note, "note")
    drain_all(note)
    assert_note_in_step(superuser_conn)
    assert value(note, "select evervec.build_index('note')") is True
    assert value(note, "select evervec.reset('note')") == (7 if foreign_key == "false" else 8)
    drain_all(note)
    assert_note_in_step(superuser_conn)
    assert [f for f in findings(note) if f["severity"] == "error"] == []
    note.execute("truncate note cascade")
    drain_all(note)
    assert keys(superuser_conn) == []


def test_a_table_of_another_role_is_protected_as_well(
    conn: psycopg.Connection,
    superuser_conn: psycopg.Connection,
    database: Database,
    tenant: str,
) -> None:
    with role(superuser_conn) as owner:
        superuser_conn.execute(
            f"grant {owner} to {OWNER}; grant create on schema public to {owner}"
        )
        add_toy_model(conn)
        conn.execute(
            f"""
            create table note (id integer primary key, tenant name, body text);
            insert into note select g, case when g = 1 then '{tenant}' end, 'Note ' || g
              from generate_series(1, 5) g;
            alter table note enable row level security;
            create policy own on note using (tenant = current_user);
            grant select on note to {tenant};
            alter table note owner to {owner};
            """
        )
        track(conn, tenant)
        conn.execute("alter table note_embedding force row level security")
        conn.execute("update note set body = 'x' where id = 2; delete from note where id = 3")
        drain(conn)

        assert_note_in_step(conn)
        with session_of(database, tenant) as session:
            assert keys(session) == [1]
        with session_of(database, owner) as session:
            assert keys(session) == [1, 2, 4, 5]


def test_a_source_whose_owner_does_not_see_every_row_is_refused(
    note: psycopg.Connection, tenant: str
) -> None:
    track(note, tenant)
    note.execute("alter table note force row level security")

    with raises(note, "VE110", "row-level security would hide rows"):
        note.execute("select evervec.protect('note')")


def test_column_storage_is_protected_by_the_table_itself(
    note: psycopg.Connection, database: Database, tenant: str
) -> None:
    track(note, tenant, p_storage="column")
    heard: list[str] = []
    note.add_notice_handler(lambda notice: heard.append(notice.message_primary or ""))

    assert value(note, "select evervec.protect('note')") is False

    assert "are in public.note itself" in heard[0]
    assert rows(note, "select polname from pg_policy where polrelid = 'note'::regclass") == [
        {"polname": "own"}
    ]
    assert findings(note) == []
    with session_of(database, tenant) as conn:
        query = toy_vector("Note 7")
        assert keys(conn, f"select id from evervec.nearest_note('{query}', 10)") == [1, 2, 3]


def test_vectors_brought_by_the_application_are_protected_and_its_tenants_bring_none(
    note: psycopg.Connection, database: Database, tenant: str
) -> None:
    track(note, tenant, p_storage="manual", p_template="")
    note.execute(
        "select evervec.put_embeddings('note',"
        " array(select jsonb_build_object('id', g) from generate_series(1, 10) g),"
        " array(select format('[1,2,3,%s]', g)::vector from generate_series(1, 10) g))"
    )
    note.execute("select evervec.grant_access(%s, 'writer')", [tenant])

    with session_of(database, tenant) as conn:
        assert keys(conn) == [1, 2, 3]
        for call in (
            "select evervec.put_embedding('note', '{\"id\": 1}', '[1,2,3,4]')",
            "select evervec.delete_embedding('note', '{\"id\": 7}')",
        ):
            with raises(conn, "VE213", "row-level security applies to you"):
                conn.execute(call.encode())
    assert len(keys(note)) == 10


@pytest.mark.parametrize("partitioned", [False, True])
def test_keys_of_several_columns_odd_names_and_partitions(
    conn: psycopg.Connection, database: Database, tenant: str, partitioned: bool
) -> None:
    add_toy_model(conn)
    conn.execute(
        f"""
        create schema "My App";
        grant usage on schema "My App" to {tenant};
        create table "My App"."s" (
            "Order" uuid, "embedding" timestamptz, who name, body text,
            primary key ("Order", "embedding")
        ) {'partition by hash ("Order")' if partitioned else ""}
        """
    )
    if partitioned:
        conn.execute(
            'create table "My App".p0 partition of "My App".s'
            " for values with (modulus 1, remainder 0)"
        )
    conn.execute(
        f"""
        insert into "My App".s
        select gen_random_uuid(), now() + g * interval '1 day', case when g < 3 then '{tenant}' end,
               'Body ' || g from generate_series(1, 6) g;
        alter table "My App".s enable row level security;
        create policy own on "My App".s using (who = current_user);
        grant select on "My App".s to {tenant};
        select evervec.track('"My App".s', '{{body}}', p_model => 'toy');
        """
    )
    drain(conn)
    conn.execute("select evervec.grant_access(%s, 'reader')", [tenant])

    with session_of(database, tenant) as session:
        assert value(session, 'select count(*) from "My App".s_embedding') == 2
        found = rows(session, "select * from evervec.find_similar('s', %s)", toy_vector("x"))
        assert len(found) == 2
    assert value(conn, 'select count(*) from "My App".s_embedding') == 6


def test_a_key_changes_its_type_while_the_source_is_suspended(
    note: psycopg.Connection, database: Database, tenant: str
) -> None:
    track(note, tenant)
    note.execute("select evervec.suspend('note')")
    with session_of(database, tenant) as conn:
        assert keys(conn) == []  # rather nothing than what was hidden
    assert [f["finding"] for f in findings(note)] == ["suspended"]
    note.execute("alter table note alter column id type bigint")
    note.execute("select evervec.retrack('note')")
    drain(note)

    assert_note_in_step(note)
    with session_of(database, tenant) as conn:
        assert keys(conn) == [1, 2, 3]


def test_renames_are_followed(note: psycopg.Connection, database: Database, tenant: str) -> None:
    track(note, tenant)
    note.execute("alter table note rename column id to number; alter table note rename to memo")
    note.execute("select evervec.tick()")

    with session_of(database, tenant) as conn:
        assert keys(conn) == [1, 2, 3]


def test_after_the_table_was_dropped_with_its_policies_nobody_sees_the_vectors(
    note: psycopg.Connection, database: Database, tenant: str
) -> None:
    track(note, tenant)
    note.execute("set client_min_messages = warning; drop table note cascade")

    with session_of(database, tenant) as conn:
        assert keys(conn) == []


def test_a_policy_that_somebody_dropped_is_told(note: psycopg.Connection, tenant: str) -> None:
    track(note, tenant)
    note.execute("drop policy evervec_visible on note_embedding")

    (finding,) = findings(note)
    assert finding["finding"] == "hidden vectors"
    note.execute(finding["remedy"])
    assert findings(note) == []


def test_the_policy_looks_rows_up_one_by_one(
    note: psycopg.Connection, database: Database, tenant: str
) -> None:
    """As an EXISTS it would become a hashed scan of the whole table."""
    note.execute(
        f"insert into note select g, case when g % 10 = 0 then '{tenant}' end, 'Note ' || g"
        " from generate_series(11, 3000) g"
    )
    track(note, tenant, p_index="hnsw")
    note.execute("select evervec.build_index('note'); analyze note; analyze note_embedding")

    with session_of(database, tenant) as conn:
        plan = "\n".join(
            row[0]
            for row in conn.execute(
                "explain select id from note_embedding order by embedding <=> '[1,2,3,4]' limit 10"
            ).fetchall()
        )
    assert "Index Scan using note_embedding_embedding_idx" in plan
    assert "Index Scan using note_pkey on note s" in plan
    assert "hashed" not in plan
    assert "Seq Scan" not in plan


@pytest.mark.parametrize("limit", [10, 100, 300, 1000])
def test_who_sees_a_tenth_of_the_rows_gets_full_answers(
    note: psycopg.Connection, database: Database, tenant: str, limit: int
) -> None:
    """Through the index: as many rows as were asked for, or all that there are to see."""
    note.execute(
        f"insert into note select g, case when g % 10 = 0 then '{tenant}' end, 'Note ' || g"
        " from generate_series(11, 6000) g; delete from note where id < 10"
    )
    track(note, tenant, p_index="hnsw")
    note.execute("select evervec.build_index('note'); analyze note; analyze note_embedding")
    query = toy_vector("nothing of these")
    exact = rows(
        note,
        "select e.id from note_embedding e join note n using (id) where n.tenant = %s"
        " order by (e.embedding <=> %s::vector) + 0 limit %s",
        tenant,
        query,
        limit,
    )
    assert len(exact) == min(limit, 599)

    with session_of(database, tenant) as conn:
        typed = rows(conn, "select id from evervec.find_similar_note(%s, %s)", query, limit)
        general = rows(conn, "select * from evervec.find_similar('note', %s, %s)", query, limit)

    assert len(typed) == len(general) == len(exact)
    assert len({row["id"] for row in typed} & {row["id"] for row in exact}) >= 0.95 * len(exact)


def test_an_embedding_table_of_any_name_is_protected(
    note: psycopg.Connection, database: Database, tenant: str
) -> None:
    track(note, tenant)
    for name in ("s", "r", "e"):
        table = value(note, "select target::regclass::text from evervec.source")
        note.execute(f"alter table {table} rename to {name}".encode())
        note.execute("select evervec.protect('note')")
        with session_of(database, tenant) as session:
            assert keys(session, f"select id from {name}") == [1, 2, 3]
