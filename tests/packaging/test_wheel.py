"""A wheel built from this tree, installed into a fresh environment, used in an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.support import migrating
from tests.support.cluster import Database
from tools.chain import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built by the hatchling that the tests have, without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    subprocess.run(
        [*command, "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)], check=True
    )
    (path,) = folder.glob("evervec-*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `evervec` command of a fresh environment that has this wheel.

    Its dependencies are those of the tests' environment, put behind the wheel on the path: they are
    not what is tested, and downloading them again would take a minute.
    """
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    target = subprocess.run(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*command, "--no-deps", "--no-index", str(wheel)], check=True)
    dependencies = Path(target) / "dependencies.pth"
    # A bare path: .pth files of that folder (an editable evervec) are not followed.
    dependencies.write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin" / "evervec"


def run(command: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [str(command), *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_wheel_carries_every_migration_and_sql_file(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("migrations", "sql"):
        for path in (ROOT / folder).rglob("*.sql"):
            assert f"evervec/{path.relative_to(ROOT).as_posix()}" in names
    assert {name.partition("/")[0] for name in names if "dist-info" not in name} == {"evervec"}


def test_the_installed_package_is_the_wheels(installed: Path, tmp_path: Path) -> None:
    python = installed.with_name("python")
    script = "from evervec import resources; print(resources.migrations_dir())"
    result = run(python, tmp_path, "-c", script)
    assert Path(result.stdout.strip()).is_relative_to(installed.parents[1]), result.stderr


def test_the_command_explains_itself_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    result = run(installed, tmp_path, "--help")
    assert result.returncode == 0, result.stderr
    assert "migrate" in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_it_migrates_from_an_empty_folder(
    installed: Path, tmp_path: Path, bare_database: Database
) -> None:
    result = run(installed, tmp_path, "migrate", "-d", bare_database.url)
    assert result.returncode == 0, result.stderr
    assert [i for _, i in migrating.marks(bare_database.url)] == migrating.MIGRATION_IDS
