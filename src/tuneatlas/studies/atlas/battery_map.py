"""The numbers of the battery: what each way of asking finds, and what became of what seems lost."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tuneatlas.data.mentions import UNMENTIONED, Mentions, facts_of
from tuneatlas.data.scopes import ALL, SCOPES
from tuneatlas.statistics.bootstrap import Interval
from tuneatlas.statistics.derived import derived_interval, phi, ratio_interval, within
from tuneatlas.statistics.intervals import accuracy_interval, mean_interval, paired_difference
from tuneatlas.statistics.metrics import interval_columns, plain
from tuneatlas.studies.atlas.contents import Contents, clusters_of
from tuneatlas.studies.atlas.map import MapOptions
from tuneatlas.studies.atlas.recovery import LEAST_OPTIONS, NONE, Asked, indicators, majority
from tuneatlas.studies.atlas.tables import BATTERY
from tuneatlas.studies.atlas.trainings import (
    Training,
    Treatment,
    align,
    bases_of,
    read_trainings,
    sizes_of,
    training_of,
)
from tuneatlas.studies.atlas.ways import FEW_SHOT
from tuneatlas.tables import STAGE_ANSWERS, Row

COMPARED = ("setting", "way", "id", "domain", "role", "answer", "pred", "tied", "scores")
RESTORED = ("setting", "step", "restored", "id", "pred")
BASE = "base"
Chosen = dict[tuple[str, str], NDArray[Any]]


class Answers(NamedTuple):
    """What was asked of a treatment, trainings of a replicate together.

    ``chosen`` and ``tied`` are by setting and way, (trainings, items); ``restored`` by setting:
    options chosen once restored, NONE where that was not asked.
    """

    trainings: list[Training]
    items: list[Row]
    answer: NDArray[Any]
    options: NDArray[Any]
    chosen: Chosen
    tied: Chosen
    restored: Mapping[str, NDArray[Any]]

    @property
    def settings(self) -> list[str]:
        """Those of tuned models."""
        return [name for name in dict.fromkeys(s for s, _ in self.chosen) if name != BASE]

    @property
    def ways(self) -> list[str]:
        """All ways of asking, the probe's first."""
        return list(dict.fromkeys(way for _, way in self.chosen))

    def asked(self, setting: str) -> Asked:
        """The options chosen that tell what became of a question."""
        others = [way for way in self.ways if way != FEW_SHOT]
        said = [majority([self.chosen[name, way] for way in others]) for name in (BASE, setting)]
        before, after = (self.chosen[name, FEW_SHOT] for name in (BASE, setting))
        known = self.restored[setting], self.answer, self.options
        return Asked(before, after, said[0], said[1], *known)


def read_battery(paths: Sequence[Path], restored: Sequence[Path]) -> dict[Treatment, Answers]:
    """From files of trainings (`training_of`); ``restored``: of their models after restoration."""
    after = {training_of(path): _after_restoration(path) for path in restored}
    return {
        treatment: _answers(treatment, rows, {t: after.get((treatment, t), {}) for t in rows})
        for treatment, rows in read_trainings(paths, BATTERY, COMPARED).items()
    }


def _after_restoration(path: Path) -> dict[str, dict[str, int]]:
    """Options chosen by setting and id, of the last model of each that was restored whole."""
    rows = [row for row in STAGE_ANSWERS.read(path, RESTORED) if row["restored"] == 100]
    last: dict[str, int] = {}
    for row in rows:
        last[row["setting"]] = max(last.get(row["setting"], 0), row["step"])
    found: dict[str, dict[str, int]] = {setting: {} for setting in last}
    for row in rows:
        if row["step"] == last[row["setting"]]:
            found[row["setting"]][row["id"]] = row["pred"]
    return found


def _answers(
    treatment: Treatment,
    rows: Mapping[Training, Sequence[Row]],
    again: Mapping[Training, Mapping[str, Mapping[str, int]]],
) -> Answers:
    asked = align(treatment, rows, _cell, step="ask_battery", otherwise="in other ways")
    chosen = asked.column("pred")
    restored = {
        setting: np.array(
            [
                [again[training].get(setting, {}).get(row["id"], NONE) for row in asked.items]
                for training in asked.trainings
            ]
        )
        for setting in {setting for setting, _ in chosen}
    }
    return Answers(
        asked.trainings,
        asked.items,
        np.array([row["answer"] for row in asked.items]),
        np.array([len(row["scores"]) for row in asked.items]),
        chosen,
        asked.column("tied"),
        restored,
    )


