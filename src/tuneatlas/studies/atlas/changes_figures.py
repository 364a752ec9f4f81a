"""The figures of where tuning changed a model."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from tuneatlas.plots import BLUE, GREEN, ORANGE, panels
from tuneatlas.studies.atlas.battery_figures import banded, entitle, of_treatment, treatments_of
from tuneatlas.tables import Row

# Name shown, colour, marker of each kind of question.
KIND_STYLE = {
    "kept": ("kept", BLUE, "o"),
    "shifted": ("reached by another prompt", GREEN, "^"),
    "lost": ("lost", ORANGE, "s"),
}


def draw_similarity(rows: list[Row]) -> Figure:
    """A panel per treatment: linear CKA by layer, a line per kind of question."""
    treatments = treatments_of(rows)
    figure, axes = panels(1, len(treatments), max(2.5, 6.4 / len(treatments)), 2.3)
    for treatment, panel in zip(treatments, axes[0], strict=True):
        entitle(panel, treatment)
        for kind, (_, colour, marker) in KIND_STYLE.items():
            own = [row for row in of_treatment(rows, treatment) if row["kind"] == kind]
            at = [row["layer"] for row in own]
            banded(panel, at, own, "similarity", colour, marker)
        _by_layer(panel)
    axes[0][0].set_ylabel("linear CKA with base")
    marks = [
        Line2D([], [], color=colour, marker=marker, ms=4, label=name)
        for name, colour, marker in KIND_STYLE.values()
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=3)
    return figure


def draw_weights(rows: list[Row]) -> Figure:
    """A panel per treatment: relative change by layer."""
    treatments = treatments_of(rows)
    figure, axes = panels(1, len(treatments), max(2.5, 6.4 / len(treatments)), 2.0)
    for treatment, panel in zip(treatments, axes[0], strict=True):
        entitle(panel, treatment)
        own = of_treatment(rows, treatment)
        at = [row["layer"] for row in own]
        banded(panel, at, own, "relative_change", BLUE, "o")
        _by_layer(panel)
        panel.set_ylim(bottom=0)
    axes[0][0].set_ylabel("change / norm of base")
    return figure


def _by_layer(panel: Axes) -> None:
    panel.set_xlabel("layer (0: embeddings)")
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
