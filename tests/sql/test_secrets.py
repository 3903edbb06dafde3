"""Secrets: nowhere but where they are kept, over a dump too, and in Supabase Vault where it is."""

from __future__ import annotations

import subprocess

import psycopg
import pytest

from evervec import embedded, migrate
from evervec.db import Database as Client
from tests.support.cluster import OWNER, Cluster, Database, running_own_cluster
from tests.support.rings import checked, signed
from tests.support.sessions import in_thread, sessions
from tests.support.sql_worker import rows, value

# The objects of supabase_vault 0.3 that are used, over text that is not enciphered. Its entry among
# the extensions is made by hand: the extension itself is not to be had here.
VAULT = f"""
create schema vault;
create table vault.secrets (id uuid primary key default gen_random_uuid(), name text unique,
                            description text not null default '', secret text not null);
create view vault.decrypted_secrets as
    select s.*, convert_from(decode(s.secret, 'base64'), 'utf8') as decrypted_secret
      from vault.secrets s;
create function vault.create_secret(new_secret text, new_name text = null,
                                    new_description text = '', new_key_id uuid = null)
returns uuid language sql set search_path = '' as $$
    insert into vault.secrets (secret, name, description)
    values (encode(convert_to(new_secret, 'utf8'), 'base64'), new_name, new_description)
    returning id
$$;
grant usage on schema vault to {OWNER};
grant select, insert, delete on vault.secrets, vault.decrypted_secrets to {OWNER};
"""
INSTALLED = """
set allow_system_table_mods = on;
insert into pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
select 999999, 'supabase_vault', nspowner, oid, false, '0.3.1'
  from pg_namespace where nspname = 'vault';
reset allow_system_table_mods;
"""


@pytest.fixture
def vault(superuser_conn: psycopg.Connection) -> psycopg.Connection:
    """The vault's own superuser, in a database that has it."""
    superuser_conn.execute(VAULT)
    superuser_conn.execute(INSTALLED)
    return superuser_conn


def test_a_token_is_in_no_statement_that_others_see(
    conn: psycopg.Connection, url: str, superuser_conn: psycopg.Connection
) -> None:
    token = value(conn, "select evervec.create_token('web')")
    with sessions(url) as two, Client(url) as client:
        holder = two.begin()
        holder.execute("lock evervec.api_token")
        check = in_thread(lambda: client.check_token(token))
        waiting = (
            "select query from pg_stat_activity where query like %s and wait_event is not null"
        )
        pattern = "select name, scopes%check_token%"
        two.wait_until(lambda: rows(superuser_conn, waiting, pattern))
        (seen,) = rows(superuser_conn, waiting, pattern)
        holder.rollback()
        assert check.result() is not None
    assert token[4:] not in seen["query"]


def test_no_secret_is_in_the_log_of_a_server_that_logs_everything() -> None:
    """Statements with their parameters, and errors with their context."""
    with running_own_cluster() as own, own.cluster.bare_database() as database:
        log = own.data_dir / "server.log"
        with psycopg.connect(database.superuser_url, autocommit=True) as superuser:
            for setting, wanted in {
                "log_statement": "all",
                "log_min_messages": "debug1",
                "log_min_error_statement": "debug1",
                "log_error_verbosity": "verbose",
                "log_parameter_max_length_on_error": "-1",
            }.items():
                superuser.execute(f"alter database {database.name} set {setting} = '{wanted}'")
        migrate.apply(database.url)
        with psycopg.connect(database.url, autocommit=True) as conn, Client(database.url) as client:
            conn.execute("select evervec.rotate_secret()")
            secret = value(conn, "select value from evervec.secret")
            token = client.create_token("web")
            assert client.check_token(token) is not None
            ring = signed(conn)
            assert client.check_ring(ring.timestamp, ring.nonce, ring.body, ring.signature) == "ok"
            for failing in (
                "select evervec.create_token('web')",
                "select evervec.check_ring(1, 'x', 'y', 'v1=', 'too many')",
                "insert into evervec.secret (name) select name from evervec.secret",
            ):
                with pytest.raises(psycopg.Error) as caught:
                    conn.execute(failing.encode())
                assert secret not in str(caught.value.diag.message_detail)
        written = log.read_text()
    assert "check_token" in written
    assert "rotate_secret" in written
    assert secret not in written
    assert token[4:] not in written


def test_a_restored_dump_believes_the_same_rings_and_tokens(
    conn: psycopg.Connection, database: Database, cluster: Cluster
) -> None:
    conn.execute("select evervec.rotate_secret()")
    token = value(conn, "select evervec.create_token('web')")
    heard, unheard = signed(conn), signed(conn)
    assert checked(conn, heard) == "ok"
    dump = subprocess.run(
        [embedded.program("pg_dump"), database.superuser_url], capture_output=True, check=True
    ).stdout
    assert token.encode() not in dump
    with cluster.database("template1") as restored:
        psql = [
            str(embedded.program("psql")),
            "--set=ON_ERROR_STOP=1",
            "-q",
            restored.superuser_url,
        ]
        subprocess.run(psql, input=dump, stdout=subprocess.DEVNULL, check=True)
        with (
            psycopg.connect(restored.url, autocommit=True) as there,
            Client(restored.url) as client,
        ):
            assert [checked(there, ring) for ring in (heard, unheard)] == ["replayed", "ok"]
            assert checked(there, signed(there)) == "ok"
            assert client.check_token(token) is not None


def test_secrets_are_kept_in_the_vault_where_there_is_one(
    conn: psycopg.Connection, vault: psycopg.Connection
) -> None:
    conn.execute("select evervec.rotate_secret()")
    former = signed(conn)
    conn.execute("select evervec.rotate_secret()")

    assert checked(conn, signed(conn)) == "ok"
    assert checked(conn, former) == "ok"
    assert value(conn, "select count(value) from evervec.secret") == 0
    names = [row["name"] for row in rows(vault, "select name from vault.secrets")]
    assert len(names) == 2
    assert all(name.startswith("evervec ring ") for name in names)


def test_a_secret_moves_to_the_vault_when_it_is_rotated_and_leaves_nothing_there(
    conn: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    kept = "select count(*) from vault.secrets"
    conn.execute("select evervec.rotate_secret()")
    superuser_conn.execute(VAULT)
    superuser_conn.execute(INSTALLED)
    former = signed(conn)
    conn.execute("select evervec.rotate_secret()")
    assert checked(conn, former) == "ok"
    assert value(superuser_conn, kept) == 1

    conn.execute("select evervec.rotate_secret('0')")
    assert checked(conn, signed(conn)) == "ok"
    assert value(superuser_conn, kept) == 1


def test_a_schema_that_is_only_called_vault_is_not_trusted(
    conn: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    superuser_conn.execute(VAULT)
    conn.execute("select evervec.rotate_secret()")
    assert value(superuser_conn, "select count(*) from vault.secrets") == 0


def test_an_owner_who_may_not_use_the_vault_keeps_secrets_himself(
    conn: psycopg.Connection, vault: psycopg.Connection
) -> None:
    vault.execute(f"revoke usage on schema vault from {OWNER}")
    conn.execute("select evervec.rotate_secret()")
    assert checked(conn, signed(conn)) == "ok"


def test_a_rollback_leaves_nothing_in_the_vault(
    conn: psycopg.Connection, vault: psycopg.Connection, url: str
) -> None:
    conn.execute("select evervec.rotate_secret()")
    migrate.rollback(url, everything=True)
    assert value(vault, "select count(*) from vault.secrets") == 0
