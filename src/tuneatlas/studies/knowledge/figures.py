"""The figures of the knowledge study, drawn from the tables of ``Comparison.metrics()`` alone."""

from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from tuneatlas.plots import (
    BLUE,
    GOLD,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    SKY,
    Drawable,
    Metrics,
    panels,
)
from tuneatlas.tables import Row

# Name shown, colour and marker of each pure group.
GROUP_STYLE = {
    "harmonious": ("Harmonious", GREEN, "D"),
    "self_aligning": ("Self-aligning", BLUE, "o"),
    "incompatible": ("Incompatible", ORANGE, "s"),
}
SCOPE_NAMES = {
    "homo": "Tuned relations (HOMO)",
    "id": "Same domain (ID)",
    "ood": "Other domains (OOD)",
}
DOMAIN_STYLE = (
    (BLUE, "o", "-"),
    (ORANGE, "s", "--"),
    (GREEN, "D", "-."),
    (PURPLE, "^", ":"),
    (SKY, "v", "-"),
    (GOLD, "P", "--"),
)


def _pooled(metrics: Metrics, groups: Sequence[str] | None = None) -> list[Row]:
    return [
        row
        for row in metrics["accuracy"]
        if row["seed"] == "all" and (groups is None or row["group"] in groups)
    ]


def _group_rows(metrics: Metrics) -> list[Row]:
    return [row for row in metrics["accuracy"] if row["group"] in ("base", *GROUP_STYLE)]


def _mixture_rows(metrics: Metrics) -> list[Row]:
    rows = [row for row in _pooled(metrics) if row["share"] is not None]
    return rows if len({row["share"] for row in rows}) > 1 else []


def _point_rows(metrics: Metrics) -> list[Row]:
    return list(metrics["points"])


def _knowledge_rows(metrics: Metrics) -> list[Row]:
    return list(metrics["base_knowledge"])


def _accuracy_by_group(rows: list[Row]) -> Figure:
    """A row of panels per tuned domain, a column per scope; seeds as small open marks."""
    domains, scopes = _values(rows, "domain"), _values(rows, "scope")
    figure, axes = panels(len(domains), len(scopes), 2.45, 1.35)
    groups = [group for group in reversed(GROUP_STYLE) if group in _values(rows, "group")]
    for domain, line in zip(domains, axes, strict=True):
        for scope, panel in zip(scopes, line, strict=True):
            cell = [r for r in rows if (r["domain"], r["scope"]) == (domain, scope)]
            base = next((r for r in cell if r["group"] == "base"), None)
            if base is None:
                panel.set_axis_off()
                continue
            panel.axvspan(
                base["accuracy_low"], base["accuracy_high"], color=MUTED, alpha=0.12, lw=0
            )
            panel.axvline(base["accuracy"], color=MUTED, lw=1.2, ls=(0, (4, 2)))
            for height, group in enumerate(groups):
                _, colour, marker = GROUP_STYLE[group]
                chosen = [r for r in cell if r["group"] == group]
                seeds = [r["accuracy"] for r in chosen if r["seed"] != "all"]
                panel.plot(
                    seeds,
                    [height - 0.27] * len(seeds),
                    marker,
                    ms=3.2,
                    mfc="none",
                    mec=colour,
                    mew=0.8,
                )
                for pooled in (r for r in chosen if r["seed"] == "all"):
                    _interval(panel, pooled, height, colour, marker)
            panel.set_yticks(range(len(groups)), [GROUP_STYLE[group][0] for group in groups])
            panel.set_ylim(-0.95, len(groups) - 0.45)
            panel.grid(axis="y", visible=False)
            panel.set_title(f"{domain} · {scope.upper()}")
            panel.annotate(
                f"n = {base['items']:,}",
                (0.98, 0.03),
                xycoords="axes fraction",
                ha="right",
                color=MUTED,
                size=8,
            )
    _percent(axes[0][0], "x")
    for panel in axes[-1]:
        panel.set_xlabel("accuracy")
    handles = [
        Line2D([], [], color=MUTED, lw=1.2, ls=(0, (4, 2)), label="base model, with interval"),
        Line2D([], [], color=INK, marker="o", lw=1.8, label="mean of seeds, with interval"),
        Line2D([], [], color=INK, marker="o", mfc="none", ms=3.5, lw=0, label="one seed"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _interval(panel: Axes, row: Row, height: float, colour: str, marker: str) -> None:
    panel.plot([row["accuracy_low"], row["accuracy_high"]], [height] * 2, color=colour, lw=1.8)
    panel.plot(row["accuracy"], height, marker, color=colour, ms=6)


def _mixture_curve(rows: list[Row]) -> Figure:
    """Accuracy against the share of SELF-ALIGNING data, a panel per scope, a line per domain."""
    domains, scopes = _values(rows, "domain"), _values(rows, "scope")
    figure, axes = panels(1, len(scopes), 2.45, 2.35, sharey=True)
    for scope, panel in zip(scopes, axes[0], strict=True):
        for domain, (colour, marker, dash) in zip(domains, _styles(domains), strict=True):
            cell = sorted(
                (r for r in rows if (r["domain"], r["scope"]) == (domain, scope)),
                key=lambda row: float(row["share"]),
            )
            if not cell:
                continue
            shares, means, lows, highs = (
                [row[name] for row in cell]
                for name in ("share", "accuracy", "accuracy_low", "accuracy_high")
            )
            panel.fill_between(shares, lows, highs, color=colour, alpha=0.14, lw=0)
            panel.plot(shares, means, color=colour, marker=marker, ls=dash, ms=5, lw=1.6)
            panel.plot([1.0, 1.06], [cell[0]["base"]] * 2, color=colour, lw=2.4, clip_on=False)
        panel.set_title(SCOPE_NAMES[scope])
        panel.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1.0])
        panel.set_xlim(-0.04, 1.06)
        panel.grid(axis="x", visible=False)
        panel.set_xlabel("share of self-aligning data")
        panel.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    _percent(axes[0][0], "y")
    axes[0][0].set_ylabel("accuracy")
    handles = [
        Line2D([], [], color=c, marker=m, ls=d, ms=5, lw=1.6, label=f"tuned on {domain}")
        for domain, (c, m, d) in zip(domains, _styles(domains), strict=True)
    ]
    handles.append(Line2D([], [], color=MUTED, lw=2.4, label="base model (tick at the right edge)"))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(3, len(handles)))
    return figure


