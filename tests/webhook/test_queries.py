"""Searches of the same words ask the model once."""

from __future__ import annotations

import json

import numpy as np
import psycopg
import pytest

from evervec.db import Database
from evervec.providers import ProviderError
from evervec.queries import query_vector
from tests.support import cluster as clusters
from tests.support.openai_server import DIMENSIONS, OpenAIServer, words_vector
from tests.support.roles import role
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


def test_a_vector_comes_back_as_it_went_in(service: Service) -> None:
    model = service.db.get_model("words")

    asked = query_vector(service.db, service.providers, model, WORDS)
    known = query_vector(service.db, service.providers, model, WORDS)

    assert service.provider.texts == [WORDS]
    assert known.dtype == np.float32
    assert np.array_equal(known, asked)
    assert np.array_equal(known, words_vector(WORDS))


def test_a_search_that_failed_is_asked_again(service: Service) -> None:
    def refuse(_: object) -> None:
        raise ProviderError("server_error", "away")

    model = service.db.get_model("words")
    service.provider.fail = refuse
    with pytest.raises(ProviderError):
        query_vector(service.db, service.providers, model, WORDS)
    service.provider.fail = lambda _: None

    query_vector(service.db, service.providers, model, WORDS)

    assert service.provider.texts == [WORDS, WORDS]


def test_a_read_only_server_uses_what_it_has(service: Service, url: str) -> None:
    model = service.db.get_model("words")
    query_vector(service.db, service.providers, model, WORDS)

    with Database(f"{url}&options=-c%20default_transaction_read_only%3Don") as standby:
        for words in (WORDS, "new", "new"):
            query_vector(standby, service.providers, model, words)

    assert service.provider.texts == [WORDS, "new", "new"]


def test_a_role_that_may_not_use_the_cache_searches_without_it(
    service: Service,
    superuser_conn: psycopg.Connection,
    cluster: clusters.Cluster,
    database: clusters.Database,
) -> None:
    model = service.db.get_model("words")
    with role(superuser_conn) as name:
        superuser_conn.execute(
            f"alter role {name} login password '{name}'; grant usage on schema evervec to {name}"
        )
        with Database(cluster.url(database.name, name)) as db:
            for _ in range(2):
                query_vector(db, service.providers, model, WORDS)

    assert service.provider.texts == [WORDS, WORDS]
