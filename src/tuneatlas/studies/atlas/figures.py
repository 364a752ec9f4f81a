"""The figures of the atlas, by name: of which rows each is, and what draws it."""

from collections.abc import Callable

from tuneatlas.plots import Drawable, Metrics
from tuneatlas.studies.atlas.battery_figures import draw_battery, draw_recovery, recovery_rows
from tuneatlas.studies.atlas.changes_figures import draw_similarity, draw_weights
from tuneatlas.studies.atlas.inside_figures import draw_inside
from tuneatlas.studies.atlas.interpolation_figure import draw_interpolation
from tuneatlas.studies.atlas.law_figure import draw_law, law_rows
from tuneatlas.studies.atlas.savings_figure import draw_savings, savings_rows
from tuneatlas.studies.atlas.trade_off_figure import draw_trade_off, trade_off_rows
from tuneatlas.tables import Row


def _all_of(table: str) -> Callable[[Metrics], list[Row]]:
    return lambda metrics: list(metrics.get(table, ()))


FIGURES: dict[str, Drawable] = {
    "interpolation": (_all_of("interpolation"), draw_interpolation),
    "trade_off": (trade_off_rows, draw_trade_off),
    "distance_law": (law_rows, draw_law),
    "relearning": (savings_rows, draw_savings),
    "battery": (_all_of("battery"), draw_battery),
    "recovery": (recovery_rows, draw_recovery),
    "weight_changes": (_all_of("weight_changes"), draw_weights),
    "similarity": (_all_of("similarity"), draw_similarity),
    "inside": (_all_of("inside"), draw_inside),
}
