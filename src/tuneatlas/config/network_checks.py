"""Combinations of values that no network, package of weights or training can have."""

from collections.abc import Iterator
from pathlib import Path

from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.models.language_models import InPackage, PackageModel, ScratchModel
from tuneatlas.config.source import Conflict, Key
from tuneatlas.config.trainings import trainings
from tuneatlas.data.sources import load_specs


def packages(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """A package is fetched once, under its name: it cannot be two."""
    first: dict[str, tuple[Key, InPackage]] = {}
    given: dict[Key, object] = {("models", name): m for name, m in experiment.models.items()}
    given |= {("paraphrasers", name): m for name, m in experiment.paraphrasers.items()}
    for entry, model in given.items():
        if not isinstance(model, InPackage):
            continue
        at: Key = (*entry, "package")
        if model.package in load_specs():
            yield (at,), f"{model.package!r} is the name of a data source of this workflow"
        if isinstance(model, PackageModel) and not model.file.endswith(".gguf"):
            text = f"{model.file!r}: weights in a package are read from .gguf files only"
            yield ((*at[:-1], "file"),), text
        other, one = first.setdefault(model.package, (entry, model))
        for key in ("version", "sha256"):
            if getattr(model, key) != getattr(one, key):
                named = ".".join(map(str, other))
                text = f"another {key} of this package than {named} has: use one of both"
                yield ((*at[:-1], key),), text


def heads(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Attention heads that do not divide the width of a model, or are not shared evenly."""
    for name, model in experiment.models.items():
        if not isinstance(model, ScratchModel):
            continue
        at: Key = ("models", name)
        if model.hidden_size % (2 * model.heads):
            text = (
                f"{model.heads} heads do not divide hidden_size {model.hidden_size} into heads "
                "of an even width"
            )
            yield ((*at, "heads"), (*at, "hidden_size")), text
        if model.heads % model.kv_heads:
            text = f"{model.kv_heads} does not divide heads {model.heads}"
            yield ((*at, "kv_heads"), (*at, "heads")), text


def lengths(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Rows and windows longer than the inputs of a model made here."""
    asked: dict[Key, int] = {}
    if experiment.tuned_domains or not experiment.checkpoints:
        asked["finetune", "row_length"] = experiment.finetune.row_length
    if experiment.stage_forgetting.groups:
        asked["finetune_stages", "row_length"] = experiment.finetune_stages.row_length
    if experiment.restores:
        asked |= {
            ("restore_stages", "row_length"): experiment.restore_stages.row_length,
            ("evaluate_stages", "window"): experiment.evaluate_stages.window,
        }
    for name, model in experiment.models.items():
        if not isinstance(model, ScratchModel):
            continue
        at: Key = ("models", name)
        for key, rows in (
            {(*at, "training", "row_length"): model.training.row_length} | asked
        ).items():
            if rows > model.max_length:
                text = f"{rows} is more than models.{name}.max_length {model.max_length}"
                yield (key, (*at, "max_length")), text


def batches(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Batches and processes that cannot be shared evenly, and nodes that are not needed."""
    for at, training in trainings(experiment).items():
        if training.batch_unit == "rows" and training.batch % training.rows_per_device:
            text = f"a batch of {training.batch} rows is no multiple of {training.rows_per_device}"
            yield ((*at, "rows_per_device"), (*at, "batch"), (*at, "batch_unit")), text
        if training.processes % training.nodes:
            text = f"{training.nodes} nodes cannot share {training.processes} processes evenly"
            yield ((*at, "nodes"), (*at, "processes")), text
        if at[0] == "models" and training.nodes > 1:
            yield ((*at, "nodes"),), "a model from scratch is small: it is trained on one node"
