"""Profiles of the environment, on the wire: whose key goes where, and what is told as missing."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import psycopg
import pytest

from evervec.providers import Embeddings, Kind, Providers, ProviderSetupError, profile
from evervec.records import Model
from tests.support.openai_server import DIMENSIONS, Answer, OpenAIServer
from tests.support.sql_worker import value
from tests.webhook.conftest import Program, WordsProvider

KEY, OTHER_KEY = "sk-first-0123456789", "sk-second-9876543210"

FIRST = Model("first", "openai", "m", DIMENSIONS)
SECOND = Model("second", "openai-two", "m", DIMENSIONS)


@pytest.fixture
def other_server() -> Iterator[OpenAIServer]:
    """The server of the profile openai-two."""
    with OpenAIServer().running() as server:
        yield server


@pytest.fixture(autouse=True)
def _environment(
    monkeypatch: pytest.MonkeyPatch, openai_server: OpenAIServer, other_server: OpenAIServer
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", openai_server.url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("EVERVEC_PROVIDER_OPENAI_TWO_BASE_URL", other_server.url)
    monkeypatch.setenv("EVERVEC_PROVIDER_OPENAI_TWO_API_KEY", OTHER_KEY)


def failure(model: Model) -> ProviderSetupError:
    with pytest.raises(ProviderSetupError) as error:
        Providers().embed(model, ["x"], "document")
    return error.value


def test_two_profiles_are_two_servers_with_a_key_each(
    openai_server: OpenAIServer, other_server: OpenAIServer
) -> None:
    providers = Providers()

    for model, text in ((FIRST, "one"), (SECOND, "two"), (FIRST, "three")):
        providers.embed(model, [text], "document")

    assert openai_server.texts == ["one", "three"]
    assert other_server.texts == ["two"]
    assert {r.headers["authorization"] for r in openai_server.requests} == {f"Bearer {KEY}"}
    assert other_server.requests[0].headers["authorization"] == f"Bearer {OTHER_KEY}"


def test_what_belongs_to_the_profile_openai_is_sent_by_no_other(
    monkeypatch: pytest.MonkeyPatch, openai_server: OpenAIServer, other_server: OpenAIServer
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-1")
    providers = Providers()

    providers.embed(FIRST, ["x"], "document")
    providers.embed(SECOND, ["x"], "document")

    assert openai_server.requests[0].headers["openai-organization"] == "org-1"
    assert not {"openai-organization", "openai-project"} & set(other_server.requests[0].headers)


def test_a_profile_with_a_key_alone_is_an_account_with_openai(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("EVERVEC_PROVIDER_OPENAI_TWO_BASE_URL")
    providers = Providers()

    made = providers._of(SECOND)

    # OPENAI_BASE_URL, which is set here, is another profile's.
    assert str(made._client.base_url) == "https://api.openai.com/v1/"  # type: ignore[attr-defined]


def test_azure_gets_the_deployment_in_the_path_the_version_and_its_own_header(
    monkeypatch: pytest.MonkeyPatch, other_server: OpenAIServer
) -> None:
    address = other_server.url.removesuffix("/v1")
    for name, setting in {
        "KIND": "azure",
        "API_KEY": OTHER_KEY,
        "BASE_URL": address,
        "API_VERSION": "2024-10-21",
    }.items():
        monkeypatch.setenv(f"EVERVEC_PROVIDER_AZURE_EU_{name}", setting)
    model = Model("m", "azure_eu", "my-deployment", DIMENSIONS)

    vectors = Providers().embed(model, ["x", "y"], "document").vectors

    (request,) = other_server.requests
    assert request.path == ("/openai/deployments/my-deployment/embeddings?api-version=2024-10-21")
    assert request.headers["api-key"] == OTHER_KEY
    assert "authorization" not in request.headers
    assert vectors.shape == (2, DIMENSIONS)


def test_azure_is_requested_once(
    monkeypatch: pytest.MonkeyPatch, other_server: OpenAIServer
) -> None:
    for name, setting in {
        "API_KEY": OTHER_KEY,
        "BASE_URL": other_server.url,
        "API_VERSION": "2024-10-21",
    }.items():
        monkeypatch.setenv(f"EVERVEC_PROVIDER_AZURE_{name}", setting)
    other_server.script(Answer(status=500, error={"message": f"key {OTHER_KEY}"}))

    with pytest.raises(Exception, match=r"key \*\*\*"):
        Providers().embed(Model("m", "azure", "d", DIMENSIONS), ["x"], "document")

    assert len(other_server.requests) == 1


@pytest.mark.parametrize(
    ("provider", "settings", "named"),
    [
        ("cohere", {}, "EVERVEC_PROVIDER_COHERE_API_KEY is not set"),
        ("my-azure", {"KIND": "azure"}, "MY_AZURE_API_KEY and EVERVEC_PROVIDER_MY_AZURE_BASE_URL"),
        (
            "azure",
            {"API_KEY": "sk-1", "BASE_URL": "https://x.example.org"},
            "EVERVEC_PROVIDER_AZURE_API_VERSION is not set",
        ),
        ("voyage", {"BASE_URL": "api.example.org/v1"}, "EVERVEC_PROVIDER_VOYAGE_BASE_URL is not"),
        ("voyage", {"BASE_URL": "http://[::1"}, "EVERVEC_PROVIDER_VOYAGE_BASE_URL is not"),
        ("voyage", {"API_KEY": "sk-1\nsk-2"}, "EVERVEC_PROVIDER_VOYAGE_API_KEY holds"),
        ("voyage", {"KIND": "smoke"}, "EVERVEC_PROVIDER_VOYAGE_KIND names no kind"),
    ],
)
def test_a_profile_without_what_it_needs_names_the_variable_and_repeats_no_value(
    monkeypatch: pytest.MonkeyPatch, provider: str, settings: dict[str, str], named: str
) -> None:
    prefix = f"EVERVEC_PROVIDER_{provider.upper().replace('-', '_')}_"
    for name, setting in settings.items():
        monkeypatch.setenv(prefix + name, setting)

    error = failure(Model("m", provider, "m", DIMENSIONS))

    assert error.error_class == "auth"
    assert named in error.message
    assert "sk-" not in str(error)


def test_an_unknown_kind_is_told_with_those_that_are_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EVERVEC_PROVIDER_X_KIND", "smoke")

    assert "azure, local, " in (failure(Model("m", "x", "m", DIMENSIONS)).hint or "")


def test_a_profile_shows_no_secret() -> None:
    shown = repr(profile("openai-two"))

    assert OTHER_KEY not in shown
    assert "openai-two" in shown


# -- tenants -----------------------------------------------------------------------------------


def test_a_tenants_query_goes_out_with_the_tenants_profile(
    openai_server: OpenAIServer, other_server: OpenAIServer
) -> None:
    providers = Providers(tenants={"alice": "openai-two", "*": "openai"})

    for text, tenant in (("own", None), ("of alice", "alice"), ("of bob", "bob")):
        providers.embed_query(FIRST, text, tenant)

    assert other_server.texts == ["of alice"]
    assert openai_server.texts == ["own", "of bob"]


def test_a_tenant_without_a_profile_is_refused_before_any_request(
    openai_server: OpenAIServer,
) -> None:
    with pytest.raises(ProviderSetupError, match="no provider profile for tenant 'bob'"):
        Providers(tenants={"alice": "openai-two"}).embed_query(FIRST, "x", "bob")

    assert openai_server.requests == []


def test_an_offline_model_needs_no_profile_of_a_tenant() -> None:
    local = Model("local", "local", "universal-sentence-encoder-multilingual-v3", 512)

    assert Providers().embed_query(local, "x", "bob").shape == (512,)


def test_search_takes_a_tenant(
    conn: psycopg.Connection,
    program: Program,
    openai_server: OpenAIServer,
    other_server: OpenAIServer,
) -> None:
    conn.execute("select evervec.add_model('first', 'openai', %s)", [DIMENSIONS])
    conn.execute("create table note (id int primary key, body text)")
    conn.execute("select evervec.track('note', p_template => '{body}', p_model => 'first')")
    environment = {
        "EVERVEC_PROFILES": "alice=openai-two",
        "EVERVEC_PROVIDER_OPENAI_TWO_BASE_URL": other_server.url,
        "EVERVEC_PROVIDER_OPENAI_TWO_API_KEY": OTHER_KEY,
        "OPENAI_BASE_URL": openai_server.url,
    }

    found = program.run("search", "note", "whales", "--tenant", "alice", **environment)
    again = program.run("search", "note", "whales", "--tenant", "alice", **environment)
    # Also where the words are known: who pays is not.
    refused = program.run("search", "note", "whales", "--tenant", "bob", **environment)

    assert (found.code, again.code) == (0, 0), found.err
    assert other_server.texts == ["whales"]
    assert refused.code == 1
    assert "no provider profile for tenant 'bob' is configured" in refused.err
    assert openai_server.requests == []


# -- the model pauses ----------------------------------------------------------------------------


def test_a_missing_key_pauses_its_model_and_alerts_name_the_variable(
    conn: psycopg.Connection, program: Program
) -> None:
    conn.execute("select evervec.add_model('third', 'voyage', %s)", [DIMENSIONS])
    conn.execute("create table note (id int primary key, body text)")
    conn.execute("select evervec.track('note', p_template => '{body}', p_model => 'third')")
    conn.execute("insert into note values (1, 'text')")

    done = program.run("worker", "--drain")

    assert done.code == 1
    assert "EVERVEC_PROVIDER_VOYAGE_API_KEY is not set" in done.err
    problem = value(conn, "select problem from evervec.alerts where alert = 'key refused'")
    assert "EVERVEC_PROVIDER_VOYAGE_API_KEY is not set" in problem
    assert value(conn, "select max(attempts) from evervec.processing_queue") == 0


# -- threads -------------------------------------------------------------------------------------


def test_threads_that_ask_at_once_get_one_provider() -> None:
    made: list[Model] = []
    together = Barrier(4)

    def factory(model: Model, *, timeout: float) -> WordsProvider:
        made.append(model)
        time.sleep(0.05)  # as long as a client takes to load: the others meet it half made
        return WordsProvider(model.dimensions)

    providers = Providers()
    providers.register("words", factory)
    model = Model("m", "words", "m", DIMENSIONS)

    def ask() -> tuple[int, ...]:
        together.wait()
        return providers.embed(model, ["x"], "document").vectors.shape

    with ThreadPoolExecutor(4) as threads:
        shapes = [future.result() for future in [threads.submit(ask) for _ in range(4)]]

    assert shapes == [(1, DIMENSIONS)] * 4
    assert len(made) == 1


# -- a provider that breaks the rules --------------------------------------------------------------


class BrokenProvider:
    def embed(self, texts: Sequence[str], kind: Kind) -> Embeddings:
        raise KeyError(kind, *texts)


def test_what_a_provider_raises_becomes_an_error_of_the_service_without_its_text() -> None:
    providers = Providers()
    providers.register("broken", lambda *_, **__: BrokenProvider())

    with pytest.raises(
        Exception, match="provider broken failed: KeyError at test_profiles"
    ) as info:
        providers.embed(Model("m", "broken", "m", 3), ["of somebody"], "document")

    assert getattr(info.value, "error_class", None) == "server_error"
    assert "somebody" not in str(info.value)
