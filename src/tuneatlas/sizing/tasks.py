"""The jobs of an experiment as a cluster meets them: what each waits for, takes and keeps."""

import math
from collections.abc import Sequence
from dataclasses import replace

from tuneatlas.engine.jobs import Job
from tuneatlas.models.shapes import Shape
from tuneatlas.sizing.estimates import DISK, START_S, Need, checkpoint_size, folder_size
from tuneatlas.sizing.events import Cluster, Saving, Task
from tuneatlas.sizing.needs import Study, need_of, training_of
from tuneatlas.sizing.storage import BROUGHT

# Steps that ask a model or parse write their finished parts so often, in no time to speak of.
PARTS_S = 60.0
# Processor-seconds of what grows with the data, measured (docs/benchmarks.md, "Fifty million
# trees"): a sentence parsed, behind the parser's own start, and a tree made into an example,
# written and tokenised.
PARSE_S, PARSER_S, EXAMPLE_S = 1 / 57, 2.0, 253e-6


def tasks_of(study: Study, jobs: Sequence[Job]) -> list[Task]:
    """A task for each job, in the same order."""
    makers = {path: number for number, job in enumerate(jobs) for path in job.outputs}
    return [
        task_of(job, study, tuple(makers[path] for path in job.inputs if path in makers))
        for job in jobs
    ]


def fitted(job: Job, cluster: Cluster) -> Job:
    """A training that asks for more GPUs than there are, in as many processes as whole nodes hold.

    What it makes is the same but for rounding; whether it fits is for who asks.
    """
    training = training_of(job)
    if training is None or training["processes"] <= cluster.gpus:
        return job
    nodes = max(1, cluster.gpus // cluster.per_node)
    fewer = {"processes": min(cluster.gpus, nodes * cluster.per_node), "nodes": nodes}
    options = {**job.options, **fewer}
    if "training" in job.options:
        options = {**job.options, "training": {**training, **fewer}}
    return replace(job, options=options, resources={**job.resources, "nodes": nodes})


def task_of(job: Job, study: Study, after: tuple[int, ...] = ()) -> Task:
    """What a job takes; of one that nothing here says it of, its start."""
    need, shape = need_of(job, study) or Need(), model_of(job, study)
    loads = folder_size(shape) / DISK if shape else 0.0
    limit = 60.0 * float(job.resources.get("runtime", 0) or math.inf)
    if not need.devices:
        work = work_of(job, study) + (2 * loads if job.step in BROUGHT else 0.0)
        saving = Saving(PARTS_S) if job.step == "parse_sentences" else None
        cores = int(job.resources.get("_cores", 1))
        return Task(job.step, START_S, work, after, 0, 1, cores, saving, limit)
    whole = 3600 * need.hours / need.devices
    start = min(START_S + loads, whole)
    training = training_of(job)
    saving = Saving(PARTS_S)
    if training is not None:
        saving = saving_of(job, study) if training["keep_checkpoints"] else None
        if saving and training["checkpoint_steps"] and need.steps and whole > start:
            every = (whole - start) * training["checkpoint_steps"] / need.steps
            saving = Saving(every, saving.cost, saving.read)
    nodes = int(job.resources.get("nodes", 1))
    return Task(job.step, start, whole - start, after, need.devices, nodes, 0, saving, limit)


def saving_of(job: Job, study: Study) -> Saving | None:
    """How a training saves its state, if it does; None of a job that trains nothing."""
    training, shape = training_of(job), model_of(job, study)
    if training is None or shape is None:
        return None
    seconds = checkpoint_size(shape, training) / DISK
    return Saving(60.0 * training["checkpoint_minutes"], seconds, seconds)


def model_of(job: Job, study: Study) -> Shape | None:
    """The shape of a job's model."""
    return study.shapes.get(job.wildcards.get("model", job.wildcards.get("paraphraser", "")))


def work_of(job: Job, study: Study) -> float:
    """Processor-seconds of a step without a GPU that grows with the data; 0 of all others."""
    sentences = study.config["prepare_sentences"]
    trees = sentences["sentences"] + 2 * sum(sentences["pairs"].values())
    # Both are a job a shard.
    here = trees / study.config["parse_sentences"]["shards"]
    if job.step == "parse_sentences":
        return float(PARSER_S + here * PARSE_S)
    return float(here * EXAMPLE_S) if job.step == "build_tasks" else 0.0
