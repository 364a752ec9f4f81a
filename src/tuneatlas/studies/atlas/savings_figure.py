"""The figure of relearning: share of facts back, update by update."""

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from tuneatlas.plots import BLUE, MUTED, ORANGE, Metrics
from tuneatlas.studies.atlas.tables import LOST, NEVER, OTHER, STATED
from tuneatlas.studies.atlas.treatment_panels import treatment_panels
from tuneatlas.tables import Row

STYLE = {LOST: ("lost by tuning", ORANGE, "o"), NEVER: ("never known", BLUE, "s")}
TEXTS = {STATED: "text that states them", OTHER: "other text"}


def savings_rows(metrics: Metrics) -> list[Row]:
    """The curves, without their differences."""
    return [row for row in metrics.get("relearning", ()) if row["kind"] in STYLE]


def draw_savings(rows: list[Row]) -> Figure:
    """Two panels per treatment; above, text that states the facts, below, text that does not."""
    labels = [f"back; {name}" for name in TEXTS.values()]
    figure, treatments = treatment_panels(rows, labels, 2.1)
    for whole, panels in treatments:
        for text, panel in zip(TEXTS, panels, strict=True):
            for kind, (name, colour, marker) in STYLE.items():
                own = [r for r in whole if (r["text"], r["kind"]) == (text, kind)]
                # Each asked point doubles the updates: their places are alike.
                at = list(range(len(own)))
                panel.plot(
                    at, [r["back"] for r in own], marker=marker, color=colour, ms=4, label=name
                )
                low, high = ([r[f"back_{end}"] for r in own] for end in ("low", "high"))
                panel.fill_between(at, low, high, color=colour, alpha=0.13, lw=0)
                panel.set_xticks(at, [f"{r['update']}" for r in own])
                if kind == NEVER and own:
                    panel.axhline(
                        own[0]["chance"], color=MUTED, lw=1, ls=(0, (4, 2)), label="a guess"
                    )
            panel.set_ylim(-0.02, 1.02)
            panel.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        panels[-1].set_xlabel("updates")
    handles, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3)
    return figure
