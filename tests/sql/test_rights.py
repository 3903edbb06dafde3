"""With whose rights things run: an application's, a table owner's, evervec's."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.cluster import OWNER
from tests.support.roles import role
from tests.support.sql_worker import add_toy_model, drain, rows


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


@pytest.mark.parametrize(
    ("call", "volatility"),
    [
        ("evervec.due_indexes()", "volatile"),
        ("evervec.due_indexes()", "immutable"),
        ("evervec.pending()", "immutable"),
    ],
)
def test_a_policy_forced_on_us_gains_no_rights(
    conn: psycopg.Connection, superuser_conn: psycopg.Connection, call: str, volatility: str
) -> None:
    """An immutable function is run by the planner already."""
    with role(superuser_conn) as owner:
        superuser_conn.execute(
            f"grant {owner} to {OWNER}; grant create on schema public to {owner}"
        )
        add_toy_model(conn)
        conn.execute(
            f"""
            create table film (id integer primary key, title text);
            alter table film owner to {owner};
            insert into film values (1, 'Alien');
            select evervec.track('film', '{{title}}', p_model => 'toy');
            """
        )
        drain(conn)
        superuser_conn.execute(
            f"""
            set role {owner};
            create function spy() returns boolean {volatility} language plpgsql as
                $$ begin raise notice 'run as %', current_user; return true; end $$;
            create policy spy on film using (spy());
            create policy spy on film_embedding using (spy());
            alter table film enable row level security, force row level security;
            alter table film_embedding enable row level security, force row level security;
            reset role;
            update evervec.source set pass_kind = 'backfill', pass_stage = 'rows'
             where '{call}' like '%pending%';
            """
        )
        heard: list[str | None] = []
        conn.add_notice_handler(lambda notice: heard.append(notice.message_primary))

        conn.execute(f"select {call}".encode())

        assert heard == []
