"""The figure of what treatments learnt at home beside what they kept elsewhere.

Treatments do not learn equally much. On their lines from the base model they can be compared where
they are as right at home as each other: the higher line has kept more there.
"""

from matplotlib.figure import Figure

from tuneatlas.plots import MUTED, Metrics, panels
from tuneatlas.studies.atlas.law_figure import marked
from tuneatlas.studies.atlas.tables import LINE
from tuneatlas.studies.atlas.treatment_panels import in_a_legend, of_treatment, treatments_of
from tuneatlas.tables import Row

SCOPES = ("homo", "ood")
NUMBERS = ("gain", "gain_low", "gain_high")


def trade_off_rows(metrics: Metrics) -> list[Row]:
    """Points on the lines of treatments that were asked both at home and elsewhere."""
    rows = [row for row in metrics.get("interpolation", ()) if row["path"] == LINE]
    arms = {arm for arm in treatments_of(rows) if _ends(of_treatment(rows, arm))}
    return [row for row in rows if (row["domain"], row["group"], row["setting"]) in arms]


def draw_trade_off(rows: list[Row]) -> Figure:
    """A line per treatment from the base model to its tuned one, which has a mark and intervals."""
    arms = treatments_of(rows)
    figure, axes = panels(1, 1, 5.6, 3.4 + 0.19 * -(-len(arms) // 2))
    panel = axes[0][0]
    for axis in (panel.axhline, panel.axvline):
        axis(0, color=MUTED, lw=0.6)
    for number, arm in enumerate(arms):
        own = of_treatment(rows, arm)
        colour, marker = marked(number)
        x, y = ([100 * row["gain"] for row in _line(own, scope)] for scope in SCOPES)
        panel.plot(x, y, color=colour, lw=1, alpha=0.6)
        home, elsewhere = ([100 * end[name] for name in NUMBERS] for end in _ends(own))
        panel.plot(home[1:], [elsewhere[0]] * 2, color=colour, lw=0.6)
        panel.plot([home[0]] * 2, elsewhere[1:], color=colour, lw=0.6)
        panel.plot(home[0], elsewhere[0], marker, color=colour, ms=5, label=in_a_legend(arm))
    panel.set_xlabel("gained at home, points")
    panel.set_ylabel("gained elsewhere, points")
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def _line(rows: list[Row], scope: str) -> list[Row]:
    found = [row for row in rows if (row["scope"], row["path"]) == (scope, LINE)]
    return sorted(found, key=lambda row: float(row["point"]))


def _ends(rows: list[Row]) -> list[Row]:
    """The tuned model at home and elsewhere; nothing where one of them was not asked."""
    lines = [_line(rows, scope) for scope in SCOPES]
    return [line[-1] for line in lines] if all(lines) else []
