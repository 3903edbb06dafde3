"""Who may do what with evervec: nobody anything, and each kind of access what the manual says."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import pytest

from evervec import migrate
from tests.support import dumps
from tests.support.cluster import OWNER, Cluster, Database
from tests.support.roles import role, session_of
from tests.support.sql_worker import Row, add_toy_model, drain, raises, rows, value
from tools.chain import ROOT

KINDS = ("reader", "writer", "worker", "admin")

# Every object of schema evervec and every embedding table, and what the given role (0: PUBLIC)
# was granted on it.
GRANTED = """
    select 'schema evervec' as object, lower(a.privilege_type) as privilege
      from pg_namespace n cross join lateral aclexplode(n.nspacl) a
     where n.nspname = 'evervec' and a.grantee = %(role)s
    union all
    select 'function ' || p.proname, lower(a.privilege_type)
      from pg_proc p
      cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
     where p.pronamespace = 'evervec'::regnamespace and a.grantee = %(role)s
    union all
    select c.relname, lower(a.privilege_type)
      from pg_class c
      cross join lateral aclexplode(coalesce(
          c.relacl, acldefault(case c.relkind when 'S' then 's' else 'r' end::"char", c.relowner))
      ) a
     where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
       and (c.relnamespace = 'evervec'::regnamespace
            or c.oid in (select s.target from evervec.source s))
       and a.grantee = %(role)s
    union all
    select c.relname || '.' || t.attname, lower(a.privilege_type)
      from pg_attribute t
      join pg_class c on c.oid = t.attrelid
      cross join lateral aclexplode(t.attacl) a
     where c.relnamespace = 'evervec'::regnamespace and a.grantee = %(role)s
