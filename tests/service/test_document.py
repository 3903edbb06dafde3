"""The webhook does what its OpenAPI document says, whatever it is asked."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from evervec.app import create_app
from evervec.config import Config
from tests.service.serving import Serving, serving, track_notes
from tests.support.openai_server import OpenAIServer

EXAMPLES = 100

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "ignored_auth",
)


# Most of what is made up should be of something that there is.
HOOKS = """
import schemathesis

KNOWN = {"source": "note", "model": "wire", "name": "note"}


def known(given):
    if isinstance(given, dict):
        for name in KNOWN.keys() & given.keys():
            if isinstance(given[name], str) and given[name]:
                given[name] = KNOWN[name]
        if isinstance(given.get("id"), int) and given["id"] > 0:
            given["id"] = given["id"] % 5 + 1
    return given


@schemathesis.hook
def map_body(context, body):
    return known(body)


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    return known(path_parameters)
"""


@pytest.fixture
def served(conn: psycopg.Connection, url: str, tmp_path: Path) -> Iterator[Serving]:
    """A webhook over twenty notes, three of them dead letters."""
    track_notes(conn, 20)
    with OpenAIServer().running() as api, serving(url, tmp_path / "log", api) as found:
        conn.execute(
            "insert into evervec.dead_letter (source_id, task_type, row_key, error_class, message,"
            " priority, attempts, failures, metadata, created_at, first_failed_at, last_failed_at)"
            " select source_id, 'embed', jsonb_build_object('id', g), 'bad_input', 'refused', 5, 1,"
            " '[]', '{}', now(), now(), now() from evervec.source, generate_series(1, 3) g"
        )
        yield found


def test_every_operation_answers_as_its_document_says(served: Serving, tmp_path: Path) -> None:
    (tmp_path / "made_up.py").write_text(HOOKS)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run"),
            f"{served.address}/v1/openapi.json",
            *("--header", f"Authorization: {served.headers['Authorization']}"),
            *("--max-examples", str(EXAMPLES), "--checks", ",".join(CHECKS), "--seed", "1"),
            *("--phases", "examples,coverage,fuzzing", "--mode", "all", "--no-color"),
        ],
        cwd=tmp_path,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "made_up", "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    assert served.events("request_fault") == []


def test_every_operation_is_described() -> None:
    document = create_app(Config()).api_doc
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], (method, path)
            assert operation["description"], (method, path)
            problems = {
                status
                for status, answer in operation["responses"].items()
                if "application/problem+json" in answer.get("content", {})
            }
            assert {"401", "422", "503"} <= problems, (method, path)


def test_the_document_names_what_opens_each_operation() -> None:
    document = create_app(Config()).api_doc
    paths = document["paths"]
    assert document["security"] == [{"token": []}]
    assert paths["/v1/healthz"]["get"]["security"] == [{}]
    assert paths["/v1/cron/tick"]["post"]["security"] == [{"cron": []}]
    assert paths["/v1/wake"]["post"]["security"] == [{"ring": []}, {"token": []}]
    assert "security" not in paths["/v1/search"]["post"]
