"""The figures of the forgetting study: along the tuning, along the restoration, and the flow.

Colours and files are those of :mod:`tuneatlas.plots`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path as Curve
from matplotlib.ticker import NullLocator, PercentFormatter

from tuneatlas.data.groups import group_name
from tuneatlas.plots import (
    BLUE,
    GOLD,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    RULE,
    SKY,
    Drawable,
    Metrics,
    panels,
)
from tuneatlas.studies.forgetting.fates import FATES
from tuneatlas.tables import Row

# Name shown, colour, marker and line of each state of a model.
STATES = {
    "tuned": ("tuned", ORANGE, "s", "-"),
    "restored": ("tuned, then restored", BLUE, "o", "-"),
}
# The same for the base model, by the share of the restoration budget spent.
BASES: dict[int, tuple[str, str, Any]] = {
    0: ("base model", MUTED, (0, (4, 2))),
    100: ("restored base model (control)", INK, (0, (1, 2))),
}
MEASURES = {
    "accuracy": "accuracy",
    "heldout_bits": "bits per byte, held-out text",
    "instruction_bits": "bits per byte, instruction replies",
}
FATE_STYLE = {
    "kept": ("kept", GREEN),
    "pseudo_forgotten": ("pseudo-forgotten: came back", SKY),
    "actually_forgotten": ("actually forgotten", ORANGE),
    "lost_in_restoration": ("lost in restoration", PURPLE),
    "gained": ("gained, for good or for a while", GOLD),
    "gained_in_restoration": ("gained, for good or for a while", GOLD),
    "gained_and_lost": ("gained, for good or for a while", GOLD),
    "never_known": ("wrong throughout", RULE),
}
DASHES = ("-", "--", "-.", ":")


def _curve_rows(metrics: Metrics) -> list[Row]:
    return [
        row
        for row in metrics["measures"]
        if row["restored"] in (0, 100) and row["measure"] in MEASURES
    ]


def _along_tuning(rows: list[Row]) -> Figure:
    """A row per measure, a column per run; base and restored base as horizontal bands."""
    runs = _runs(rows)
    shown = [m for m in MEASURES if any(row["measure"] == m for row in rows)]
    figure, axes = panels(len(shown), len(runs), max(3.3, 6.6 / len(runs)), 1.75, sharey=False)
    for measure, line in zip(shown, axes, strict=True):
        chosen = [row for row in rows if row["measure"] == measure]
        base = [row for row in chosen if row["setting"] == "base"]
        for run, panel in zip(runs, line, strict=True):
            for row in base:
                if row["restored"] in BASES:
                    _, shade, gaps = BASES[row["restored"]]
                    panel.axhspan(row["low"], row["high"], color=shade, alpha=0.1, lw=0)
                    panel.axhline(row["value"], color=shade, lw=1.2, ls=gaps)
            own = [row for row in chosen if (row["domain"], row["group"]) == run]
            for state, (_, colour, marker, dash) in STATES.items():
                restored = 100 if state == "restored" else 0
                part = [row for row in own if row["restored"] == restored]
                _band(panel, [r for r in part if r["setting"] == "stages"], colour, marker, dash)
                for row in (r for r in part if r["setting"] == "finetune"):
                    panel.errorbar(
                        row["step"],
                        row["value"],
                        [[row["value"] - row["low"]], [row["high"] - row["value"]]],
                        fmt=marker,
                        color=colour,
                        mfc="white",
                        ms=6,
                        lw=1.2,
                    )
            if all(row["step"] for row in own):
                panel.set_xscale("log", base=2)
            _step_ticks(panel, own)
            if measure == "accuracy":
                panel.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
                panel.set_title(_run_title(run))
        _share_y(line)
        line[0].set_ylabel(MEASURES[measure].replace(", ", ",\n"))
    for panel in axes[-1]:
        panel.set_xlabel("fine-tuning steps")
    handles = [
        Line2D([], [], color=c, marker=m, ls=d, ms=5, label=name)
        for name, c, m, d in STATES.values()
    ]
    handles += [
        *(Line2D([], [], color=c, lw=1.2, ls=d, label=name) for name, c, d in BASES.values()),
        Line2D([], [], color=MUTED, marker="o", mfc="white", lw=0, ms=6, label="paper's setting"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _restoration_rows(metrics: Metrics) -> list[Row]:
    rows = [row for row in metrics["measures"] if row["measure"] in ("accuracy", "heldout_bits")]
    return [row for row in rows if row["setting"] != "finetune"]


def _along_restoration(rows: list[Row]) -> Figure:
    """Measures against the share of the budget spent, a line per fine-tuning step."""
    runs = _runs(rows)
    shown = [m for m in ("accuracy", "heldout_bits") if any(row["measure"] == m for row in rows)]
    figure, axes = panels(len(shown), len(runs), max(3.3, 6.6 / len(runs)), 1.9, sharey=False)
    steps = sorted({row["step"] for row in rows if row["setting"] == "stages"})
    shades = dict(zip(steps, _shades(len(steps)), strict=True))
    for measure, line in zip(shown, axes, strict=True):
        chosen = [row for row in rows if row["measure"] == measure]
        for run, panel in zip(runs, line, strict=True):
            base = [row for row in chosen if row["setting"] == "base"]
            _band(panel, base, INK, ".", (0, (1, 2)), along="restored")
            for number, step in enumerate(steps):
                part = [
                    row
                    for row in chosen
                    if (row["domain"], row["group"]) == run and row["step"] == step
                ]
                dash = DASHES[number % len(DASHES)]
                _band(panel, part, shades[step], "o", dash, along="restored", fill=0.04)
            if measure == "accuracy":
                panel.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
                panel.set_title(_run_title(run))
            panel.xaxis.set_major_formatter(PercentFormatter(100, decimals=0))
            panel.set_xticks(sorted({row["restored"] for row in chosen}))
        _share_y(line)
        line[0].set_ylabel(MEASURES[measure].replace(", ", ",\n"))
    for panel in axes[-1]:
        panel.set_xlabel("restoration budget spent")
    handles = [
        Line2D(
            [], [], color=shades[step], ls=DASHES[n % 4], marker="o", ms=4, label=_step_name(step)
        )
        for n, step in enumerate(steps)
    ]
    handles.append(Line2D([], [], color=INK, ls=(0, (1, 2)), marker=".", label="base (control)"))
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


def _fate_rows(metrics: Metrics) -> list[Row]:
    return [row for row in metrics["fates"] if row["setting"] == "stages"]


def _flow(rows: list[Row]) -> Figure:
    """Questions flowing from the base over the tuned to the restored model, at some steps."""
    runs = _runs(rows)
    shown = {}
    for run in runs:
        steps = sorted({row["step"] for row in rows if (row["domain"], row["group"]) == run})
        shown[run] = [steps[i] for i in sorted({0, len(steps) // 2, len(steps) - 1})]
    figure, axes = panels(len(runs), max(map(len, shown.values())), 2.45, 1.9)
    for run, line in zip(runs, axes, strict=True):
        for panel in line[len(shown[run]) :]:
            panel.set_axis_off()
        for step, panel in zip(shown[run], line, strict=False):
            shares = {
                row["fate"]: row["value"]
                for row in rows
                if (row["domain"], row["group"], row["step"]) == (*run, step)
            }
            _alluvial(panel, shares)
            panel.set_title(f"{_run_title(run, short=True)} · step {step}" if step else run[1])
    handles = [Patch(color=c, label=name) for name, c in dict(FATE_STYLE.values()).items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _alluvial(panel: Axes, shares: dict[str, float]) -> None:
    gap = 0.06
    tops = []
    for stage in range(3):
        # Right answers above, wrong ones below; within each, in the order of FATES.
        order = sorted(FATES, key=lambda fate: -FATES[fate][stage])
        at = 1 + gap
        places: dict[str, float] = {}
        for fate in order:
            if FATES[fate][stage] == 0 and not any(FATES[f][stage] == 0 for f in places):
                at -= gap
            places[fate] = at
            at -= shares[fate]
        tops.append(places)
        right = sum(shares[fate] for fate in FATES if FATES[fate][stage])
        for low, height in ((1 + gap - right, right), (0, 1 - right)):
            panel.bar(stage, height, 0.09, low, color=INK, zorder=3)
        panel.annotate(
            f"{100 * right:.0f}%", (stage, 1 + gap + 0.02), ha="center", size=8, color=INK
        )
    for fate, (_, colour) in FATE_STYLE.items():
        for stage in (0, 1):
            _ribbon(panel, stage, tops[stage][fate], tops[stage + 1][fate], shares[fate], colour)
    panel.set_xticks(range(3), ["base", "tuned", "restored"])
    panel.set_yticks([])
    panel.set_xlim(-0.1, 2.1)
    panel.set_ylim(0, 1 + gap + 0.12)
    panel.grid(visible=False)
    for spine in panel.spines.values():
        spine.set_visible(False)


def _ribbon(panel: Axes, start: int, one: float, two: float, height: float, colour: str) -> None:
    if height <= 0:
        return
    left, middle, right = start + 0.045, start + 0.5, start + 0.955
    points = [
        (left, one),
        (middle, one),
        (middle, two),
        (right, two),
        (right, two - height),
        (middle, two - height),
        (middle, one - height),
        (left, one - height),
        (left, one),
    ]
    codes = [
        Curve.MOVETO,
        *[Curve.CURVE4] * 3,
        Curve.LINETO,
        *[Curve.CURVE4] * 3,
        Curve.CLOSEPOLY,
    ]
    panel.add_patch(PathPatch(Curve(points, codes), facecolor=colour, alpha=0.75, lw=0))


def _band(
    panel: Axes,
    rows: Sequence[Row],
    colour: Any,
    marker: str,
    dash: Any,
    along: str = "step",
    fill: float = 0.14,
) -> None:
    cell = sorted(rows, key=lambda row: row[along])
    x = [row[along] for row in cell]
    low, high = ([row[end] for row in cell] for end in ("low", "high"))
    panel.fill_between(x, low, high, color=colour, alpha=fill, lw=0)
    panel.plot(x, [row["value"] for row in cell], color=colour, marker=marker, ls=dash, ms=4.5)


def _step_name(step: int) -> str:
    """0 is a checkpoint of which no step is said."""
    return f"step {step}" if step else "as given"


def _run_title(run: tuple[str, str], *, short: bool = False) -> str:
    """The domain and group that a run is of; of a checkpoint tuned elsewhere its name."""
    domain, name = run
    if not domain:
        return name
    return group_name(name) if short else f"{domain} · {group_name(name)}"


def _runs(rows: Sequence[Row]) -> list[tuple[str, str]]:
    tuned = [row for row in rows if row["group"] != "base"]
    return list(dict.fromkeys((row["domain"], row["group"]) for row in tuned))


def _share_y(line: Sequence[Axes]) -> None:
    """One scale for the panels of a measure."""
    low = min(panel.get_ylim()[0] for panel in line)
    high = max(panel.get_ylim()[1] for panel in line)
    for panel in line:
        panel.set_ylim(low, high)
    for panel in line[1:]:
        panel.tick_params(labelleft=False)


def _step_ticks(panel: Axes, rows: Sequence[Row]) -> None:
    steps = sorted({row["step"] for row in rows if row["setting"] == "stages"})
    panel.set_xticks(steps, [str(step) for step in steps])
    panel.xaxis.set_minor_locator(NullLocator())


def _shades(count: int) -> list[str]:
    """From blue over grey to orange: early to late."""
    early, middle, late = (
        np.array([int(c[i : i + 2], 16) for i in (1, 3, 5)]) for c in (BLUE, MUTED, ORANGE)
    )
    shades = []
    for place in np.linspace(0, 2, max(count, 1)):
        one, two = (early, middle) if place <= 1 else (middle, late)
        mixed = one + (two - one) * (place if place <= 1 else place - 1)
        shades.append("#" + "".join(f"{round(v):02x}" for v in mixed))
    return shades


STAGE_FIGURES: dict[str, Drawable] = {
    "stage_curves": (_curve_rows, _along_tuning),
    "restoration_curves": (_restoration_rows, _along_restoration),
    "question_flow": (_fate_rows, _flow),
}
# Of checkpoints tuned elsewhere: a page may have both.
CHECKPOINT_FIGURES = {f"checkpoint_{name}": drawn for name, drawn in STAGE_FIGURES.items()}