"""

# What PUBLIC has on schema evervec, and on what is in it.
PUBLIC: set[tuple[str, str]] = set()


@pytest.fixture
def somebody(superuser_conn: psycopg.Connection) -> Iterator[str]:
    with role(superuser_conn) as name:
        yield name


def granted(conn: psycopg.Connection, name: str) -> set[tuple[str, str]]:
    oid = value(conn, "select %s::regrole::oid", name) if name else 0
    found = conn.execute(GRANTED.encode(), {"role": oid}).fetchall()
    return {(row[0], row[1]) for row in found}


def manual(
    kind: str, *sources: str, filters: tuple[str, ...] = (), words: bool = False
) -> set[tuple[str, str]]:
    """What docs/security.md says that a kind may do; words: the sources keep words, too."""
    text = (ROOT / "docs" / "security.md").read_text()
    (line,) = re.findall(rf"^\| {kind} \|(.*)\|(.*)\|(.*)\|$", text, re.MULTILINE)
    functions, of_source, relations = line
    found = {("schema evervec", "usage")}
    found |= {(f"function {name}", "execute") for name in re.findall(r"`(\w+)`", functions)}
    for source in sources:
        for prefix in re.findall(r"`(\w+)_<source>`", of_source):
            if prefix != "hybrid_search" or words:
                found.add((f"function {prefix}_{source}", "execute"))
        for prefix in re.findall(r"`(\w+)_<source>_<filter>`", of_source):
            if prefix != "hybrid_search" or words:
                found |= {(f"function {prefix}_{source}_{name}", "execute") for name in filters}
        if "SELECT on the embedding table" in of_source:
            found.add((f"{source}_embedding", "select"))
    for privilege, names in re.findall(r"([A-Z]+): ([^;]*)", relations):
        found |= {(name, privilege.lower()) for name in re.findall(r"`(\w+)`", names)}
    return found


def track(conn: psycopg.Connection, table: str) -> None:
    conn.execute(f"create table {table} (id integer primary key, title text)".encode())
    conn.execute("select evervec.track(%s::regclass, '{title}', p_model => 'toy')", [table])


def test_public_has_exactly_what_is_listed(film: psycopg.Connection) -> None:
    film.execute(
        "select evervec.track('film', p_name => 'poster', p_storage => 'manual', p_model => 'toy')"
    )
    assert granted(film, "") == PUBLIC


def test_every_security_definer_function_pins_its_search_path(film: psycopg.Connection) -> None:
    """Those that were generated for a source, too; pg_temp comes last."""
    unpinned = rows(
        film,
        """
        select p.oid::regprocedure::text
          from pg_proc p
         where p.pronamespace = 'evervec'::regnamespace and p.prosecdef
           and not exists (select from unnest(p.proconfig) c (setting)
                            where c.setting ~ '^search_path=pg_catalog, .*, pg_temp$')
        """,
    )
    assert unpinned == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_has_exactly_what_the_manual_says(
    film: psycopg.Connection, somebody: str, kind: str
) -> None:
    film.execute("select evervec.grant_access(%s, %s)", [somebody, kind])

    assert granted(film, somebody) == manual(kind, "film")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_tracked_later_is_open_to_it_as_well(
    film: psycopg.Connection, somebody: str, kind: str
) -> None:
    film.execute("select evervec.grant_access(%s, %s)", [somebody, kind])
    track(film, "later")
    assert granted(film, somebody) == manual(kind, "film", "later")
    film.execute("select evervec.retrack('film')")
    assert granted(film, somebody) == manual(kind, "film", "later")


@pytest.mark.parametrize("kind", KINDS)
def test_filters_are_open_to_it_too(film: psycopg.Connection, somebody: str, kind: str) -> None:
    film.execute(
        "select evervec.add_filter('film', 'of_year', 'year = p_year', '{p_year integer}')"
    )
    film.execute("select evervec.grant_access(%s, %s)", [somebody, kind])
    film.execute("select evervec.add_filter('film', 'new', 'year > 1995')")
    assert granted(film, somebody) == manual(kind, "film", filters=("of_year", "new"))
    film.execute("select evervec.retrack('film', p_text_search => 'simple')")
    expected = manual(kind, "film", filters=("of_year", "new"), words=True)
    assert granted(film, somebody) == expected


def test_granting_twice_changes_nothing(film: psycopg.Connection, somebody: str) -> None:
    assert value(film, "select evervec.grant_access(%s, 'reader')", somebody) is True
    before = granted(film, somebody)
    assert value(film, "select evervec.grant_access(%s, 'reader')", somebody) is False
    assert value(film, "select evervec.renew_access()") == 0
    assert granted(film, somebody) == before


def test_revoking_leaves_what_another_kind_needs(film: psycopg.Connection, somebody: str) -> None:
    for kind in KINDS:
        film.execute("select evervec.grant_access(%s, %s)", [somebody, kind])
    left = list(KINDS)
    for kind in KINDS:
        assert value(film, "select evervec.revoke_access(%s, %s)", somebody, kind) is True
        left.remove(kind)
        assert granted(film, somebody) == set().union(*(manual(k, "film") for k in left))
    assert value(film, "select evervec.revoke_access(%s, 'reader')", somebody) is False
    track(film, "later")
    assert granted(film, somebody) == set()


def test_what_was_revoked_by_hand_comes_back(film: psycopg.Connection, somebody: str) -> None:
    film.execute("select evervec.grant_access(%s, 'worker')", [somebody])
    film.execute(f"revoke execute on function evervec.tick from {somebody}")
    film.execute(f"revoke select on evervec.status from {somebody}")

    (finding,) = rows(film, "select * from evervec.doctor() where severity = 'error'")
    assert finding["finding"] == "rights missing"
    assert "execute on function evervec.tick()" in finding["problem"]
    assert value(film, finding["remedy"]) == 2
    assert granted(film, somebody) == manual("worker", "film")


def test_the_owner_of_a_tracked_table_keeps_its_own_rights(
    conn: psycopg.Connection, superuser_conn: psycopg.Connection, somebody: str
) -> None:
    superuser_conn.execute(
        f"grant {somebody} to {OWNER}; grant create on schema public to {somebody}"
    )
    add_toy_model(conn)
    conn.execute(
        f"""
        create table film (id integer primary key, title text);
        insert into film values (1, 'Alien');
        alter table film owner to {somebody};
        select evervec.track('film', '{{title}}', p_model => 'toy');
        """
    )
    before = granted(conn, somebody)
    for kind in KINDS:
        conn.execute("select evervec.grant_access(%s, %s)", [somebody, kind])
        conn.execute("select evervec.revoke_access(%s, %s)", [somebody, kind])

    assert granted(conn, somebody) == before
    assert drain(conn).texts == ["Title: Alien"]


def test_bad_roles_and_kinds(film: psycopg.Connection, somebody: str) -> None:
    for call in ("grant_access", "revoke_access"):
        with raises(film, "VE214", 'role "nobody" does not exist'):
            film.execute(f"select evervec.{call}('nobody', 'reader')".encode())
        with raises(film, "VE214", f'role "{OWNER}" owns evervec'):
            film.execute(f"select evervec.{call}('{OWNER}', 'reader')".encode())
        with raises(film, "VE111", "p_kind cannot be 'owner'"):
            film.execute(f"select evervec.{call}('{somebody}', 'owner')".encode())
        with raises(film, "VE214", "does not exist"):
            film.execute(f"select evervec.{call}(null, 'reader')".encode())


def test_a_role_that_was_dropped_is_forgotten(
    film: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    with role(superuser_conn) as name:
        film.execute("select evervec.grant_access(%s, 'reader')", [name])
    track(film, "later")
    assert rows(film, "select * from evervec.access") == []


def test_a_role_that_was_renamed_keeps_its_rights_and_no_other_gets_them(
    film: psycopg.Connection, superuser_conn: psycopg.Connection, somebody: str
) -> None:
    film.execute("select evervec.grant_access(%s, 'reader')", [somebody])
    superuser_conn.execute(f"alter role {somebody} rename to {somebody}_2")
    superuser_conn.execute(f"create role {somebody}")
    try:
        track(film, "later")
        assert granted(film, f"{somebody}_2") == manual("reader", "film", "later")
        assert granted(film, somebody) == set()
    finally:
        superuser_conn.execute(f"drop role {somebody}")
        superuser_conn.execute(f"alter role {somebody}_2 rename to {somebody}")


def test_only_the_owner_of_evervec_gives_rights(
    film: psycopg.Connection, database: Database, somebody: str
) -> None:
    film.execute("select evervec.grant_access(%s, 'admin')", [somebody])
    with session_of(database, somebody) as conn:
        for call in ("grant_access", "revoke_access"):
            with raises(conn, "42501", "permission denied", ours=False):
                conn.execute(f"select evervec.{call}('{somebody}', 'reader')".encode())
        for change in (
            f"insert into evervec.access values ('{somebody}', 'reader')",
            "update evervec.source set name = 'x'",
            "delete from evervec.model",
            "select * from evervec.embedding_cache",
            "select * from evervec.query_cache",
            "select * from film_embedding",
        ):
            with raises(conn, "42501", "permission denied", ours=False):
                conn.execute(change.encode())


ADMIN = """
    doctor() | pending() | coverage('film') | estimate('film') | render('film', '{"id": 1}')
    | render_rows('film', array['{"id": 1}']::jsonb[]) | parse_key('film', '1')
    | get_source('film') | get_model('toy') | job_status(1) | dead_letters()
    | dead_letter_statistics() | pause('film') | resume('film') | backfill('film')
    | reconcile('film') | enqueue('film', array['{"id": 1}']::jsonb[])
    | enqueue('film', 'missing') | enqueue_task('batch', '{"source": "film", "pass": "backfill"}')
    | retry_dead_letters() | retry_dead_letter_of_job(7) | retry_dead_letter(7)
    | resolve_dead_letter(8)
    | add_model('other', 'toy', 3) | pause_model('toy')
    | resume_model('toy') | set_budget('toy', p_tokens_a_day => 5) | set_budget('toy')
    | cache_delete('film') | cache_delete() | due_indexes() | tick() | reset('film')
    | archive('film', '1 day') | restore('film') | apply_retention()
    | add_interaction_type('share', 0.5) | record_interaction('ada', 'film', '{"id": 1}', 'view')
    | record_interactions('[]') | clear_mark('ada', 'film', '{"id": 1}')
    | move_interactions('film', '{"id": 1}', '{"id": 2}') | forget_user('ada')
    | cleanup_expired() | ring() | maintenance_jobs() | current_user_id()
    | schedule_maintenance() | unschedule_maintenance()
    | tokens() | revoke_token('nobody') | index_status() | tune('film', null)
    | add_preference('film', 'mine') | update_user_embeddings()
    | update_user_embedding('ann', 'film')
    | update_trends() | cache_put('ann', 'taste', '1') | cache_get('ann', 'taste')
    | cache_forget('ann') | add_interaction_type('shared', 0.5)
    | record_interaction('ann', 'film', '{"id": 1}', 'view') | record_interactions('[]')
    | move_interactions('film', '{"id": 1}', '{"id": 2}')
    | clear_mark('ann', 'film', '{"id": 1}') | forget_user('ann')
