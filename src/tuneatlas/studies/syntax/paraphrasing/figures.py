"""The figure of the syntax study: scores by start, subset and share of the pairs.

Colours and files are those of :mod:`tuneatlas.plots`.
"""

from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tuneatlas.plots import (
    BLUE,
    GOLD,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    SKY,
    draw_figures,
    panels,
)
from tuneatlas.studies.syntax.paraphrasing.starts import (
    BOTH,
    CONTROL,
    DRAWN,
    SUBSETS,
    VANILLA,
    start_name,
)
from tuneatlas.tables import Row

# Colour and marker of each start.
STYLES = {
    VANILLA: (MUTED, "o"),
    CONTROL: (INK, "D"),
    "structure": (ORANGE, "^"),
    "syntax": (GREEN, "v"),
    BOTH: (BLUE, "s"),
}
# Those of ablations, in turn.
ABLATED = ((PURPLE, "P"), (SKY, "X"), (GOLD, "<"), (MUTED, ">"))


def draw_paraphrase_figures(metrics: Mapping[str, Any], folder: Path) -> list[str]:
    """Write every figure that ``metrics`` has numbers for into ``folder``; return their names."""
    return draw_figures(metrics, folder, {"paraphrase_scores": (_rows, _scores)})


def _rows(metrics: Mapping[str, Any]) -> list[Row]:
    first = metrics["design"]["formats"][0]
    return [row for row in metrics["scores"] if row["metric"] in DRAWN and row["format"] == first]


def _scores(rows: list[Row]) -> Figure:
    """A row of panels per metric, a column per subset; within, shares of pairs by start."""
    metrics = list(dict.fromkeys(row["metric"] for row in rows))
    metrics.sort(key=list(DRAWN).index)
    shares = sorted({row["share"] for row in rows}, reverse=True)
    starts = list(dict.fromkeys(row["start"] for row in rows))
    others = [start for start in starts if start not in STYLES]
    styles = STYLES | dict(zip(others, cycle(ABLATED), strict=False))
    starts = [start for start in styles if start in starts]
    height = 0.5 + 0.17 * len(starts) * len(shares)
    figure, axes = panels(len(metrics), len(SUBSETS), 3.6, height, sharex=False)
    for metric, line in zip(metrics, axes, strict=True):
        for subset, panel in zip(SUBSETS, line, strict=True):
            cell = [r for r in rows if (r["metric"], r["subset"]) == (metric, subset)]
            for row in cell:
                colour, marker = styles[row["start"]]
                lane = len(starts) * 0.5 - starts.index(row["start"]) - 0.5
                at = shares.index(row["share"]) * -(len(starts) + 1.2) + lane
                panel.plot([row["low"], row["high"]], [at, at], color=colour, lw=1.8)
                panel.plot(row["value"], at, marker, color=colour, ms=5.5)
            ticks = [-(len(starts) + 1.2) * place for place in range(len(shares))]
            panel.set_yticks(ticks, [f"{share}%" for share in shares])
            panel.set_ylim(ticks[-1] - len(starts) / 2 - 0.5, len(starts) / 2 + 0.5)
            panel.grid(axis="y", visible=False)
            count = max((row["pairs"] for row in cell), default=0)
            panel.set_title(f"{SUBSETS[subset]} (n = {count:,})")
            panel.set_xlabel(DRAWN[metric])
        line[0].set_ylabel("training pairs")
    handles = [
        Line2D([], [], color=c, marker=m, lw=1.8, ms=5.5, label=start_name(start))
        for start, (c, m) in ((start, styles[start]) for start in starts)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure
