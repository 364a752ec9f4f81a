"""What step measure_distance found, as arrays: how far each model is, and what it answered."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tuneatlas.data.mentions import Mentions, facts_of
from tuneatlas.data.scopes import ALL
from tuneatlas.errors import UserError
from tuneatlas.statistics.bootstrap import Floats
from tuneatlas.studies.atlas.runs import Training, Treatment
from tuneatlas.studies.atlas.tables import DISTANCES
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
    """From files ``…/{model}/{domain}/{group}/{seed}.*.parquet``, with questions on ``facts``."""
    far: dict[Treatment, dict[Training, list[Row]]] = {}
    answers: dict[Treatment, dict[Training, list[Row]]] = {}
    for paths, table, columns, found in (
        (distances, DISTANCES, (), far),
        (asked, STAGE_ANSWERS, ASKED, answers),
    ):
        for path in paths:
            model, domain, group = path.parts[-4:-1]
            seed = int(path.name.split(".")[0])
            found.setdefault((domain, group), {})[model, seed] = table.read(path, columns)
    return {
        treatment: _distances(treatment, far[treatment], answers[treatment], facts, mentions or {})
        for treatment in sorted(far)
    }  # fmt: skip


def _point(row: Row) -> Point:
    return row["setting"], None if row["setting"] == "finetune" else row["step"]


def _distances(
    treatment: Treatment,
    far: Mapping[Training, Sequence[Row]],
    answers: Mapping[Training, Sequence[Row]],
    facts: str,
    mentions: Mentions,
) -> Distances:
    trainings = sorted(answers)
    tables: dict[Training, dict[Point, dict[str, Row]]] = {}
    for training in trainings:
        for row in answers[training]:
            if facts == ALL or facts_of(row["id"], mentions) == facts:
                own = tables.setdefault(training, {}).setdefault(_point(row), {})
                own[row["id"]] = row
    if tables.keys() != answers.keys():
        raise UserError(f"atlas: no question is on facts that are {facts}: see compare_groups")
    first = tables[trainings[0]]
    ids = sorted(next(iter(first.values())))
    for (model, seed), table in tables.items():
        if table.keys() != first.keys() or any(own.keys() != set(ids) for own in table.values()):
            raise UserError(
                f"atlas: {', '.join(treatment)}: {model}, seed {seed} was measured at other steps "
                "or asked other questions than the rest; run measure_distance again"
            )
    found: dict[tuple[Training, Point, str], list[float]] = {}
    for training, rows in far.items():
        for row in rows:
            for measure in MEASURES:
                found.setdefault((training, _point(row), measure), []).append(row[measure])
    return Distances(
        trainings,
        [point for point in first if point[0] != "base"],
        {key: np.array(values) for key, values in found.items()},
        [next(iter(first.values()))[i] for i in ids],
        {
            point: np.array(
                [[table[point][i]["correct"] for i in ids] for table in tables.values()]
            )
            for point in first
        },
    )
