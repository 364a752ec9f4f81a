"""Does the machine have the folders, the disk and the GPUs that a run asks for?"""

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from tuneatlas.config.checkpoints import checkpoints
from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.models.language_models import OnHub, ScratchModel
from tuneatlas.config.source import Found
from tuneatlas.config.trainings import trainings
from tuneatlas.engine.gpus import without_bfloat16
from tuneatlas.engine.operations import SHARDS, restored
from tuneatlas.models.shapes import known_shape

OUTPUTS = ("results", "logs")
TABLES_BYTES = 200 * 2**20
# Weights, and the two moments of the optimizer, in single precision.
CHECKPOINT_BYTES = 12
TRAINED_BYTES = 4
# Devices of NVIDIA's driver; only where there is one is torch asked, which takes its time.
DRIVER = Path("/dev/nvidiactl")


def check_outputs(experiment: Experiment, root: Path) -> Found:
    """The folders that results and logs go to: a file is made in each."""
    for name in OUTPUTS:
        lost = [p for p in _with_steps(root / name) if p.is_symlink() and not p.exists()]
        for path in lost:
            text = f"{path} is a link to {path.readlink()}, which is not there: make that folder"
            yield (), f"{text}, or remove the link"
        if lost:
            continue
        folder = _existing(root / name)
        try:
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            text = f"cannot write to {root / name}: {error.strerror}; make it writable"
            yield (), f"{text} or run in another folder"


def check_temporary(experiment: Experiment, root: Path) -> Found:
    """TMPDIR, and the hub's cache where models are to be fetched to it: files are made in both."""
    folders = [Path(value)] if (value := os.environ.get("TMPDIR")) else []
    names = ["TMPDIR"] * len(folders)
    given = [*experiment.models.values(), *experiment.paraphrasers.values()]
    if any(isinstance(model, OnHub) for model in given):
        # Imported here, as few experiments need it and it takes its time.
        from huggingface_hub import constants

        if not constants.is_offline_mode():
            folders.append(_existing(Path(constants.HF_HUB_CACHE)))
            names.append("the hub's cache (HF_HOME)")
    for name, folder in zip(names, folders, strict=True):
        try:
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b" ")
        except OSError as error:
            yield (), f"{name}: cannot write to {folder}: {error.strerror}; name another folder"


def check_gpus(experiment: Experiment, root: Path) -> Found:
    """More processes than this machine has GPUs, or a number format that these do not have.

    On processors all run.
    """
    have = gpus_here()
    if not have:
        return
    asked = {key: training.processes for key, training in trainings(experiment).items()}
    asked |= {(step,): getattr(experiment, step).processes for step in SHARDS}
    for key, processes in asked.items():
        if processes > have:
            text = f"{processes} processes need as many GPUs, and there are {have} here"
            yield (*key, "processes"), f"{text}: lower this, or run on a cluster"
    if not (said := without_bfloat16()):
        return
    for key, training in trainings(experiment).items():
        if training.precision == "bf16":
            yield (*key, "precision"), said
    for name, model in experiment.models.items():
        for dtype in ("dtype", "tuned_dtype"):
            if getattr(model, dtype) == "bfloat16":
                yield ("models", name, dtype), said


def gpus_here() -> int:
    """GPUs that this process may use."""
    if not DRIVER.exists():
        return 0
    import torch

    return torch.cuda.device_count()


def check_disk(experiment: Experiment, root: Path) -> Found:
    """Whether tables, tuned models and one run's checkpoints fit the disk of the results."""
    needed = disk_bytes(experiment, root)
    try:
        disk = shutil.disk_usage(_existing(root / "results"))
    except OSError:
        return  # check_outputs says that the folder cannot be used
    # Some file systems do not tell their size. What a run before left is kept or replaced.
    if not disk.total or disk.free >= needed:
        return
    held = _held(root / "results")
    if disk.free + held < needed:
        text = f"{root / 'results'} has {_gib(disk.free)} free and holds {_gib(held)}, "
        text += f"this experiment needs about {_gib(needed)}"
        text += ": free some space, run fewer models, groups or seeds, or let weights go once they"
        yield (), f"{text} are measured (finetune.keep, storage.at_most_gb)"


def _held(folder: Path) -> int:
    """Bytes of the files in a folder; jobs of another driver may take files away meanwhile."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += Path(parent, name).lstat().st_size
    return total


def disk_bytes(experiment: Experiment, root: Path) -> int:
    """Disk that an experiment needs, roughly: tables, tuned models, one run's checkpoints.

    Models of which nothing at hand says the size count as nothing, and so do those of the syntax
    study.
    """
    runs = len(experiment.tuned_domains) * len(experiment.groups) * len(experiment.seeds)
    runs += _staged_models(experiment)
    total, checkpoints = TABLES_BYTES, 0
    for model in experiment.models.values():
        shape = known_shape(model.model_dump(mode="json"), root)
        parameters = shape.parameters if shape else 0
        kept = model.training.keep_checkpoints if isinstance(model, ScratchModel) else 0
        kept = max(kept, experiment.finetune.keep_checkpoints)
        kept += kept > 0  # one is being written
        total += parameters * TRAINED_BYTES * (runs + 1)
        checkpoints = max(checkpoints, parameters * CHECKPOINT_BYTES * kept)
    limit = experiment.storage.at_most_gb
    # What is refused above it, or waits.
    return total + checkpoints if limit is None else min(total + checkpoints, limit * 10**9)


def _staged_models(experiment: Experiment) -> int:
    """Models that the study of forgetting keeps, at each step and along each restoration.

    And checkpoints tuned elsewhere, as they are and along theirs.
    """
    steps, points = len(experiment.finetune_stages.steps), len(experiment.restore_stages.curve) + 1
    study = experiment.stage_forgetting
    followed = len(experiment.staged_domains) * len(study.groups)
    config = experiment.model_dump(mode="json")
    listed, back = checkpoints(config), restored(config)
    again = sum(name.partition("/")[0] in back for name in listed)
    own = followed * (steps + (steps + 1) * points) + (points if followed else 0)
    others = again * points + (points if again else 0)
    seeds = len(experiment.staged_seeds), len(experiment.seeds)
    return own * seeds[0] + others * seeds[1] + len(listed)


def _with_steps(folder: Path) -> list[Path]:
    """A folder of outputs and those of the steps in it, any of which may be a link."""
    try:
        return [folder, *sorted(folder.iterdir())]
    except OSError:
        return [folder]


def _existing(path: Path) -> Path:
    """The path, or its nearest parent that is there."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
