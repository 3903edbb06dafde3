"""What doctor and alerts find: each thing broken once, told in a sentence, mended by its remedy."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.support.cluster import OWNER, Cluster
from tests.support.roles import role
from tests.support.sql_worker import Row, add_toy_model, claim, drain, rows, value

pytestmark = pytest.mark.usefixtures("recent_pgvector")

TRIGGERS = """
    select t.tgrelid::regclass::text || ' ' || t.tgname
      from pg_trigger t
      join pg_proc p on p.oid = t.tgfoid
     where p.pronamespace = 'evervec'::regnamespace
"""
EXPECTED = """
    select x.relation::text || ' ' || x.name
      from evervec.source s
      cross join lateral evervec.expected_triggers(s) x
"""

DEPENDENT = (
    "p_text_sql => $$ title || (select min(name) from public.genre) $$,"
    ' p_depends_on => \'{"public.genre": {"columns": ["id"], "keys":'
    ' "select f.id from changed c cross join public.film f"}}\''
)
GENRES = (
    '{"public.genre": {"columns": ["id"], "watch": ["name"], "keys":'
    ' "select f.id from public.film f join changed c on c.id = f.genre_id"}}'
)


@pytest.fixture
def well(film: psycopg.Connection) -> psycopg.Connection:
    """Table film, tracked, embedded, indexed: doctor has nothing to say."""
    drain(film)
    film.execute("select evervec.build_index('film')")
    assert examine(film) == []
    assert alerts(film) == []
    return film


def examine(conn: psycopg.Connection, *source: str) -> list[Row]:
    place = ", ".join(["%s"] * len(source))
    return rows(conn, f"select * from evervec.doctor({place})", *source)


def alerts(conn: psycopg.Connection) -> list[Row]:
    return rows(conn, "select * from evervec.alerts")


def only(findings: list[Row]) -> Row:
    """The one finding; every one has a sentence and a statement."""
    assert len(findings) == 1, findings
    assert findings[0]["problem"].endswith("."), findings
    assert findings[0]["remedy"].endswith(";"), findings
    return findings[0]


def told(conn: psycopg.Connection, finding: str, severity: str = "error") -> Row:
    """The one finding of doctor, which must be this."""
    found = only(examine(conn))
    assert (found["finding"], found["severity"]) == (finding, severity), found
    return found


def mend(conn: psycopg.Connection, finding: Row) -> None:
    """Execute the remedy; then drained, doctor and alerts find nothing of the kind."""
    conn.execute(finding["remedy"].encode())
    drain(conn)
    assert finding["finding"] not in [f["finding"] for f in examine(conn)]


@pytest.mark.parametrize(
    "options",
    [
        "'{title}'",
        "'{title}', p_storage => 'column'",
        "p_storage => 'manual'",
        "'{title}', p_foreign_key => true",
        "p_text_sql => '''A film'''",
        DEPENDENT,
    ],
    ids=["table", "column", "manual", "foreign key", "no columns", "dependency"],
)
@pytest.mark.parametrize("partitioned", [False, True], ids=["plain", "partitioned"])
def test_the_expected_triggers_are_those_that_track_makes(
    conn: psycopg.Connection, options: str, partitioned: bool
) -> None:
    add_toy_model(conn)
    by = "partition by range (id)" if partitioned else ""
    conn.execute(
        f"""
        create table genre (id integer primary key, name text) {by};
        create table film (id integer primary key, title text) {by};
        """.encode()
    )
    if partitioned:
        conn.execute(
            """
            create table genre_1 partition of genre default;
            create table film_1 partition of film for values from (0) to (10);
            create table film_2 partition of film default partition by range (id);
            create table film_3 partition of film_2 default;
            """
        )
    conn.execute(f"select evervec.track('film', {options}, p_model => 'toy')".encode())

    made, expected = ({r[0] for r in conn.execute(q)} for q in (TRIGGERS, EXPECTED))

    assert made == expected
    assert [f["finding"] for f in examine(conn)] == []


@pytest.mark.parametrize("name", ["insert", "update", "rekey", "delete", "truncate"])
def test_a_missing_trigger_is_found_and_made_again(well: psycopg.Connection, name: str) -> None:
    well.execute(f"drop trigger evervec_film_{name} on film")

    found = told(well, "missing triggers")

    assert f"evervec_film_{name}" in found["problem"]
    assert [a["alert"] for a in alerts(well)] == ["missing triggers"]
    mend(well, found)
    assert alerts(well) == []


@pytest.mark.parametrize("how", ["disable", "enable replica"])
def test_disabled_triggers_are_found_and_what_they_missed_is_embedded(
    well: psycopg.Connection, how: str
) -> None:
    for name in ("insert", "update"):
        well.execute(f"alter table film {how} trigger evervec_film_{name}")
    well.execute("insert into film values (11, 'Missed')")

    found = told(well, "disabled triggers")

    assert only(alerts(well))["alert"] == "disabled triggers"
    mend(well, found)
    assert alerts(well) == []
    assert value(well, "select count(*) from film_embedding") == 11


def test_a_trigger_of_a_partition_is_looked_at_too(conn: psycopg.Connection) -> None:
    add_toy_model(conn)
    conn.execute(
        """
        create table film (id integer primary key, title text) partition by range (id);
        create table film_1 partition of film default;
        select evervec.track('film', '{title}', p_model => 'toy');
        alter table film_1 disable trigger evervec_film_update;
        """
    )

    found = told(conn, "disabled triggers")

    assert "film_1" in found["problem"]
    mend(conn, found)


def test_a_partition_that_was_just_attached_is_no_finding(conn: psycopg.Connection) -> None:
    add_toy_model(conn)
    conn.execute(
        """
        create table film (id integer primary key, title text) partition by range (id);
        select evervec.track('film', '{title}', p_model => 'toy');
        create table film_1 partition of film default;
        """
    )

    before = examine(conn)
    conn.execute("select evervec.tick()")
    after = examine(conn)
    conn.execute("drop trigger evervec_film_truncate on film_1")

    assert (before, after) == ([], [])
    mend(conn, told(conn, "missing triggers"))


@pytest.fixture
def joined(conn: psycopg.Connection) -> psycopg.Connection:
    """film, whose text reads its genre; tracked and embedded."""
    add_toy_model(conn)
    conn.execute(
        """
        create table genre (id integer primary key, name text);
        create table film (id integer primary key, title text, genre_id integer);
        insert into genre values (1, 'Western');
        insert into film values (1, 'Unforgiven', 1);
        """
    )
    conn.execute(
        "select evervec.track('film', p_model => 'toy', p_text_sql => %s, p_depends_on => %s)",
        [
            "title || (select g.name from public.genre g where g.id = genre_id)",
            GENRES,
        ],
    )
    drain(conn)
    conn.execute("select evervec.build_index('film')")
    assert examine(conn) == []
    return conn


def test_a_missing_trigger_of_a_table_that_the_recipe_reads(joined: psycopg.Connection) -> None:
    joined.execute("drop trigger evervec_film_dep1_update on genre")

    found = told(joined, "missing triggers")

    assert "genre" in found["problem"]
    mend(joined, found)


def test_a_recipe_that_names_what_was_renamed(joined: psycopg.Connection) -> None:
    joined.execute("alter table genre rename name to label")

    found = told(joined, "broken recipe")

    assert "g.name" in found["problem"]
    found["remedy"] = found["remedy"].replace("g.name", "g.label").replace('"name"', '"label"')
    mend(joined, found)
    assert value(joined, "select evervec.render('film', '{\"id\": 1}')") == "UnforgivenWestern"


def test_a_source_with_an_error_is_an_alert_and_mended_by_its_recipe(
    well: psycopg.Connection,
) -> None:
    well.execute("update evervec.source set last_error = 'column x does not exist'")

    found = told(well, "broken recipe")

    assert "column x does not exist." in found["problem"]
    assert [a["alert"] for a in alerts(well)] == ["failing"]
    mend(well, found)
    assert alerts(well) == []


@pytest.mark.parametrize("prefix", ["nearest", "render", "write", "erase", "slice", "orphans"])
def test_a_generated_function_that_was_dropped_is_made_again(
    well: psycopg.Connection, prefix: str
) -> None:
    well.execute(f"drop function evervec.{prefix}_film")

    found = told(well, "broken recipe")

    assert f"evervec.{prefix}_film is not there" in found["problem"]
    mend(well, found)

    assert value(well, "select evervec.render('film', '{\"id\": 1}')") == "Title: Film 1"


def test_a_priority_that_fails(conn: psycopg.Connection) -> None:
    add_toy_model(conn)
    conn.execute(
        """
        create table urgent (id integer);
        create table film (id integer primary key, title text);
        select evervec.track('film', '{title}', p_model => 'toy',
                             p_priority => '(select min(u.id) from public.urgent u)');
        alter table urgent rename id to number;
        """
    )

    assert "u.id" in told(conn, "broken recipe")["problem"]


def test_a_dropped_table(well: psycopg.Connection) -> None:
    well.execute("drop table film")

    found = told(well, "table dropped")

    assert alerts(well) == []
    mend(well, found)
    assert value(well, "select to_regclass('film_embedding')") is None


def test_a_dropped_table_of_column_storage(conn: psycopg.Connection) -> None:
    add_toy_model(conn)
    conn.execute(
        """
        create table film (id integer primary key, title text);
        select evervec.track('film', '{title}', p_model => 'toy', p_storage => 'column');
        drop table film cascade;
        """
    )

    mend(conn, told(conn, "table dropped"))


def test_a_dropped_embedding_table(well: psycopg.Connection) -> None:
    well.execute("drop table film_embedding cascade")

    found = told(well, "embedding table dropped")
    mend(well, found)

    assert value(well, "select count(*) from film_embedding") == 10
    well.execute("delete from film where id = 1")


def test_a_dropped_primary_key(well: psycopg.Connection) -> None:
    well.execute("alter table film drop constraint film_pkey")

    mend(well, told(well, "primary key dropped"))

    assert examine(well) == []


@pytest.mark.parametrize("noticed", [False, True])
def test_another_primary_key(well: psycopg.Connection, noticed: bool) -> None:
    well.execute(
        "alter table film drop constraint film_pkey; alter table film add primary key (id, year)"
    )
    if noticed:
        well.execute("select evervec.tick()")

    found = told(well, "primary key changed")

    assert "(id, year)" in found["problem"]
    mend(well, found)
    assert value(well, "select count(year) from film_embedding") == 10


def test_a_suspended_source(well: psycopg.Connection) -> None:
    well.execute("select evervec.suspend('film')")

    mend(well, told(well, "suspended"))

    assert value(well, "select state from evervec.status") == "active"


def test_a_paused_source_is_advice(well: psycopg.Connection) -> None:
    well.execute("select evervec.pause()")

    mend(well, told(well, "paused", "advice"))


def test_a_paused_model(well: psycopg.Connection) -> None:
    well.execute(
        "update evervec.model set paused_until = 'infinity', pause_reason = 'quota'"
        " where name = 'toy'"
    )

    found = told(well, "model paused")

    assert "quota" in found["problem"]
    assert only(alerts(well))["alert"] == "model paused"
    mend(well, found)
    assert alerts(well) == []


def test_a_missing_index_is_advice_while_there_is_little_to_search(
    well: psycopg.Connection,
) -> None:
    well.execute("drop index film_embedding_embedding_idx")

    mend(well, told(well, "missing index", "advice"))

    assert value(well, "select index_state from evervec.status") == "valid"


def test_a_missing_index_over_much_is_an_error(well: psycopg.Connection) -> None:
    well.execute("drop index film_embedding_embedding_idx")
    well.execute(
        """
        alter table film disable trigger user;
        insert into film select g, 'Film ' || g from generate_series(11, 10500) g;
        alter table film enable trigger user;
        insert into film_embedding (content_hash, model_id, embedding, id)
        select '', 1, '[1,1,1,1]', g from generate_series(11, 10500) g;
        analyze film_embedding;
        """
    )

    assert told(well, "missing index")["severity"] == "error"


def test_no_index_is_missed_before_there_are_vectors(film: psycopg.Connection) -> None:
    assert examine(film) == []


def test_an_invalid_index(well: psycopg.Connection, superuser_conn: psycopg.Connection) -> None:
    superuser_conn.execute(
        "update pg_index set indisvalid = false"
        " where indexrelid = 'film_embedding_embedding_idx'::regclass"
    )

    mend(well, told(well, "invalid index"))

    assert value(well, "select index_state from evervec.status") == "valid"


def test_an_invalid_index_beside_the_one_in_use_is_advice(
    well: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    well.execute("create index on film_embedding using hnsw (embedding vector_cosine_ops)")
    superuser_conn.execute(
        "update pg_index set indisvalid = false"
        " where indexrelid = 'film_embedding_embedding_idx1'::regclass"
    )

    mend(well, told(well, "invalid index", "advice"))

    assert value(well, "select to_regclass('film_embedding_embedding_idx1')") is None
    assert value(well, "select index_state from evervec.status") == "valid"


def test_a_former_index_is_used_until_another_is_built(well: psycopg.Connection) -> None:
    well.execute("select evervec.retrack('film', p_precision => 'half')")
    drain(well)
    assert value(well, "select index_state from evervec.status") == "valid"
    assert alerts(well) == []

    mend(well, told(well, "former index", "advice"))

    assert value(well, "select to_regclass('film_embedding_embedding_idx')") is None


def test_lists_that_fit_no_more_are_chosen_anew(well: psycopg.Connection) -> None:
    well.execute("select evervec.retrack('film', p_index => 'ivfflat')")
    drain(well)
    well.execute("select evervec.build_index('film')")
    assert examine(well) == []
    well.execute("alter index film_embedding_embedding_idx2 set (lists = 2)")

    assert only(alerts(well))["alert"] == "unfit lists"
    mend(well, told(well, "unfit lists", "advice"))

    assert alerts(well) == []


def test_lists_that_were_set_and_do_not_fit(well: psycopg.Connection) -> None:
    well.execute(
        "select evervec.retrack('film', p_index => 'ivfflat', p_index_options => '{\"lists\": 41}')"
    )
    drain(well)
    well.execute("select evervec.build_index('film')")

    well.execute(told(well, "unfit lists", "advice")["remedy"].encode())
    drain(well)

    mend(well, told(well, "unfit lists", "advice"))


def test_many_dead_vectors(well: psycopg.Connection) -> None:
    well.execute("alter table film_embedding set (autovacuum_enabled = off)")
    well.execute("drop index film_embedding_embedding_idx")
    well.execute(
        "insert into film_embedding (content_hash, model_id, embedding, id)"
        " select '', 1, '[1,1,1,1]', g from generate_series(1000, 12000) g"
    )
    well.execute("delete from film_embedding where id >= 1000")
    well.execute("select pg_stat_force_next_flush()")
    well.execute("select evervec.build_index('film')")

    mend(well, told(well, "dead vectors", "advice"))


def test_a_second_index_like_the_first_in_the_table_of_vectors(well: psycopg.Connection) -> None:
    well.execute(
        "create index again on film_embedding using hnsw (embedding public.vector_cosine_ops)"
    )
    finding = told(well, "further index", "advice")
    assert "Index again lies over" in finding["problem"]
    mend(well, finding)


def test_a_further_index_over_a_column_of_the_users_own(conn: psycopg.Connection) -> None:
    add_toy_model(conn)
    conn.execute(
        "create table film (id integer primary key, title text);"
        "insert into film values (1, 'A');"
        "select evervec.track('film', '{title}', p_model => 'toy', p_storage => 'column')"
    )
    drain(conn)
    conn.execute("select evervec.build_index('film')")
    assert examine(conn) == []
    conn.execute("create index on film using hnsw (embedding vector_l2_ops)")

    mend(conn, told(conn, "further index", "advice"))


def test_stuck_leases(well: psycopg.Connection) -> None:
    well.execute("update film set title = 'New' where id = 1")
    assert len(claim(well)) == 1
    well.execute(
        "update evervec.processing_queue set lease_expires_at = now() - interval '9 minutes'"
    )
    assert examine(well) == []
    well.execute(
        "update evervec.processing_queue set lease_expires_at = now() - interval '11 minutes'"
    )

    mend(well, told(well, "stuck leases"))


def test_a_growing_log(well: psycopg.Connection) -> None:
    well.execute("update evervec.setting set value = '5' where name = 'alert_change_log_rows'")
    well.execute("update film set title = 'New' where id <= 5")
    assert examine(well) == []
    well.execute("update film set title = 'New' where id = 6")

    found = told(well, "growing log")

    alert = only(alerts(well))
    assert (alert["alert"], alert["source"]) == ("growing log", None)
    assert alert["since"] is not None
    mend(well, found)
    assert alerts(well) == []


def test_old_work_is_an_alert_whether_folded_or_not(well: psycopg.Connection) -> None:
    well.execute(
        "update evervec.setting set value = '\"1 minute\"' where name = 'alert_pending_age'"
    )
    well.execute("update film set title = 'New' where id = 1")
    assert alerts(well) == []
    well.execute("update evervec.change_log set logged_at = now() - interval '61 seconds'")

    logged = only(alerts(well))
    well.execute("select evervec.fold()")
    well.execute("update evervec.processing_queue set created_at = now() - interval '61 seconds'")
    queued = only(alerts(well))
    well.execute("select evervec.pause()")
    paused = alerts(well)
    well.execute("select evervec.resume()")

    assert logged["alert"] == queued["alert"] == "old work"
    assert paused == []
    drain(well)
    assert alerts(well) == []


def test_dead_letters_are_an_alert_above_their_setting(well: psycopg.Connection) -> None:
    well.execute("update evervec.setting set value = '1' where name = 'alert_dead_letters'")
    for number in (1, 2):
        assert alerts(well) == []
        well.execute("update film set title = 'Bad' where id = %s", [number])
        (job,) = claim(well)
        well.execute(
            "select evervec.fail_jobs(%s, %s, 'bad_input', 'no')",
            [job["lease_token"], [job["job_id"]]],
        )

    alert = only(alerts(well))

    assert alert["alert"] == "dead letters"
    assert len(rows(well, alert["remedy"])) == 2
    well.execute("update evervec.dead_letter set resolved_at = now(), resolved_by = 'me'")
    assert alerts(well) == []


@pytest.mark.parametrize(
    "change", ["delete from evervec.setting", "update evervec.setting set value = '[]'"]
)
def test_settings_that_are_missing_or_nonsense_stop_nobody(
    well: psycopg.Connection, change: str
) -> None:
    well.execute(change.encode())

    assert (examine(well), alerts(well)) == ([], [])


def test_an_old_pgvector_is_advice(
    well: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    superuser_conn.execute("update pg_extension set extversion = '0.8.0' where extname = 'vector'")

    found = told(well, "old pgvector", "advice")
    assert examine(well, "film") == []
    superuser_conn.execute(found["remedy"].encode())

    installed = "select extversion from pg_extension where extname = 'vector'"
    packaged = "select default_version from pg_available_extensions where name = 'vector'"
    assert value(well, installed) == value(well, packaged)


def test_faults_of_pgvector_are_told_to_whom_they_concern(
    well: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    def faults(version: str) -> str:
        superuser_conn.execute(
            "update pg_extension set extversion = %s where extname = 'vector'", [version]
        )
        return " ".join(finding["problem"] for finding in examine(well))

    assert "ivfflat" not in faults("0.8.0")
    assert faults("0.8.4") == ""
    well.execute("update evervec.source set index_method = 'ivfflat', search_method = 'ivfflat'")
    well.execute("select evervec.build_index('film')")

    assert "takes more than maintenance_work_mem" in faults("0.8.3")
    assert "CVE" not in faults("0.8.3")
    assert "wants memory for many" in faults("0.8.4")
    assert "wants memory for many" not in faults("0.8.5")
    assert "near_duplicates" in faults("0.8.5")
    assert faults("0.8.6") == ""


def test_an_open_schema_of_pgvector_is_advice(
    well: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    superuser_conn.execute("grant create on schema public to public")

    found = told(well, "open schema", "advice")
    superuser_conn.execute(found["remedy"].encode())

    assert examine(well) == []


def test_children_by_inheritance_are_advice(well: psycopg.Connection) -> None:
    well.execute("create table short_film () inherits (film)")

    without_key = told(well, "untracked child", "advice")
    well.execute(without_key["remedy"].encode())
    with_key = told(well, "untracked child", "advice")
    mend(well, with_key)

    assert (
        value(well, "select relation from evervec.status where source = 'short_film'")
        == "short_film"
    )


def test_costly_updates_of_column_storage_are_advice(conn: psycopg.Connection) -> None:
    add_toy_model(conn)
    conn.execute(
        """
        create table film (id integer primary key, title text, seen integer default 0);
        insert into film select g, 'Film ' || g || repeat('x', 300) from generate_series(1, 500) g;
        select evervec.track('film', '{title}', p_model => 'toy', p_storage => 'column');
        """
    )
    drain(conn)
    conn.execute("select evervec.build_index('film')")
    assert examine(conn) == []
    for _ in range(8):
        conn.execute("create index on film (seen); update film set seen = seen + 1")
    for statement in ("select pg_stat_force_next_flush()", "vacuum analyze film"):
        conn.execute(statement.encode())

    found = told(conn, "costly updates", "advice")

    mend(conn, found)


@pytest.fixture
def foreign(
    cluster: Cluster, conn: psycopg.Connection, superuser_conn: psycopg.Connection
) -> Iterator[tuple[psycopg.Connection, str]]:
    """film belongs to a role of which the owner of evervec is a member; tracked and embedded."""
    with role(superuser_conn) as name:
        superuser_conn.execute(f"grant {name} to {OWNER}; grant create on schema public to {name}")
        add_toy_model(conn)
        conn.execute("create table film (id integer primary key, title text)")
        conn.execute(f"alter table film owner to {name}")
        conn.execute("insert into film values (1, 'Alien')")
        conn.execute("select evervec.track('film', '{title}', p_model => 'toy')")
        drain(conn)
        conn.execute("select evervec.build_index('film')")
        assert examine(conn) == []
        yield conn, name


def test_a_lost_membership(
    foreign: tuple[psycopg.Connection, str], superuser_conn: psycopg.Connection
) -> None:
    conn, name = foreign
    superuser_conn.execute(f"revoke {name} from {OWNER}")

    found = told(conn, "membership lost")
    superuser_conn.execute(found["remedy"].encode())

    assert examine(conn) == []


def test_a_table_with_a_new_owner(
    foreign: tuple[psycopg.Connection, str], superuser_conn: psycopg.Connection
) -> None:
    conn, _ = foreign
    with role(superuser_conn) as heir:
        superuser_conn.execute(f"grant {heir} to {OWNER}; grant create on schema public to {heir}")
        superuser_conn.execute(f"alter table film owner to {heir}")

        found = {f["finding"]: f for f in examine(conn)}
        assert set(found) == {"owner changed", "embedding table of another owner"}
        for finding in found.values():
            conn.execute(finding["remedy"].encode())
        conn.execute("insert into film values (2, 'Aliens')")
        drain(conn)

        assert examine(conn) == []
        assert value(conn, "select count(*) from film_embedding") == 2


def test_forced_row_level_security(well: psycopg.Connection) -> None:
    well.execute(
        "alter table film enable row level security; alter table film force row level security"
    )

    found = told(well, "row-level security")
    well.execute(found["remedy"].encode())
    found = told(well, "unprotected vectors")
    well.execute(found["remedy"].encode())

    assert examine(well) == []


def test_a_check_that_fails_is_a_finding_and_the_others_go_on(well: psycopg.Connection) -> None:
    well.execute(
        """
        create or replace function evervec.doctor_index(p_source evervec.source)
        returns table (finding text, severity text, problem text, remedy text)
        language plpgsql as $$ begin raise exception 'broken myself'; end $$;
        select evervec.pause();
        """
    )

    found = {f["finding"]: f for f in examine(well)}

    assert set(found) == {"check failed", "paused"}
    assert "broken myself" in found["check failed"]["problem"]


def test_only_the_source_asked_for_is_looked_at(well: psycopg.Connection) -> None:
    well.execute("select evervec.track('film', '{title}', p_model => 'toy', p_name => 'again')")
    well.execute("select evervec.suspend('again')")

    assert examine(well, "film") == []
    assert [f["source"] for f in examine(well)] == ["again"]
