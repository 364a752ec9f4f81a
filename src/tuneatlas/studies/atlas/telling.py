"""What each measure of the atlas adds to the metrics of step map_treatments."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tuneatlas.engine.step import Step
from tuneatlas.data.mentions import Mentions
from tuneatlas.studies.atlas.battery_map import Answers, map_battery, read_battery
from tuneatlas.studies.atlas.board import board
from tuneatlas.studies.atlas.changes_map import map_changes
from tuneatlas.studies.atlas.contents import Contents, read_contents
from tuneatlas.studies.atlas.inside_map import map_inside
from tuneatlas.studies.atlas.law import distance_law
from tuneatlas.studies.atlas.map import MapOptions, map_treatments
from tuneatlas.studies.atlas.measured import Distances, read_distances
from tuneatlas.studies.atlas.measures import MEASURES
from tuneatlas.studies.atlas.rewards_map import map_rewards
from tuneatlas.studies.atlas.runs import Run, read_runs
from tuneatlas.studies.atlas.savings import Relearned, read_relearned, relearning
from tuneatlas.studies.atlas.tables import PROBED_STATES, SIMILARITY, WEIGHT_CHANGES
from tuneatlas.studies.atlas.trainings import Trainings, Treatment, read_trainings
from tuneatlas.tables import MENTIONS


@dataclass
class Asked:
    """The step that tells, and what its files say; each is read once."""

    step: Step

    @cached_property
    def options(self) -> MapOptions:
        """Which questions count, and how sure intervals are."""
        own = self.step.options
        return MapOptions(**{name: own[name] for name in MapOptions.__dataclass_fields__})

    @cached_property
    def mentions(self) -> Mentions:
        """How often the corpus states each fact."""
        paths = self.step.paths("mentions")
        return {row["id"]: row["mentions"] for path in paths for row in MENTIONS.read(path)}

    @cached_property
    def contents(self) -> Contents:
        """What questions say, by id."""
        return read_contents(self.step.paths("questions"))

    @cached_property
    def runs(self) -> dict[Treatment, Run]:
        """Answers between base and tuned."""
        return read_runs(self.step.paths("interpolated"), self.options.facts, self.mentions)

    @cached_property
    def distances(self) -> dict[Treatment, Distances]:
        """How far each model is, and what it answers."""
        files = self.step.paths("distances"), self.step.paths("asked")
        return read_distances(*files, self.options.facts, self.mentions)

    @cached_property
    def batteries(self) -> dict[Treatment, Answers]:
        """Answers in all ways of asking."""
        return read_battery(self.step.paths("battery"), self.step.paths("restored"))

    @cached_property
    def moved(self) -> Trainings:
        """How far each matrix of weights moved."""
        return read_trainings(sorted(self.step.paths("weights")), WEIGHT_CHANGES)

    @cached_property
    def alike(self) -> Trainings:
        """How alike hidden states are, question by question."""
        return read_trainings(sorted(self.step.paths("similarity")), SIMILARITY)

    @cached_property
    def probed(self) -> Trainings:
        """What a linear probe on hidden states has right."""
        return read_trainings(sorted(self.step.paths("inside")), PROBED_STATES)

    @cached_property
    def relearned(self) -> dict[Treatment, Relearned]:
        """Which facts are back."""
        return read_relearned(self.step.paths("relearned"))


def _interpolation(asked: Asked) -> dict[str, Any]:
    return map_treatments(asked.runs, asked.options, asked.step.seed, asked.contents)


def _distance_law(asked: Asked) -> dict[str, Any]:
    return distance_law(asked.distances, asked.options, asked.step.seed, asked.contents)


def _relearning(asked: Asked) -> dict[str, Any]:
    return relearning(asked.relearned, asked.options, asked.step.seed)


def _battery(asked: Asked) -> dict[str, Any]:
    known = asked.contents, asked.mentions
    return map_battery(asked.batteries, asked.options, asked.step.seed, *known)


def _changes(asked: Asked) -> dict[str, Any]:
    files = asked.moved, asked.alike
    return map_changes(*files, asked.options, asked.step.seed, asked.contents)


def _inside(asked: Asked) -> dict[str, Any]:
    return map_inside(asked.probed, asked.options, asked.step.seed, asked.contents)


def _rewards(asked: Asked) -> dict[str, Any]:
    return map_rewards(asked.step.paths("replies"))


def _board(asked: Asked) -> dict[str, Any]:
    return board(MEASURES, asked, asked.options, asked.step.seed)


# Each adds tables of its own; the first, the design.
TELLERS: tuple[Callable[[Asked], dict[str, Any]], ...] = (
    _interpolation,
    _distance_law,
    _relearning,
    _battery,
    _changes,
    _inside,
    _rewards,
    _board,
)


def tell(step: Step) -> dict[str, Any]:
    """All numbers of the atlas, from the files that a step of it is given."""
    asked = Asked(step)
    return {name: found for tell in TELLERS for name, found in tell(asked).items()}
