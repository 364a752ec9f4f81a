"""The GPUs of a site, and which of them a job asks for: the first with memory enough."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneatlas.config.packages import domain_options
from tuneatlas.config.slices import asked_options
from tuneatlas.config.source import read_tree
from tuneatlas.engine.jobs import Job
from tuneatlas.engine.operations import section_of
from tuneatlas.errors import UserError
from tuneatlas.models.shapes import known_shape
from tuneatlas.sizing.counts import count_questions
from tuneatlas.sizing.estimates import Device
from tuneatlas.sizing.needs import Study, need_of

FILE = Path("profiles/slurm/gpus.yaml")
# What may lead to a type: resources of a job, as the executor knows them.
LEADS = ("slurm_partition", "constraint", "gpu_model", "qos")


@dataclass(frozen=True)
class GpuType:
    """GPUs of one kind: GiB of memory each, and what a job asks for to get them."""

    name: str
    memory: float
    asks: Mapping[str, str]


def read_types(path: Path) -> list[GpuType]:
    """The types of a site in the order of preference; none where it does not tell them apart.

    Raises:
        UserError: an entry is not as docs/cluster.md has it.
    """
    if not path.is_file():
        return []
    problems: list[Any] = []
    data = read_tree(path, problems).plain() or {}
    if problems:
        raise UserError("\n".join(map(str, problems)))
    found: list[GpuType] = []
    for name, entry in data.items():
        asks = dict(entry) if isinstance(entry, dict) else {}
        memory = asks.pop("memory", None)
        is_sound = isinstance(memory, int | float) and 0 < memory < math.inf
        if not (is_sound and asks and all(k in LEADS and v for k, v in asks.items())):
            raise UserError(
                f"{path}: {name}: say its memory in GiB, and what leads to it, of "
                f"{', '.join(LEADS)}: {name}: {{memory: 80, constraint: a100}}"
            )
        if found and asks.keys() != found[0].asks.keys():
            raise UserError(
                f"{path}: {name} says {', '.join(asks)}, and {found[0].name} "
                f"{', '.join(found[0].asks)}: say the same of all"
            )
        found.append(GpuType(str(name), float(memory or 0), {k: str(v) for k, v in asks.items()}))
    return found


def type_for(types: Sequence[GpuType], gib: float) -> GpuType:
    """The first type with so much memory; the largest where there is none."""
    large = (one for one in types if one.memory >= gib)
    return next(large, max(types, key=lambda one: one.memory))


def check_types(types: Sequence[GpuType], needs: Iterable[tuple[str, float]]) -> None:
    """Raise one UserError that names the steps with too little room on all types of the site."""
    most = max((one.memory for one in types), default=math.inf)
    short = {step: gib for step, gib in needs if most < gib < math.inf}
    if short:
        said = ", ".join(f"{step} ({gib:.0f} GiB)" for step, gib in short.items())
        raise UserError(
            f"no GPU of {FILE} has memory enough for {said}: the largest has {most:g} GiB; 'make "
            "size' with that DEVICE says what would hold them"
        )


def study_on_any(config: Mapping[str, Any], root: Path) -> Study:
    """An experiment to reckon memory by; no file is counted, and of the time nothing follows."""
    counts = {n: count_questions(n, domain_options(config, n), None) for n in config["domains"]}
    entries = {**config["models"], **config["paraphrasers"]}
    shapes = {n: shape for n, entry in entries.items() if (shape := known_shape(entry, root))}
    return Study(config, shapes, Device("any", math.inf, 1, 1, 1), root, counts)


def memory_of(study: Study, step: str, wildcards: Mapping[str, str]) -> float:
    """GiB that a job takes on each GPU; infinitely many where nothing at hand says it."""
    section = section_of(step, wildcards)
    if section not in study.config:
        return math.inf
    options = study.config[section]
    if "model" in wildcards and "learning_rate" not in options:
        options = asked_options(study.config, section, wildcards["model"])
    gpus = {"gpu": 1}
    job = Job(step, wildcards, (), ("model",), options, {}, due=True, resources=gpus)
    need = need_of(job, study)
    return need.memory if need else math.inf
