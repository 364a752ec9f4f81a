"""The figure of the syntax study: scores by start, subset and share of the pairs.

Colours and files are those of :mod:`tuneatlas.figures`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tuneatlas.figures import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    draw_figures,
    panels,
)
from tuneatlas.tables import Row

# Name shown, colour and marker of each start.
STARTS = {
    "vanilla": ("T5", MUTED, "o"),
    "plain": ("T5, trained on without trees", INK, "D"),
    "structure": ("T5 + stage 1", ORANGE, "^"),
    "syntax": ("T5 + stage 2", GREEN, "v"),
    "both": ("T5 + both stages", BLUE, "s"),
}
SUBSETS = {"all": "all pairs", "hard": "hard pairs"}
# Metrics drawn: the text, and the distance to the wanted syntax.
DRAWN = {
    "bleu4": "BLEU-4 of sentences",
    "ted_e": "edits from the template\N{RIGHT SINGLE QUOTATION MARK}s tree",
}


def draw_paraphrase_figures(metrics: Mapping[str, Any], folder: Path) -> list[str]:
    """Write every figure that ``metrics`` has numbers for into ``folder``; return their names."""
    return draw_figures(metrics, folder, {"paraphrase_scores": (_rows, _scores)})


def metric_named(metric: str) -> str:
    """The metric without the height that trees are cut at: ted_e@5 is ted_e."""
    return metric.split("@")[0]


def _rows(metrics: Mapping[str, Any]) -> list[Row]:
    first = metrics["design"]["formats"][0]
    return [
        row
        for row in metrics["scores"]
        if metric_named(row["metric"]) in DRAWN and row["format"] == first
    ]


def _scores(rows: list[Row]) -> Figure:
    """A row of panels per metric, a column per subset; within, shares of pairs by start."""
    metrics = list(dict.fromkeys(row["metric"] for row in rows))
    metrics.sort(key=lambda name: list(DRAWN).index(metric_named(name)))
    shares = sorted({row["share"] for row in rows}, reverse=True)
    starts = [start for start in STARTS if any(row["start"] == start for row in rows)]
    height = 0.5 + 0.17 * len(starts) * len(shares)
    figure, axes = panels(len(metrics), len(SUBSETS), 3.6, height, sharex=False)
    for metric, line in zip(metrics, axes, strict=True):
        for subset, panel in zip(SUBSETS, line, strict=True):
            cell = [r for r in rows if (r["metric"], r["subset"]) == (metric, subset)]
            for row in cell:
                _, colour, marker = STARTS[row["start"]]
                lane = len(starts) * 0.5 - starts.index(row["start"]) - 0.5
                at = shares.index(row["share"]) * -(len(starts) + 1.2) + lane
                panel.plot([row["low"], row["high"]], [at, at], color=colour, lw=1.8)
                panel.plot(row["value"], at, marker, color=colour, ms=5.5)
            ticks = [-(len(starts) + 1.2) * place for place in range(len(shares))]
            panel.set_yticks(ticks, [f"{share}%" for share in shares])
            panel.grid(axis="y", visible=False)
            count = max((row["pairs"] for row in cell), default=0)
            panel.set_title(f"{SUBSETS[subset]} (n = {count:,})")
            panel.set_xlabel(DRAWN[metric_named(metric)])
        line[0].set_ylabel("training pairs")
    handles = [
        Line2D([], [], color=STARTS[s][1], marker=STARTS[s][2], lw=1.8, ms=5.5, label=STARTS[s][0])
        for s in starts
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure
