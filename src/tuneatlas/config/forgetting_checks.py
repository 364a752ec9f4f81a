"""Combinations of values that the study of forgetting cannot have."""

from collections.abc import Iterator
from pathlib import Path

from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.models.forgetting import FinetuneStages
from tuneatlas.config.models.language_models import ScratchModel
from tuneatlas.config.source import Conflict
from tuneatlas.training.batches import count_steps


def reached(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Steps after the end of a run, of the first domain that has some."""
    for name in experiment.staged_domains:
        most = experiment.domains[name].limits.train if name in experiment.domains else None
        text = unreached(experiment.finetune_stages, name, most) if most is not None else None
        if text:
            at = "finetune_stages"
            yield ((at, "steps"), (at, "epochs"), (at, "batch")), text
            return


def unreached(tuning: FinetuneStages, name: str, most: int) -> str | None:
    """What is said of steps after the end of a run on ``most`` training questions of a domain.

    A group has all of them at most; whether it has fewer shows the probe.
    """
    last = count_steps(most, tuning.epochs, tuning.batch, tuning.remainder)
    beyond = [str(n) for n in tuning.steps if n > last]
    if not beyond or tuning.batch_unit != "examples":
        return None
    return (
        f"{', '.join(beyond)} are never reached: {tuning.epochs} epochs of at most {most} "
        f"questions of {name!r} in batches of {tuning.batch} are {last} steps; raise "
        "epochs or leave these steps out"
    )


def corpus(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """A model to restore without a text to do it with, or such a text without its licence."""
    if not experiment.restores:
        return
    given = experiment.prepare_restoration
    bases = {entry.base for entry in experiment.checkpoints.values() if entry.restore is not False}
    for name, model in experiment.models.items():
        if not experiment.stage_forgetting.groups and name not in bases:
            continue
        if not isinstance(model, ScratchModel) and not (given.corpus or given.package):
            text = (
                f"missing: model {name!r} was not pre-trained here, so name a text distributed "
                "like its pre-training data to restore it with"
            )
            yield (("prepare_restoration", "corpus"), ("models", name)), text
    if given.corpus and not given.licence:
        yield (("prepare_restoration", "licence"),), "missing; state the licence of corpus"
