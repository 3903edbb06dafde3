"""archive and restore: settled rows have no vector, are found by words, and nobody misses it."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.cluster import OWNER, Database
from tests.support.in_step import reconcile
from tests.support.roles import role, session_of
from tests.support.sql_worker import Row, add_toy_model, drain, raises, rows, toy_vector, value

OLD, ALL = "closed_at < '2020-01-01'", "true"
STORAGES = ["table", "column"]


def track(
    conn: psycopg.Connection, storage: str = "table", owner: str = OWNER, **options: str
) -> psycopg.Connection:
    """Ten offers, the first four closed long ago, embedded."""
    add_toy_model(conn)
    conn.execute(
        """
        create table offer (id integer primary key, title text, status text not null,
                            closed_at timestamptz, note text);
        insert into offer
        select g, 'Offer ' || g, case when g <= 4 then 'closed' else 'open' end,
               case when g <= 4 then timestamptz '2019-06-01' else now() end
          from generate_series(1, 10) g;
        """
    )
    conn.execute(f"alter table offer owner to {owner}")
    named = "".join(f", {name} => %s" for name in options)
    conn.execute(
        "select evervec.track('offer', '{title}', p_model => 'toy', p_storage => %s" + named + ")",
        [storage, *options.values()],
    )
    drain(conn)
    return conn


@pytest.fixture(params=STORAGES)
def offer(conn: psycopg.Connection, request: pytest.FixtureRequest) -> psycopg.Connection:
    return track(conn, request.param)


@pytest.fixture
def worded(conn: psycopg.Connection) -> psycopg.Connection:
    return track(conn, p_text_search="english")


def archive(conn: psycopg.Connection, where: str = OLD) -> int:
    return int(value(conn, "select evervec.archive('offer', p_where => %s)", where))


def found(conn: psycopg.Connection, like: str = "Offer 1") -> set[int]:
    """What a search of all finds."""
    query = "select row_key from evervec.find_similar('offer', %s, 100)"
    return {row["row_key"]["id"] for row in rows(conn, query, toy_vector(like))}


def counts(conn: psycopg.Connection) -> tuple[int, int, int, int, float]:
    (c,) = rows(conn, "select * from evervec.coverage('offer')")
    return c["total"], c["embedded"], c["archived"], c["missing"], float(c["percent"])


LIVE = set(range(5, 11))


def test_archived_rows_have_no_vector_and_are_not_missing(offer: psycopg.Connection) -> None:
    assert (archive(offer), archive(offer)) == (4, 0)

    assert found(offer) == LIVE
    assert counts(offer) == (10, 6, 4, 0, 100.0)
    again = reconcile(offer, "offer")
    assert (again["missing"], again["stale"], again["orphaned"]) == (0, 0, 0)
    offer.execute("select evervec.backfill('offer')")
    assert drain(offer).states == {}
    assert rows(offer, "select * from evervec.row_keys('offer')") == []
    assert value(offer, "select missing from evervec.estimate('offer')") == 0


@pytest.mark.parametrize(
    "search",
    [
        "select id from evervec.nearest_offer({0}, 100)",
        "select id from evervec.find_similar_offer({0}, 100)",
        "select id from evervec.find_similar_offer({0}, 100, p_diversity => 0.5)",
        "select id from evervec.find_similar_offer_any({0}, 100)",
        "select {1} from evervec.find_similar_to('offer', '{{\"id\": 5}}', 99)",
        "select {1} from evervec.near_duplicates('offer', -1)",
        "select (other_key ->> 'id')::int as id from evervec.near_duplicates('offer', -1)",
        "select {1} from evervec.get_embeddings('offer', array({2}))",
    ],
)
@pytest.mark.parametrize("indexed", [True, False])
def test_no_search_by_vectors_finds_an_archived_row(
    offer: psycopg.Connection, search: str, indexed: bool
) -> None:
    offer.execute("select evervec.add_filter('offer', 'any', 'true')")
    if indexed:
        offer.execute("select evervec.build_index('offer'); set enable_seqscan = off")
    archive(offer)
    parts = (
        f"'{toy_vector('Offer 1')}'",
        "(row_key ->> 'id')::int as id",
        "select evervec.row_keys('offer', false)",
    )

    ids = {row["id"] for row in rows(offer, search.format(*parts))}

    assert ids - {None} <= LIVE
    assert len(ids - {None}) >= 4


def test_an_archived_row_is_no_query(offer: psycopg.Connection) -> None:
    archive(offer)

    with raises(offer, "VE203", "no vector") as caught:
        offer.execute("select evervec.find_similar_to('offer', '{\"id\": 1}')")
    assert "is archived" in (caught.value.diag.message_detail or "")


def test_a_kept_result_of_a_search_does_not_bring_an_archived_row_back(
    worded: psycopg.Connection,
) -> None:
    worded.execute(
        "select evervec.cache_query('toy', 'offers', %s::vector)", [toy_vector("Offer 1")]
    )
    search = "select row_key from evervec.search('offer', 'offers', 100)"
    assert len(rows(worded, search)) == len(rows(worded, search)) == 10

    archive(worded)

    assert {row["row_key"]["id"] for row in rows(worded, search)} == LIVE


def test_words_still_find_an_archived_row(worded: psycopg.Connection) -> None:
    archive(worded)

    hits = rows(
        worded,
        "select * from evervec.hybrid_search('offer', 'offer', %s::vector, 100)",
        toy_vector("Offer 1"),
    )

    by_id = {hit["row_key"]["id"]: hit for hit in hits}
    assert set(by_id) == set(range(1, 11))
    assert all(by_id[i]["text_rank"] is not None for i in by_id)
    assert {i for i in by_id if by_id[i]["vector_rank"] is None} == {1, 2, 3, 4}


def test_words_of_archived_rows_are_written_anew_without_a_vector(
    worded: psycopg.Connection,
) -> None:
    archive(worded)

    worded.execute("select evervec.retrack('offer', p_text_search => 'simple')")

    assert drain(worded).texts == []
    assert counts(worded) == (10, 6, 4, 0, 100.0)
    assert value(worded, "select count(*) from offer_embedding where document is null") == 0


def test_a_changed_text_is_embedded_again_and_no_other_change_is(
    offer: psycopg.Connection,
) -> None:
    archive(offer)

    offer.execute("update offer set title = 'Offer anew' where id = 1")
    offer.execute("update offer set note = 'x', status = 'open' where id = 2")
    offer.execute("select evervec.enqueue('offer', array['{\"id\": 3}']::jsonb[])")

    assert drain(offer).texts == ["Title: Offer anew"]
    assert found(offer) == LIVE | {1}
    assert archive(offer) == 1


def test_an_archived_row_that_goes_or_loses_its_text_leaves_nothing(
    offer: psycopg.Connection,
) -> None:
    archive(offer)

    offer.execute("delete from offer where id = 1")
    offer.execute("update offer set title = null where id = 2")
    offer.execute("update offer set id = 33 where id = 3")
    drain(offer)

    assert counts(offer)[3:] == (0, 100.0)
    assert reconcile(offer, "offer")["orphaned"] == 0
    # A row's key in a table of its own is moved by embedding it; in a column it never left.
    assert counts(offer)[2] in (1, 2)


def test_restore_queues_what_its_condition_names(offer: psycopg.Connection) -> None:
    archive(offer)

    restored = [value(offer, "select evervec.restore('offer', 'id < 3', 1)") for _ in range(3)]

    assert restored == [1, 1, 0]
    assert counts(offer) == (10, 6, 2, 2, 80.0)
    assert sorted(drain(offer).texts) == ["Title: Offer 1", "Title: Offer 2"]
    assert found(offer) == LIVE | {1, 2}
    assert value(offer, "select evervec.restore('offer')") == 2
    drain(offer, cached=True)
    assert counts(offer) == (10, 10, 0, 0, 100.0)


@pytest.mark.parametrize("found_by", ["backfill", "reconcile"])
def test_a_restored_row_whose_job_was_lost_is_found(
    offer: psycopg.Connection, found_by: str
) -> None:
    archive(offer)
    offer.execute("select evervec.restore('offer')")
    offer.execute("delete from evervec.processing_queue")

    if found_by == "backfill":
        offer.execute("select evervec.backfill('offer')")
    else:
        reconcile(offer, "offer")
    drain(offer)

    assert counts(offer) == (10, 10, 0, 0, 100.0)


def test_reset_leaves_the_archived_alone(offer: psycopg.Connection) -> None:
    archive(offer)

    assert value(offer, "select evervec.reset('offer')") == 6
    assert len(drain(offer).texts) == 6

    assert counts(offer) == (10, 6, 4, 0, 100.0)


def test_rows_go_by_their_age(offer: psycopg.Connection) -> None:
    age = "select evervec.archive('offer', '90 days', p_column => %s, p_limit => 3)"

    assert [value(offer, age, "closed_at") for _ in range(3)] == [3, 1, 0]
    assert value(offer, "select evervec.archive('offer', '1 day')") == 0
    target = "offer" if value(offer, "select storage from evervec.source") == "column" else ""
    time = "embedding_updated_at" if target else "updated_at"
    offer.execute(
        f"update {target or 'offer_embedding'} set {time} = now() - interval '2 days' where id > 8"
    )
    assert value(offer, "select evervec.archive('offer', '1 day')") == 2
    assert found(offer) == {5, 6, 7, 8}


def test_a_row_that_somebody_holds_is_passed_over(offer: psycopg.Connection, url: str) -> None:
    target = value(offer, "select target::text from evervec.source")
    with psycopg.connect(url) as other:
        other.execute(f"select from {target} where id = 1 for update")
        assert archive(offer) == 3
    assert archive(offer) == 1


def test_column_storage_of_partitions_touches_the_rows_in_question_alone(
    conn: psycopg.Connection,
) -> None:
    """Rows of several partitions have the same ctid."""
    add_toy_model(conn)
    conn.execute(
        """
        create table offer (id integer primary key, title text) partition by range (id);
        create table offer_1 partition of offer for values from (1) to (6);
        create table offer_2 partition of offer for values from (6) to (11);
        insert into offer select g, 'Offer ' || g from generate_series(1, 10) g;
        select evervec.track('offer', '{title}', p_model => 'toy', p_storage => 'column');
        """
    )
    drain(conn)
    assert archive(conn, "id in (1, 2)") == 2
    conn.execute("update offer set title = null where id = 3")
    drain(conn)

    assert found(conn) == {4, 5, 6, 7, 8, 9, 10}
    assert counts(conn) == (9, 7, 2, 0, 100.0)


def test_a_user_who_empties_a_vector_wants_a_new_one(conn: psycopg.Connection) -> None:
    track(conn, "column")
    archive(conn)

    conn.execute("update offer set embedding = null where id = 5")

    assert drain(conn).texts == ["Title: Offer 5"]
    assert counts(conn) == (10, 6, 4, 0, 100.0)


def test_vectors_of_manual_storage_are_archived_and_not_restored(conn: psycopg.Connection) -> None:
    add_toy_model(conn)
    conn.execute(
        """
        create table offer (id integer primary key, title text);
        insert into offer values (1, 'a'), (2, 'b');
        select evervec.track('offer', p_model => 'toy', p_storage => 'manual');
        select evervec.put_embedding('offer', '{"id": 1}', '[1,0,0,0]');
        select evervec.put_embedding('offer', '{"id": 2}', '[0,1,0,0]');
        """
    )

    assert archive(conn, "title = 'a'") == 1

    assert found(conn) == {2}
    assert counts(conn)[:4] == (2, 1, 1, 0)
    assert rows(conn, "select * from evervec.get_embedding('offer', '{\"id\": 1}')") == []
    with raises(conn, "VE111", "manual"):
        conn.execute("select evervec.restore('offer')")
    conn.execute("select evervec.put_embedding('offer', '{\"id\": 1}', '[1,0,0,0]')")
    assert counts(conn)[:4] == (2, 2, 0, 0)


def test_cache_delete_reaches_the_texts_of_archived_rows(offer: psycopg.Connection) -> None:
    """Also where another source made the entry, which then knows of them by their hash alone."""
    archive(offer)
    offer.execute("update evervec.embedding_cache set source_id = 99")

    assert value(offer, "select evervec.cache_delete('offer')") == 10


def test_status_estimates_what_is_archived(offer: psycopg.Connection) -> None:
    archive(offer, "id <= 9")
    offer.execute("vacuum analyze offer")
    offer.execute(f"analyze {value(offer, 'select target::text from evervec.source')}")

    (status,) = rows(offer, "select vectors, archived from evervec.status")

    assert (status["vectors"], status["archived"]) == (1, 9)


# -- retention -----------------------------------------------------------------------------------

RETENTION = '{"older_than": "90 days", "column": "closed_at", "where": "status = \'closed\'"}'


@pytest.fixture(params=STORAGES)
def kept(conn: psycopg.Connection, request: pytest.FixtureRequest) -> psycopg.Connection:
    return track(conn, request.param, p_retention=RETENTION)


def upkeep(conn: psycopg.Connection) -> Row:
    """The piece of maintenance that applies retentions, when it is due."""
    conn.execute(
        "update evervec.maintenance set by_worker = job = 'apply_retention', ran_at = '-infinity'"
    )
    return rows(conn, "select * from evervec.maintain()")[0]


def test_maintenance_applies_the_retention(kept: psycopg.Connection) -> None:
    assert upkeep(kept)["result"] == {"apply_retention": 4}
    assert found(kept) == LIVE
    assert value(kept, "select evervec.archive('offer')") == 0


def test_a_row_that_is_not_settled_any_more_gets_its_vector_back(
    kept: psycopg.Connection,
) -> None:
    upkeep(kept)

    kept.execute("update offer set status = 'open' where id = 1")
    kept.execute("update offer set closed_at = now() where id = 2")
    kept.execute("update offer set closed_at = '2018-01-01' where id = 3")
    drain(kept)

    assert found(kept) == LIVE | {1, 2}
    assert upkeep(kept)["result"] == {"apply_retention": 0}


def test_a_changed_row_is_archived_again(kept: psycopg.Connection) -> None:
    upkeep(kept)
    kept.execute("update offer set title = 'Offer anew' where id = 1")
    assert drain(kept).texts == ["Title: Offer anew"]

    assert upkeep(kept)["result"] == {"apply_retention": 1}


def test_retrack_changes_the_retention_and_ends_it(kept: psycopg.Connection) -> None:
    kept.execute(
        "select evervec.retrack('offer', p_retention => '{\"where\": \"status = ''open''\"}')"
    )
    assert value(kept, "select evervec.apply_retention()") == 6

    kept.execute("select evervec.retrack('offer', p_retention => '{}')")
    assert value(kept, "select evervec.apply_retention()") == 0
    drain(kept)
    assert counts(kept)[2:4] == (6, 0)
    with raises(kept, "VE601", "was not told"):
        kept.execute("select evervec.archive('offer')")


def test_a_retention_follows_a_renamed_column_and_doctor_tells_what_cannot(
    conn: psycopg.Connection,
) -> None:
    track(conn, p_retention='{"older_than": "90 days", "column": "closed_at"}')
    conn.execute("alter table offer rename column closed_at to ended_at")
    drain(conn)
    assert value(conn, "select evervec.apply_retention()") == 4

    conn.execute("select evervec.retrack('offer', p_retention => '{\"where\": \"note is null\"}')")
    conn.execute("alter table offer rename column note to remark")
    drain(conn)
    conn.execute("select evervec.apply_retention()")

    (finding,) = rows(conn, "select * from evervec.doctor() where finding = 'broken recipe'")
    assert 'column "note" does not exist' in finding["problem"]
    assert "note is null" in finding["remedy"]
    conn.execute(
        "select evervec.retrack('offer', p_retention => '{\"where\": \"remark is null\"}')"
    )
    assert value(conn, "select evervec.apply_retention()") == 6


def test_one_broken_retention_stops_no_other(kept: psycopg.Connection) -> None:
    kept.execute(
        """
        create table bid (id integer primary key, title text, amount text);
        insert into bid values (1, 'a', '1'), (2, 'b', 'x');
        select evervec.track('bid', '{title}', p_model => 'toy',
                             p_retention => '{"where": "amount::integer > 0"}');
        """
    )
    drain(kept)

    assert value(kept, "select evervec.apply_retention()") == 4

    (alert,) = rows(kept, "select * from evervec.alerts where alert = 'failing'")
    assert "integer" in alert["problem"]


@pytest.mark.parametrize(
    ("retention", "state", "detail"),
    [
        ("[]", "VE601", "not an object"),
        ('"90 days"', "VE601", "not an object"),
        ('{"older": "1 day"}', "VE601", "older"),
        ('{"older_than": 90}', "VE601", "90"),
        ('{"older_than": "soon"}', "VE601", "soon"),
        ('{"older_than": "-1 day"}', "VE601", "-1 day"),
        ('{"older_than": "infinity"}', "VE601", "infinity"),
        ('{"where": " "}', "VE601", "where"),
        ('{"column": "closed_at", "where": "true"}', "VE601", "no older_than"),
        ('{"older_than": "1 day", "column": "ended_at"}', "VE103", "closed_at"),
        ('{"older_than": "1 day", "column": "title"}', "VE601", "text"),
        ('{"where": "no_such_column"}', "VE104", "no_such_column"),
        ('{"where": "title"}', "VE104", "boolean"),
        ('{"where": "true; drop table offer"}', "VE104", "syntax"),
    ],
)
def test_a_bad_retention_is_refused(
    conn: psycopg.Connection, retention: str, state: str, detail: str
) -> None:
    track(conn)

    with raises(conn, state, "") as caught:
        conn.execute("select evervec.retrack('offer', p_retention => %s)", [retention])

    assert detail in (caught.value.diag.message_detail or "")


@pytest.mark.parametrize(
    ("call", "state", "message"),
    [
        ("archive('nowhere', '1 day')", "VE101", "nowhere"),
        ("archive('offer')", "VE601", "was not told"),
        ("archive('offer', '0')", "VE601", "settled"),
        ("archive('offer', p_column => 'closed_at')", "VE601", "settled"),
        ("archive('offer', '1 day', p_limit => 0)", "VE601", "1 row or more"),
        ("archive('offer', '1 day', p_limit => null)", "VE601", "1 row or more"),
        ("archive('offer', p_where => '1')", "VE104", "where"),
        ("restore('nowhere')", "VE101", "nowhere"),
        ("restore('offer', '1')", "VE104", "p_where"),
        ("restore('offer', p_limit => -1)", "VE601", "1 row or more"),
        ("apply_retention(0)", "VE601", "1 row or more"),
        ("add_views('nowhere')", "VE101", "nowhere"),
    ],
)
def test_a_bad_call_is_refused(
    conn: psycopg.Connection, call: str, state: str, message: str
) -> None:
    track(conn)

    with raises(conn, state, message):
        conn.execute(f"select evervec.{call}")


# -- rights --------------------------------------------------------------------------------------


def test_a_condition_runs_as_the_tables_owner_and_only_who_may_act_as_him_gives_one(
    conn: psycopg.Connection, superuser_conn: psycopg.Connection, database: Database
) -> None:
    with role(superuser_conn) as owner, role(superuser_conn) as admin:
        superuser_conn.execute(f"grant {owner} to {OWNER}")
        superuser_conn.execute(f"grant all on schema public to {owner}")
        track(conn, owner=owner)
        conn.execute("select evervec.grant_access(%s, 'admin')", [admin])

        assert archive(conn, f"current_user = '{owner}' and id = 1") == 1
        with session_of(database, admin) as other:
            assert (
                value(other, "select evervec.archive('offer', '1 day', p_column => 'closed_at')")
                == 3
            )
            assert value(other, "select evervec.apply_retention()") == 0
            for call in ("archive('offer', p_where => 'true')", "restore('offer', 'true')"):
                with raises(other, "VE110", "p_where is not for"):
                    other.execute(f"select evervec.{call}")
            assert value(other, "select evervec.restore('offer')") == 4


# -- views ---------------------------------------------------------------------------------------


def test_views_show_the_rows_that_are_archived_and_the_others(offer: psycopg.Connection) -> None:
    assert (
        value(offer, "select evervec.add_views('offer')::text") == "{offer_active,offer_archived}"
    )
    archive(offer)

    assert value(offer, "select array_agg(id order by id) from offer_archived") == [1, 2, 3, 4]
    assert set(value(offer, "select array_agg(id) from offer_active")) == LIVE


def test_views_follow_renames_and_make_way_for_alter_table(offer: psycopg.Connection) -> None:
    offer.execute("select evervec.add_views('offer')")
    archive(offer)
    offer.execute(
        "alter table offer rename column note to remark; alter table offer rename to deal"
    )
    drain(offer)
    assert value(offer, "select count(note) + count(*) from offer_archived") == 4

    offer.execute("select evervec.suspend('offer')")
    offer.execute("alter table deal drop column remark")
    offer.execute("select evervec.retrack('offer')")
    drain(offer)

    assert value(offer, "select count(*) from offer_archived") == 4
    offer.execute("select evervec.drop_views('offer'); alter table deal drop column status")
    offer.execute("select evervec.retrack('offer')")
    assert value(offer, "select to_regclass('offer_archived')") is None


def test_views_go_with_their_source_and_never_take_anothers_place(
    offer: psycopg.Connection,
) -> None:
    offer.execute("create table offer_archived ()")
    with raises(offer, "VE602", "offer_archived"):
        offer.execute("select evervec.add_views('offer')")
    offer.execute("drop table offer_archived")

    offer.execute("select evervec.add_views('offer')")
    offer.execute("select evervec.untrack('offer', p_drop_vectors => true)")

    assert value(offer, "select to_regclass('offer_archived')") is None


def test_views_show_each_what_he_sees_in_the_table(
    conn: psycopg.Connection, superuser_conn: psycopg.Connection, database: Database
) -> None:
    track(conn)
    conn.execute("select evervec.add_views('offer')")
    conn.execute("alter table offer enable row level security")
    conn.execute("create policy even on offer using (id % 2 = 0)")
    conn.execute("select evervec.protect('offer')")
    archive(conn)
    with role(superuser_conn) as reader:
        conn.execute("select evervec.grant_access(%s, 'reader')", [reader])
        conn.execute(f"grant select on offer, offer_active, offer_archived to {reader}")
        with session_of(database, reader) as session:
            assert value(session, "select array_agg(id order by id) from offer_archived") == [2, 4]
            assert value(session, "select array_agg(id order by id) from offer_active") == [
                6,
                8,
                10,
            ]
