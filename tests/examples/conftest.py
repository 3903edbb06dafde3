"""What the tests of the examples share: OpenAI's format on loopback, and accounts with it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.openai_server import OpenAIServer

# Profile → the key that its requests come with.
KEYS = {
    "OPENAI": "of-the-shop",
    "EVERVEC_PROVIDER_ANNS": "of-ann",
    "EVERVEC_PROVIDER_BOBS": "of-bob",
}


@pytest.fixture(scope="module")
def provider() -> Iterator[OpenAIServer]:
    """A server that ann and bob reach with keys of their own, and workers with the shop's."""
    with OpenAIServer().running() as server, pytest.MonkeyPatch.context() as environment:
        for prefix, key in KEYS.items():
            environment.setenv(f"{prefix}_API_KEY", key)
            environment.setenv(f"{prefix}_BASE_URL", server.url)
        environment.setenv("EVERVEC_PROFILES", "ann=anns,bob=bobs")
        yield server


@pytest.fixture
def accounts(provider: OpenAIServer) -> OpenAIServer:
    """The same, that nobody has asked yet, and with nothing in mind."""
    provider.requests.clear()
    provider.rule(lambda _: None)
    return provider


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without any key."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "EVERVEC_PROFILES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("EVERVEC_LOCAL_PROCESSES", "1")
