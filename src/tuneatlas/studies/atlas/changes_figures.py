"""The figures of where tuning changed a model."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from tuneatlas.plots import BLUE, GREEN, ORANGE
from tuneatlas.studies.atlas.battery_figures import banded
from tuneatlas.studies.atlas.treatment_panels import treatment_panels
from tuneatlas.tables import Row

# Name shown, colour, marker of each kind of question.
KIND_STYLE = {
    "kept": ("kept", BLUE, "o"),
    "shifted": ("reached by another prompt", GREEN, "^"),
    "lost": ("lost", ORANGE, "s"),
}


def draw_similarity(rows: list[Row]) -> Figure:
    """A panel per treatment: linear CKA by layer, a line per kind of question."""
    figure, treatments = treatment_panels(rows, ["linear CKA with base"], 2.3)
    for whole, (panel,) in treatments:
        for kind, (_, colour, marker) in KIND_STYLE.items():
            own = [row for row in whole if row["kind"] == kind]
            at = [row["layer"] for row in own]
            banded(panel, at, own, "similarity", colour, marker)
        _by_layer(panel)
    marks = [
        Line2D([], [], color=colour, marker=marker, ms=4, label=name)
        for name, colour, marker in KIND_STYLE.values()
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=3)
    return figure


def draw_weights(rows: list[Row]) -> Figure:
    """A panel per treatment: relative change by layer."""
    figure, treatments = treatment_panels(rows, ["change / norm of base"], 2.0)
    for own, (panel,) in treatments:
        at = [row["layer"] for row in own]
        banded(panel, at, own, "relative_change", BLUE, "o")
        _by_layer(panel)
        panel.set_ylim(bottom=0)
    return figure


def _by_layer(panel: Axes) -> None:
    panel.set_xlabel("layer (0: embeddings)")
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