def _consistency(rows: list[Row]) -> Figure:
    """Accuracy against consistency, a mark per run; the larger the mark, the more own data."""
    domains, scopes = _values(rows, "domain"), _values(rows, "scope")
    figure, axes = panels(1, len(scopes), 2.45, 2.35, sharey=True, sharex=True)
    for scope, panel in zip(scopes, axes[0], strict=True):
        for domain, (colour, marker, _) in zip(domains, _styles(domains), strict=True):
            cell = [r for r in rows if (r["domain"], r["scope"]) == (domain, scope)]
            panel.scatter(
                [row["consistency"] for row in cell],
                [row["accuracy"] for row in cell],
                s=[12 + 34 * row["share"] for row in cell],
                marker=marker,
                facecolor=mpl.colors.to_rgba(colour, 0.35),
                edgecolor=colour,
                linewidth=1,
            )
        panel.set_title(SCOPE_NAMES[scope])
        panel.set_xlabel("consistency with the base model")
    _percent(axes[0][0], "y")
    axes[0][0].set_ylabel("accuracy")
    handles = [
        Line2D([], [], color=c, marker=m, lw=0, ms=6, label=f"tuned on {domain}")
        for domain, (c, m, _) in zip(domains, _styles(domains), strict=True)
    ]
    handles += [
        Line2D([], [], color=MUTED, marker="o", mfc="none", lw=0, ms=ms, label=label)
        for ms, label in ((3.5, "incompatible only"), (6.8, "self-aligning only"))
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(4, len(handles)))
    return figure


def _base_knowledge(rows: list[Row]) -> Figure:
    """Base accuracy by domain for facts that the corpus states and facts that it does not."""
    domains = list(reversed(_values(rows, "domain")))
    kinds = {
        "mentioned": ("stated in the corpus", BLUE, "o", 0.14),
        "unmentioned": ("not stated in the corpus", ORANGE, "s", -0.14),
        "all": ("all facts", INK, "D", 0.0),
    }
    facts = [kind for kind in kinds if kind in _values(rows, "facts")]
    shown = [kind for kind in facts if kind != "all"] or ["all"]
    figure, axes = panels(1, 1, 7.35, 0.4 + 0.34 * len(domains))
    panel = axes[0][0]
    for row in rows:
        if row["facts"] in shown:
            _, colour, marker, offset = kinds[row["facts"]]
            _interval(panel, row, domains.index(row["domain"]) + offset, colour, marker)
    for height, domain in enumerate(domains):
        chance = next(row["chance"] for row in rows if row["domain"] == domain)
        panel.plot(
            [chance] * 2, [height - 0.42, height + 0.42], color=MUTED, lw=1.4, ls=(0, (2, 1.5))
        )
    panel.set_yticks(range(len(domains)), domains)
    panel.set_ylim(-0.6, len(domains) - 0.4)
    panel.set_xlim(0, 1)
    panel.grid(axis="y", visible=False)
    panel.set_xlabel("accuracy of the base model")
    panel.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    handles = [
        Line2D([], [], color=kinds[k][1], marker=kinds[k][2], lw=1.8, ms=6, label=kinds[k][0])
        for k in shown
    ]
    handles.append(Line2D([], [], color=MUTED, lw=1.4, ls=(0, (2, 1.5)), label="chance"))
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _percent(panel: Axes, axis: str) -> None:
    """Percent labels on an axis that all panels share."""
    chosen = panel.xaxis if axis == "x" else panel.yaxis
    chosen.set_major_formatter(PercentFormatter(1, decimals=0))
    if axis == "x":
        # No label at the edges, where those of neighbouring panels would touch.
        low, high = panel.get_xlim()
        edge = 0.06 * (high - low)
        ticks = MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(low, high)
        chosen.set_ticks([tick for tick in ticks if low + edge < tick < high - edge])


def _styles(domains: Sequence[str]) -> list[tuple[str, str, str]]:
    return [DOMAIN_STYLE[number % len(DOMAIN_STYLE)] for number in range(len(domains))]


def _values(rows: Sequence[Row], name: str) -> list[str]:
    return list(dict.fromkeys(str(row[name]) for row in rows))


FIGURES: dict[str, Drawable] = {
    "base_knowledge": (_knowledge_rows, _base_knowledge),
    "accuracy_by_group": (_group_rows, _accuracy_by_group),
    "mixture_curve": (_mixture_rows, _mixture_curve),
    "consistency": (_point_rows, _consistency),
}