"""


@pytest.mark.parametrize("call", [call.strip() for call in ADMIN.split("|")])
def test_an_admin_may_do_it(
    film: psycopg.Connection, database: Database, somebody: str, call: str
) -> None:
    """Also on a table that hides its rows; that there is no letter, pg_cron or token: no matter."""
    film.execute("alter table film enable row level security; select evervec.protect('film')")
    drain(film)
    film.execute("select evervec.grant_access(%s, 'admin')", [somebody])
    with session_of(database, somebody) as conn:
        state = None
        try:
            conn.execute(f"select * from evervec.{call}".encode())
        except psycopg.Error as error:
            state = error.sqlstate
    assert state in (None, "VE304", "VE412", "VE421")


def test_what_an_admin_may_do_is_all_tried() -> None:
    tried = set(re.findall(r"(?:^|\| )(\w+)\(", ADMIN.strip().replace("\n    ", " ")))
    public = {
        name.removeprefix("function ")
        for name, _ in manual("admin")
        if name.startswith("function ")
        and "$$Internal." not in _file(name.removeprefix("function "))
    }
    assert tried == public


def _file(name: str) -> str:
    (path,) = (ROOT / "sql" / "functions").rglob(f"{name}.sql")
    return path.read_text()


def test_an_admin_reads_views_whatever_is_wrong_and_changes_settings(
    film: psycopg.Connection, database: Database, somebody: str
) -> None:
    drain(film)
    film.execute(
        """
        alter table film enable row level security;
        alter table film disable trigger evervec_film_insert;
        drop trigger evervec_film_update on film;
        select evervec.pause_model('toy');
        select evervec.set_budget('toy', p_tokens_a_day => 1);
        insert into evervec.spending values ((now() at time zone 'UTC')::date, 'film', 'toy', 1, 1, 0, 0, 0, 9);
        update evervec.setting set value = '0' where name = 'alert_vectors_without_index';
        update evervec.source set last_error = 'x';
        insert into evervec.change_log select now() - interval '1 day', source_id, 'I' from evervec.source;
        """  # noqa: E501
    )
    film.execute("select evervec.grant_access(%s, 'admin')", [somebody])
    with session_of(database, somebody) as conn:
        alerts = {row["alert"] for row in rows(conn, "select * from evervec.alerts")}
        assert {"unprotected vectors", "budget spent", "failing", "old work"} < alerts
        for view in ("status", "cost", "budget_status", "egress", "access", "source"):
            assert rows(conn, f"select * from evervec.{view}")
        conn.execute("update evervec.setting set value = '1' where name = 'alert_dead_letters'")
        conn.execute("update evervec.model set requests_per_minute = 3")
        conn.execute("update evervec.retry_policy set max_attempts = 9")
        conn.execute(
            "insert into evervec.retry_policy (source_id, error_class)"
            " select source_id, 'timeout' from evervec.source"
        )
        conn.execute("delete from evervec.retry_policy where source_id is not null")


def test_rights_and_policies_come_back_from_a_dump(
    film: psycopg.Connection, database: Database, cluster: Cluster, somebody: str
) -> None:
    drain(film)
    film.execute("alter table film enable row level security; select evervec.protect('film')")
    for kind in KINDS:
        film.execute("select evervec.grant_access(%s, %s)", [somebody, kind])
    with cluster.database("template1") as restored:
        dumps.copy(database.superuser_url, restored.superuser_url)
        with psycopg.connect(restored.url, autocommit=True) as conn:
            expected = set().union(*(manual(kind, "film") for kind in KINDS))
            assert granted(conn, somebody) == expected
            assert value(conn, "select evervec.renew_access()") == 0
            conn.execute(f"grant select on film to {somebody}")
            with session_of(restored, somebody) as session:
                assert value(session, "select count(*) from film_embedding") == 0
            for kind in KINDS:
                conn.execute("select evervec.revoke_access(%s, %s)", [somebody, kind])
            assert granted(conn, somebody) == set()
            with psycopg.connect(restored.superuser_url, autocommit=True) as superuser:
                superuser.execute(f"drop owned by {somebody}")


def test_down_to_nothing_and_up_again_with_rights_and_policies(
    film: psycopg.Connection, database: Database, somebody: str
) -> None:
    drain(film)
    film.execute("alter table film enable row level security; select evervec.protect('film')")
    for kind in KINDS:
        film.execute("select evervec.grant_access(%s, %s)", [somebody, kind])

    migrate.rollback(database.url, everything=True, drop_vectors=True)

    left: list[Row] = rows(
        film,
        "select * from pg_shdepend where refobjid = %s::regrole"
        " and dbid = (select oid from pg_database where datname = current_database())",
        somebody,
    )
    assert left == []
    migrate.apply(database.url)
    assert rows(film, "select * from evervec.access") == []
