"""What stands beside the mean over replicates of a start: the same number in each of them.

A replicate has stages of its own, and tunings of its own (nested); all write the same test pairs
(crossed).
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tuneatlas.errors import UserError
from tuneatlas.statistics.bleu import bleu_of_seeds
from tuneatlas.studies.syntax.paraphrasing.starts import METRIC


def of_replicates(
    metric: str, first: npt.NDArray[Any], second: npt.NDArray[Any] | None, replicates: int
) -> list[float]:
    """The mean of a metric, or of its difference, in each replicate.

    Tables are (seeds, pairs), or counts, (seeds, pairs, SIZE); seeds of each replicate in turn.
    """
    if metric == METRIC:
        values = bleu_of_seeds(first, second)
    else:
        values = np.mean(first if second is None else first - second, axis=1)
    return [float(v) for v in values.reshape(replicates, -1).mean(axis=1)]


def mean_of_tasks(
    each: Sequence[Mapping[str, Mapping[str, float]]],
) -> dict[str, dict[str, float]]:
    """The mean score of each pre-training task over replicates, and the examples of all."""
    if len(each) == 1:
        return {task: dict(found) for task, found in each[0].items()}
    return {
        task: {
            "mean": float(np.mean([own[task]["mean"] for own in each])),
            "examples": sum(own[task]["examples"] for own in each),
        }
        for task in each[0]
    }


def by_replicate(paths: Iterable[Path], depth: int) -> dict[str, list[Path]]:
    """The files of each replicate, which is the folder ``depth`` names before the end."""
    found: dict[str, list[Path]] = {}
    for path in paths:
        found.setdefault(path.parts[-depth], []).append(path)
    return found


def refuse_uneven(scores: Mapping[str, Sequence[Path]], depth: int) -> None:
    """Replicates that were not tuned alike cannot be told of together.

    Raises:
        UserError: names two of which one has a run that the other has not.
    """
    (first, paths), *others = scores.items()
    runs = sorted(path.parts[-depth + 1 :] for path in paths)
    for name, own in others:
        if sorted(path.parts[-depth + 1 :] for path in own) != runs:
            raise UserError(
                f"compare_paraphrases: replicates {first} and {name} were not tuned from the same "
                "starts, in the same formats, shares and seeds; run score_paraphrases of both again"
            )