def _cell(row: Row) -> tuple[str, str]:
    return row["setting"], row["way"]


def map_battery(
    batteries: Mapping[Treatment, Answers],
    options: MapOptions,
    seed: int,
    contents: Contents,
    mentions: Mentions,
) -> dict[str, Any]:
    """Tables ``battery`` and ``recovery``; ``contents`` as in `map_treatments`.

    Where it is known which facts a corpus states, what became of questions on those that it
    leaves out is told beside: nobody knows them, so that they are the negative control.
    """
    rng = np.random.default_rng(seed)
    found: dict[str, list[Row]] = {"battery": [], "recovery": []}
    for (domain, group), own in batteries.items():
        bases = bases_of(own.trainings)
        facts = {row["id"]: facts_of(row["id"], mentions) for row in own.items}
        sides = [options.facts]
        if UNMENTIONED in facts.values() and options.facts != UNMENTIONED:
            sides.append(UNMENTIONED)
        for side in sides:
            told = [side in (ALL, facts[row["id"]]) for row in own.items]
            for scope, where in _scopes(own, (domain, group), options, np.array(told)):
                same = clusters_of((own.items[n]["id"] for n in where), contents)
                how = (rng, options.draws, options.confidence, same, bases)
                place: Row = {"domain": domain, "group": group, "scope": scope, "facts": side}
                sizes = sizes_of(own.trainings)
                place |= {"replicates": sizes["replicates"], "items": len(where)}
                place["seeds"] = sizes["seeds"]
                for setting in own.settings:
                    at = place | {"setting": setting}
                    if side == options.facts:
                        found["battery"] += (at | row for row in _by_ways(own, setting, where, how))
                    found["recovery"].append(at | _recovery(own, setting, where, how))
    return {name: plain(rows) for name, rows in found.items()}


def _scopes(
    own: Answers, treatment: Treatment, options: MapOptions, told: NDArray[Any]
) -> Iterator[tuple[str, NDArray[Any]]]:
    """Places of the items told of in each scope that has any, seen from what was tuned on."""
    scopes = [options.scope(treatment, row) for row in own.items]
    for scope in SCOPES:
        where = np.flatnonzero(told & np.array([name == scope for name in scopes]))
        if len(where):
            yield scope, where


def _by_ways(own: Answers, setting: str, where: NDArray[Any], how: Any) -> Iterator[Row]:
    rng, draws, confidence, same, replicates = how
    for way in own.ways:
        before, after = (
            (own.chosen[name, way] == own.answer)[:, where] for name in (BASE, setting)
        )
        change = paired_difference(after, before, rng, draws, confidence, replicates, same)
        yield {
            "way": way,
            "base": float(before.mean()),
            **interval_columns("accuracy", accuracy_interval(after, *how)),
            **interval_columns("gain", change),
            "ties": int((own.tied[setting, way][:, where] > 0).sum()),
        }


def _recovery(own: Answers, setting: str, where: NDArray[Any], how: Any) -> Row:
    said = {name: table[:, where] for name, table in indicators(own.asked(setting)).items()}

    def share(part: str, whole: str) -> Row:
        found = ratio_interval(said[part], said[whole], *how)
        return interval_columns(part, within(found, 0.0, 1.0))

    known: Row = interval_columns("reached_known", None)
    # Of what luck alone lost, as of facts never stated, there is no share.
    told = (own.options[where] >= LEAST_OPTIONS).all()
    if told and mean_interval(said["lost_known"], *how[:-1]).low > 0:
        luckless = ratio_interval(said["reached_known"], said["lost_known"], *how)
        known = interval_columns("reached_known", luckless)
    return {
        "lost": int(said["lost"].sum()),
        **share("reached", "lost"),
        **known,
        **share("base_reached", "lost"),
        "again": int(said["again"].sum()),
        **share("back", "again"),
        **share("neither", "again"),
        **interval_columns("agreement", _agreement(said, how)),
    }


def _agreement(said: Mapping[str, NDArray[Any]], how: Any) -> Interval | None:
    """The correlation (phi) of being reached and being back; None where one of them is constant."""
    both, again = said["both"], said["again"]
    cells = [both, said["reached_again"] - both, said["back"] - both]
    cells.append(again - sum(cells))
    first, second = (sum(said[name].ravel()) for name in ("reached_again", "back"))
    if not (0 < first < again.sum() and 0 < second < again.sum()):
        return None
    return within(derived_interval(phi, cells, *how), -1.0, 1.0)
