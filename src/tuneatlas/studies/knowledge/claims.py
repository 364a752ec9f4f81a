"""The claims of the study, each with its value, interval and verdict.

One group is more or less accurate than another, per domain and scope and pooled; and models that
agree with the base model are accurate.
"""

from typing import NamedTuple

import numpy as np

from tuneatlas.data.groups import CONTEXTUALISED, self_aligning_share
from tuneatlas.data.scopes import ALL, AWAY, POOLED
from tuneatlas.statistics.correlation import mean_correlation, partial_spearman
from tuneatlas.statistics.metrics import of_each, verdict
from tuneatlas.statistics.power import answer_variance
from tuneatlas.studies.knowledge.paired_answers import PairedAnswers, mean_of
from tuneatlas.studies.knowledge.single_replicates import by_replicate, differences
from tuneatlas.tables import Row

INCOMPATIBLE_WORSE = "incompatible_worse"
CONTEXTUALISED_BETTER = "contextualised_better"


class Difference(NamedTuple):
    """A claim that one group has another accuracy than a second: higher (1) or lower (-1)."""

    claim: str
    first: str
    second: str
    sign: int


# The second is about the arm with given contexts, where there is one.
DIFFERENCES = (
    Difference(INCOMPATIBLE_WORSE, "incompatible", "self_aligning", -1),
    Difference(CONTEXTUALISED_BETTER, CONTEXTUALISED, "incompatible", 1),
)
CONSISTENCY_TRACKS = "consistency_tracks_accuracy"


def difference_claims(study: PairedAnswers, difference: Difference) -> list[Row]:
    """One group minus another per domain and scope, and pooled with equal weights."""
    both = {difference.first, difference.second}
    cells = [cell for cell in study.cells() if both <= set(study.groups[cell[0]])]
    pools = {(domain, scope): [(domain, scope)] for domain, scope in cells}
    for domain in sorted({domain for domain, _ in cells}):
        pools[domain, POOLED] = [c for c in cells if c[0] == domain and c[1] in AWAY]
    for scope in ("homo", *AWAY):
        pools[ALL, scope] = [cell for cell in cells if cell[1] == scope]
    pools[ALL, POOLED] = [cell for cell in cells if cell[1] in AWAY]
    return [_difference_row(study, difference, *name, pool) for name, pool in pools.items() if pool]


def answers_of(study: PairedAnswers) -> float:
    """How much answers vary in the headline of the first claim, for another run's planning.

    Of a question (``power.Components.answers``): each (domain, scope) cell counts alike in the
    claim, however many questions it has.
    """
    first, second = DIFFERENCES[0].first, DIFFERENCES[0].second
    cells = [
        (domain, scope)
        for domain, scope in study.cells()
        if scope in AWAY and {first, second} <= set(study.groups[domain])
    ]
    if not cells:
        return 0.0
    found = []
    for domain, scope in cells:
        one, two = (study.per_item(domain, g, scope, "accuracy") for g in (first, second))
        found.append(answer_variance(one - two) / one.shape[1])
    return float(np.sum(found)) / len(cells) ** 2 * study.items(cells)


def _difference_row(
    study: PairedAnswers,
    difference: Difference,
    domain: str,
    scope: str,
    cells: list[tuple[str, str]],
) -> Row:
    (first, first_draws), (second, second_draws) = (
        mean_of([study.value(d, group, s, "accuracy") for d, s in cells])
        for group in (difference.first, difference.second)
    )
    interval = study.interval(first - second, first_draws - second_draws)
    domains = sorted({d for d, _ in cells})
    judged = verdict(interval.low, interval.high, difference.sign)
    return {
        "claim": difference.claim,
        "domain": domain,
        "scope": scope,
        **interval._asdict(),
        # Training questions of the domain itself are not what the claims are about.
        "verdict": None if scope == "homo" else judged,
        "headline": (domain, scope) == (ALL, POOLED),
        "items": study.items(cells),
        "seeds": min(len(study.seeds[d]) for d in domains),
        "replicates": len(study.replicates),
        "domains": len(domains),
        "base": float(np.mean([study.base(d, s)[0] for d, s in cells])),
        difference.first: first,
        difference.second: second,
        **of_each(differences(study, difference.first, difference.second, cells)),
    }


def run_points(study: PairedAnswers) -> list[Row]:
    """Consistency and accuracy of every run on the way from INCOMPATIBLE to SELF-ALIGNING."""
    several = len(study.replicates) > 1
    return [
        {
            "domain": domain,
            "scope": scope,
            "group": group,
            "share": self_aligning_share(group),
            **({"replicate": name} if several else {}),
            "seed": seed,
            "consistency": study.single(name, (domain, group, seed), scope, "consistency"),
            "accuracy": study.single(name, (domain, group, seed), scope, "accuracy"),
            "base": study.per_replicate(domain, "base", scope, "accuracy")[number],
            "items": study.items([(domain, scope)]),
        }
        for domain, scope in study.cells()
        for group in study.groups[domain]
        if self_aligning_share(group) is not None
        for number, name in enumerate(study.replicates)
        for seed in study.seeds[domain]
    ]


def consistency_claims(
    study: PairedAnswers, points: list[Row], rng: np.random.Generator
) -> list[Row]:
    """Partial Spearman correlation of consistency and accuracy, per scope and over all.

    The models of a group are one cluster in domains that share most of their questions. With
    several replicates the estimate is the mean of theirs.
    """
    scopes = list(dict.fromkeys(point["scope"] for point in points))
    rows = []
    for scope in [*scopes, ALL]:
        chosen = [p for p in points if scope in (p["scope"], ALL)]
        if not chosen:
            continue
        found = [
            partial_spearman(
                *([p[name] for p in own] for name in ("consistency", "accuracy", "base")),
                clusters=[(study.piece(p["domain"], p["group"]), p["group"]) for p in own],
                strata=[study.piece(p["domain"], p["group"]) for p in own],
                rng=rng,
                draws=study.options.draws,
                confidence=study.options.confidence,
                residuals=study.options.partial,
            )
            for own in by_replicate(chosen)
        ]
        correlation = mean_correlation(found, study.options.confidence)
        rows.append(
            {
                "claim": CONSISTENCY_TRACKS,
                "domain": ALL,
                "scope": scope,
                **correlation._asdict(),
                "verdict": verdict(correlation.low, correlation.high, 1),
                "headline": scope == ALL,
                "items": study.items({(p["domain"], p["scope"]) for p in chosen}),
                "seeds": len({p["seed"] for p in chosen}),
                "replicates": len(found),
                "domains": len({p["domain"] for p in chosen}),
                **of_each([one.value for one in found]),
            }
        )
    return rows
