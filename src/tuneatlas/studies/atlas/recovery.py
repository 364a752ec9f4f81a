"""What became of questions that seem lost: reached by another prompt, back, or neither.

Lost is what the base has right few-shot and the tuned model wrong. It is reached by another prompt
where more than half of the other ways of asking give the right option: a question that nobody knows
is right in one of many ways by luck. Arrays are of shape (trainings, items) unless said otherwise.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tuneatlas.statistics.bootstrap import Floats

Bools = NDArray[np.bool_]
Whole = NDArray[Any]
# No option at all: what was not asked, or where the ways of asking do not agree.
NONE = -1
# Options below which luck cannot be told: of two, one is left when the other was wrong.
LEAST_OPTIONS = 3
KEPT, SHIFTED, LOST = "kept", "shifted", "lost"
KINDS = (KEPT, SHIFTED, LOST)


class Asked(NamedTuple):
    """Options chosen: few-shot by base and tuned, by most of the other ways, and once restored.

    ``answer`` and ``options``, how many there are, are of shape (items,).
    """

    base: Whole
    tuned: Whole
    base_said: Whole
    said: Whole
    restored: Whole
    answer: Whole
    options: Whole


def majority(chosen: ArrayLike) -> Whole:
    """The option that more than half of the ways (ways, ...) choose, or NONE."""
    several = np.asarray(chosen)
    if not len(several):
        return np.full(several.shape[1:], NONE)
    # If there is one, it is in the middle of them in order.
    middle = np.sort(several, axis=0)[len(several) // 2]
    return np.where(2 * (several == middle).sum(axis=0) > len(several), middle, NONE)


def indicators(asked: Asked) -> dict[str, Floats]:
    """1 where something is so of a question, 0 elsewhere.

    ``lost``; of these ``reached``, ``base_reached`` (by the base model in as many of the other
    ways), ``again`` (asked after restoration), and of those ``back``, ``reached_again`` and
    ``neither``. ``lost_known`` and ``reached_known`` are less what luck gives: a model that does
    not know an answer has no preference for the right option, so that base and tuned model choose
    the right and a wrong one as often as any two wrong ones. Two wrong ones are seen: each such
    question takes 1 / (k - 2) of a question away, of k options; NaN where k is 2.
    """
    before, after = asked.base == asked.answer, asked.tuned == asked.answer
    lost = before & ~after
    reached = lost & (asked.said == asked.answer)
    again = lost & (asked.restored != NONE)
    back = again & (asked.restored == asked.answer)
    by_luck = ~before & ~after & (asked.base != asked.tuned)
    share = np.where(asked.options >= LEAST_OPTIONS, np.maximum(asked.options - 2, 1), np.nan)
    found = {
        "lost": lost,
        "reached": reached,
        "base_reached": lost & (asked.base_said == asked.answer),
        "again": again,
        "back": back,
        "reached_again": reached & again,
        "both": reached & back,
        "neither": again & ~reached & ~back,
        "lost_known": lost - by_luck / share,
        "reached_known": reached - (by_luck & (asked.said == asked.base)) / share,
    }
    return {name: np.asarray(own, dtype=np.float64) for name, own in found.items()}


def kinds(asked: Asked) -> dict[str, Bools]:
    """Which questions that the base has right are kept, shifted (reached otherwise) or lost."""
    before, after = asked.base == asked.answer, asked.tuned == asked.answer
    reached = asked.said == asked.answer
    return {
        KEPT: before & after,
        SHIFTED: before & ~after & reached,
        LOST: before & ~after & ~reached,
    }
