"""The learning rate of every update: a warm-up to the peak, and a course from there.

No update has rate 0, so that a run of n steps, and a model kept after its step n, has n updates.
Between 0 before the first update and 0 after the last one, the rates are those that
transformers' schedules of the same names have, one step on in the warm-up.
"""

import math
from collections.abc import Callable, Mapping

# The share of the peak at a share in [0, 1) of the way from the peak to the end.
COURSES: Mapping[str, Callable[[float], float]] = {
    "constant": lambda done: 1.0,
    "linear": lambda done: 1 - done,
    "cosine": lambda done: 0.5 * (1 + math.cos(math.pi * done)),
}


def warmup_updates(updates: int, ratio: float, number: int | None = None) -> int:
    """Updates before the first one at the peak: ``number``, or that share of all, rounded up."""
    # Less what makes 7 % of 100 a little more than 7.
    return math.ceil(updates * ratio - 1e-9) if number is None else number


def rate_share(update: int, updates: int, warmup: int, course: str) -> float:
    """The rate of an update, counted from 0, as a share of the peak: above 0, at most 1.

    Args:
        update: its number, below ``updates``; the one after the last is asked for and not used.
        updates: those that the schedule is laid out for.
        warmup: those before the first one at the peak; a run that is shorter never gets there.
        course: a key of COURSES.
    """
    if update < warmup:
        return (update + 1) / (warmup + 1)
    return COURSES[course](min(1.0, (update - warmup) / max(1, updates - warmup)))
