"""The sheet of an experiment: a line per step and model, what cannot fit, and what was measured."""

import json
import statistics
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tuneatlas.config.load import resolve
from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.packages import domain_options
from tuneatlas.config.preflight import where
from tuneatlas.config.replicates import members
from tuneatlas.config.source import Key, Problem, refuse
from tuneatlas.engine.jobs import Job, read_plan
from tuneatlas.engine.operations import section_of
from tuneatlas.engine.records import record_path
from tuneatlas.errors import UserError
from tuneatlas.models.shapes import shape_of
from tuneatlas.sizing.counts import count_questions
from tuneatlas.sizing.estimates import DEVICES, Device, Need, training_memory, zero_of
from tuneatlas.sizing.needs import Study, need_of, shared, training_of
from tuneatlas.sizing.storage import BROUGHT, Ledger, chain_of, goes, held_of

# What to try, in this order, where a training does not fit: DeepSpeed config, processes.
REMEDIES = [
    *((f"config/deepspeed/zero{stage}.json", n) for n in (2, 4, 8) for stage in (2, 3)),
    *(("config/deepspeed/zero3_offload.json", n) for n in (1, 2, 4, 8)),
    *(("config/deepspeed/zero3.json", n) for n in (16, 32)),
]


@dataclass(frozen=True)
class Line:
    """All jobs of a step for one model, or all its replicates; no ``need`` if it cannot be told."""

    step: str
    model: str
    jobs: tuple[Job, ...]
    need: Need | None


def study_of(experiment: Experiment, root: Path, device: Device, *, look: bool = True) -> Study:
    """The experiment with the shapes of its models; UserError names one of unknown size.

    ``look``: count the questions of files that are there.
    """
    config = resolve(experiment)
    shapes, problems = {}, []
    for part in ("models", "paraphrasers"):
        for name, entry in config[part].items():
            try:
                shapes[name] = shape_of(entry, root)
            except UserError as error:
                key: Key = (part, name)
                problems.append(Problem(key, str(error), where(experiment, key)))
    refuse(problems, f"{experiment.name}: {len(problems)} models of unknown size:")
    counts = {
        name: count_questions(name, domain_options(config, name), root if look else None)
        for name in config["domains"]
    }
    return Study(config, shapes, device, root, counts)


def lines_of(study: Study, configs: Sequence[Path]) -> list[Line]:
    """What the jobs of the experiment need, by model and step."""
    found: dict[tuple[str, str], list[Job]] = {}
    family = {
        (kind, member): name
        for kind in ("model", "paraphraser")
        for name, own in members(study.config[f"{kind}s"]).items()
        for member in own
    }
    for job in read_plan(study.root, list(configs)):
        kind = "model" if "model" in job.wildcards else "paraphraser"
        model = job.wildcards.get(kind, "")
        found.setdefault((job.step, family.get((kind, model), model)), []).append(study.whole(job))
    order = sorted(found, key=lambda key: (key[1], key[0]))
    lines = []
    for step, model in order:
        jobs = tuple(found[step, model])
        needs = [need for job in jobs if (need := need_of(job, study)) is not None]
        whole = len(needs) == len(jobs)
        lines.append(Line(step, model, jobs, shared(needs) if whole else None))
    return lines


def refuse_misfits(experiment: Experiment, study: Study, lines: Sequence[Line]) -> None:
    """One UserError that names every step that cannot fit its device, and what would."""
    problems = []
    for line in lines:
        if line.need is None or line.need.memory <= study.device.memory:
            continue
        key = _key(line)
        text = (
            f"{line.step} of {line.model} needs about {line.need.memory:.0f} GiB on each "
            f"{study.device.name}, which has {study.device.memory:g}: {_remedy(line, study)}"
        )
        problems.append(Problem(key, text, where(experiment, key)))
    refuse(problems, f"{experiment.name}: {len(problems)} steps do not fit {study.device.name}:")


def _key(line: Line) -> Key:
    """The config key to change."""
    job = line.jobs[0]
    key: Key = tuple(section_of(job.step, job.wildcards).split("."))
    options = job.options
    if "training" in options:
        key, options = (*key, "training"), options["training"]
    size = next((k for k in ("rows_per_device", "batch_tokens", "batch_rows") if k in options), "")
    return (*key, size) if size else key


def _remedy(line: Line, study: Study) -> str:
    options = line.jobs[0].options
    training = options.get("training", options)
    if "learning_rate" not in training:
        return "lower its batch, or choose a larger device"
    if training["lora_rank"]:
        return "lower rows_per_device or row_length, or choose a larger device"
    wildcards = line.jobs[0].wildcards
    shape = study.shapes[wildcards.get("model", wildcards.get("paraphraser", line.model))]
    for path, processes in REMEDIES:
        tried = {**training, "processes": processes, "rows_per_device": 1}
        zero = zero_of(study.root / path)
        need = training_memory(shape, tried, training["row_length"], zero) + study.device.overhead
        if need <= study.device.memory:
            return f"with processes: {processes} and deepspeed: {path} it needs {need:.0f}"
    return "no number of devices up to 32 is enough; choose a larger one"


