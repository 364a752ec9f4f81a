"""What became of each question, and when forgetting sets in along a run.

A question's path is whether the base, the tuned and the restored model answer it rightly.
Pseudo-forgotten is 1 → 0 → 1, actually forgotten 1 → 0 → 0 (Zhang et al. 2024). Arrays have
shapes (items,) for the base model and (seeds, steps, items) along a run; a question is
resampled with its answers of all seeds and steps, which are not independent evidence.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tuneatlas.statistics.bootstrap import CONFIDENCE, Floats
from tuneatlas.statistics.tests import PairedTest, holm, mcnemar

# What became of a question, by whether (base, tuned, restored) model is right.
FATES: dict[str, tuple[int, int, int]] = {
    "kept": (1, 1, 1),
    "lost_in_restoration": (1, 1, 0),
    "pseudo_forgotten": (1, 0, 1),
    "actually_forgotten": (1, 0, 0),
    "gained": (0, 1, 1),
    "gained_in_restoration": (0, 0, 1),
    "gained_and_lost": (0, 1, 0),
    "never_known": (0, 0, 0),
}
NONE, PSEUDO, ACTUAL, UNCLEAR = "no loss", "pseudo", "actual", "unclear"


def fate_indicators(base: ArrayLike, tuned: ArrayLike, restored: ArrayLike) -> dict[str, Floats]:
    """1 where a question has a fate, 0 elsewhere; inputs broadcast, shape (..., items)."""
    answers = [np.asarray(a, dtype=np.float64) for a in (base, tuned, restored)]
    first, second, third = ((1 - a, a) for a in answers)
    return {fate: first[b] * second[t] * third[r] for fate, (b, t, r) in FATES.items()}


# Which guesses look like a fate: the pattern of the three answers (equal letters are equal
# answers), and how many of the k options it uses. The right option plays one of the letters.
LUCK: dict[str, tuple[tuple[str, int], ...]] = {
    "kept": (("aaa", 1),),
    "lost_in_restoration": (("aab", 2),),
    "pseudo_forgotten": (("aba", 2),),
    "actually_forgotten": (("abb", 2), ("abc", 3)),
    "gained": (("abb", 2),),
    "gained_in_restoration": (("aab", 2), ("abc", 3)),
    "gained_and_lost": (("aba", 2), ("abc", 3)),
}


def knowledge_indicators(
    base: ArrayLike, tuned: ArrayLike, restored: ArrayLike, answer: ArrayLike, options: ArrayLike
) -> dict[str, Floats]:
    """The fates of what is known, not of what is answered: lucky guesses are taken out.

    Inputs are the options chosen, (..., items), the right option and the number of options,
    (items,), at least 4. A model that does not know an answer is taken to have no preference
    for the right option; it may well stick to its guess. Guesses that hit the right option
    somewhere on their path are then as frequent as the same path with any wrong option in its
    place, and these are seen: for each question answered wrongly throughout, 1 / (k - m) of a
    question is taken from every fate that its pattern of m different answers might have had
    by luck. What was known, is forgotten and is then guessed rightly still counts as remembered,
    so forgetting is a lower bound. Means may leave [0, 1] by sampling error. After Harmon et
    al. 2025, who subtract what independent guesses are expected to contribute to transitions:
    their estimator is in ``chance``.
    """
    k, right = np.asarray(options, dtype=np.float64), np.asarray(answer)
    if (k < 4).any():
        raise ValueError("luck cannot be told from fewer than 4 options")
    chosen = np.broadcast_arrays(*(np.asarray(a) for a in (base, tuned, restored)))
    first, second, third = chosen
    fates = fate_indicators(*(c == right for c in chosen))
    wrong = fates["never_known"].astype(bool)
    patterns = {
        "aaa": (first == second) & (second == third),
        "aab": (first == second) & (second != third),
        "aba": (first == third) & (second != third),
        "abb": (first != second) & (second == third),
        "abc": (first != second) & (second != third) & (first != third),
    }
    adjusted = {
        fate: fates[fate] - sum(wrong * patterns[name] / (k - size) for name, size in luck)
        for fate, luck in LUCK.items()
    }
    return adjusted | {"never_known": np.asarray(1 - sum(adjusted.values()))}


@dataclass(frozen=True)
class Transition:
    """When actual forgetting sets in, as positions in the list of steps.

    ``at``: the first step whose restored model is below the base model, None if there is no such
    step. ``lasts``: so are all later steps. ``p`` is of each step, corrected, whichever way it
    changed; ``p_loss`` that of the loss at ``at``, or the least of any loss where none is seen.
    """

    seen: bool
    at: int | None
    lasts: bool
    p: Floats
    p_loss: float


def find_transition(
    base: ArrayLike,
    restored: ArrayLike,
    confidence: float = CONFIDENCE,
    p: Floats | None = None,
    replicates: int = 1,
) -> Transition:
    """Find the first step at which ``restored`` (seeds, steps, items) is below ``base`` (items,).

    Of several ``replicates``, seeds are those of each in turn, and ``base`` is (seeds, items).

    The chance to see a transition where there is none, at any step, is at most
    1 - ``confidence`` (McNemar's test at each step, corrected by Holm's method). ``p`` are the
    corrected p-values of the steps, where they are part of a larger family.
    """
    first = np.asarray(base, dtype=np.int64)
    table = np.asarray(restored, dtype=np.int64)
    alpha = 1 - confidence
    if p is None:
        p = holm(step_p_values(first, table, replicates))
    losses = [first - table[:, step] for step in range(table.shape[1])]
    below = [bool(q <= alpha and lost.sum() > 0) for q, lost in zip(p, losses, strict=True)]
    at = below.index(True) if any(below) else None
    if at is None:
        p_loss = min(
            (float(q) for q, lost in zip(p, losses, strict=True) if lost.sum() > 0), default=1.0
        )
    else:
        p_loss = float(p[at])
    return Transition(at is not None, at, at is not None and all(below[at:]), p, p_loss)


def find_transitions(
    parts: Mapping[str, tuple[ArrayLike, ArrayLike]],
    confidence: float = CONFIDENCE,
    replicates: int = 1,
) -> dict[str, Transition]:
    """Find the transition in each part of the items, (base, restored) as in find_transition.

    Tests are corrected over all parts and steps: the chance to see a transition where there is
    none, in any part at any step, is at most 1 - ``confidence``.
    """
    tests = {name: step_p_values(*answers, replicates) for name, answers in parts.items()}
    corrected = iter(holm([p for of_part in tests.values() for p in of_part]))
    return {
        name: find_transition(
            *parts[name],
            confidence,
            np.array([next(corrected) for _ in of_part]),
            replicates,
        )
        for name, of_part in tests.items()
    }


def step_p_values(base: ArrayLike, restored: ArrayLike, replicates: int = 1) -> list[float]:
    """McNemar's p at each step, as it is, from shapes as in find_transition."""
    table = np.asarray(restored)
    return [mcnemar(base, table[:, step], replicates).p for step in range(table.shape[1])]


def kind_of_loss(
    tuned: PairedTest, recovery: PairedTest, restored: PairedTest, alpha: float
) -> str:
    """The stage of a step, from three tests whose p-values are corrected already.

    ``tuned`` and ``restored`` compare the base model with the tuned and the restored one,
    ``recovery`` the tuned with the restored one. Actual: the restored model is below the base
    model. Pseudo: the tuned model is, and restoration brings it back up. Unclear: the tuned
    model is below the base model, and nothing is certain of the restored one.
    """
    if restored.p <= alpha and restored.difference > 0:
        return ACTUAL
    if not (tuned.p <= alpha and tuned.difference > 0):
        return NONE
    return PSEUDO if recovery.p <= alpha and recovery.difference < 0 else UNCLEAR
