"""What step measure_distance found, as arrays: how far each model is, and what it answered."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tuneatlas.data.mentions import Mentions
from tuneatlas.data.scopes import ALL
from tuneatlas.statistics.bootstrap import Floats
from tuneatlas.studies.atlas.tables import DISTANCES
from tuneatlas.studies.atlas.trainings import (
    Training,
    Treatment,
    align,
    on_facts,
    read_trainings,
)
from tuneatlas.tables import STAGE_ANSWERS, Row

MEASURES = ("options", "answers")
ASKED = ("setting", "step", "id", "domain", "role", "correct")
# Setting and step; that of the paper's setting differs with its training set, and is not told.
Point = tuple[str, int | None]


class Distances(NamedTuple):
    """One treatment: how far its models are, and what each answered.

    ``far`` is by training, point and measure, a number per prompt; ``correct`` by point, of shape
    (trainings, items); the base's is at ``("base", 0)``.
    """

    trainings: list[Training]
    points: list[Point]
    far: Mapping[tuple[Training, Point, str], Floats]
    items: list[Row]
    correct: Mapping[Point, NDArray[Any]]


def read_distances(
    distances: Sequence[Path],
    asked: Sequence[Path],
    facts: str = ALL,
    mentions: Mentions | None = None,
) -> dict[Treatment, Distances]:
    """From files of trainings (`training_of`), with questions on ``facts``."""
    far = read_trainings(distances, DISTANCES)
    answers = on_facts(read_trainings(asked, STAGE_ANSWERS, ASKED), facts, mentions or {})
    return {treatment: _distances(treatment, far[treatment], answers[treatment])
            for treatment in sorted(far)}  # fmt: skip


def _point(row: Row) -> Point:
    return row["setting"], None if row["setting"] == "finetune" else row["step"]


def _distances(
    treatment: Treatment,
    far: Mapping[Training, Sequence[Row]],
    answers: Mapping[Training, Sequence[Row]],
) -> Distances:
    asked = align(treatment, answers, _point, step="measure_distance", otherwise="at other steps")
    correct = asked.column("correct")
    found: dict[tuple[Training, Point, str], list[float]] = {}
    for training, rows in far.items():
        for row in rows:
            for measure in MEASURES:
                found.setdefault((training, _point(row), measure), []).append(row[measure])
    return Distances(
        asked.trainings,
        [point for point in correct if point[0] != "base"],
        {key: np.array(values) for key, values in found.items()},
        asked.items,
        correct,
    )
