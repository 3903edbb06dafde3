"""With whose rights things run: an application's, a table owner's, evervec's."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.cluster import OWNER
from tests.support.roles import role
from tests.support.sql_worker import add_toy_model, claim, drain, rows, value


@pytest.mark.parametrize(
    "change",
    ["delete from film where id = 1", "update film set id = 9 where id = 1", "truncate film"],
)
@pytest.mark.parametrize("partitioned", [False, True])
def test_a_trigger_on_the_vectors_gains_no_rights(
    conn: psycopg.Connection, superuser_conn: psycopg.Connection, change: str, partitioned: bool
) -> None:
    """Vectors are removed with the rights of the table's owner, who may put triggers on them."""
    with role(superuser_conn) as owner:
        superuser_conn.execute(
            f"grant {owner} to {OWNER}; grant create on schema public to {owner}"
        )
        add_toy_model(conn)
        conn.execute(
            f"""
            create table film (id integer primary key, title text)
            {"partition by list (id)" if partitioned else ""};
            {"create table film_all partition of film default;" if partitioned else ""}
            alter table film owner to {owner};
            insert into film values (1, 'Alien');
            select evervec.track('film', '{{title}}', p_model => 'toy');
            """
        )
        drain(conn)
        superuser_conn.execute(
            f"""
            create table witness (name text); grant all on witness to public;
            set role {owner};
            create function spy() returns trigger language plpgsql as
                'begin insert into public.witness values (current_user); return null; end';
            create trigger spy after delete or truncate on film_embedding
                for each statement execute function spy();
            reset role;
            """
        )

        conn.execute(change)

        assert rows(conn, "select name from witness") == [{"name": owner}]
        assert rows(conn, "select * from film_embedding") == []


@pytest.mark.parametrize("storage", ["table", "column"])
@pytest.mark.parametrize(
    "call",
    [
        "select evervec.due_indexes()",
        "select evervec.pending()",
        "select evervec.doctor()",
        "select from evervec.alerts",
        "select from evervec.status",
        "select evervec.estimate('film')",
        "select evervec.coverage('film')",
        "select evervec.cache_delete('film')",
        "select evervec.reset('film')",
        "select evervec.enqueue('film', array['{\"id\": 1}']::jsonb[])",
        "select evervec.claim_jobs()",
        "select evervec.job_status(job_id) from evervec.processing_queue",
        "select evervec.tick()",
        "select evervec.cleanup_expired()",
        "select evervec.archive('film', p_where => 'title is not null')",
        "select evervec.archive('film', '1 us'), evervec.restore('film')",
        "select evervec.add_views('film'), evervec.drop_views('film')",
        "select evervec.maintain()",
    ],
)
def test_what_a_table_s_owner_has_put_around_it_gains_no_rights(
    conn: psycopg.Connection, superuser_conn: psycopg.Connection, call: str, storage: str
) -> None:
    """Policies, triggers, domains; and the planner runs the functions of a partial index."""
    with role(superuser_conn) as owner:
        superuser_conn.execute(
            f"grant {owner} to {OWNER}; grant create on schema public to {owner}"
        )
        add_toy_model(conn)
        superuser_conn.execute(
            f"""
            set role {owner};
            create function spy(text) returns boolean immutable language plpgsql as
                $$ begin raise notice '% as %', $1, current_user; return true; end $$;
            create function spy() returns trigger language plpgsql as
                $$ begin perform spy('trigger'); return new; end $$;
            create domain film_id as integer check (spy('domain ' || value));
            create table film (id film_id primary key, title text);
            reset role;
            """
        )
        conn.execute("insert into film values (1, 'Alien')")
        conn.execute(
            "select evervec.track('film', '{title}', p_model => 'toy', p_storage => %s)", [storage]
        )
        drain(conn)
        superuser_conn.execute(f"set role {owner}")
        for table in {"film", value(conn, "select target::text from evervec.source")}:
            superuser_conn.execute(
                f"""
                create policy spy on {table} using (spy('policy'));
                alter table {table} enable row level security;
                create index on {table} (id) where spy('index');
                create trigger spy before update or delete on {table}
                    for each row execute function spy();
                create trigger spy_all after truncate on {table}
                    for each statement execute function spy();
                """.encode()
            )
            if table == "film_embedding":
                superuser_conn.execute("alter table film_embedding force row level security")
        superuser_conn.execute("reset role")
        heard: list[str] = []
        conn.add_notice_handler(lambda notice: heard.append(notice.message_primary or ""))
        if "status" in call or "pending" in call:
            conn.execute(
                "select evervec.enqueue_task("
                ' \'batch\', \'{"source": "film", "pass": "backfill"}\')'
            )
            claim(conn)
            conn.execute("update evervec.source set pass_kind = 'backfill', pass_stage = 'rows'")
        elif "claim" in call:
            conn.execute(
                "select evervec.enqueue_task("
                ' \'regenerate\', \'{"source": "film", "fresh": true}\')'
            )
            claim(conn)

        conn.execute(call.encode())

        assert {name for name in heard if name.endswith(OWNER)} == set()
