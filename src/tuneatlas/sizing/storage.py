"""What a run holds at its fullest moment: weights that stay, and those that go once they are read.

Weights that go are reckoned in *chains*: all that is tuned and restored of one training set and
seed. A chain holds all of its weights at its fullest, and the states of one of its trainings.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuneatlas.errors import UserError
from tuneatlas.models.shapes import Shape, known_shape
from tuneatlas.sizing.estimates import GIB, checkpoint_size, folder_size

GB_PER_GIB = GIB / 1e9


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
    models = outputs * (len(training["curve"]) + 1 if "curve" in training else 1)
    kept = training.get("keep_checkpoints", 0)
    states = (kept + 1) * checkpoint_size(shape, training) if kept else 0.0
    return Held(models * folder_size(shape) * GB_PER_GIB, states * GB_PER_GIB)


@dataclass
class Chain:
    """What is known of a chain: its weights all together, and the most of its states."""

    weights: float = 0.0
    states: float = 0.0

    def add(self, one: Held) -> None:
        """One more training of the chain."""
        self.weights += one.weights
        self.states = max(self.states, one.states)

    @property
    def all(self) -> float:
        """GB at its fullest."""
        return self.weights + self.states


@dataclass
class Ledger:
    """Which chains are begun, so that all of them together never hold more than there is room for.

    A chain has all of its room before its first training starts, so that none waits for ever.
    """

    room: float
    chains: dict[Hashable, Chain] = field(default_factory=dict)
    begun: set[Hashable] = field(default_factory=set)

    @classmethod
    def of(cls, limit: float, stays: float, chains: Mapping[Hashable, Chain]) -> "Ledger":
        """The room beside what stays while a run lasts; UserError if a chain has too little."""
        most = max((chain.all for chain in chains.values()), default=0.0)
        if stays + most > limit:
            raise UserError(
                f"storage.at_most_gb: {limit:g} GB are too few: {stays:.0f} GB stay, and "
                f"{most:.0f} GB are held at its fullest by one training set and seed: raise it, "
                "lower keep_checkpoints, or let more weights go (keep: until measured, and "
                "a run of all studies)"
            )
        return cls(limit - stays, dict(chains))

    @property
    def at_once(self) -> int:
        """Chains of the largest size for which there is room."""
        most = max((chain.all for chain in self.chains.values()), default=0.0)
        return min(len(self.chains), int(self.room / most)) if most else len(self.chains)

    @property
    def taken(self) -> float:
        """GB of the chains that are begun."""
        return sum(self.chains[name].all for name in self.begun)

    def admits(self, name: Hashable) -> bool:
        """Begin a chain if there is room for it, or nothing to wait for; else it is to wait."""
        if name not in self.chains or name in self.begun:
            return True
        if self.begun and self.taken + self.chains[name].all > self.room:
            return False
        self.begun.add(name)
        return True

    def end(self, name: Hashable) -> None:
        """All weights of a chain were let go."""
        self.begun.discard(name)
