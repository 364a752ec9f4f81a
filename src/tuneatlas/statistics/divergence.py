"""How far two distributions over options are apart."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import rel_entr

from tuneatlas.statistics.bootstrap import Floats

EPSILON = 1e-12


def kl_divergence(base: ArrayLike, tuned: ArrayLike, epsilon: float = EPSILON) -> Floats:
    """KL(base || tuned) per item in nats, from option probabilities (items, options).

    Probabilities are raised to at least ``epsilon`` and made to sum to 1 again, so that an
    option the tuned model rules out costs at most -log(epsilon) and the result is never
    negative beyond rounding. An ``epsilon`` of 0 leaves them as they are: an option that the base
    model gives no probability costs nothing, one that only the tuned model rules out is infinite.
    """
    p, q = (_distribution(probs, epsilon) for probs in (base, tuned))
    if not epsilon:
        return np.asarray(rel_entr(p, q).sum(axis=1), dtype=np.float64)
    return np.asarray((p * np.log(p / q)).sum(axis=1), dtype=np.float64)


def _distribution(probs: ArrayLike, epsilon: float) -> Floats:
    raised = np.maximum(np.asarray(probs, dtype=np.float64), epsilon)
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float64)
