"""The figure of the distance law: what was lost elsewhere, over how far tuning went."""

import numpy as np
from matplotlib.figure import Figure

from tuneatlas.plots import BLUE, GOLD, GREEN, MUTED, ORANGE, PURPLE, SKY, Metrics, panels
from tuneatlas.studies.atlas.treatment_panels import in_a_legend, of_treatment, treatments_of
from tuneatlas.tables import Row

COLOURS = (ORANGE, BLUE, GREEN, PURPLE, GOLD, SKY)
MARKERS = "osD^vP"
AXES = {"options": "KL over options, nats", "answers": "KL over whole answers, nats"}
LINES = {"linear": (0, (4, 2)), "quadratic": "-"}


def marked(number: int) -> tuple[str, str]:
    """Colour and marker of a treatment by its place: 36 of them look otherwise than each other."""
    return COLOURS[number % 6], MARKERS[(number + number // 6) % 6]


def law_rows(metrics: Metrics) -> list[Row]:
    """The points, and after them the fits, which have a ``form``."""
    return [*metrics.get("distances", ()), *metrics.get("law", ())]


def draw_law(rows: list[Row]) -> Figure:
    """A panel per distance; a marker per treatment and step, a line per form."""
    points = [row for row in rows if "form" not in row]
    arms = treatments_of(points)
    named = len(arms) + len(LINES)
    # Room for what they are called, three in a row.
    figure, axes = panels(1, len(AXES), 3.4, 2.6 + 0.19 * -(-named // 3), sharex=False)
    for panel, measure in zip(axes[0], AXES, strict=True):
        for number, arm in enumerate(arms):
            own = of_treatment(points, arm)
            colour, marker = marked(number)
            bars = [
                np.array([[r[n] - r[f"{n}_low"], r[f"{n}_high"] - r[n]] for r in own]).T
                for n in (measure, "loss")
            ]
            panel.errorbar(
                [r[measure] for r in own],
                [100 * r["loss"] for r in own],
                xerr=np.maximum(bars[0], 0),
                yerr=100 * np.maximum(bars[1], 0),
                fmt=marker,
                color=colour,
                ms=4.5,
                lw=0.8,
                alpha=0.85,
                label=in_a_legend(arm),
            )
        x = np.linspace(0, max(r[measure] for r in points), 60)
        for fit in (r for r in rows if r.get("distance") == measure):
            y = fit["slope"] * x + (fit["bend"] or 0) * x**2
            panel.plot(x, 100 * y, color=MUTED, ls=LINES[fit["form"]], lw=1.1, label=fit["form"])
        panel.axhline(0, color=MUTED, lw=0.6)
        panel.set_xlabel(AXES[measure])
    axes[0][0].set_ylabel("accuracy lost out of the domain, points")
    handles, labels = axes[0][-1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure
