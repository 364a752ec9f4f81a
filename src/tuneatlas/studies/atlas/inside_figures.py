"""The figure of the probe on hidden states."""

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from tuneatlas.plots import MUTED, PURPLE
from tuneatlas.studies.atlas.battery_figures import banded
from tuneatlas.studies.atlas.changes_figures import KIND_STYLE
from tuneatlas.studies.atlas.treatment_panels import treatment_panels
from tuneatlas.tables import Row

STYLE = {**KIND_STYLE, "unknown": ("base wrong", PURPLE, "v")}
STATES = {"base": "states of base", "tuned": "states of tuned"}


def draw_inside(rows: list[Row]) -> Figure:
    """Two panels per treatment, the base model's states above: the probe's accuracy by layer."""
    labels = [f"right, {name}" for name in STATES.values()]
    figure, treatments = treatment_panels(rows, labels, 2.0)
    for of_both, panels in treatments:
        for states, panel in zip(STATES, panels, strict=True):
            whole = [r for r in of_both if r["states"] == states]
            for kind, (_, colour, marker) in STYLE.items():
                own = [row for row in whole if row["kind"] == kind]
                at = [row["layer"] for row in own]
                banded(panel, at, own, "right", colour, marker)
                if kind == "kept":
                    control = [row["control"] for row in own]
                    panel.plot(at, control, color=MUTED, lw=1, ls=(0, (4, 2)))
            panel.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panels[-1].set_xlabel("layer (0: embeddings)")
    marks = [
        Line2D([], [], color=colour, marker=marker, ms=4, label=name)
        for name, colour, marker in STYLE.values()
    ]
    marks.append(Line2D([], [], color=MUTED, lw=1, ls=(0, (4, 2)), label="control task, kept"))
    figure.legend(handles=marks, loc="outside lower center", ncols=3)
    return figure
