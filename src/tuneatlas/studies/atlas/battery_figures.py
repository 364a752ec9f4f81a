"""The figures of the battery."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from tuneatlas.data.mentions import UNMENTIONED
from tuneatlas.plots import BLUE, MUTED, Metrics
from tuneatlas.studies.atlas.interpolation_figure import SCOPE_STYLE
from tuneatlas.studies.atlas.treatment_panels import treatment_panels
from tuneatlas.studies.atlas.ways import ORDER, REWORDED
from tuneatlas.tables import Row

# What of the lost questions is drawn, and how it is called.
SHARES = {
    "reached": "reached",
    "reached_known": "less luck",
    "base_reached": "by base",
    "back": "back",
    "neither": "neither",
}


def way_name(way: str) -> str:
    """A way of asking as readers are told of it."""
    for stem, name in ((REWORDED, "reworded "), (ORDER, "order ")):
        if way.startswith(stem):
            return name + way.removeprefix(stem)
    return way.replace("_", "-")


def error_bars(
    panel: Axes, at: Sequence[float], rows: Sequence[Row], name: str, colour: str, **marks: object
) -> None:
    """Values with their intervals; what is not there is left out."""
    drawn = [(x, row) for x, row in zip(at, rows, strict=True) if row[name] is not None]
    for x, row in drawn:
        panel.plot([x, x], [row[f"{name}_low"], row[f"{name}_high"]], color=colour, lw=1)
    values = [row[name] for _, row in drawn]
    panel.plot([x for x, _ in drawn], values, color=colour, ls="", ms=4, **marks)  # type: ignore[arg-type]


def banded(
    panel: Axes, at: Sequence[float], rows: Sequence[Row], name: str, colour: str, marker: str
) -> None:
    """A line of values with a band of their intervals."""
    panel.plot(at, [row[name] for row in rows], color=colour, marker=marker, ms=4, lw=1.4)
    low, high = ([row[f"{name}_{end}"] for row in rows] for end in ("low", "high"))
    panel.fill_between(at, low, high, color=colour, alpha=0.13, lw=0)


def draw_battery(rows: list[Row]) -> Figure:
    """A panel per treatment and scope; the ways of asking from left to right."""
    scopes = [s for s in SCOPE_STYLE if _of(rows, s)]
    labels = [f"accuracy, {SCOPE_STYLE[scope][0]}" for scope in scopes]
    figure, treatments = treatment_panels(rows, labels, 1.9)
    for whole, panels in treatments:
        for scope, panel in zip(scopes, panels, strict=True):
            own = _of(whole, scope)
            at = range(len(own))
            panel.plot(at, [r["base"] for r in own], ls="", marker="_", ms=11, color=MUTED)
            error_bars(panel, at, own, "accuracy", BLUE, marker="o")
            panel.set_xticks(at, [way_name(r["way"]) for r in own], rotation=60, ha="right")
            panel.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    marks = [
        Line2D([], [], ls="", marker="o", ms=4, color=BLUE, label="tuned model"),
        Line2D([], [], ls="", marker="_", ms=11, color=MUTED, label="base model"),
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=2)
    return figure


def _of(rows: Sequence[Row], scope: str) -> list[Row]:
    return [row for row in rows if row["scope"] == scope]


def recovery_rows(metrics: Metrics) -> list[Row]:
    """Those of treatments that lost a question: of none there is no share."""
    return [row for row in metrics.get("recovery", ()) if row["lost"]]


def draw_recovery(rows: list[Row]) -> Figure:
    """A panel per treatment: shares of its lost questions, a colour per scope."""
    figure, treatments = treatment_panels(rows, ["of the lost questions"], 2.6)
    for own, (panel,) in treatments:
        for number, row in enumerate(own):
            _, colour, marker = SCOPE_STYLE[row["scope"]]
            fill = "none" if row["facts"] == UNMENTIONED else "full"
            for at, name in enumerate(SHARES):
                place = at + (number - (len(own) - 1) / 2) * 0.7 / len(own)
                error_bars(panel, [place], [row], name, colour, marker=marker, fillstyle=fill)
        panel.set_xticks(range(len(SHARES)), SHARES.values(), rotation=60, ha="right")
        panel.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        panel.set_ylim(-0.1, 1.1)
    marks = [
        Line2D([], [], ls="", marker=marker, ms=4, color=colour, label=name)
        for scope, (name, colour, marker) in SCOPE_STYLE.items()
        if _of(rows, scope)
    ]
    if any(row["facts"] == UNMENTIONED for row in rows):
        hollow = Line2D([], [], ls="", marker="o", ms=4, color=MUTED, fillstyle="none")
        hollow.set_label("facts never stated")
        marks.append(hollow)
    figure.legend(handles=marks, loc="outside lower center", ncols=4)
    return figure
