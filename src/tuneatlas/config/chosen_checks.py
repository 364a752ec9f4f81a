"""What a section chooses of what there is: that it is there, and in order."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.shape import nearest
from tuneatlas.config.source import Conflict

# Those that measure some of the tunings further.
SECTIONS = ("stage_forgetting", "atlas")
# What must rise, and how its values are called.
RISING = {
    ("finetune_stages", "steps"): "steps",
    ("restore_stages", "curve"): "shares",
    ("atlas", "alphas"): "values",
    ("atlas", "undone"): "values",
    ("relearn_facts", "updates"): "updates",
}


def chosen(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Groups, domains and seeds of tunings that there are none of."""
    for section in SECTIONS:
        own = getattr(experiment, section)
        known = [*experiment.groups, *(experiment.treatments if section == "atlas" else ())]
        for name in own.groups:
            if name not in known:
                text = f"no group {name!r}{nearest(name, known)}"
                yield ((section, "groups"),), text
        for name in own.domains or ():
            if name not in experiment.tuned_domains:
                yield ((section, "domains"),), f"{name!r} is no domain with tune: true"
        for seed in own.seeds or ():
            if seed not in experiment.seeds:
                text = f"{seed} is none of the experiment's seeds ({_listed(experiment.seeds)})"
                yield ((section, "seeds"),), text


def followed(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Tunings of the atlas some seeds of which are followed in stages, and some are not.

    What it says of one is over all seeds, of models that all of them have.
    """
    atlas, stages = experiment.atlas, experiment.stage_forgetting
    groups = [name for name in atlas.groups if name in stages.groups]
    domains = set(experiment.mapped_domains) & set(experiment.staged_domains)
    there = [seed for seed in experiment.mapped_seeds if seed in experiment.staged_seeds]
    alone = [seed for seed in experiment.mapped_seeds if seed not in experiment.staged_seeds]
    if groups and domains and there and alone:
        text = (
            f"stage_forgetting follows seeds {_listed(experiment.staged_seeds)} of {groups[0]} and "
            f"not {_listed(alone)}, and the atlas tells of models that all seeds have: name "
            f"{_listed(there)} alone, or let stage_forgetting.seeds have the rest"
        )
        yield (("atlas", "seeds"), ("stage_forgetting", "seeds")), text


def _listed(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))


def order(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Steps, shares and weights that do not rise."""
    for (section, name), what in RISING.items():
        values = getattr(getattr(experiment, section), name)
        if list(values) != sorted(set(values)):
            yield ((section, name),), f"{what} must rise, each listed once"
