"""Treatments that cannot be tuned as they are stated, or that nothing would measure."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from tuneatlas.config.models.experiment import PURE_GROUPS, Experiment
from tuneatlas.config.models.language_models import ScratchModel
from tuneatlas.config.shape import nearest
from tuneatlas.config.source import Conflict, Found, Key
from tuneatlas.models.shapes import known_shape

# What is done to the model that trains, which other processes would load anew.
WITHIN = ("frozen_layers", "l2_sp", "kl", "over", "reward")
# What section finetune is to say where batches are of replies that are compared.
NEEDED = {"isolate": True, "batch_unit": "examples"}


def named(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Names that are taken, groups that there are none of, and what no one asks for."""
    for name, treatment in experiment.treatments.items():
        at: Key = ("treatments", name)
        if name in experiment.groups or name.startswith("mixed_") or name == "base":
            yield (at,), f"{name!r} is the name of a group: choose another one"
        if treatment.of not in experiment.groups:
            text = f"no group {treatment.of!r}{nearest(treatment.of, experiment.groups)}"
            yield ((*at, "of"),), text
        if name not in experiment.atlas.groups:
            yield (at, ("atlas", "groups")), "nothing measures it: name it in atlas.groups"


def words(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Words of labels that a group has not got, or of no one."""
    for name, treatment in experiment.treatments.items():
        at: Key = ("treatments", name)
        if treatment.words and treatment.of not in PURE_GROUPS:
            text = f"labels of {', '.join(PURE_GROUPS)} are explained in other words: say one of "
            yield ((*at, "words"), (*at, "of")), f"{text}these, or null"
        if treatment.words == "other" and len(experiment.models) == 1:
            text = "there is one model, and no other to explain its labels: add another, such as a "
            yield ((*at, "words"), ("models",)), f"{text}replicate, or say own"


def preferences(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Replies that there are none of, and what pairs of them are not trained with."""
    for name, treatment in experiment.treatments.items():
        at: Key = ("treatments", name)
        if treatment.over is None:
            continue
        if treatment.over not in experiment.groups:
            text = f"no group {treatment.over!r}{nearest(treatment.over, experiment.groups)}"
            yield ((*at, "over"),), text
        if treatment.over == treatment.of and not treatment.words:
            text = "its replies would be preferred to themselves: name another group"
            yield ((*at, "over"), (*at, "of")), text
        for key, why in (
            ("replay", "text of pre-training has no reply to be preferred to"),
            ("kl", "beta says how near the base preference tuning stays"),
        ):
            if getattr(treatment, key):
                yield ((*at, key), (*at, "over")), f"{why}: leave out one of the two"
        if treatment.beta == 0:
            text = "preference tuning learns nothing without it: say more than 0"
            yield ((*at, "beta"), (*at, "over")), text
        yield from _in_batches(experiment, (*at, "over"), "preference tuning", NEEDED)


def rewards(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """What replies of the model's own are not trained with."""
    for name, treatment in experiment.treatments.items():
        at: Key = ("treatments", name)
        if treatment.reward is None:
            continue
        for key, why in (
            ("over", "replies are either rewarded or preferred to others"),
            ("words", "the replies are the model's own, and no others are read"),
            ("replay", "text of pre-training is no reply to be rewarded"),
            ("kl", "beta says how near the base reinforcement learning stays"),
        ):
            if getattr(treatment, key):
                yield ((*at, key), (*at, "reward")), f"{why}: leave out one of the two"
        row = experiment.finetune.row_length
        if treatment.max_new_tokens >= row:
            text = f"a row of {row} tokens has no room for a question and such a reply: lower it"
            yield ((*at, "max_new_tokens"), ("finetune", "row_length")), text
        needed = NEEDED | {"remainder": "step"}
        yield from _in_batches(experiment, (*at, "reward"), "reinforcement learning", needed)


def _in_batches(
    experiment: Experiment, at: Key, what: str, needed: Mapping[str, object]
) -> Iterator[Conflict]:
    """Keys of section finetune that have another value than a way of tuning needs."""
    for key, wanted in needed.items():
        if getattr(experiment.finetune, key) != wanted:
            said = str(wanted).lower()
            yield (at, ("finetune", key)), f"{what} needs finetune.{key}: {said}"


def replays(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Text of pre-training that there is none of."""
    given = experiment.prepare_restoration
    for name, treatment in experiment.treatments.items():
        if not treatment.replay or given.corpus or given.package:
            continue
        for model, entry in experiment.models.items():
            if not isinstance(entry, ScratchModel):
                text = (
                    f"model {model!r} was not pre-trained here, so name a text distributed like "
                    "its pre-training data, of which some is replayed (prepare_restoration.corpus)"
                )
                yield (("treatments", name, "replay"), ("models", model)), text
    replaying = any(treatment.replay for treatment in experiment.treatments.values())
    # Where something is restored, it is asked for there.
    if replaying and given.corpus and not given.licence and not experiment.restores:
        yield (("prepare_restoration", "licence"),), "missing; state the licence of corpus"


def adapters(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Adapters leave all weights as they are, in one process or in several."""
    tuning = experiment.finetune
    for name, treatment in experiment.treatments.items():
        rank = treatment.lora_rank or tuning.lora_rank
        at: Key = ("treatments", name)
        for key in WITHIN:
            if not getattr(treatment, key):
                continue
            if rank and key in ("frozen_layers", "l2_sp"):
                source: Key = (at if treatment.lora_rank else ("finetune",)) + ("lora_rank",)
                text = "adapters (lora_rank) train none of the base's own weights: leave out one"
                yield ((*at, key), source), f"{text} of the two"
            for other, several in (
                ("processes", tuning.processes > 1),
                ("deepspeed", tuning.deepspeed is not None),
            ):
                if several:
                    text = f"is done in one process, and finetune says {other}: leave out one"
                    yield ((*at, key), ("finetune", other)), f"{text} of the two"


def layers(experiment: Experiment, root: Path) -> Found:
    """More layers to freeze than a model has, where its shape is at hand."""
    entries = {name: model.model_dump(mode="json") for name, model in experiment.models.items()}
    for name, treatment in experiment.treatments.items():
        for model, entry in entries.items():
            shape = known_shape(entry, root) if treatment.frozen_layers else None
            if shape and treatment.frozen_layers > shape.layers:
                yield (
                    ("treatments", name, "frozen_layers"),
                    f"{treatment.frozen_layers} are to be frozen, and model {model!r} has "
                    f"{shape.layers}: freeze fewer",
                )
                break
