"""Combinations of values that the atlas cannot have."""

from collections.abc import Iterator
from pathlib import Path

from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.shape import nearest
from tuneatlas.config.source import Conflict, Key


def mapped(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Groups, domains and seeds to be measured that there are none of."""
    atlas = experiment.atlas
    for name in atlas.groups:
        if name not in experiment.groups:
            key: Key = ("atlas", "groups")
            yield (key,), f"no group {name!r}{nearest(name, experiment.groups)}"
    for name in atlas.domains or ():
        if name not in experiment.tuned_domains:
            yield (("atlas", "domains"),), f"{name!r} is no domain with tune: true"
    for seed in atlas.seeds or ():
        if seed not in experiment.seeds:
            listed = ", ".join(map(str, experiment.seeds))
            yield (("atlas", "seeds"),), f"{seed} is none of the experiment's seeds ({listed})"


def order(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Points between base and tuned that do not rise."""
    for name in ("alphas", "undone"):
        values = getattr(experiment.atlas, name)
        if list(values) != sorted(set(values)):
            yield (("atlas", name),), "values must rise, each listed once"