def totals(lines: Sequence[Line]) -> Need:
    """What the whole experiment needs: the sum, and the checkpoints of one job at a time."""
    known = [line.need for line in lines if line.need is not None]
    return replace(shared(known), devices=0)


def fullest(study: Study, lines: Sequence[Line]) -> tuple[float, float]:
    """GB of models that stay, and GB of models and training states at the fullest moment.

    Raises:
        UserError: ``storage.at_most_gb`` is too little for them.
    """
    stays, states = 0.0, [0.0]
    chains: dict[Hashable, float] = {}
    for job in (job for line in lines for job in line.jobs):
        wildcards = job.wildcards
        shape = study.shapes.get(wildcards.get("model", wildcards.get("paraphraser", "")))
        training = training_of(job)
        if shape is None or (training is None and job.step not in BROUGHT):
            continue
        one = held_of(training or {}, shape, len(job.outputs))
        if goes(job.step, str((training or {}).get("keep", "weights"))):
            name = chain_of(wildcards)
            chains[name] = chains.get(name, 0.0) + one.all
        else:
            stays += one.weights
            states.append(one.states)
    everything = sum(chains.values())
    limit = study.config["storage"]["at_most_gb"]
    if limit is None:
        return stays, stays + max(states) + everything
    # As a run reckons: how many that stay are trained at a time is not bounded.
    held = stays + sum(states)
    return stays, held + min(everything, Ledger(limit, held, chains).room)


def summary(study: Study, lines: Sequence[Line]) -> str:
    """What the sheet comes to, and how many questions of each domain it counts with."""
    need, (stays, most) = totals(lines), fullest(study, lines)
    limit = study.config["storage"]["at_most_gb"]
    said = f", of {limit} that storage.at_most_gb allows" if limit else ""
    text = (
        f"{sum(len(line.jobs) for line in lines)} jobs, {number(need.hours)} GPU-hours, "
        f"{number(need.kept)} GiB of models, {number(need.passing)} GiB of checkpoints per "
        f"training job while it runs. {number(stays)} GB stay, and {number(most)} GB are held at "
        f"the fullest moment{said}."
    )
    if not study.config["models"]:
        return text
    counts = "; ".join(f"{name} {n}" for name, n in study.counts.items())
    return f"{text} Questions: {counts}."


HEADINGS = ("step", "model", "jobs", "GPUs each", "GiB per GPU", "steps", "GPU-hours", "models GiB")


def table(lines: Sequence[Line]) -> list[tuple[str, ...]]:
    """The sheet as text, headings first; steps without a device are one line."""
    rows: list[tuple[str, ...]] = [HEADINGS]
    light = [x for x in lines if x.need is not None and not x.need.devices]
    for line in lines:
        if line in light:
            continue
        name = (line.step, line.model, str(len(line.jobs)))
        rows.append((*name, *(_figures(line.need) if line.need else ("?",) * 5)))
    if light:
        count = sum(len(x.jobs) for x in light)
        kept = sum(x.need.kept for x in light if x.need)
        rows.append(("all others", "", str(count), "0", "", "", "", number(kept)))
    need = totals(lines)
    count = sum(len(line.jobs) for line in lines)
    rows.append(("all", "", str(count), "", *_figures(need)[1:]))
    return rows


def _figures(need: Need) -> tuple[str, ...]:
    steps = str(need.steps) if need.steps else ""
    return (str(need.devices), number(need.memory), steps, number(need.hours), number(need.kept))


def number(value: float) -> str:
    """Two figures, or whole numbers."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def compared(lines: Sequence[Line], root: Path) -> Iterator[tuple[str, ...]]:
    """Estimated and measured hours and memory of each step that has run, from its records."""
    yield ("step", "jobs run", "hours, estimated", "hours, measured", "GiB, estimated", "GiB, RSS")
    by_step: dict[str, list[Line]] = {}
    for line in lines:
        by_step.setdefault(line.step, []).append(line)
    for step, several in by_step.items():
        jobs = [job for line in several for job in line.jobs]
        found = [row for job in jobs if (row := _cost(job, root))]
        needs = [line.need for line in several if line.need and line.need.devices]
        if not found or not needs:
            continue
        need = shared(needs)
        hours = statistics.mean(float(row["wall_s"]) for row in found) * len(jobs) / 3600
        memory = max(float(row["peak_mb"]) for row in found)
        yield (
            step,
            f"{len(found)} of {len(jobs)}",
            f"{need.hours:.2g}",
            f"{hours:.2g}",
            f"{need.memory:.2g}",
            f"{memory / 1024:.2g}",
        )


def _cost(job: Job, root: Path) -> Mapping[str, Any] | None:
    """The record of a job's first output, which says what the job took; None if it did not run."""
    path = record_path(root / job.outputs[0]) if job.outputs else None
    if path is None or not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def device_named(name: str, share: float | None) -> Device:
    """A known device, or a UserError that lists them."""
    if name not in DEVICES:
        raise UserError(f"no device {name!r}; there are {', '.join(DEVICES)}")
    device = DEVICES[name]
    return device if share is None else replace(device, share=share)
