"""Searches of the same words ask the model once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import psycopg
import pytest

import evervec
from evervec import EvervecError, Generate, ProviderError, Search
from evervec.db import Database, Vector
from evervec.providers import Providers
from evervec.queries import text_vectors
from tests.support import cluster as clusters
from tests.support.openai_server import DIMENSIONS, OpenAIServer, words_vector
from tests.support.roles import role
from tests.support.sessions import in_thread
from tests.webhook.conftest import Program, Service

WORDS = "samurai and swords"


@pytest.fixture
def searched(
    program: Program, openai_server: OpenAIServer, conn: psycopg.Connection
) -> OpenAIServer:
    """Three notes, embedded; the server has forgotten what it was asked for that."""
    program.environment |= {"OPENAI_BASE_URL": openai_server.url, "OPENAI_API_KEY": "sk-test"}
    conn.execute("select evervec.add_model('wire', 'openai', %s)", [DIMENSIONS])
    conn.execute("create table note (id int primary key, title text)")
    conn.execute("insert into note values (1, 'whales'), (2, 'a clock'), (3, 'two samurai')")
    conn.execute("select evervec.track('note', '{title}', p_model => 'wire')")
    done = program.run("worker", "--drain")
    assert done.code == 0, done.err
    openai_server.requests.clear()
    return openai_server


def test_peer_32_the_second_search_of_the_same_words_makes_no_request(
    program: Program, searched: OpenAIServer
) -> None:
    first, second = (program.run("search", "note", *WORDS.split(), "--json") for _ in range(2))

    assert (first.code, second.code) == (0, 0)
    assert json.loads(second.out) == json.loads(first.out)
    assert searched.texts == [WORDS]


def test_peer_32_a_known_search_needs_no_provider(program: Program, searched: OpenAIServer) -> None:
    program.run("search", "note", WORDS)

    known = program.run("search", "note", WORDS, OPENAI_BASE_URL="", OPENAI_API_KEY="")
    other = program.run("search", "note", "whales", OPENAI_BASE_URL="", OPENAI_API_KEY="")

    assert known.code == 0, known.err
    assert (other.code, "OPENAI_API_KEY" in other.err) == (1, True)


def test_without_the_cache_each_search_is_a_request_and_none_is_kept(
    program: Program, searched: OpenAIServer, conn: psycopg.Connection
) -> None:
    for _ in range(2):
        assert program.run("search", "note", WORDS, "--no-cache").code == 0

    assert searched.texts == [WORDS, WORDS]
    assert conn.execute("select count(*) from evervec.query_cache").fetchone() == (0,)


def vector_of(service: Service, words: str, db: Database | None = None) -> Vector:
    model = service.db.get_model("words")
    return text_vectors(db or service.db, service.providers, model, [words], "query").vectors[0]


def test_a_vector_comes_back_as_it_went_in(service: Service) -> None:
    asked = vector_of(service, WORDS)
    known = vector_of(service, WORDS)

    assert service.provider.texts == [WORDS]
    assert known.dtype == np.float32
    assert np.array_equal(known, asked)
    assert np.array_equal(known, words_vector(WORDS))


def test_a_search_that_failed_is_asked_again(service: Service) -> None:
    def refuse(_: object) -> None:
        raise ProviderError("server_error", "away")

    service.provider.fail = refuse
    with pytest.raises(ProviderError):
        vector_of(service, WORDS)
    service.provider.fail = lambda _: None

    vector_of(service, WORDS)

    assert service.provider.texts == [WORDS, WORDS]


def test_a_read_only_server_uses_what_it_has(service: Service, url: str) -> None:
    vector_of(service, WORDS)

    with Database(f"{url}&options=-c%20default_transaction_read_only%3Don") as standby:
        for words in (WORDS, "new", "new"):
            vector_of(service, words, standby)

    assert service.provider.texts == [WORDS, "new", "new"]


def test_a_role_that_may_not_use_the_cache_searches_without_it(
    service: Service,
    superuser_conn: psycopg.Connection,
    cluster: clusters.Cluster,
    database: clusters.Database,
) -> None:
    with role(superuser_conn) as name:
        superuser_conn.execute(
            f"alter role {name} login password '{name}'; grant usage on schema evervec to {name}"
        )
        with Database(cluster.url(database.name, name)) as db:
            for _ in range(2):
                vector_of(service, WORDS, db)

    assert service.provider.texts == [WORDS, WORDS]


@pytest.fixture
def notes(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[Search]:
    """A Search of a database with three notes; the fake provider embeds for it."""
    service.track(rows=[(1, "whales", ""), (2, "a clock", ""), (3, "two samurai", "")])
    service.worker().drain()
    service.provider.batches.clear()
    monkeypatch.setattr(Providers, "configured", lambda _: service.providers)
    with Search(service.config.database_url) as search:
        yield search


def test_the_python_api_finds_rows_and_pays_for_new_words_only(
    notes: Search, service: Service
) -> None:
    found = [notes("note", WORDS) for _ in range(3)]

    assert found[0][0].key == {"id": 3}
    assert found[0] == found[1] == found[2]
    assert service.provider.texts == [WORDS]
    nearest = notes("note", WORDS, limit=2, min_similarity=0.01, exclude=[found[0][0].row_key])
    assert 3 not in [row.key["id"] for row in nearest]
    assert service.provider.texts == [WORDS]


def test_the_python_api_searches_among_what_a_filter_leaves(
    notes: Search, service: Service
) -> None:
    service.conn.execute(
        "select evervec.add_filter('note', 'up_to', 'id <= p_last', '{p_last integer}')"
    )

    def found(**options: Any) -> list[int]:
        scope = {"scope": "up_to", "arguments": {"p_last": 2}}
        return [row.key["id"] for row in notes("note", WORDS, **scope | options)]

    assert sorted(found()) == [1, 2]
    assert found(exclude=['{"id": 1}']) == [2]
    assert found(min_similarity=0.99) == []
    assert len(found(limit=1)) == 1
    with pytest.raises(EvervecError) as caught:
        found(arguments={})
    assert caught.value.sqlstate == "VE111"


def test_the_python_api_makes_vectors_in_slices(notes: Search, service: Service) -> None:
    service.conn.execute("insert into note select g, 'note ' || g from generate_series(4, 8) g")

    with Generate(service.config.database_url) as generate:
        first = generate("note", batch_size=3)
        second = generate("note", batch_size=3, after=first.next)
        keys = generate("note", keys=[{"id": 1}, '{"id": 99}'])
        none = generate("note", keys=[])

    assert [(done.queued, done.generated) for done in (first, second)] == [(3, 3), (2, 2)]
    assert (first.next, second.next) == ('{"id": 6}', None)
    assert (keys.processed, keys.unchanged, keys.generated, keys.next) == (2, 1, 0, None)
    assert (none.queued, none.processed) == (0, 0)
    assert service.vectors() == set(range(1, 9))


def test_the_python_api_gives_the_vector_for_sql_of_ones_own(
    notes: Search, service: Service
) -> None:
    vector = notes.vector("note", WORDS)
    assert vector.dtype == np.float32
    assert vector.shape == (DIMENSIONS,)
    assert np.array_equal(vector, words_vector(WORDS))
    notes("note", WORDS)
    assert service.provider.texts == [WORDS]


def test_the_python_api_sees_what_changed(notes: Search, service: Service) -> None:
    notes("note", WORDS)
    service.conn.execute("update note set title = %s where id = 2", [WORDS])
    service.worker().drain()
    assert notes("note", WORDS)[0].key == {"id": 2}


def test_the_python_api_tells_what_is_wrong(notes: Search, service: Service) -> None:
    for source, words, state in (
        ("nosuch", "x", "VE101"),
        ("note", "", "VE218"),
        ("note", " \n", "VE218"),
    ):
        with pytest.raises(EvervecError) as caught:
            notes(source, words)
        assert caught.value.sqlstate == state
    with pytest.raises(EvervecError) as caught:
        notes("note", "x", limit=-1)
    assert caught.value.sqlstate == "VE204"

    def refuse(_: object) -> None:
        raise ProviderError("server_error", "away")

    service.provider.fail = refuse
    with pytest.raises(ProviderError):
        notes("note", "new words")
    with pytest.raises(EvervecError):
        Search("postgresql://127.0.0.1:1/nowhere").__enter__()


def test_the_python_api_searches_a_read_only_server(
    notes: Search, service: Service, url: str
) -> None:
    expected = notes("note", WORDS)
    with Search(f"{url}&options=-c%20default_transaction_read_only%3Don") as standby:
        assert [standby("note", words) for words in (WORDS, WORDS)] == [expected] * 2
        standby("note", "new")
        standby("note", "new")
    assert service.provider.texts == [WORDS, "new", "new"]


def test_several_threads_may_search_at_once(notes: Search) -> None:
    running = [in_thread(lambda: notes("note", WORDS)) for _ in range(8)]
    assert len({tuple(future.result(timeout=20)) for future in running}) == 1


def test_what_is_imported_from_the_package_is_imported_when_asked_for() -> None:
    loaded = "print('psycopg' in sys.modules)"
    script = f"import sys, evervec; {loaded}; evervec.Search; {loaded}"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["False", "True"]
    with pytest.raises(AttributeError):
        getattr(evervec, "nosuch")  # noqa: B009


def test_the_python_api_searches_by_meaning_and_words(notes: Search, service: Service) -> None:
    with pytest.raises(EvervecError) as caught:
        notes.hybrid("note", WORDS)
    assert caught.value.sqlstate == "VE219"
    service.conn.execute("select evervec.retrack('note', p_text_search => 'english')")
    service.worker().drain()
    service.provider.batches.clear()

    first, second = (notes.hybrid("note", "a clock", text_weight=3) for _ in range(2))

    assert first == second
    assert (first[0].key, first[0].vector_rank, first[0].text_rank) == ({"id": 2}, 1, 1)
    assert [row.text_rank for row in first[1:]] == [None, None]
    assert [row.text_score for row in first[1:]] == [None, None]
    by_words = notes.hybrid("note", "whale", vector_weight=0)
    assert [(row.key["id"], row.similarity) for row in by_words] == [(1, None)]
    assert service.provider.texts == ["a clock"]
    assert 1 not in [row.key["id"] for row in notes.hybrid("note", "whale", exclude=['{"id": 1}'])]
    with pytest.raises(EvervecError) as caught:
        notes.hybrid("note", "")
    assert caught.value.sqlstate == "VE218"


def test_a_source_is_tracked_with_its_words_from_a_shell(
    program: Program, searched: OpenAIServer, conn: psycopg.Connection
) -> None:
    document = "select document::text from note_embedding where id = 1"
    assert program.run("retrack", "note", "--text-search", "english").code == 0
    assert program.run("worker", "--drain").code == 0
    assert conn.execute(document).fetchone() == ("'titl':1 'whale':2",)
    assert searched.requests == []

    found = program.run("search", "note", "whale", "--hybrid")
    assert found.out.splitlines()[0].split() == ["similarity", "text", "rank", "id", "text"]
    assert found.out.splitlines()[1].split()[1:3] == ["1", "1"]
    (first, *others) = json.loads(program.run("search", "note", "whale", "--hybrid", "--json").out)
    assert (first["key"], first["vector_rank"], first["text_rank"]) == ({"id": 1}, 1, 1)
    assert [row["text_rank"] for row in others] == [None] * len(others)
    both = program.run("search", "note", "whale", "--hybrid", "--min-similarity", "0.5")
    assert (both.code, "exclude" in both.err) == (2, True)

    bad = program.run("retrack", "note", "--text-search", "klingon")
    assert (bad.code, "klingon" in bad.err, "simple" in bad.err) == (1, True, True)
    missing = program.run("retrack", "note", "--bm25")
    assert (missing.code, "pg_textsearch is not installed" in missing.err) == (1, True)
    assert program.run("retrack", "note", "--no-bm25").code == 0

    conn.execute("create table book (id int primary key, title text)")
    conn.execute("insert into book values (1, 'whales')")
    tracked = program.run(
        "track",
        "book",
        "--columns",
        "title",
        "--model",
        "wire",
        "--text-search",
        "simple",
        "--no-bm25",
    )
    assert tracked.code == 0, tracked.err
    assert program.run("worker", "--drain").code == 0
    assert conn.execute("select document::text from book_embedding").fetchone() == (
        "'title':1 'whales':2",
    )
