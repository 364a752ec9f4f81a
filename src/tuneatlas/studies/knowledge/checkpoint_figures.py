"""The figure of checkpoints beside their base, drawn from table ``changes`` alone."""

from matplotlib.figure import Figure

from tuneatlas.plots import BLUE, MUTED, ORANGE, Drawable, Metrics, panels
from tuneatlas.tables import Row

# Name shown, colour, marker and height of each way of asking.
FORMATS = {
    "few_shot": ("As the base was asked", BLUE, "o", 0.14),
    "chat": ("In its chat format", ORANGE, "s", -0.14),
}


def _rows(metrics: Metrics) -> list[Row]:
    return list(metrics["changes"])


def _changes(rows: list[Row]) -> Figure:
    """A panel per domain, a line per checkpoint: the change of accuracy in points."""
    domains = list(dict.fromkeys(row["domain"] for row in rows))
    names = list(dict.fromkeys(row["checkpoint"] for row in rows))[::-1]
    figure, axes = panels(1, len(domains), 2.45, 0.55 + 0.45 * len(names))
    for domain, panel in zip(domains, axes[0], strict=True):
        panel.axvline(0, color=MUTED, lw=1.2, ls=(0, (4, 2)))
        for form, (label, colour, marker, shift) in FORMATS.items():
            chosen = [r for r in rows if (r["domain"], r["format"]) == (domain, form)]
            at = [names.index(row["checkpoint"]) + shift for row in chosen]
            panel.hlines(
                at,
                [100 * row["change_low"] for row in chosen],
                [100 * row["change_high"] for row in chosen],
                colors=colour,
                lw=1.6,
            )
            values = [100 * row["change"] for row in chosen]
            panel.plot(values, at, marker, color=colour, ms=5, label=label)
        panel.set_yticks(range(len(names)), names)
        panel.set_ylim(-0.6, len(names) - 0.4)
        panel.grid(axis="y", visible=False)
        panel.set_title(domain)
        panel.set_xlabel("Change of accuracy, points")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


FIGURES: dict[str, Drawable] = {"checkpoint_changes": (_rows, _changes)}
