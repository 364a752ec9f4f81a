"""Panels that show treatments beside each other, in as many rows as a page has room for."""

from collections.abc import Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tuneatlas.data.groups import arm_name
from tuneatlas.data.scopes import GIVEN
from tuneatlas.plots import panels
from tuneatlas.tables import Row

# Domain, group and setting.
Treated = tuple[str, str, str]
TUNED = {"finetune": "tuned", "stages": "tuned further"}
# Side by side; more are not legible on a page.
MOST = 4


def treatments_of(rows: Sequence[Row]) -> list[Treated]:
    """Domain, group and setting of all treatments, in their order."""
    return list(dict.fromkeys((r["domain"], r["group"], r["setting"]) for r in rows))


def of_treatment(rows: Sequence[Row], treatment: Treated) -> list[Row]:
    """The rows of one of them."""
    return [r for r in rows if (r["domain"], r["group"], r["setting"]) == treatment]


def in_a_legend(treatment: Treated) -> str:
    """What a treatment is called beside others."""
    domain, group, setting = treatment
    further = setting == "stages" and domain != GIVEN
    return f"{arm_name(domain, group)}{', further' * further}"


def treatment_panels(
    rows: Sequence[Row], labels: Sequence[str], height: float, *, sharex: bool = True
) -> tuple[Figure, Iterator[tuple[list[Row], list[Axes]]]]:
    """A figure, and for each treatment its rows and its panels, one below the other.

    Args:
        rows: of all treatments.
        labels: what the y-axis of each of its panels shows; so many there are.
        height: of each, in inches.
        sharex: whether all of them have one x-axis.
    """
    treatments = treatments_of(rows)
    columns, blocks = min(len(treatments), MOST), -(-len(treatments) // MOST)
    width = max(2.5, 6.4 / columns)
    figure, grid = panels(len(labels) * blocks, columns, width, height, sharex=sharex)
    cells = [
        [line[column] for line in grid[block * len(labels) : (block + 1) * len(labels)]]
        for block in range(blocks)
        for column in range(columns)
    ]
    for own in cells[len(treatments) :]:
        for panel in own:
            panel.remove()
    for place, (treatment, own) in enumerate(zip(treatments, cells, strict=False)):
        domain, group, setting = treatment
        how = "tuned elsewhere" if domain == GIVEN else TUNED[setting]
        own[0].set_title(f"{arm_name(domain, group)},\n{how}")
        # Below it another one may begin, or nothing.
        own[-1].tick_params(labelbottom=True)
        for label, panel in zip(labels, own, strict=True):
            panel.set_ylabel("" if place % columns else label)
    each = ((of_treatment(rows, t), own) for t, own in zip(treatments, cells, strict=False))
    return figure, each
