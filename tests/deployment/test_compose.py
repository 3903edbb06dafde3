"""docker-compose.yml: sound in itself, and its steps run against the test's own server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml  # type: ignore[import-untyped]

import evervec
from evervec import __version__, embedded
from evervec.cli.program import program
from tests.support.cluster import Cluster, Database
from tools.chain import ROOT

TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def dockerfile() -> str:
    """The Dockerfile, as compose hands it on."""
    return str(SERVICES["worker"]["build"]["dockerfile_inline"]).replace("$$", "$")


def commands() -> list[list[str]]:
    """Every call of evervec, health checks included."""
    words = [s["command"] for s in SERVICES.values() if "command" in s]
    words += [s["healthcheck"]["test"][1:] for s in SERVICES.values() if "healthcheck" in s]
    words.append(re.findall(r"docker compose exec worker (.*)", TEXT)[0].split())
    return [w[w.index("evervec") + 1 :] for w in words if "evervec" in w]


def test_it_has_a_server_a_migration_and_a_worker_that_start_in_this_order() -> None:
    assert list(SERVICES) == ["postgres", "migrate", "worker"]
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert SERVICES["worker"]["depends_on"] == {
        "migrate": {"condition": "service_completed_successfully"}
    }


def test_what_runs_for_long_has_a_health_check_and_restarts() -> None:
    for name in ("postgres", "worker"):
        assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
        assert SERVICES[name]["restart"] == "unless-stopped"


def test_images_are_pinned() -> None:
    images = [SERVICES["postgres"]["image"], *re.findall(r"^FROM (\S+)", dockerfile(), re.M)]
    for image in images:
        assert re.fullmatch(r"[a-z/]+:\d+\.\d+[\w.-]*", image), image
    assert SERVICES["worker"]["image"] == f"evervec:{__version__}"


def test_every_command_is_one_of_the_program() -> None:
    assert len(commands()) == 4
    for name, *options in commands():
        known = {o for p in program.commands[name].params for o in p.opts}
        assert set(options) <= known


def test_every_secret_is_a_file_and_no_password_is_written_down() -> None:
    assert all(set(secret) == {"file"} for secret in COMPOSE["secrets"].values())
    used = {secret for service in SERVICES.values() for secret in service.get("secrets", [])}
    assert used == set(COMPOSE["secrets"])
    assert not re.search(r"password:\s*\S", TEXT, re.I)
    assert not re.search(r"://[^@/\s]*:[^@/\s]*@", TEXT)


def test_the_image_is_made_of_files_that_exist() -> None:
    copied = [line.split()[1:-1] for line in dockerfile().splitlines() if line.startswith("COPY ")]
    paths = [p for line in copied for p in line if not p.startswith(("<", "--"))]
    assert "pyproject.toml" in paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.fixture
def bare(cluster: Cluster) -> Iterator[Database]:
    """A database as the image makes it; the role goes after it."""
    try:
        with cluster.bare_database(None) as database:
            yield database
    finally:
        with cluster.connect() as conn:
            conn.execute("drop role if exists shop_owner")


def test_its_steps_make_a_database_in_which_a_worker_works(
    bare: Database, cluster: Cluster, tmp_path: Path
) -> None:
    password = 'it\'s a "secret"'
    (tmp_path / "owner").write_text(password + "\n")
    with psycopg.connect(bare.superuser_url) as conn:
        where = {"PGHOST": conn.info.host, "PGPORT": str(conn.info.port)}
    environment = {
        **os.environ,
        **where,
        "PATH": f"{embedded.program('psql').parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(Path(evervec.__file__).parents[1]),
        "POSTGRES_DB": bare.name,
    }

    def run(*command: str, **variables: str) -> None:
        result = subprocess.run(
            command,
            env=environment | variables,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert result.returncode == 0, result.stdout

    roles = COMPOSE["configs"]["roles"]["content"].replace("$$", "$")
    run("sh", "-euc", roles.replace("/run/secrets", str(tmp_path)))

    script = re.findall(r'<<"SCRIPT" \S+\n(.*)\nSCRIPT', dockerfile(), re.DOTALL)[0]
    shell = tmp_path / "evervec-shell"
    shell.write_text(script.replace("/run/secrets", str(tmp_path)) + "\n")
    shell.chmod(0o755)
    url = SERVICES["worker"]["environment"]["EVERVEC_DATABASE_URL"]
    url = url.replace("@postgres/shop", f"@/{bare.name}")
    main = [sys.executable, "-c", "from evervec.cli import main; exit(main())"]
    for command in (["migrate"], ["worker", "--drain"], ["status", "--json"]):
        run(str(shell), *main, *command, EVERVEC_DATABASE_URL=url)

    with psycopg.connect(cluster.url(bare.name)) as conn:
        query = """
            select r.rolname, r.rolsuper
              from pg_namespace n
              join pg_roles r on r.oid = n.nspowner
             where n.nspname = 'evervec'
        """
        assert conn.execute(query).fetchone() == ("shop_owner", False)
