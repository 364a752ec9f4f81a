"""What stands beside the mean over replicates: the same number in each of them."""

from collections.abc import Sequence

import numpy as np

from tuneatlas.data.groups import self_aligning_share
from tuneatlas.studies.knowledge.paired_answers import MEASURES, PairedAnswers
from tuneatlas.tables import Row


def differences(
    study: PairedAnswers, first: str, second: str, cells: Sequence[tuple[str, str]]
) -> list[float]:
    """Accuracy of one group minus that of another in each replicate, with equal weights."""
    one, two = (
        np.mean([study.per_replicate(d, group, s, "accuracy") for d, s in cells], axis=0)
        for group in (first, second)
    )
    return [float(value) for value in one - two]


def by_replicate(points: Sequence[Row]) -> list[list[Row]]:
    """The points of each replicate."""
    found: dict[str, list[Row]] = {}
    for point in points:
        found.setdefault(point.get("replicate", ""), []).append(point)
    return list(found.values())


def single_rows(study: PairedAnswers, domain: str, scope: str, group: str) -> list[Row]:
    """Each run of each replicate, without intervals: the comparison of one replicate has them."""
    rows = []
    bases = study.per_replicate(domain, "base", scope, "accuracy")
    for name, base in zip(study.replicates, bases, strict=True):
        for seed in study.seeds[domain]:
            run = (domain, group, seed)
            found = {measure: study.single(name, run, scope, measure) for measure in MEASURES}
            gain = found["accuracy"] - base
            rows.append(
                {
                    "domain": domain,
                    "scope": scope,
                    "group": group,
                    "share": self_aligning_share(group),
                    "replicate": name,
                    "seed": str(seed),
                    "items": study.items([(domain, scope)]),
                    "seeds": 1,
                    "replicates": 1,
                    **_without_interval("accuracy", found["accuracy"]),
                    "ties": study.ties([run], domain, scope, name),
                    "base": base,
                    **_without_interval("gain", gain),
                    **_without_interval("kl", found["kl"]),
                    **_without_interval("consistency", found["consistency"]),
                }
            )
    return rows


def _without_interval(name: str, value: float) -> Row:
    return {name: value, f"{name}_low": None, f"{name}_high": None}
