"""Whether the claim can be tested: did pre-training teach the tasks that it is made of?"""

from collections.abc import Iterator, Mapping

import numpy as np

from tuneatlas.statistics.manipulation import SOLVED, check
from tuneatlas.tables import Row


def task_checks(tasks: Mapping[str, Mapping[str, Row]], least: float) -> Iterator[Row]:
    """A check of every start whose tasks were evaluated: the mean score over its tasks."""
    for start, scores in tasks.items():
        if scores:
            mean = float(np.mean([task["mean"] for task in scores.values()]))
            yield check(SOLVED, {"group": start}, mean, least)
