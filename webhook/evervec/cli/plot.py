"""Recall against latency, drawn by matplotlib where it is installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

import click

from evervec.errors import EvervecError
from evervec.records import Recall

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from evervec.records import Tuned

_FORMATS: Final = (".png", ".svg")
_BLUE, _ORANGE, _GREY = "#1f5fa8", "#d1661c", "#8a8a8a"


def check_file(
    _context: click.Context, parameter: click.Parameter, value: Path | None
) -> Path | None:
    """A file to draw into; what would keep that from succeeding is told before the measuring."""
    if value is None:
        return None
    if value.suffix.lower() not in _FORMATS:
        raise click.BadParameter(f"{value} ends neither in .png nor in .svg.", param=parameter)
    if not value.parent.is_dir():
        raise click.BadParameter(f"there is no folder {value.parent}.", param=parameter)
    try:
        available = find_spec("matplotlib") is not None
    except ValueError:
        available = False
    if not available:
        raise EvervecError(
            "a plot needs matplotlib, which is not installed",
            hint="pip install 'evervec[plot]', or leave --plot out.",
        )
    return value


def draw(
    file: Path,
    source: str,
    limit: int,
    found: Sequence[Recall | Tuned],
    target: float | None = None,
) -> None:
    """One point an effort: the median and the 95th percentile of its searches, and its recall.

    target: what was asked for; the effort that was chosen for it stands out.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, NullFormatter

    points = [
        (row, row.effort, row.recall, row.p50_ms, row.p95_ms)
        for row in found
        if row.recall is not None and row.p50_ms is not None and row.p95_ms is not None
    ]
    figure = Figure(figsize=(8, 5), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    tried = sorted((p for p in points if p[1] is not None), key=lambda p: p[1] or 0)
    recalls = [p[2] for p in tried]
    axes.hlines(recalls, [p[3] for p in tried], [p[4] for p in tried], color=_GREY, linewidth=0.8)
    axes.plot([p[4] for p in tried], recalls, "|", color=_GREY, label="95 of 100 searches")
    axes.plot(
        [p[3] for p in tried],
        recalls,
        color=_BLUE,
        marker="o",
        markersize=5,
        label="half of the searches",
    )
    placed: list[tuple[float, float]] = []
    for row, effort, recall, p50, _ in tried:
        chosen = getattr(row, "chosen", False)
        if chosen:
            axes.plot([p50], [recall], "o", color=_ORANGE, markersize=9, label="stored")
        # Of efforts that bisection has tried side by side, only one is named.
        if chosen or all(abs(recall - y) > 0.01 or abs(p50 / x - 1) > 0.12 for x, y in placed):
            placed.append((p50, recall))
            axes.annotate(
                f"{effort:,}",
                (p50, recall),
                xytext=(-6, 5),
                textcoords="offset points",
                ha="right",
                fontsize=9,
                color=_ORANGE if chosen else _BLUE,
            )
    exact = [(row.exact_p50_ms, row.samples) for row in found if isinstance(row, Recall)]
    if exact and exact[0][0] is not None:
        axes.plot([exact[0][0]], [1.0], "D", color=_ORANGE, markersize=6, label="exact search")
    if target is not None:
        axes.axhline(target, color=_ORANGE, linewidth=0.8, linestyle=":", label=f"target {target}")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda ms, _: f"{ms:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    least = min((p[2] for p in points), default=0.0)
    axes.set_ylim(max(0.0, least - 0.08 * (1.02 - least) - 0.01), 1 + 0.04 * (1.02 - least) + 0.004)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.4g} %"))
    axes.set_xlabel("milliseconds a search, within the server")
    axes.set_ylabel(f"recall: found of the {limit} nearest")
    axes.set_title(f"{source}: recall against latency, by effort", loc="left", fontsize=11)
    axes.grid(visible=True, which="major", color="#e4e4e4", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    axes.legend(loc="lower right", frameon=False, fontsize=9)
    figure.savefig(file)
