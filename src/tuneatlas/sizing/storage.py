"""What a run holds at its fullest moment: weights that stay, and those that go once they are read.

Weights that go are reckoned in *chains*: all that is tuned and restored of one training set and
seed. Several of a chain's trainings may run at a time, so that it is reckoned with the weights and
the states of all of them.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneatlas.errors import UserError
from tuneatlas.models.shapes import Shape, known_shape
from tuneatlas.sizing.estimates import GIB, checkpoint_size, folder_size

GB_PER_GIB = GIB / 1e9
# Steps that bring a model, or make a base model.
BROUGHT = ("prepare_base", "prepare_paraphraser", "prepare_checkpoint")


def chain_of(wildcards: Mapping[str, str]) -> Hashable:
    """The chain of a training whose weights go: those of one training set and seed are one."""
    return tuple(sorted(wildcards.items()))


def goes(step: str, keep: str) -> bool:
    """Whether weights go while a run is at work.

    What further trainings start from is read until the end.
    """
    return keep != "weights" and not step.startswith("pretrain_")


@dataclass(frozen=True)
class Held:
    """GB of a training: its weights, and its states at most, one being written."""

    weights: float
    states: float

    @property
    def all(self) -> float:
        """GB while it runs."""
        return self.weights + self.states


def held(training: Mapping[str, Any], entry: Mapping[str, Any], outputs: int, root: Path) -> Held:
    """What a training of the model ``entry`` holds; nothing where the model's size is not known."""
    shape = known_shape(dict(entry), root)
    return held_of(training, shape, outputs) if shape else Held(0.0, 0.0)


def held_of(training: Mapping[str, Any], shape: Shape, outputs: int) -> Held:
    """What a training of a model of this shape holds; of one that is brought, no states."""
    weights = models_of(training, outputs) * folder_size(shape)
    count = states_of(training)
    states = count * checkpoint_size(shape, training) if count else 0.0
    return Held(weights * GB_PER_GIB, states * GB_PER_GIB)


def folders(outputs: Iterable[str]) -> list[str]:
    """The models among the outputs of a training; what else it writes are tables."""
    return [path for path in outputs if not path.endswith(".parquet")]


def models_of(training: Mapping[str, Any], outputs: int) -> int:
    """Models in the folders that a training writes: of a restoration, those along its curve too."""
    return outputs * (len(training["curve"]) + 1 if "curve" in training else 1)


def states_of(training: Mapping[str, Any]) -> int:
    """Training states at most: those that are kept, and one being written; none without any."""
    kept = int(training.get("keep_checkpoints", 0))
    return kept + 1 if kept else 0


class Ledger:
    """Which chains are begun, so that all of them together never hold more than there is room for.

    A chain has all of its room before its first training starts, so that none waits for ever.

    Args:
        limit: GB that may be held.
        stays: GB of what stays while a run lasts.
        chains: GB of each chain at its fullest.

    Raises:
        UserError: there is too little room for a chain.
    """

    def __init__(self, limit: float, stays: float, chains: Mapping[Hashable, float]) -> None:
        self.room, self.chains = limit - stays, chains
        self.begun: set[Hashable] = set()
        if stays + self.most > limit:
            raise UserError(
                f"storage.at_most_gb: {limit:g} GB are too few: {stays:.0f} GB stay, and "
                f"{self.most:.0f} GB are held at its fullest by one training set and seed: raise "
                "it, lower keep_checkpoints, or let more weights go (keep: until measured, and "
                "a run of all studies)"
            )

    @property
    def most(self) -> float:
        """GB of the largest chain."""
        return max(self.chains.values(), default=0.0)

    @property
    def taken(self) -> float:
        """GB of the chains that are begun."""
        return sum(self.chains[name] for name in self.begun)

    def admits(self, name: Hashable) -> bool:
        """Begin a chain if there is room for it, or nothing to wait for; else it is to wait."""
        if name not in self.chains or name in self.begun:
            return True
        if self.begun and self.taken + self.chains[name] > self.room:
            return False
        self.begun.add(name)
        return True

    def end(self, name: Hashable, left: float = 0.0) -> None:
        """All of a chain was made and read; ``left`` GB of it could not be let go, and stay."""
        self.begun.discard(name)
        self.room -= left
