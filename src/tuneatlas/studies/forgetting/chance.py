"""Transitions between two models with what guessing contributes taken out, in two ways.

That of Harmon et al. (2025, "Mapping Post-Training Forgetting in Language Models at Scale",
arXiv 2510.17776) takes guesses of the two models to be independent and spread evenly over the
options. Ours (``fates.knowledge_indicators``) reads how often guesses hit the right option by luck
from the wrong options chosen, so that a model may stick to its guess; it needs four options.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import ArrayLike

from tuneatlas.statistics.bootstrap import (
    Floats,
    Interval,
    percentile_interval,
    resample_items,
)
from tuneatlas.studies.forgetting.fates import FATES
from tuneatlas.studies.forgetting.intervals import Resampler
from tuneatlas.studies.forgetting.study import NOT_KNOWN, Study
from tuneatlas.tables import Row

# Right before and wrong after; wrong before and right after.
FORGETTING, TRANSFER = "forgetting", "backward transfer"
CHANGES = {FORGETTING: (1, 0), TRANSFER: (0, 1)}
# The comparisons between models on a path, as places on it.
PLACES = {
    "base to tuned": (0, 1),
    "tuned to restored": (1, 2),
    "base to restored": (0, 2),
}


def chance_rows(study: Study, draw: Resampler) -> Iterator[Row]:
    """One row per change between two models of a step, in all questions and in each scope.

    ``raw`` is the share that changes, ``by_chance`` what guessing is expected to contribute, and
    ``value`` with its interval the first less the second (Harmon et al. 2025); ``known_`` is ours.
    """
    options = study.base.options
    for run, setting, step in study.cells():
        chosen, raw, known = study.answered(run, setting, step)
        right = [c == study.base.answer for c in chosen]
        scopes = {"all": study.everything()[""], **study.scopes(run)}
        for comparison, (before, after) in PLACES.items():
            for scope, where in scopes.items():
                ends = right[before][:, where], right[after][:, where], options[where]
                for change in CHANGES:
                    share = _share(raw, comparison, change)[:, where]
                    ours = NOT_KNOWN
                    if known is not None:
                        ours = draw.mean(_share(known, comparison, change)[:, where])
                    yield {
                        "domain": run[0],
                        "group": run[1],
                        "setting": setting,
                        "step": step,
                        "comparison": comparison,
                        "scope": scope,
                        "change": change,
                        "n": int(where.sum()),
                        "seeds": len(share),
                        "raw": float(share.mean()),
                        "by_chance": expected_by_chance(*ends),
                        **harmon_interval(*ends, change, draw)._asdict(),
                        **{f"known_{name}": value for name, value in ours.items()},
                    }


def fates_of(comparison: str, change: str) -> list[str]:
    """The fates of which a change between two models is the sum."""
    before, after = PLACES[comparison]
    return [f for f, path in FATES.items() if (path[before], path[after]) == CHANGES[change]]


def _share(fates: Mapping[str, Floats], comparison: str, change: str) -> Floats:
    return np.asarray(np.sum([fates[name] for name in fates_of(comparison, change)], axis=0))


def expected_by_chance(before: ArrayLike, after: ArrayLike, options: ArrayLike) -> float:
    """Share of questions that guessing moves from right to wrong, and as many back.

    ``before`` and ``after`` say who is right, (seeds, items); ``options``, (items,), at least 2.
    Of k options a guess hits the right one once and a wrong one k - 1 times: who is wrong with
    probability 1 - a is right by luck with (1 - a) / (k - 1). Luck before and error after have
    (1 - a) (1 - b) / (k - 1), for each k by its own accuracies (Harmon et al. 2025).
    """
    table, has, k = _moments(before, after, options)
    return float(_expected(table.mean(axis=-1)[..., None], has.mean(axis=-1)[:, None], k).mean())


def harmon_interval(
    before: ArrayLike, after: ArrayLike, options: ArrayLike, change: str, draw: Resampler
) -> Interval:
    """The share of a change less what guessing is expected to contribute; with interval.

    As in Harmon et al. (2025) nothing falls below 0. They cut each benchmark and run there; here
    the mean is, once, as a mean of parts cut at 0 is too high. With one run and one number of
    options it is theirs. Accuracies are drawn anew with the questions, as they are estimates too.
    """
    table, has, k = _moments(before, after, options)
    rows = np.vstack([table.reshape(-1, table.shape[-1]), has])
    drawn = resample_items(rows, draw.draws, draw.rng).T
    means, shares = drawn[: -len(k)].reshape(*table.shape[:-1], -1), drawn[-len(k) :]
    value = _adjusted(table.mean(axis=-1)[..., None], has.mean(axis=-1)[:, None], k, change)
    draws = draw.average(_adjusted(means, shares, k, change).T, value[:, 0])
    return percentile_interval(
        max(float(value.mean()), 0.0), np.maximum(draws, 0.0), draw.confidence
    )


def _moments(
    before: ArrayLike, after: ArrayLike, options: ArrayLike
) -> tuple[Floats, Floats, Floats]:
    """Right before, after and both, (seeds, 3, ks, items), within each number of options.

    And which questions have it, (ks, items); and the numbers, (ks,).
    """
    ends = (np.atleast_2d(np.asarray(a, dtype=np.float64)) for a in (before, after))
    first, second = np.broadcast_arrays(*ends)
    widths = np.asarray(options, dtype=np.float64)
    k = np.unique(widths)
    if (k < 2).any():
        raise ValueError("a guess needs at least 2 options")
    has = (widths == k[:, None]).astype(np.float64)
    right = np.stack([first, second, first * second], axis=1)
    return right[:, :, None] * has, has, k


def _expected(means: Floats, shares: Floats, k: Floats) -> Floats:
    """(seeds, draws) from means (seeds, 3, ks, draws) and shares of each k (ks, draws)."""
    missed = (shares - means[:, 0]) * (shares - means[:, 1])
    # A number of options that no question of a resample has contributes nothing.
    size = np.where(shares > 0, shares, 1.0) * (k[:, None] - 1)
    return np.asarray((missed / size).sum(axis=1))


def _adjusted(means: Floats, shares: Floats, k: Floats, change: str) -> Floats:
    one = means[:, 0 if change == FORGETTING else 1]
    return np.asarray((one - means[:, 2]).sum(axis=1) - _expected(means, shares, k))
