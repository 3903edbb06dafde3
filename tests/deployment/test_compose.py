"""docker-compose.yml and Dockerfile: sound in themselves. What they run, test_steps.py runs."""

from __future__ import annotations

import re
import shlex
from typing import Any

import yaml  # type: ignore[import-untyped]

from evervec import __version__
from evervec.cli.program import program
from tools.chain import ROOT

TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def commands() -> list[list[str]]:
    """Every call of evervec: services, health checks, scripts, and the words at the top."""
    words = [s["command"] for s in SERVICES.values() if "command" in s]
    words += [s["healthcheck"]["test"][1:] for s in SERVICES.values() if "healthcheck" in s]
    words += [shlex.split(line) for line in migrate_script().splitlines() if line[:1] != "#"]
    words.append(re.findall(r"docker compose exec worker (.*)", TEXT)[0].split())
    return [w[w.index("evervec") + 1 :] for w in words if "evervec" in w]


def migrate_script() -> str:
    return (ROOT / "deploy" / "docker" / "migrate").read_text()


def test_the_schema_is_there_before_worker_and_webhook_start() -> None:
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in ("worker", "webhook"):
        assert SERVICES[name]["depends_on"] == {
            "migrate": {"condition": "service_completed_successfully"}
        }


def test_what_runs_for_long_has_a_health_check_and_restarts() -> None:
    for name in ("postgres", "webhook", "worker"):
        assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
        assert SERVICES[name]["restart"] == "unless-stopped"


def test_images_are_pinned() -> None:
    images = [SERVICES["postgres"]["image"], *re.findall(r"^FROM (\S+)", DOCKERFILE, re.M)]
    for image in images:
        assert re.fullmatch(r"[a-z/]+:\d+\.\d+[\w.-]*", image), image
    assert SERVICES["worker"]["image"] == f"evervec:{__version__}"


def test_the_service_is_not_root_and_may_write_nothing() -> None:
    assert re.findall(r"^USER (\d+):(\d+)$", DOCKERFILE, re.M) == [("65534", "65534")]
    for name in ("migrate", "webhook", "worker"):
        assert (SERVICES[name]["read_only"], SERVICES[name]["cap_drop"]) == (True, ["ALL"])


def test_every_command_is_one_of_the_program() -> None:
    assert len(commands()) >= 6
    for name, *options in commands():
        known = {o for p in program.commands[name].params for o in p.opts}
        assert {o for o in options if o.startswith("-")} <= known


def test_every_secret_is_a_file_and_no_password_is_written_down() -> None:
    assert all(set(secret) == {"file"} for secret in COMPOSE["secrets"].values())
    used = {secret for service in SERVICES.values() for secret in service.get("secrets", [])}
    assert used == set(COMPOSE["secrets"])
    assert not re.search(r"password:\s*\S", TEXT, re.I)
    assert not re.search(r"://[^@/\s]*:[^@/\s]*@", TEXT)


def test_the_image_is_made_of_files_that_exist_and_are_sent_along() -> None:
    copied = [line.split()[1:-1] for line in DOCKERFILE.splitlines() if line.startswith("COPY ")]
    paths = [path for line in copied if not line[0].startswith("--from") for path in line]
    sent = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0] == "!"
    }
    assert "pyproject.toml" in paths
    assert [path for path in paths if not (ROOT / path).exists()] == []
    assert set(paths) == sent


def test_what_is_mounted_exists() -> None:
    mounted = [v.split(":")[0] for v in SERVICES["postgres"]["volumes"] if v.startswith("./")]
    assert mounted
    assert [path for path in mounted if not (ROOT / path).is_file()] == []
