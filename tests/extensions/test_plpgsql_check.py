"""plpgsql_check has nothing to say of any function, the generated ones included."""

from __future__ import annotations

import psycopg
import pytest

from tests.sql.test_secrets import VAULT
from tests.support import pg_cron
from tests.support.sql_worker import rows

# Every kind of source: their generated functions differ.
SOURCES = """
    create table genre (id integer primary key, name text);
    create table plain (id integer primary key, title text);
    create table dated (at timestamptz, place text, title text, primary key (at, place))
           partition by range (at);
    create table dated_all partition of dated default;
    create table own_column (id integer primary key, title text);
    create table by_hand (id integer primary key);
    create table keyed (id integer primary key, title text);
    create table joined (id integer primary key, title text, genre_id integer);

    select evervec.track('plain', '{title}', p_model => 'toy', p_text_search => 'simple');
    select evervec.add_filter('plain', 'some', 'plain.id < p_id', '{p_id integer}');
    select evervec.track('dated', '{title}', p_model => 'toy');
    select evervec.track('own_column', '{title}', p_model => 'toy', p_storage => 'column');
    select evervec.track('by_hand', p_model => 'toy', p_storage => 'manual');
    select evervec.track('keyed', '{title}', p_model => 'toy', p_foreign_key => true);
    select evervec.track('joined', p_model => 'toy',
        p_text_sql => 'title || (select g.name from public.genre g where g.id = genre_id)',
        p_depends_on => '{"public.genre": {"columns": ["id"], "watch": ["name"], "keys":
            "select j.id from public.joined j join changed c on c.id = j.genre_id"}}');
"""

# A trigger function once with each table it serves: its OLD, NEW and transition tables are theirs.
FINDINGS = """
    select distinct p.proname as function, c.message
      from pg_proc p
      join pg_language l on l.oid = p.prolang and l.lanname = 'plpgsql'
      left join pg_trigger t on t.tgfoid = p.oid
      cross join lateral plpgsql_check_function_tb(
          p.oid, coalesce(t.tgrelid, 0), oldtable => t.tgoldtable, newtable => t.tgnewtable) c
     where p.pronamespace = 'evervec'::regnamespace
       and (p.prorettype <> 'trigger'::regtype or t.oid is not null)
       -- Of the columns that a dynamic query returns.
       and c.detail is distinct from 'cannot to determine result of dynamic SQL'
"""

# What is meant as it is.
MEANT = {
    ("claim_jobs", 'unused parameter "p_worker"'),  # for the caller's own records
    ("due_jobs", 'composite OUT variable "job" is not single argument'),
    # write_<source> has one signature for every kind of storage.
    ("write_own_column", 'unused parameter "p_model_id"'),
    ("write_own_column", 'unused parameter "p_notes"'),
}
# Searches assign what set_config returns: cheaper than PERFORM.
NOT_READ = 'never read variable "v_done"'


@pytest.mark.plpgsql_check
def test_plpgsql_check_finds_nothing(
    film: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    film.execute(SOURCES)
    superuser_conn.execute(VAULT)
    pg_cron.install(superuser_conn)
    superuser_conn.execute("create extension plpgsql_check")

    found = {(f["function"], f["message"]) for f in rows(superuser_conn, FINDINGS)}

    assert {f for f in found if f[1] != NOT_READ} == MEANT
