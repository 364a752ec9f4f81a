# What jobs ask for. Profiles say where they run, and may ask for more or less.
SHAPES = {part: tuneatlas.shapes_of(SETTINGS[part], Path()) for part in ("models", "paraphrasers")}
# Sites let no job run for longer than a day or two; one that is cut off goes on.
LONGEST_MIN = 1440


def scaled(mem_mb, runtime, weights=lambda w: 0):
    """Attempt n gets n times the memory beside a model's weights, and n times the minutes."""
    return {
        "mem_mb": lambda w, attempt: weights(w) + mem_mb * attempt,
        "runtime": lambda w, attempt: min(runtime * attempt, LONGEST_MIN),
        # For the step, which does not repeat in vain what failed.
        "attempt": lambda w, attempt: attempt,
    }


def model_of(wildcards):
    """The shape and the config entry of a job's model; no shape where its size is not known."""
    part = "models" if "model" in wildcards.keys() else "paraphrasers"
    name = wildcards[part.removesuffix("s")]
    return SHAPES[part].get(name), SETTINGS[part][name]


def asks(runtime):
    """A model is loaded and asked, on one node."""

    def weights(wildcards):
        shape, entry = model_of(wildcards)
        return tuneatlas.asked_mb(shape, entry) if shape else 0

    gpus = lambda w: model_of(w)[1].get("devices", 1)
    return {**scaled(8000, runtime, weights), "gpu": gpus, "nodes": 1}


def each(section):
    """Processes of a training on each node."""
    return SETTINGS[section]["processes"] // SETTINGS[section]["nodes"]


def trains(section, runtime):
    """A model is trained: a GPU for each process, on one node or on several."""
    training, here = SETTINGS[section], each(section)

    def weights(wildcards):
        shape, _ = model_of(wildcards)
        return tuneatlas.trained_mb(shape, training, Path()) if shape else 0

    needs = {**scaled(8000, runtime, weights), "nodes": training["nodes"], "cpus_per_task": here}
    if training["nodes"] == 1:
        return needs | {"gpu": here}
    # `mpi`: the job starts its processes itself, with srun. Without `tasks_per_gpu` the executor
    # asks for as many tasks a GPU as there are tasks, which Slurm takes as another number of GPUs.
    return needs | {
        "gres": f"gpu:{here}",
        "tasks": training["nodes"],
        "tasks_per_gpu": 0,
        "mpi": "srun",
    }


def brings(runtime):
    """A base model is fetched, or a small one trained, on processors."""

    def weights(wildcards):
        shape, entry = model_of(wildcards)
        if shape is None:
            return 0
        if "training" in entry:
            return tuneatlas.trained_mb(shape, entry["training"], Path())
        return tuneatlas.brought_mb(shape, entry)

    return scaled(8000, runtime, weights)
