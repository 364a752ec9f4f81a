"""Batches of a run, and how many there are. Imported when a workflow is planned: light."""

from collections.abc import Sequence
from typing import Literal, TypeVar

T = TypeVar("T")
# What becomes of the examples that are left at the end of an epoch.
Remainder = Literal["step", "carry"]


def batches_of(passes: Sequence[Sequence[T]], batch: int, remainder: Remainder) -> list[list[T]]:
    """The batches of a run, of which each pass over the examples has its own order.

    What is left at the end of a pass, less than a batch, is a ``step`` of its own; or it is
    carried (``carry``) into the first batch of the next pass, and left out at the very end. That
    is what transformers did before 4.46 where gradients are accumulated. A pass of less than a
    batch is one step.
    """
    batches: list[list[T]] = []
    left: list[T] = []
    for order in passes:
        full = len(order) if remainder == "step" else len(order) // batch * batch or len(order)
        parts = [list(order[start : start + batch]) for start in range(0, full, batch)]
        if parts:
            parts[0] = left + parts[0]
        batches += parts
        left = list(order[full:])
    return batches


def count_steps(examples: int, epochs: int, batch: int, remainder: Remainder) -> int:
    """Optimizer steps of ``epochs`` passes over ``examples``."""
    each = -(-examples // batch) if remainder == "step" else max(1, examples // batch)
    return epochs * each if examples else 0
