"""Two sets of answers to the same questions, and a run of them: what changed, and how sure."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tuneatlas.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import ArrayLike

    from tuneatlas.statistics.bootstrap import Floats, Interval
    from tuneatlas.studies.forgetting.fates import Transition

    Answers = pd.DataFrame | Sequence[pd.DataFrame] | ArrayLike


class Comparison(NamedTuple):
    """What became of the answers of a model, between ``before`` and ``after``.

    Intervals are (value, low, high) of shares from 0 to 1; ``difference`` is ``after`` minus
    ``before``. ``lost`` and ``gained`` count answers that turned wrong and right, over all seeds;
    ``p`` is that of McNemar's exact test, two-sided.
    """

    items: int
    seeds: int
    before: "Interval"
    after: "Interval"
    difference: "Interval"
    lost: int
    gained: int
    p: float


def compare(
    before: "Answers",
    after: "Answers",
    *,
    confidence: float = 0.95,
    draws: int = 5000,
    seed: int = 0,
) -> Comparison:
    """Compare two sets of answers to the same questions: paired, with intervals and a test.

    Args:
        before: answers of one model: a table with ``id`` and ``correct`` (as of `probe` or
            `Run.table`), or right and wrong as an array of shape (items,).
        after: those of the other; of several seeds a list of tables, or (seeds, items). Tables
            are paired by ``id``, arrays by place.
        confidence: level of the intervals.
        draws: bootstrap resamples behind each interval, of items and, if several, of seeds.
        seed: of the bootstrap.

    Raises:
        UserError: the two are not about the same questions, or a question stands twice.

    Source:
        Intervals resample items and seeds (Owen 2007); McNemar (1947), with several seeds in
        clusters (Durkalski et al. 2003). The same functions give the report's numbers.

    Example:
        >>> found = compare([1, 1, 1, 1, 1, 1, 0, 0], [0, 0, 0, 0, 0, 1, 1, 0])
        >>> found.lost, found.gained, round(found.difference.value, 3), round(found.p, 3)
        (5, 1, -0.5, 0.219)
    """
    import numpy as np

    from tuneatlas.statistics.intervals import accuracy_interval, paired_difference
    from tuneatlas.statistics.tests import mcnemar

    first, second = _paired(before, after)
    if first.shape != second.shape and len(first) > 1:
        raise UserError(
            f"before has {len(first)} seeds and after {len(second)}: give as many of both, or one"
        )
    rng = np.random.default_rng(seed)
    test = mcnemar(first if len(first) > 1 else first[0], second)
    both = np.broadcast_to(first, second.shape)
    return Comparison(
        items=second.shape[1],
        seeds=len(second),
        before=accuracy_interval(first, rng, draws, confidence),
        after=accuracy_interval(second, rng, draws, confidence),
        difference=paired_difference(second, both, rng, draws, confidence),
        lost=test.lost,
        gained=test.gained,
        p=test.p,
    )


def holm(p_values: "ArrayLike") -> "Floats":
    """P-values corrected for looking at all of them (Holm 1979), in the order given.

    Example:
        >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
        [0.03, 0.06, 0.06]
    """
    from tuneatlas.statistics.tests import holm as corrected

    return corrected(p_values)


def find_transition(
    base: "ArrayLike", restored: "ArrayLike", *, confidence: float = 0.95
) -> "Transition":
    """Find the first step of a tuning from which on something is forgotten that does not come back.

    Args:
        base: right and wrong answers of the base model, (items,).
        restored: those of the models that were tuned for each number of steps and then restored,
            (seeds, steps, items), or (steps, items) of one seed.
        confidence: 1 less the chance to see a transition where there is none, at any of the steps
            (McNemar's test at each, corrected by Holm's method).

    Returns:
        ``seen``; ``at``, the place among the steps of the first one whose restored model is below
        the base model (None if there is none); ``lasts``: all later steps are, too; ``p``, the
        corrected p-values of all steps, and ``p_loss``, that of the loss at ``at``, or the least
        of any loss.

    Raises:
        UserError: the shapes do not belong together.

    Source:
        Pseudo and actual forgetting: Zhang et al. 2024; the detector is ours (docs/forgetting.md).

    Example:
        >>> base = [1] * 30
        >>> found = find_transition(base, [[1] * 30, [1] * 29 + [0], [0] * 20 + [1] * 10])
        >>> found.at, found.seen, found.lasts
        (2, True, True)
    """
    import numpy as np

    from tuneatlas.studies.forgetting.fates import find_transition as transition

    first, table = np.asarray(base), np.asarray(restored)
    table = table[None] if table.ndim == 2 else table
    if first.ndim != 1 or table.ndim != 3 or table.shape[2] != len(first):
        raise UserError(
            f"base has shape {first.shape} and restored {table.shape}: they must be (items,) and "
            "(seeds, steps, items)"
        )
    return transition(_zeros_and_ones(first), _zeros_and_ones(table), confidence)


def _paired(before: "Answers", after: "Answers") -> "tuple[np.ndarray, np.ndarray]":
    """Both as (seeds, items) of 0 and 1, items in the order of the first."""
    import numpy as np

    one, other = _tables(before), _tables(after)
    if (one is None) != (other is None):
        raise UserError("give both sets of answers as tables, or both as arrays")
    if one is None or other is None:
        first, second = np.atleast_2d(np.asarray(before)), np.atleast_2d(np.asarray(after))
        if first.ndim > 2 or second.ndim > 2 or first.shape[1] != second.shape[1]:
            raise UserError(
                f"shapes {first.shape} and {second.shape}: both must be (items,) or (seeds, items)"
            )
    else:
        ids = list(one[0])
        for number, answers in enumerate([*one, *other]):
            if answers.keys() != one[0].keys():
                odd = sorted(answers.keys() ^ one[0].keys())
                raise UserError(
                    f"the answers are not to the same questions: {len(odd)} of them stand in one "
                    f"only, such as {odd[0]!r} (table {number + 1})"
                )
        first, second = (np.array([[t[i] for i in ids] for t in side]) for side in (one, other))
    if not first.size:
        raise UserError("there are no answers to compare")
    return _zeros_and_ones(first), _zeros_and_ones(second)


def _tables(answers: Any) -> list[dict[str, bool]] | None:
    """Right or wrong by question of each table; None if these are no tables."""
    several = [answers] if hasattr(answers, "columns") else answers
    if not isinstance(several, list | tuple) or not all(hasattr(a, "columns") for a in several):
        return None
    found = []
    for number, frame in enumerate(several, 1):
        if missing := {"id", "correct"} - set(frame.columns):
            raise UserError(f"table {number} of answers lacks column {sorted(missing)[0]!r}")
        if frame["id"].duplicated().any():
            twice = frame["id"][frame["id"].duplicated()].iloc[0]
            raise UserError(
                f"table {number} of answers has question {twice!r} twice: give one model at a time"
            )
        found.append(dict(zip(frame["id"], frame["correct"], strict=True)))
    return found or None


def _zeros_and_ones(values: "np.ndarray") -> "np.ndarray":
    import numpy as np

    if not np.isin(values, (0, 1)).all():
        raise UserError("answers are right or wrong: 1 or 0, True or False")
    return values.astype(np.int64)
