"""How much of what is nearest searches find, and the least effort with which it is enough."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
import pytest
from numpy.typing import NDArray

from tests.support.roles import role
from tests.support.sql_worker import Row, raises, rows, value
from tests.support.vectors import SPARSE

DIMENSIONS = 16
WEAK = '{"m": 2, "ef_construction": 4}'
Distances = NDArray[np.float64]


def clustered(count: int, seed: int = 7) -> NDArray[np.float32]:
    """Vectors around twenty centres, shape (count, DIMENSIONS)."""
    dice = np.random.default_rng(seed)
    centres = dice.normal(size=(20, DIMENSIONS))
    spread = dice.normal(scale=0.5, size=(count, DIMENSIONS))
    return (centres[dice.integers(20, size=count)] + spread).astype(np.float32)


@dataclass(frozen=True)
class Items:
    """A source item(id) with its vectors, which are of shape (count, DIMENSIONS)."""

    conn: psycopg.Connection
    vectors: NDArray[np.float32]
    distance: str
    target: str

    def check(self, noise: float = 0, **more: Any) -> Row:
        """Of the rows themselves, which can be computed here, unless there is noise."""
        return self.rows("recall_check", noise=noise, **more)[0]

    def tune(self, target: float | None = 0.95, noise: float = 0, **more: Any) -> list[Row]:
        return self.rows("tune", target_recall=target, noise=noise, **more)

    def rows(self, function: str, **more: Any) -> list[Row]:
        given = "".join(f", p_{name} => %s" for name in more)
        return rows(self.conn, f"select * from evervec.{function}('item'{given})", *more.values())

    @property
    def effort(self) -> int | None:
        effort: int | None = value(self.conn, "select search_effort from evervec.source")
        return effort

    def exact(self, queries: int) -> Distances:
        """Distances of the first rows to all, shape (queries, count)."""
        v = self.vectors.astype(np.float64)
        if self.distance == "cosine":
            v = v / np.linalg.norm(v, axis=1, keepdims=True)
            return np.asarray(1 - v[:queries] @ v.T)
        if self.distance == "inner_product":
            return np.asarray(-(v[:queries] @ v.T))
        order = 1 if self.distance == "l1" else 2
        return np.asarray(np.linalg.norm(v[:queries, None] - v[None], ord=order, axis=2))

    def found(self, row: int, limit: int) -> list[int]:
        """Keys of the rows nearest to a row by its source's search, itself left out."""
        text = str(self.vectors[row].tolist())
        found = rows(
            self.conn, "select * from evervec.find_similar_item(%s::vector, %s)", text, limit + 1
        )
        return [row_found["id"] for row_found in found if row_found["id"] != row][:limit]

    def recall(self, limit: int, queries: int = 600) -> float:
        """Of the first rows as queries, computed here."""
        exact = self.exact(queries)
        np.fill_diagonal(exact, np.inf)
        bounds = np.sort(exact, axis=1)[:, limit - 1]
        right = [
            sum(exact[row, other] <= bounds[row] + 1e-6 for other in self.found(row, limit))
            for row in range(queries)
        ]
        return float(np.sum(right)) / (limit * queries)


def source(
    conn: psycopg.Connection,
    count: int,
    *,
    options: str = f"p_index_options => '{WEAK}'",
    distance: str = "cosine",
    storage: str = "manual",
    build: bool = True,
) -> Items:
    conn.execute("select evervec.add_model('wide', 'toy', %s)", [DIMENSIONS])
    conn.execute("create table item (id integer primary key, title text)")
    conn.execute(
        "insert into item select g, 'Item ' || g from generate_series(0, %s) g", [count - 1]
    )
    recipe = "" if storage == "manual" else "p_columns => '{title}',"
    conn.execute(
        f"select evervec.track('item', {recipe} p_model => 'wide', p_storage => '{storage}',"
        f" p_distance => '{distance}', p_backfill => false, {options})"
    )
    target = str(value(conn, "select target::text from evervec.source"))
    conn.execute(SPARSE.format(target))
    vectors = clustered(count)
    with conn.transaction(), conn.cursor() as cursor:
        conn.execute("set local evervec.bypass = on")
        conn.execute("create temporary table v (id integer, embedding vector) on commit drop")
        with cursor.copy("copy v from stdin") as copy:
            for number, vector in enumerate(vectors.tolist()):
                copy.write_row((number, str(vector)))
        if storage == "column":
            conn.execute("update item set embedding = v.embedding from v where v.id = item.id")
        else:
            conn.execute(
                f"insert into {target} (id, content_hash, model_id, embedding)"
                " select v.id, '', m.model_id, v.embedding from v, evervec.model m"
                " where m.name = 'wide' order by v.id"
            )
    if build:
        conn.execute("select evervec.build_index('item')")
    conn.execute(f"vacuum {'full' if storage == 'column' else ''} analyze {target}")
    return Items(conn, vectors, distance, target)


