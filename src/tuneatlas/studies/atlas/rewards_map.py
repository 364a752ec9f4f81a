"""What was rewarded on the way, of treatments that learn by rewards: counts, and no estimates."""

from collections.abc import Iterator, Sequence
from itertools import chain, groupby
from pathlib import Path
from typing import Any

from tuneatlas.statistics.metrics import plain
from tuneatlas.studies.atlas.changes_map import place_of
from tuneatlas.studies.atlas.rewarding import is_constant
from tuneatlas.studies.atlas.tables import REPLIES
from tuneatlas.studies.atlas.trainings import read_trainings
from tuneatlas.tables import Row


def map_rewards(paths: Sequence[Path]) -> dict[str, Any]:
    """Table ``rewards``, from files ``…/{model}/{domain}/{group}/{seed}.replies.parquet``."""
    rows = []
    for treatment, own in read_trainings(paths, REPLIES).items():
        batches = [list(_batches(replies)) for replies in own.values()]
        rows.append(
            {
                **place_of(treatment, list(own)),
                "batches": sum(map(len, batches)),
                "constant": sum(map(_is_constant, chain.from_iterable(batches))),
                "constant_in_row": max(map(_longest, batches)),
                "replies": sum(map(len, own.values())),
                "cut": sum(row["cut"] for replies in own.values() for row in replies),
                "rewarded_first": _share([batch for of in batches for batch in of[: _tenth(of)]]),
                "rewarded_last": _share([batch for of in batches for batch in of[-_tenth(of) :]]),
            }
        )
    return {"rewards": plain(rows)}


def _batches(replies: Sequence[Row]) -> Iterator[list[Row]]:
    for _, batch in groupby(replies, key=lambda row: int(row["batch"])):
        yield list(batch)


def _is_constant(batch: Sequence[Row]) -> bool:
    return is_constant([row["rewarded"] for row in batch], max(row["reply"] for row in batch))


def _longest(batches: Sequence[Sequence[Row]]) -> int:
    """The most batches in a row whose reward is constant."""
    runs = groupby(map(_is_constant, batches))
    return max((len(list(run)) for constant, run in runs if constant), default=0)


def _tenth(batches: Sequence[Any]) -> int:
    return max(1, len(batches) // 10)


def _share(batches: Sequence[Sequence[Row]]) -> float:
    rewarded = [bool(row["rewarded"]) for batch in batches for row in batch]
    return sum(rewarded) / len(rewarded)
