"""The figure of the models between base and tuned."""

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from tuneatlas.data.groups import group_name
from tuneatlas.plots import BLUE, GREEN, MUTED, ORANGE, panels
from tuneatlas.studies.atlas.tables import ALPHA, LINE, RESET
from tuneatlas.tables import Row

# Name shown, colour, marker of each scope.
SCOPE_STYLE = {"homo": ("HOMO", ORANGE, "s"), "id": ("ID", BLUE, "o"), "ood": ("OOD", GREEN, "^")}
AXES = {LINE: f"{ALPHA}: 0 base, 1 tuned", RESET: "largest changes undone"}
TUNED = {"finetune": "tuned", "stages": "tuned further"}


def draw_interpolation(rows: list[Row]) -> Figure:
    """A column per treatment: along the line above, with changes undone below."""
    treatments = list(dict.fromkeys((r["domain"], r["group"], r["setting"]) for r in rows))
    figure, axes = panels(2, len(treatments), max(2.5, 6.4 / len(treatments)), 2.1, sharex=False)
    for column, treatment in enumerate(treatments):
        domain, group, setting = treatment
        own = [r for r in rows if (r["domain"], r["group"], r["setting"]) == treatment]
        axes[0][column].set_title(f"{group_name(group)}, {domain},\n{TUNED[setting]}")
        for path, line in zip(AXES, axes, strict=True):
            panel = line[column]
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
        axes[1][column].set_xticks(range(len(shares) + 1), ["0%", *(f"{s:g}%" for s in shares)])
    for line in axes:
        line[0].set_ylabel("accuracy")
    handles = [
        Line2D([], [], color=colour, marker=marker, ms=4, lw=1.4, label=name)
        for name, colour, marker in SCOPE_STYLE.values()
    ]
    handles.append(Line2D([], [], color=MUTED, lw=1, ls=(0, (4, 2)), label="base model"))
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


def _point(row: Row) -> float:
    return float(row["point"])