@pytest.fixture
def weak(conn: psycopg.Connection) -> Items:
    """4,000 rows under a graph so poor that what is found depends on the effort."""
    return source(conn, 4000, options='p_index_options => \'{"m": 4, "ef_construction": 16}\'')


KINDS = {
    "cosine": ("cosine", f"p_index_options => '{WEAK}'", "manual"),
    "l2": ("l2", f"p_index_options => '{WEAK}'", "manual"),
    "l1": ("l1", f"p_index_options => '{WEAK}'", "manual"),
    "inner product": ("inner_product", f"p_index_options => '{WEAK}'", "manual"),
    "half": ("cosine", f"p_precision => 'half', p_index_options => '{WEAK}'", "manual"),
    "halfvec": ("cosine", f"p_vector_type => 'halfvec', p_index_options => '{WEAK}'", "manual"),
    "bit": ("cosine", "p_precision => 'bit', p_index_options => '{\"rerank\": 2}'", "manual"),
    "lists": ("l2", "p_index => 'ivfflat', p_index_options => '{\"lists\": 30}'", "manual"),
    "column": ("cosine", f"p_index_options => '{WEAK}'", "column"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_recall_is_that_of_the_searches_against_all_distances(
    conn: psycopg.Connection, kind: str
) -> None:
    distance, options, storage = KINDS[kind]
    items = source(conn, 600, distance=distance, options=options, storage=storage)
    effort = 1 if kind == "lists" else 5
    conn.execute("select set_config('evervec.search_effort', %s, false)", [str(effort)])

    told = items.check(samples=600, limit=5)

    assert told["samples"] == 600
    assert told["recall"] == pytest.approx(items.recall(5), abs=0.002)
    assert 0.1 < told["recall"] < 0.999
    assert told["effort"] == effort
    assert 0 < told["p50_ms"] <= told["p95_ms"]
    assert 0 < told["exact_p50_ms"] <= told["exact_p95_ms"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_among_the_rows_is_found_less_surely(
    conn: psycopg.Connection, kind: str
) -> None:
    distance, options, storage = KINDS[kind]
    items = source(conn, 600, distance=distance, options=options, storage=storage)
    conn.execute("set evervec.search_effort = 10")
    recalls = [items.check(samples=400, limit=5, noise=noise)["recall"] for noise in (0, 4)]
    assert recalls[0] > recalls[1] > 0.05


def test_queries_are_as_far_from_rows_as_is_said(conn: psycopg.Connection) -> None:
    items = source(conn, 300, distance="l2", options="p_index => 'none'")
    away = rows(conn, "select noisy from evervec.recall_queries('item', 5)")[0]["noisy"]
    moved = away.replace("$1", "%(vector)s::vector").replace("$2", "5").replace("$3", "2")

    for row in range(20):
        asked = {"vector": str(items.vectors[row].tolist())}
        (found,) = conn.execute(f"select ({moved})::text".encode(), asked).fetchall()[0]
        distance = np.linalg.norm(np.array(json.loads(found)) - items.vectors[row])
        fifth = np.sort(items.exact(row + 1)[row])[5]
        assert distance == pytest.approx(2 * fifth, rel=1e-3)


def test_equal_rows_have_no_noise(conn: psycopg.Connection) -> None:
    items = source(conn, 40, distance="l2", options="p_index => 'none'")
    conn.execute("update item_embedding set embedding = array_fill(1, array[16])::vector")
    assert items.check(noise=2)["recall"] == 1


def test_of_few_vectors_searches_are_exact_and_there_is_nothing_to_tune(
    conn: psycopg.Connection,
) -> None:
    items = source(conn, 20)

    told = items.check()
    assert (told["effort"], told["samples"], told["recall"]) == (None, 20, 1)

    (measured,) = items.tune()
    assert (measured["effort"], measured["recall"], measured["chosen"]) == (None, 1, False)
    assert items.effort is None


def test_without_an_index_searches_are_exact(conn: psycopg.Connection) -> None:
    items = source(conn, 300, options="p_index => 'none'")

    assert (items.check(samples=9)["effort"], items.check(samples=9)["recall"]) == (None, 1)
    assert [row["chosen"] for row in items.tune()] == [False]


def test_an_index_that_is_not_built_is_none(conn: psycopg.Connection) -> None:
    items = source(conn, 300, build=False)

    assert (items.check(samples=9)["effort"], items.check(samples=9)["recall"]) == (None, 1)


def test_of_no_vectors_nothing_is_known(conn: psycopg.Connection) -> None:
    items = source(conn, 1)
    conn.execute("update item_embedding set embedding = null")

    told = items.check()

    assert told["samples"] == 0
    assert {told[name] for name in ("effort", "recall", "p50_ms", "exact_p95_ms")} == {None}
    assert [row["chosen"] for row in items.tune()] == [False]


def test_of_one_vector_nothing_is_to_be_found(conn: psycopg.Connection) -> None:
    told = source(conn, 1).check()
    assert (told["samples"], told["recall"]) == (1, None)


def test_archived_vectors_and_those_of_zeros_are_no_queries(conn: psycopg.Connection) -> None:
    items = source(conn, 300, storage="column")
    zeros = str([0] * DIMENSIONS)
    conn.execute("update item set embedding = null where id < 100")
    conn.execute("update item set embedding = %s where id between 100 and 199", [zeros])

    assert items.check(samples=300)["samples"] == 100


def test_of_rows_at_the_same_distance_each_is_right(conn: psycopg.Connection) -> None:
    items = source(conn, 900)
    conn.execute(
        "update item_embedding set embedding = (select embedding from item_embedding where id = 0)"
    )
    conn.execute("reindex table item_embedding")

    told = items.check(samples=5, effort=10)

    assert (told["effort"], told["recall"]) == (10, 1)


def test_vectors_of_partitions_are_measured_too(conn: psycopg.Connection) -> None:
    conn.execute("select evervec.add_model('wide', 'toy', %s)", [DIMENSIONS])
    conn.execute(
        """
        create table item (id integer primary key, title text) partition by range (id);
        create table item_1 partition of item for values from (0) to (500);
        create table item_2 partition of item for values from (500) to (1000);
        insert into item select g, 'Item ' || g from generate_series(0, 999) g;
        select evervec.track('item', '{title}', p_model => 'wide', p_storage => 'column',
                             p_backfill => false,
                             p_index_options => '{"m": 2, "ef_construction": 4}');
        """
    )
    conn.execute("set evervec.bypass = on")
    with conn.cursor() as cursor:
        cursor.executemany(
            "update item set embedding = %s where id = %s",
            [(str(vector), row) for row, vector in enumerate(clustered(1000).tolist())],
        )
    conn.execute("select evervec.build_index('item')")
    conn.execute("analyze item")
    items = Items(conn, clustered(1000), "cosine", "item")

    told = items.check(samples=20, effort=10)

    assert (told["effort"], told["samples"]) == (10, 20)
    assert 0.1 < told["recall"] < 1


BAD = [
    ("recall_check('none')", "VE101", "none"),
    ("recall_check('item', 0)", "VE111", "p_samples cannot be '0'"),
    ("recall_check('item', 10001)", "VE111", "p_samples"),
    ("recall_check('item', null)", "VE111", "p_samples cannot be NULL"),
    ("recall_check('item', 1, 0)", "VE111", "p_limit"),
    ("recall_check('item', 1, null)", "VE111", "p_limit"),
    ("recall_check('item', 1, 1, 0)", "VE111", "p_effort"),
    ("recall_check('item', p_noise => -1)", "VE111", "p_noise"),
    ("recall_check('item', p_noise => 'NaN')", "VE111", "p_noise"),
    ("tune('item', p_noise => null)", "VE111", "p_noise"),
    ("recall_check('item', 1, 1, 1001)", "VE111", "p_effort"),
    ("tune('none')", "VE101", "none"),
    ("tune('none', null)", "VE101", "none"),
    ("tune('item', 0)", "VE111", "p_target_recall"),
    ("tune('item', 1.01)", "VE111", "p_target_recall"),
    ("tune('item', 'NaN')", "VE111", "p_target_recall"),
    ("tune('item', 0.9, -1)", "VE111", "p_samples"),
]


@pytest.mark.parametrize(("call", "sqlstate", "message"), BAD)
def test_bad_arguments_are_told(
    conn: psycopg.Connection, call: str, sqlstate: str, message: str
) -> None:
    source(conn, 5)
    with raises(conn, sqlstate, message):
        conn.execute(f"select * from evervec.{call}".encode())


def test_a_suspended_source_is_measured_as_it_serves(weak: Items) -> None:
    weak.conn.execute("select evervec.suspend('item')")
    assert weak.check(samples=5)["effort"] == 100


def test_the_setting_of_the_session_is_as_before(weak: Items) -> None:
    weak.conn.execute("set evervec.search_effort = 33")
    shown = "select current_setting('evervec.search_effort'), current_setting('hnsw.ef_search')"
    before = rows(weak.conn, shown)

    with weak.conn.transaction():
        assert weak.check(samples=5)["effort"] == 33
        assert weak.check(samples=5, effort=77)["effort"] == 77
        assert rows(weak.conn, shown) == before


def asked(items: Items) -> set[int]:
    """What searches with a filter set hnsw.ef_search to, seen by the filter itself.

    Without an effort of more, that of the session, or as much as finds what they want.
    """
    sees = "set_config('test.seen', current_setting('hnsw.ef_search'), false) is not null"
    items.conn.execute("select evervec.drop_filter('item', 'seen') from evervec.filter")
    items.conn.execute("select evervec.add_filter('item', 'seen', %s)", [sees])
    query = str(items.vectors[0].tolist())
    seen = set()
    for call in (
        "evervec.find_similar_item_seen(%s::vector)",
        "evervec.find_similar_among('item', 'seen', '{}', %s::vector)",
    ):
        items.conn.execute(f"select from {call}", [query])
        seen.add(int(value(items.conn, "select current_setting('test.seen')")))
    return seen


def test_tune_reaches_the_target_and_searches_find_as_much_from_now_on(weak: Items) -> None:
    weak.conn.execute("set evervec.search_effort = 5")
    assert weak.recall(10, 300) < 0.88
    weak.conn.execute("reset evervec.search_effort")
    weak.conn.execute("select evervec.keep_effort('item', 1)")
    (with_a_filter,) = asked(weak)  # at least

    measured = weak.tune(0.93, samples=300)

    (chosen,) = [row for row in measured if row["chosen"]]
    assert weak.effort == chosen["effort"]
    assert chosen["recall"] >= 0.93
    assert weak.check(samples=1)["effort"] == chosen["effort"]
    assert asked(weak) == {max(chosen["effort"], with_a_filter)}
    assert weak.recall(10, 300) >= 0.89  # of other rows


def test_the_least_effort_is_chosen(weak: Items) -> None:
    measured = weak.tune(0.95, samples=200)

    efforts = [row["effort"] for row in measured]
    place = [row["chosen"] for row in measured].index(True)
    assert efforts == sorted(set(efforts))
    assert efforts[place] == 100 or efforts[place - 1] == efforts[place] - 1
    assert all(row["recall"] < 0.98 for row in measured[:place])
    assert measured[place]["recall"] >= 0.95


def test_no_less_is_stored_than_searches_take_anyway(weak: Items) -> None:
    measured = weak.tune(0.3, samples=50)
    assert [(row["effort"], row["chosen"]) for row in measured] == [(100, True)]


def test_a_filter_that_was_there_before_is_tuned_too(weak: Items) -> None:
    asked(weak)
    before = value(weak.conn, "select oid from pg_proc where proname = 'find_similar_item_seen'")

    weak.tune(0.97)

    weak.conn.execute("select from evervec.find_similar_item_seen(%s::vector)", [str([1] * 16)])
    assert int(value(weak.conn, "select current_setting('test.seen')")) == weak.effort
    # Not made anew: grants and views of others stay.
    same = "select oid from pg_proc where proname = 'find_similar_item_seen'"
    assert value(weak.conn, same) == before


def test_without_a_target_the_default_is_back(weak: Items) -> None:
    before = asked(weak)
    weak.conn.execute("select evervec.keep_effort('item', 150)")
    assert asked(weak) == {150} != before

    assert weak.tune(None) == []

    assert weak.effort is None
    assert asked(weak) == before


def test_what_was_tuned_survives_retrack_renames_and_another_graph(weak: Items) -> None:
    effort = 150
    weak.conn.execute("select evervec.keep_effort('item', %s)", [effort])

    weak.conn.execute("select evervec.retrack('item')")
    assert asked(weak) == {effort}
    weak.conn.execute("alter table item rename to article; select * from evervec.tick()")
    assert asked(weak) == {effort}
    weak.conn.execute("alter table article rename to item; select * from evervec.tick()")
    weak.conn.execute("select evervec.retrack('item', p_index_options => '{\"m\": 8}')")
    weak.conn.execute("select evervec.build_index('item')")
    assert asked(weak) == {effort}


def test_what_was_tuned_for_one_kind_of_index_is_forgotten_with_it(weak: Items) -> None:
    weak.conn.execute("select evervec.keep_effort('item', 150)")

    weak.conn.execute("select evervec.retrack('item', p_index => 'ivfflat')")
    assert weak.effort is not None
    weak.conn.execute("select evervec.build_index('item')")

    assert weak.effort is None


def test_probes_stay_the_same_share_of_other_lists(conn: psycopg.Connection) -> None:
    lists = "p_index_options => '{\"lists\": %s}'"
    items = source(conn, 4000, options="p_index => 'ivfflat', " + lists % 40)
    items.tune(0.95)
    effort = items.effort
    assert effort is not None
    assert 1 < effort < 20

    conn.execute("select evervec.retrack('item', " + lists % 100 + ")")
    conn.execute("select evervec.build_index('item')")

    assert items.effort == -(-effort * 100 // 40)
    assert items.check()["recall"] >= 0.93


def test_a_target_out_of_reach_changes_nothing_and_names_a_better_index(
    conn: psycopg.Connection,
) -> None:
    items = source(
        conn,
        1000,
        options="p_index => 'ivfflat', p_precision => 'bit',"
        ' p_index_options => \'{"lists": 10, "rerank": 1}\'',
    )
    conn.execute("update evervec.source set search_effort = 7")

    with raises(conn, "VE221", "do not reach a recall of 0.95") as caught:
        items.tune(0.95)

    assert items.effort == 7
    assert "greatest effort, 10, finds 0." in str(caught.value.diag.message_detail)
    assert '"rerank": 4' in str(caught.value.diag.message_hint)


def test_the_hint_of_a_graph_can_be_followed(weak: Items) -> None:
    hint = value(weak.conn, "select evervec.better_index('item')")
    weak.conn.execute(hint[hint.index("SELECT") : hint.index(";")])
    options = value(weak.conn, "select index_options from evervec.source")
    assert options == {"m": 8, "ef_construction": 32}


def test_readers_measure_and_admins_who_read_tune(
    weak: Items, superuser_conn: psycopg.Connection
) -> None:
    check, tune = (
        f"select * from evervec.{call}"
        for call in ("recall_check('item', 9)", "tune('item', 0.93)")
    )
    with role(superuser_conn) as somebody:

        def may(call: str) -> bool:
            superuser_conn.execute(f"set role {somebody}")
            try:
                superuser_conn.execute(call)
            except psycopg.errors.InsufficientPrivilege:
                return False
            finally:
                superuser_conn.execute("reset role")
            return True

        assert (may(check), may(tune)) == (False, False)
        weak.conn.execute("select evervec.grant_access(%s, 'reader')", [somebody])
        assert (may(check), may(tune)) == (True, False)
        weak.conn.execute("select evervec.grant_access(%s, 'admin')", [somebody])
        assert (may(check), may(tune)) == (True, True)
        weak.conn.execute("select evervec.revoke_access(%s, 'reader')", [somebody])
        assert (may(check), may(tune)) == (False, False)
    assert weak.effort is not None
