"""An experiment on clusters of several sizes: how long it takes, what is lost, what holds it up."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import yaml

from tuneatlas.engine.cluster import PROFILE
from tuneatlas.engine.jobs import Job
from tuneatlas.sizing.estimates import Need
from tuneatlas.sizing.events import (
    Cluster,
    Outcome,
    Task,
    expected,
    longest_chain,
    simulate,
    worth_saving,
)
from tuneatlas.sizing.needs import Study, need_of
from tuneatlas.sizing.sheet import number
from tuneatlas.sizing.tasks import fitted, saving_of, task_of, tasks_of

# A step is told of where it has this share of what holds a run up.
TOLD = 0.1


def at_a_time(root: Path) -> int:
    """Jobs that a run submits at a time, by the profile of Slurm."""
    return int(yaml.safe_load((root / PROFILE).read_text(encoding="utf-8"))["jobs"])


@dataclass(frozen=True)
class Bound:
    """Seconds that no run on a cluster can be shorter than, and what of."""

    seconds: float
    what: str


def bounds(tasks: Sequence[Task], cluster: Cluster) -> list[Bound]:
    """What holds a run up, the tightest first."""
    chain = [tasks[number] for number in longest_chain(tasks)]
    kinds = {
        "GPUs": ([t.gpus * t.span(t.work) for t in tasks], cluster.gpus),
        "processors": ([t.cores * t.span(t.work) for t in tasks], cluster.cores),
        "jobs submitted at a time": ([t.span(t.work) for t in tasks], cluster.jobs),
    }
    found = [
        Bound(sum(taken) / there, f"{kind}: {_steps(tasks, taken)}")
        for kind, (taken, there) in kinds.items()
        if there
    ]
    spans = [task.span(task.work) for task in chain]
    found.append(Bound(sum(spans), f"one after another: {_steps(chain, spans)}"))
    return sorted(found, key=lambda bound: -bound.seconds)


def _steps(tasks: Sequence[Task], taken: Sequence[float]) -> str:
    """The steps with most of what is taken, in the order of ``tasks``."""
    shares: dict[str, float] = {}
    for task, seconds in zip(tasks, taken, strict=True):
        shares[task.step] = shares.get(task.step, 0.0) + seconds
    whole = sum(shares.values()) or 1.0
    told = {step: part / whole for step, part in shares.items() if part >= TOLD * whole}
    return ", ".join(f"{step} {share:.0%}" for step, share in told.items())


def refusals(study: Study, jobs: Sequence[Job], tasks: Sequence[Task], cluster: Cluster) -> str:
    """Why a cluster cannot run the jobs at all; empty if it can."""
    said: dict[str, None] = {}
    for job, task in zip(jobs, tasks, strict=True):
        need = need_of(job, study) or Need()
        if not cluster.holds(task):
            asked = f"{task.gpus} GPUs" if task.gpus else f"{task.cores} cores"
            nodes = f" on {task.nodes} nodes" if task.nodes > 1 else ""
            said[f"{task.step} asks for {asked}{nodes} at once"] = None
        elif need.memory > study.device.memory:
            said[
                f"{task.step} on {task.gpus} needs {number(need.memory)} GiB on each, of "
                f"{study.device.memory:g}"
            ] = None
    return "; ".join(said)


def repeated(tasks: Sequence[Task], cluster: Cluster, times: int) -> list[Outcome]:
    """So many runs; one where chance has no part in it."""
    if math.isinf(cluster.preempted_every):
        times = 1
    return [simulate(tasks, cluster, Random(seed)) for seed in range(times)]


HEADINGS = ("GPUs", "hours", "GPU-hours", "in use", "starts", "saving", "again", "attempts")


def table(
    study: Study, jobs: Sequence[Job], clusters: Sequence[Cluster], times: int
) -> tuple[list[tuple[str, ...]], list[str]]:
    """A line per cluster as text, headings first; and what holds each up, or why it cannot."""
    rows: list[tuple[str, ...]] = [HEADINGS]
    notes = []
    for cluster in clusters:
        here = [fitted(job, cluster) for job in jobs]
        tasks = tasks_of(study, here)
        if why := refusals(study, here, tasks, cluster):
            rows.append((f"{cluster.gpus}", "cannot", *[""] * 6))
            notes.append(f"{_gpus(cluster)} cannot: {why}.")
            continue
        rows.append(_row(repeated(tasks, cluster, times), cluster))
        first, second = (
            f"{bound.what}, {number(bound.seconds / 3600)} h at least"
            for bound in bounds(tasks, cluster)[:2]
        )
        fewer = {
            f"{task.step} on {task.gpus}": None
            for task, job, asked in zip(tasks, here, jobs, strict=True)
            if job is not asked
        }
        on = f", with {', '.join(fewer)}" if fewer else ""
        notes.append(f"{_gpus(cluster)}{on}: held up by {first}; then by {second}.")
    return rows, notes


def _gpus(cluster: Cluster) -> str:
    return f"{cluster.gpus} GPU" + "s" * (cluster.gpus > 1)


def _row(runs: Sequence[Outcome], cluster: Cluster) -> tuple[str, ...]:
    spans = [run.makespan / 3600 for run in runs]
    mean = statistics.mean(spans)
    hours = number(mean)
    if len(runs) > 1:
        hours += f" ({number(min(spans))} to {number(max(spans))})"
    sums = {
        part: statistics.mean(getattr(run, part) for run in runs) / 3600
        for part in ("busy", "starting", "saving", "lost")
    }
    most = max(max(run.attempts, default=0) for run in runs)
    return (
        f"{cluster.gpus}",
        hours,
        number(sums["busy"]),
        f"{sums['busy'] / (cluster.gpus * mean):.0%}",
        number(sums["starting"]),
        number(sums["saving"]),
        number(sums["lost"]),
        f"{most}",
    )


SAVED = (
    *("training", "jobs", "GPUs each", "min each", "min to save", "saves", "GPU-h lost"),
    *("best", "GPU-h lost then"),
)
# Trainings of less than a minute are not told of.
SHORT_S = 60.0


def checkpoints(study: Study, jobs: Sequence[Job], every: float) -> list[tuple[str, ...]]:
    """A line per training as text, headings first: how often it saves, and how often is best.

    Lost are, on average, starts again, work done again and the saving itself.

    Args:
        every: seconds that a node is left alone, on average.
    """
    # Each with how often it saves, and as one that may.
    found: dict[tuple[str, int], list[tuple[int, Task]]] = {}
    for job in jobs:
        saving, task = saving_of(job, study), task_of(job, study)
        if saving is not None and task.gpus and task.work > SHORT_S:
            asked = replace(task, saving=saving)
            found.setdefault((task.step, task.gpus), []).append((task.saves(task.work), asked))
    rows: list[tuple[str, ...]] = [SAVED]
    for (step, gpus), alike in found.items():
        as_is, asked_of = zip(*alike, strict=True)
        best = [worth_saving(task, every) for task in asked_of]
        lost = [
            sum(
                gpus * (expected(task, saves, every) - task.start - task.work) / 3600
                for task, saves in zip(asked_of, several, strict=True)
            )
            for several in (as_is, best)
        ]
        work = _range([task.work / 60 for task in asked_of])
        save = _range([task.saving.cost / 60 for task in asked_of if task.saving])
        counts = (_range(as_is), number(lost[0]), _range(best), number(lost[1]))
        rows.append((step, f"{len(alike)}", f"{gpus}", work, save, *counts))
    return rows


def _range(values: Sequence[float]) -> str:
    low, high = number(min(values)), number(max(values))
    return low if low == high else f"{low} to {high}"
