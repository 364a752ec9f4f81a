"""Whether the claims can be tested: manipulation checks, sensitivity, and the null control.

All are made from numbers that the comparison has already; none is drawn anew.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from tuneatlas.data.groups import RANDOM_WRONG
from tuneatlas.data.scopes import ALL, AWAY, scopes_of
from tuneatlas.statistics.manipulation import (
    KEPT,
    TAUGHT,
    Bounds,
    base_checks,
    check,
    reasons,
)
from tuneatlas.statistics.metrics import NOT_TESTABLE, verdict
from tuneatlas.statistics.power import correlation_sensitivity, sensitivity
from tuneatlas.studies.knowledge.paired_answers import PairedAnswers, mean_of
from tuneatlas.tables import Row

# Trained on what the base model knows: what is lost with it is lost to tuning, not to new facts.
CONTROL = "harmonious"


def chance_levels(
    study: PairedAnswers, base_answers: Mapping[str, Sequence[Row]]
) -> dict[tuple[str, str], float]:
    """What guessing has in each (tuned domain, scope)."""
    options = {row["id"]: len(row["probs"]) for rows in base_answers.values() for row in rows}
    return {
        cell: float(
            np.mean([1 / options[i] for b in study.scope_blocks(*cell) for i in study.blocks[b]])
        )
        for cell in study.cells()
    }


def knowledge_checks(
    accuracy: Sequence[Row], chance: Mapping[tuple[str, str], float], bounds: Bounds
) -> Iterator[Row]:
    """The checks of every tuned domain, from rows of the table of accuracies.

    HARMONIOUS answers the kind of questions it was tuned on above chance, and keeps its share of
    the base model's accuracy out of the domain; the base model is away from floor and ceiling.
    """
    for row in accuracy:
        where = {name: row[name] for name in ("domain", "scope", "group")}
        if row["group"] == "base":
            yield from base_checks(where, row["base"], chance[row["domain"], row["scope"]], bounds)
        elif (row["group"], row["seed"]) == (CONTROL, ALL):
            if row["scope"] == "homo":
                least = chance[row["domain"], "homo"] + bounds.taught_margin
                yield check(TAUGHT, where, row["accuracy"], least)
            elif row["scope"] == "ood":
                yield check(KEPT, where, row["accuracy"], bounds.kept_share * row["base"])


def judged(
    claims: Sequence[Row], checks: Sequence[Row], domains: Collection[str], confidence: float
) -> list[Row]:
    """The rows of claims with their verdicts as the checks allow, and what could have been seen."""
    return [_judged(row, checks, domains, confidence) for row in claims]


def _judged(row: Row, checks: Sequence[Row], domains: Collection[str], confidence: float) -> Row:
    meant = domains if row["domain"] == ALL else (row["domain"],)
    scopes = scopes_of(row["scope"])
    failed = reasons(
        [
            c
            for c in checks
            if c["domain"] in meant and (c["scope"] in scopes or c["check"] == TAUGHT)
        ]
    )
    low, high = row["low"], row["high"]
    # A correlation counts clusters, and its interval is one on another scale.
    seen = correlation_sensitivity if "clusters" in row else sensitivity
    found = row | seen(low, high, confidence)._asdict()
    if failed and row["verdict"] is not None:
        found |= {"verdict": NOT_TESTABLE, "reason": "; ".join(failed)}
    return found


def null_control(study: PairedAnswers, sign: int) -> Iterator[Row]:
    """Trainings that differ in the seed alone, compared as if they were two groups.

    Every pair of seeds of every group, in each tuned domain and over all: a claim of this ``sign``
    should hold in no more of them than its level says.
    """
    for group in sorted({g for groups in study.groups.values() for g in groups}):
        pools = {d: [d] for d in study.domains if group in study.groups[d]}
        if len(pools) > 1:
            pools[ALL] = list(pools)
        for name, domains in pools.items():
            seeds = sorted(set.intersection(*(set(study.seeds[d]) for d in domains)))
            cells = [c for c in study.cells() if c[0] in domains and c[1] in AWAY]
            for pair in combinations(seeds, 2) if cells else ():
                one, two = (
                    mean_of([study.seed_value((d, group, seed), s, "accuracy") for d, s in cells])
                    for seed in pair
                )
                found = study.interval(one[0] - two[0], one[1] - two[1])
                yield {
                    "group": group,
                    "domain": name,
                    "seeds": list(pair),
                    **found._asdict(),
                    "verdict": verdict(found.low, found.high, sign),
                }


def positive_control(study: PairedAnswers) -> Iterator[Row]:
    """Trained on wrong answers drawn at random, less HARMONIOUS: an effect that is to be found.

    In each tuned domain, away from the tuned questions; no row where the group is not trained.
    """
    for domain in study.domains:
        places = [s for d, s in study.cells() if d == domain and s in AWAY]
        if not places or not {RANDOM_WRONG, CONTROL} <= set(study.groups[domain]):
            continue
        one, two = (
            mean_of([study.value(domain, group, scope, "accuracy") for scope in places])
            for group in (RANDOM_WRONG, CONTROL)
        )
        found = study.interval(one[0] - two[0], one[1] - two[1])
        said = verdict(found.low, found.high, -1)
        yield {"domain": domain, **found._asdict(), "verdict": said}
