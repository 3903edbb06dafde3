"""The units of deploy/systemd."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from evervec.cli.program import program
from tools.chain import ROOT

UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
EVERVEC = "/opt/evervec/bin/evervec"


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_starts_a_command_that_there_is(unit: Path) -> None:
    started = [line for line in unit.read_text().splitlines() if line.startswith("ExecStart=")]
    path, name, *options = shlex.split(started[0].removeprefix("ExecStart="))
    assert path == EVERVEC
    known = {o for p in program.commands[name].params for o in p.opts}
    assert {o for o in options if o.startswith("-")} <= known


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_has_nothing_to_say(unit: Path, tmp_path: Path) -> None:
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace(EVERVEC, str(shutil.which("true"))))
    result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True, check=False
    )
    about_ours = [line for line in result.stderr.splitlines() if unit.stem in line]
    assert (result.returncode, about_ours) == (0, [])
