"""evervec recall and tune, and the plots that they draw."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.sql.test_recall import source
from tests.support.sql_worker import value
from tests.webhook.conftest import Program

POOR = """p_index_options => '{"m": 4, "ef_construction": 16}'"""


@pytest.fixture
def item(conn: psycopg.Connection) -> psycopg.Connection:
    source(conn, 3000, options=POOR)
    return conn


def effort(conn: psycopg.Connection) -> int | None:
    stored: int | None = value(conn, "select search_effort from evervec.source")
    return stored


def test_recall_with_the_effort_of_now_and_with_others(
    program: Program, item: psycopg.Connection
) -> None:
    now = program.run("recall", "item", "--samples", "20")
    others = program.run("recall", "item", "--effort", "10", "--effort", "80", "-n", "5", "--json")

    assert now.code == 0, now.err
    assert now.out.split()[:2] == ["effort", "recall"]
    assert "\n   100  0." in now.out
    assert "Of 20 rows, the 10 nearest to each." in now.out
    few, more = json.loads(others.out)
    assert (few["effort"], more["effort"], few["samples"]) == (10, 80, 100)
    assert few["recall"] < more["recall"] <= 1


def test_tune_stores_what_it_shows_and_reset_forgets_it(
    program: Program, item: psycopg.Connection
) -> None:
    told = program.run("tune", "item", "--target", "0.9")
    stored = effort(item)
    (line,) = [line for line in told.out.splitlines() if "stored" in line]
    assert int(line.split()[0]) == stored
    assert f"take an effort of {stored} from now on" in told.out

    assert (
        program.run("tune", "item", "--reset").out == "Searches of item take the default effort.\n"
    )
    assert effort(item) is None


def test_of_few_vectors_there_is_nothing_to_tune(
    program: Program, conn: psycopg.Connection
) -> None:
    source(conn, 20)

    assert "exact  1.0000" in program.run("recall", "item").out
    assert "Nothing to tune. Its searches read all vectors" in program.run("tune", "item").out


def test_bad_targets_are_told(program: Program, item: psycopg.Connection) -> None:
    done = program.run("tune", "item", "--target", "1.5", "--samples", "1")
    assert (done.code, "VE111" in done.err, "HINT" in done.err) == (1, True, True)


def test_a_plot_has_a_point_with_its_effort_for_each_line_of_the_table(
    program: Program, item: psycopg.Connection, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    svg, png = tmp_path / "item.svg", tmp_path / "item.png"

    recall = program.run("recall", "item", "--samples", "10", "--plot", str(svg), "--json")
    tune = program.run("tune", "item", "--target", "0.9", "--plot", str(png))

    assert (recall.code, tune.code) == (0, 0), recall.err + tune.err
    assert f"Drawn in {png}." in tune.out
    efforts = [row["effort"] for row in json.loads(recall.out)]
    assert efforts[:4] == [10, 20, 40, 80]
    # Words are drawn as shapes; what they say stands beside them.
    drawn = svg.read_text()
    assert "<!-- item: recall against latency, by effort -->" in drawn
    assert all(f"<!-- {each} -->" in drawn for each in efforts if each)
    assert png.read_bytes().startswith(b"\x89PNG")
    assert png.stat().st_size > 10_000


@pytest.mark.parametrize("file", ["item.pdf", "nowhere/item.png"])
def test_a_file_that_cannot_be_drawn_into_is_told_before_anything_is_measured(
    program: Program, item: psycopg.Connection, tmp_path: Path, file: str
) -> None:
    done = program.run("tune", "item", "--plot", str(tmp_path / file))
    assert (done.code, "--plot" in done.err) == (2, True)
    assert effort(item) is None


def test_without_matplotlib_a_plot_says_what_to_install(program: Program, tmp_path: Path) -> None:
    hidden = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from evervec.cli import main\n"
        f"main(['recall', 'item', '--plot', {str(tmp_path / 'item.png')!r}])"
    )
    done = subprocess.run(
        [sys.executable, "-c", hidden],
        env=program.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "matplotlib" in done.stderr
    assert "pip install 'evervec[plot]'" in done.stderr
