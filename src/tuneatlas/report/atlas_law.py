"""What the distance law says, in plain words."""

from collections.abc import Mapping
from typing import Any

from tuneatlas.report.wording import counted, level_of, number, points
from tuneatlas.tables import Row

OVER = {"options": "the options", "answers": "whole answers"}


def law_sentences(metrics: Mapping[str, Any]) -> list[str]:
    """One of each distance and form; none where nothing was measured."""
    level = level_of(metrics)
    return [_law(row, level) for row in metrics.get("law", ())]


def _law(row: Row, level: str) -> str:
    text = (
        f"By KL over {OVER[row['distance']]}, {row['form']}: {points(row['slope'])} points of "
        "accuracy lost per nat at the base model "
        f"({level} interval {points(row['slope_low'])} to {points(row['slope_high'])}"
    )
    if row["bend"] is not None:
        text += (
            f"; the square adds {points(row['bend'])}, {points(row['bend_low'])} to "
            f"{points(row['bend_high'])}"
        )
    return (
        f"{text}); R² {number(row['r2'])} ({number(row['r2_low'])} to {number(row['r2_high'])}) "
        f"over {counted(row['points'], 'point')} of each training."
    )
