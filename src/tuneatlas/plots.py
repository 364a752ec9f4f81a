"""How every figure is drawn and written: SVG, PNG and PDF, with its numbers beside it as CSV.

Equal numbers give equal bytes. Colours are those of Okabe and Ito (2008), and every one of them
comes with its own marker.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tuneatlas.engine.files import atomic, write_text
from tuneatlas.statistics.metrics import table_csv
from tuneatlas.tables import Row

Metrics = Mapping[str, Any]
# The files of a figure, and what of them would tell when and by what they were written.
KINDS: dict[str, dict[str, None]] = {
    "svg": {"Date": None},
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
}
Drawing = Callable[[list[Row]], Figure]
# Which rows a figure shows, and how.
Drawable = tuple[Callable[[Metrics], list[Row]], Drawing]
INK, MUTED, RULE = "#1b2430", "#5b6675", "#d5dae1"
BLUE, ORANGE, GREEN, PURPLE, SKY, GOLD = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#b0568f",
    "#56a5d8",
    "#b98900",
)
STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.constrained_layout.use": True,
    "svg.fonttype": "none",
    # Text that stays text, as printers of papers ask for.
    "pdf.fonttype": 42,
    "svg.hashsalt": "tuneatlas",
    "savefig.dpi": 160,
}


def draw_figures(metrics: Metrics, folder: Path, figures: Mapping[str, Drawable]) -> list[str]:
    """Write every figure that ``metrics`` has numbers for into ``folder``; return their names."""
    drawn = []
    for name, (rows_of, draw) in figures.items():
        rows = rows_of(metrics)
        if not rows:
            continue
        with mpl.rc_context():
            # A matplotlibrc of the user must not change a figure.
            mpl.rcdefaults()
            cast(dict[str, Any], mpl.rcParams).update(STYLE)
            figure = draw(rows)
            _save(figure, folder / name)
        write_text(folder / f"{name}.csv", table_csv(rows))
        drawn.append(name)
    return drawn


def _save(figure: Figure, stem: Path) -> None:
    FigureCanvasAgg(figure)
    for kind, metadata in KINDS.items():
        with atomic(stem.with_name(f"{stem.name}.{kind}")) as partial:
            figure.savefig(partial, format=kind, metadata=metadata)


def panels(
    rows: int,
    columns: int,
    width: float,
    height: float,
    *,
    sharex: bool = True,
    sharey: bool = True,
) -> tuple[Figure, list[list[Axes]]]:
    """A grid of axes, each about ``width`` by ``height`` inches."""
    figure = Figure(figsize=(width * columns + 0.8, height * rows + 0.85))
    grid = figure.subplots(rows, columns, sharex=sharex, sharey=sharey, squeeze=False)
    return figure, np.asarray(grid).tolist()
