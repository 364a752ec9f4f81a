"""The figure of the models between base and tuned."""

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from tuneatlas.plots import BLUE, GREEN, MUTED, ORANGE
from tuneatlas.studies.atlas.tables import ALPHA, LINE, RESET
from tuneatlas.studies.atlas.treatment_panels import treatment_panels
from tuneatlas.tables import Row

# Name shown, colour, marker of each scope.
SCOPE_STYLE = {"homo": ("HOMO", ORANGE, "s"), "id": ("ID", BLUE, "o"), "ood": ("OOD", GREEN, "^")}
AXES = {LINE: f"{ALPHA}: 0 base, 1 tuned", RESET: "largest changes undone"}


def draw_interpolation(rows: list[Row]) -> Figure:
    """Two panels per treatment: along the line above, with changes undone below."""
    figure, treatments = treatment_panels(rows, ["accuracy"] * len(AXES), 2.1, sharex=False)
    for own, panels in treatments:
        for path, panel in zip(AXES, panels, strict=True):
            for scope, (_, colour, marker) in SCOPE_STYLE.items():
                of_scope = [r for r in own if r["scope"] == scope]
                if not of_scope:
                    continue
                panel.axhline(of_scope[0]["base"], color=colour, lw=1, ls=(0, (4, 2)), alpha=0.7)
                drawn = sorted((r for r in of_scope if r["path"] == path), key=_point)
                at = list(map(_point, drawn))
                if path == RESET:
                    # Nothing undone is the tuned model. Equal steps: shares are of all sizes.
                    drawn = [r for r in of_scope if (r["path"], r["point"]) == (LINE, 1)] + drawn
                    at = [float(place) for place in range(len(drawn))]
                values, low, high = (
                    [r[name] for r in drawn]
                    for name in ("accuracy", "accuracy_low", "accuracy_high")
                )
                panel.plot(at, values, marker=marker, color=colour, ms=4, lw=1.4)
                panel.fill_between(at, low, high, color=colour, alpha=0.13, lw=0)
            panel.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            panel.set_xlabel(AXES[path])
        shares = sorted({r["point"] for r in own if r["path"] == RESET})
        panels[-1].set_xticks(range(len(shares) + 1), ["0%", *(f"{s:g}%" for s in shares)])
    handles = [
        Line2D([], [], color=colour, marker=marker, ms=4, lw=1.4, label=name)
        for name, colour, marker in SCOPE_STYLE.values()
    ]
    handles.append(Line2D([], [], color=MUTED, lw=1, ls=(0, (4, 2)), label="base model"))
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


def _point(row: Row) -> float:
    return float(row["point"])
