"""A provider from a package of one's own: installed, found by its entry point, used by workers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest

from evervec.providers import Providers, ProviderSetupError
from evervec.records import Model
from tests.docs.blocks import blocks
from tests.support.openai_server import DIMENSIONS, words_vector
from tests.support.sql_worker import value
from tests.webhook.conftest import Program
from tools.chain import ROOT

ACME = ROOT / "tests" / "support" / "acme"
KEY = "acme-0123456789"


@dataclass
class AcmeServer:
    """Acme's service; what it was asked."""

    url: str
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)


@pytest.fixture
def acme() -> Iterator[AcmeServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found.bodies.append(body)
            found.keys.append(self.headers["X-Acme-Key"])
            vectors = [words_vector(text).tolist() for text in body["texts"]]
            answer = json.dumps({"vectors": vectors, "tokens": 7}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = AcmeServer(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package, as pip installs it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run(
        [*command, "--no-build-isolation", "--target", str(folder), str(ACME)], check=True
    )
    return folder


def test_a_worker_uses_the_provider_of_an_installed_package(
    conn: psycopg.Connection, program: Program, installed: Path, acme: AcmeServer
) -> None:
    conn.execute("select evervec.add_model('m', 'acme', %s, 'acme-1')", [DIMENSIONS])
    conn.execute("create table note (id int primary key, body text)")
    conn.execute("select evervec.track('note', p_template => '{body}', p_model => 'm')")
    conn.execute("insert into note values (1, 'whales'), (2, 'captains')")
    environment = {
        "PYTHONPATH": os.pathsep.join([str(installed), *map(os.path.abspath, sys.path)]),
        "EVERVEC_PROVIDER_ACME_BASE_URL": acme.url,
        "EVERVEC_PROVIDER_ACME_API_KEY": KEY,
    }

    worked = program.run("worker", "--drain", **environment)
    found = program.run("search", "note", "whales", "--json", **environment)

    assert worked.code == 0, worked.err
    assert [(body["purpose"], set(body["texts"])) for body in acme.bodies] == [
        ("document", {"whales", "captains"}),
        ("query", {"whales"}),
    ]
    assert {body["model"] for body in acme.bodies} == {"acme-1"}
    assert set(acme.keys) == {KEY}
    assert value(conn, "select sum(tokens) from evervec.batch_log") == 7
    assert json.loads(found.out)[0]["key"] == {"id": 1}, found.err


def test_a_profile_may_have_it_as_its_kind(
    monkeypatch: pytest.MonkeyPatch, installed: Path, acme: AcmeServer
) -> None:
    monkeypatch.syspath_prepend(str(installed))
    monkeypatch.setenv("EVERVEC_PROVIDER_ACME_EU_KIND", "acme")
    monkeypatch.setenv("EVERVEC_PROVIDER_ACME_EU_BASE_URL", acme.url)

    answer = Providers().embed(Model("m", "acme-eu", "acme-1", DIMENSIONS), ["x"], "document")

    assert answer.tokens == 7


def test_a_package_that_cannot_be_loaded_is_a_setup_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[evervec.providers]\nbroken = not_there:Provider\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    with pytest.raises(ProviderSetupError, match="'broken', which is not_there:Provider, cannot"):
        Providers().embed(Model("m", "broken", "m", 3), ["x"], "document")


@pytest.mark.parametrize(
    ("language", "name"), [("toml", "pyproject.toml"), ("python", "acme_embeddings.py")]
)
def test_the_documented_example_is_the_one_that_is_tested(language: str, name: str) -> None:
    shown = [b.text for b in blocks(ROOT / "docs" / "providers.md") if b.language == language]

    assert (ACME / name).read_text() in shown
