"""What can be known before the first job, in one message: docs/preflight.md has it as a table."""

from collections.abc import Callable, Collection
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Literal

from tuneatlas.config import treatment_checks
from tuneatlas.config.checkpoints import check_checkpoints
from tuneatlas.config.file_checks import (
    check_corpus,
    check_instructions,
    check_pairs,
    check_parses,
    check_systems,
)
from tuneatlas.config.load import resolve
from tuneatlas.config.machine_checks import check_disk, check_gpus, check_outputs, check_temporary
from tuneatlas.config.model_checks import check_models, models_to_fetch
from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.objects import not_here
from tuneatlas.config.package_checks import check_packages, to_fetch
from tuneatlas.config.program_checks import check_programs
from tuneatlas.config.question_checks import check_questions
from tuneatlas.config.source import Found, Key, Place, Problem, refuse
from tuneatlas.config.trainings import deepspeed_problems, trainings

# structure: what a dry-run needs; data: what a real run needs besides.
Level = Literal["structure", "data"]
Check = Callable[[Experiment, Path], Found]


def preflight(
    experiment: Experiment,
    root: Path,
    level: Level = "data",
    *,
    here: bool = True,
    due: Collection[str] | None = None,
) -> None:
    """Raise one UserError that lists all that would stop a run, with lines of the config.

    Args:
        experiment: a loaded experiment.
        root: the folder the workflow runs in; paths in the config are relative to it.
        level: ``structure`` for a dry-run (no data needed), ``data`` for a real run.
        here: whether jobs run on this machine, whose GPUs, memory and servers count then.
        due: the steps that will run, where that is known; programs and the hub are asked only
            what these will ask them.
    """
    checks = [*STRUCTURE]
    if level == "data":
        models = partial(check_models, due=due)
        programs = partial(check_programs, due=due, here=here)
        checks += [check_questions, models, *DATA, programs, *([check_gpus] if here else [])]
    # An object of a store that was not brought yet is looked at when it is.
    later = {found.key for found in not_here(experiment, root)}
    problems = [
        Problem(key, text, where(experiment, key))
        for key, text in chain.from_iterable(check(experiment, root) for check in checks)
        if key not in later
    ]
    refuse(problems, f"{experiment.name}: {len(problems)} problems before the first job:")


def left_open(experiment: Experiment, root: Path) -> list[str]:
    """What was not looked at, as it is not here yet: each with the step that says it then."""
    names = to_fetch(resolve(experiment), root)
    packages = [f"{', '.join(names)} (fetched first: fetch_source looks at them)"] if names else []
    objects = [f"{o.address} (brought first, then looked at)" for o in not_here(experiment, root)]
    return [*objects, *packages, *models_to_fetch(experiment, root)]


def where(experiment: Experiment, key: Key) -> Place:
    """The place in the config that states ``key``, or the section it would stand in."""
    source = experiment._source
    return source.place_of(key) if source else Place(Path("experiment"), 1)


def _deepspeed(experiment: Experiment, root: Path) -> Found:
    for key, training in trainings(experiment).items():
        if training.deepspeed is not None:
            for text in deepspeed_problems(root / training.deepspeed, training):
                yield (*key, "deepspeed"), text


STRUCTURE: tuple[Check, ...] = (_deepspeed, treatment_checks.layers)
DATA: tuple[Check, ...] = (
    check_checkpoints,
    check_pairs,
    check_parses,
    check_systems,
    check_instructions,
    check_corpus,
    check_packages,
    check_outputs,
    check_temporary,
    check_disk,
)
