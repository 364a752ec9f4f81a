# What jobs ask for. Profiles say where they run, and may ask for more or less.


def scaled(mem_mb, runtime, weights=lambda w: 0):
    """Attempt n gets n times the minutes, and twice the memory beside a model's weights.

    More memory no node may have, and most further attempts are of jobs cut by a time limit.
    """
    return {
        "mem_mb": lambda w, attempt: weights(w) + mem_mb * min(attempt, 2),
        "runtime": lambda w, attempt: min(runtime * attempt, tuneatlas.LONGEST_MIN),
        # For the step, which does not repeat in vain what failed.
        "attempt": lambda w, attempt: attempt,
    }


def entry_of(wildcards):
    """The config entry of a job's model."""
    part = "models" if "model" in wildcards.keys() else "paraphrasers"
    return SETTINGS[part][wildcards[part.removesuffix("s")]]


def weighed(measure):
    """MiB of a job's model by its shape and config entry; 0 where its size is not known."""

    def weights(wildcards):
        entry = entry_of(wildcards)
        shape = tuneatlas.known_shape(entry, ROOT)
        return measure(shape, entry) if shape else 0

    return weights


def asks(runtime, tuned=True, copies=1, section=None, shared=False):
    """A model is loaded and asked, on one node; ``tuned`` ones in a number format of their own.

    ``copies``: how many models of its size are in memory, of each of the processes that the
    ``section`` says. Where its ``shared`` work is done by shards, nobody asks here.
    """
    if shared and SETTINGS[section]["shards"] > 1:
        return scaled(8000, 30)
    times = SETTINGS[section]["processes"] if section else 1
    gpus = lambda w: times * entry_of(w).get("devices", 1)
    copies *= times
    weights = weighed(lambda shape, entry: copies * tuneatlas.asked_mb(shape, entry, tuned=tuned))
    return {**scaled(4000 + 4000 * times, runtime, weights), "gpu": gpus, "nodes": 1, **typed()}


def each(section):
    """Processes of a training on each node."""
    return SETTINGS[section]["processes"] // SETTINGS[section]["nodes"]


def trains(section, runtime, copies=1):
    """A model is trained: a GPU for each process, on one node or on several.

    ``copies``: how many models of its size are in memory.
    """
    training, here = SETTINGS[section], each(section)
    weights = weighed(lambda shape, _: copies * tuneatlas.trained_mb(shape, training, ROOT))
    needs = {**scaled(8000, runtime, weights), "nodes": training["nodes"], "cpus_per_task": here}
    if training["nodes"] == 1:
        return needs | {"gpu": here, **typed()}
    # `mpi`: the job starts its processes itself, with srun. Without `tasks_per_gpu` the executor
    # asks for as many tasks a GPU as there are tasks, which Slurm takes as another number of GPUs.
    return needs | {
        "gres": f"gpu:{here}",
        "tasks": training["nodes"],
        "tasks_per_gpu": 0,
        "mpi": "srun",
        **typed(here),
    }


def brings(runtime):
    """A base model is fetched, or a small one trained, on processors."""

    def measure(shape, entry):
        if "training" in entry:
            return tuneatlas.trained_mb(shape, entry["training"], ROOT)
        return tuneatlas.brought_mb(shape, entry)

    return scaled(8000, runtime, weighed(measure))
