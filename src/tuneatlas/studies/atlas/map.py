"""The map: what each measure says of each treatment, with intervals.

A treatment is a domain and a group, tuned as a setting says. Intervals are over items, of which
those that say the same are drawn together, and over replicates of the base model where there are
several, over tuning seeds where there is one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np

from tuneatlas.data.groups import in_order
from tuneatlas.data.scopes import GIVEN, seen_from
from tuneatlas.errors import UserError
from tuneatlas.statistics.intervals import accuracy_interval, paired_difference
from tuneatlas.statistics.metrics import interval_columns, plain
from tuneatlas.studies.atlas.contents import Contents, clusters_of
from tuneatlas.studies.atlas.runs import Cell, Run
from tuneatlas.studies.atlas.tables import BASE, LINE
from tuneatlas.studies.atlas.trainings import Treatment, bases_of, sizes_of
from tuneatlas.tables import Row


@dataclass(frozen=True)
class MapOptions:
    """Roles that count out of the domain, what test questions are about, and the intervals.

    ``homes``: the domain tuned on, of checkpoints tuned elsewhere of which it is known.
    """

    ood_roles: tuple[str, ...]
    facts: str
    draws: int
    confidence: float
    homes: Mapping[str, str] = field(default_factory=dict)

    def home(self, treatment: Treatment) -> str:
        """The domain that is home to a treatment."""
        domain, group = treatment
        return self.homes.get(group, domain) if domain == GIVEN else domain

    def scope(self, treatment: Treatment, row: Row) -> str | None:
        """Where a question lies, seen from a treatment; see `seen_from`."""
        return seen_from(treatment, row["domain"], row["role"], self.ood_roles, self.homes)


def map_treatments(
    runs: Mapping[Treatment, Run],
    options: MapOptions,
    seed: int,
    contents: Contents | None = None,
) -> dict[str, Any]:
    """All numbers of the atlas, as JSON can hold them.

    ``contents``: what items say, by id; without it all are taken to be different.
    """
    if not runs:
        raise UserError("atlas.groups: no tuning to measure; name at least one group")
    trainings = [training for run in runs.values() for training in run.trainings]
    return {
        "design": {
            "domains": sorted({domain for domain, _ in runs}),
            "groups": in_order({group for _, group in runs}),
            "replicates": sorted({model for model, _ in trainings}),
            "seeds": sorted({seed for _, seed in trainings}),
            "items": len({row["id"] for run in runs.values() for row in run.items}),
            **asdict(options),
            "ood_roles": list(options.ood_roles),
        },
        "interpolation": plain(
            list(interpolation(runs, options, np.random.default_rng(seed), contents or {}))
        ),
    }


def interpolation(
    runs: Mapping[Treatment, Run],
    options: MapOptions,
    rng: np.random.Generator,
    contents: Contents,
) -> Iterator[Row]:
    """Accuracy of every model between base and tuned, beside both ends, by scope."""
    how = (rng, options.draws, options.confidence)
    for (domain, group), run in runs.items():
        bases = bases_of(run.trainings)
        for scope, chosen in run.scopes(partial(options.scope, (domain, group))):
            ids = (row["id"] for row, own in zip(run.items, chosen, strict=True) if own)
            same = clusters_of(ids, contents)
            for setting, path, point, cell in _points(run):
                before, own, end = (
                    run.correct[at][:, chosen] for at in (BASE, cell, (setting, LINE, 1.0))
                )
                yield {
                    **{"domain": domain, "group": group, "setting": setting, "scope": scope},
                    **{"path": path, "point": point, **sizes_of(run.trainings)},
                    "items": int(chosen.sum()),
                    "base": float(before.mean()),
                    **interval_columns("accuracy", accuracy_interval(own, *how, same, bases)),
                    **interval_columns("gain", paired_difference(own, before, *how, bases, same)),
                    **interval_columns("regained", paired_difference(own, end, *how, bases, same)),
                    "ties": int((run.tied[cell][:, chosen] > 0).sum()),
                }


def _points(run: Run) -> Iterator[tuple[str, str, float, Cell]]:
    """Setting, path and point of each model, and the cell of its answers.

    The base model is where every line begins.
    """
    for setting in dict.fromkeys(setting for setting, _, _ in run.correct):
        if setting == BASE[0]:
            continue
        yield setting, LINE, 0.0, BASE
        for cell in run.correct:
            if cell[0] == setting:
                yield *cell, cell
