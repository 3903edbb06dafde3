"""What docker-compose.yml runs, run: its scripts and commands, on a server that has pg_cron."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

import evervec
from evervec import embedded
from tests.deployment.test_compose import SERVICES
from tests.support.cluster import Cluster, Database
from tests.support.extensions import database_of_jobs
from tests.support.migrating import wait_for
from tools.chain import ROOT

PASSWORD = 'it\'s a "secret" $HOME'


class Container:
    """The service's environment, with a folder in the place of /run/secrets and of the image."""

    def __init__(self, folder: Path, database: Database) -> None:
        (folder / "owner").write_text(PASSWORD + "\n")
        (folder / "openai").write_text("")
        program = folder / "evervec"
        main = [sys.executable, "-c", "from evervec.cli import main; exit(main())"]
        program.write_text(f'#!/bin/sh\nexec {shlex.join(main)} "$@"\n')
        program.chmod(0o755)
        with psycopg.connect(database.superuser_url) as conn:
            where = {"PGHOST": conn.info.host, "PGPORT": str(conn.info.port)}
        declared = {
            name: value.replace("/run/secrets", str(folder)).replace(
                "@postgres/postgres", f"@/{database.name}"
            )
            for name, value in SERVICES["worker"]["environment"].items()
            if not value.startswith("${")
        }
        python = Path(sys.executable).parent
        path = [folder, ROOT / "deploy" / "docker", embedded.program("psql").parent, python]
        self.environment = {
            **os.environ,
            **where,
            **declared,
            "PATH": os.pathsep.join([*map(str, path), os.environ["PATH"]]),
            "PYTHONPATH": str(Path(evervec.__file__).parents[1]),
        }

    def run(self, *command: str, **variables: str) -> str:
        """Run a command to its end; what it printed."""
        result = subprocess.run(
            command,
            env=self.environment | variables,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert result.returncode == 0, result.stdout
        return result.stdout


@pytest.fixture
def bare(cluster: Cluster) -> Iterator[Database]:
    """A database as the image makes it; the role goes after it."""
    try:
        with database_of_jobs(cluster) as database:
            yield database
    finally:
        with cluster.connect() as conn:
            conn.execute("drop role if exists shop_owner")


@pytest.fixture
def container(bare: Database, tmp_path: Path) -> Container:
    """The service beside a server that has been set up."""
    container = Container(tmp_path, bare)
    container.run(
        str(ROOT / "deploy" / "postgres" / "setup.sh"),
        POSTGRES_DB=bare.name,
        OWNER_PASSWORD_FILE=str(tmp_path / "owner"),
    )
    return container


def test_a_secret_reaches_the_command_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(PASSWORD + "\n")
    result = subprocess.run(
        [ROOT / "deploy" / "docker" / "with-secrets", "sh", "-c", 'printf %s "$PGPASSWORD"'],
        env={"PATH": os.environ["PATH"], "PGPASSWORD_FILE": str(tmp_path / "secret")},
        stdout=subprocess.PIPE,
        check=True,
    )
    assert result.stdout.decode() == PASSWORD


@pytest.mark.pg_cron
def test_the_owner_has_the_password_of_the_file_and_is_no_superuser(
    container: Container, cluster: Cluster
) -> None:
    with cluster.connect() as conn:
        query = "select rolpassword, rolsuper from pg_authid where rolname = 'shop_owner'"
        found = conn.execute(query).fetchone()
    assert found is not None
    iterations, salt, stored = re.findall(r"\$(\d+):(.*)\$(.*):", found[0])[0]
    salted = hashlib.pbkdf2_hmac(
        "sha256", PASSWORD.encode(), base64.b64decode(salt), int(iterations)
    )
    key = hmac.digest(salted, b"Client Key", "sha256")
    assert base64.b64encode(hashlib.sha256(key).digest()).decode() == stored
    assert found[1] is False


@pytest.mark.pg_cron
def test_everybody_but_the_owner_is_kept_from_sending_requests(
    container: Container, bare: Database
) -> None:
    with psycopg.connect(bare.superuser_url) as conn:
        conn.execute("create role passer_by")
        query = """
            select n.nspname, has_schema_privilege('shop_owner', n.oid, 'usage'),
                   has_schema_privilege('passer_by', n.oid, 'usage')
              from pg_namespace n
             where n.nspname in ('http', 'net')
        """
        found = conn.execute(query).fetchall()
        conn.rollback()
    assert found
    assert {row[1:] for row in found} == {(True, False)}


@pytest.mark.pg_cron
def test_its_steps_make_a_database_in_which_worker_and_webhook_work(
    container: Container, bare: Database
) -> None:
    for name in ("migrate", "worker"):
        command = list(SERVICES[name]["command"])
        container.run("with-secrets", *command, *(["--drain"] if name == "worker" else []))
    container.run(*SERVICES["worker"]["healthcheck"]["test"][1:])

    serve = [*SERVICES["webhook"]["command"], "--port", "0"]
    with subprocess.Popen(
        ["with-secrets", *serve], env=container.environment, stderr=subprocess.PIPE, text=True
    ) as webhook:
        assert webhook.stderr is not None
        port = next(
            m[1] for m in (re.search(r":(\d{4,5})\b", line) for line in webhook.stderr) if m
        )
        check = SERVICES["webhook"]["healthcheck"]["test"][1:]
        try:
            container.run(*(word.replace("8080", port) for word in check))
        finally:
            webhook.terminate()
        webhook.stderr.read()
    assert webhook.returncode == 0

    with psycopg.connect(bare.superuser_url, autocommit=True) as conn:
        assert conn.execute("select url from evervec.push").fetchone() == ("http://webhook:8080",)
        query = "select nspowner::regrole::text from pg_namespace where nspname = 'evervec'"
        assert conn.execute(query).fetchone() == ("shop_owner",)
        runs = "select from cron.job_run_details where status = 'succeeded'"
        wait_for(lambda: conn.execute(runs).rowcount > 0)
