"""Compare base and tuned models by knowledge group: accuracy, agreement, and the two claims.

The study is "Learning or Self-aligning?" (Ren et al. 2024). Shares, differences and their
intervals are fractions of 1; KL is in nats.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tuneatlas.data.groups import CONTEXTUALISED, self_aligning_share
from tuneatlas.data.scopes import ALL, AWAY, POOLED
from tuneatlas.statistics.bootstrap import Interval
from tuneatlas.statistics.correlation import partial_spearman
from tuneatlas.statistics.intervals import accuracy_interval, wilson_interval
from tuneatlas.statistics.manipulation import Bounds
from tuneatlas.statistics.metrics import plain, verdict, write_metrics
from tuneatlas.studies.knowledge.paired_answers import (
    MEASURES,
    CompareOptions,
    Drawn,
    PairedAnswers,
    Run,
    mean_of,
)
from tuneatlas.studies.knowledge.shared_questions import SharedQuestions, find_shared
from tuneatlas.studies.knowledge.testable import (
    chance_levels,
    judged,
    knowledge_checks,
    null_control,
    positive_control,
)
from tuneatlas.tables import GROUPS, Row

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


@dataclass(frozen=True)
class Comparison:
    """The numbers of the study as tables of plain rows."""

    design: Row
    accuracy: list[Row]
    claims: list[Row]
    points: list[Row]
    base_knowledge: list[Row]
    group_sizes: list[Row]
    checks: list[Row]
    null_control: list[Row]
    positive_control: list[Row]

    def metrics(self) -> dict[str, Any]:
        """All numbers as JSON-able values, rounded; a number that is not defined is null."""
        metrics: dict[str, Any] = plain(asdict(self))
        return metrics | {"design": self.design}


def compare_groups(
    base_answers: Mapping[str, Sequence[Row]],
    tuned_answers: Mapping[Run, Sequence[Row]],
    options: CompareOptions,
    seed: int,
    *,
    mentions: Mapping[str, int | None] | None = None,
    labels: Mapping[str, Sequence[Row]] | None = None,
    questions: Mapping[str, Sequence[Row]] | None = None,
) -> Comparison:
    """All numbers of the study from ANSWERS rows.

    ``base_answers`` maps a domain to its rows; ``tuned_answers`` maps (tuned domain, group,
    seed) to the rows of the test split of every domain. ``mentions`` counts how often the
    pre-training corpus states the fact of a question, where that is known; ``labels`` maps
    a domain to its LABELS rows; ``questions`` maps one to its QUESTIONS rows, by which items
    that say the same are found: without them all are taken to be different.
    """
    rng = np.random.default_rng(seed)
    shared = find_shared(questions or {})
    study = PairedAnswers(base_answers, tuned_answers, options, rng, shared)
    points = _points(study)
    accuracy = [row for cell in study.cells() for row in _accuracy(study, *cell)]
    bounds = Bounds(**options.manipulation_checks)
    checks = list(knowledge_checks(accuracy, chance_levels(study, base_answers), bounds))
    claims = [row for difference in DIFFERENCES for row in _difference_claims(study, difference)]
    claims += _consistency_claims(study, points, rng)
    return Comparison(
        design=study.design(),
        accuracy=accuracy,
        claims=judged(claims, checks, study.domains, options.confidence),
        points=points,
        base_knowledge=_knowledge(base_answers, mentions or {}, options, rng, shared),
        group_sizes=[
            {"domain": domain, "group": group, "questions": sum(r["group"] == group for r in rows)}
            for domain, rows in sorted((labels or {}).items())
            if rows  # none where nothing is tuned on
            for group in GROUPS
        ],
        checks=checks,
        null_control=list(null_control(study, -1)),
        positive_control=list(positive_control(study)),
    )


def _accuracy(study: PairedAnswers, domain: str, scope: str) -> list[Row]:
    """The base model's row, then per group a row for each seed and one pooled over them."""
    seeds = study.seeds[domain]
    base = study.base(domain, scope)
    rows = [_accuracy_row(study, domain, scope, "base", ALL, 0, {"accuracy": base})]
    for group in study.groups[domain]:
        for seed in seeds:
            run = (domain, group, seed)
            drawn = {m: study.seed_value(run, scope, m) for m in MEASURES}
            rows.append(_accuracy_row(study, domain, scope, group, str(seed), 1, drawn))
        drawn = {m: study.value(domain, group, scope, m) for m in MEASURES}
        rows.append(_accuracy_row(study, domain, scope, group, ALL, len(seeds), drawn))
    return rows


def _accuracy_row(
    study: PairedAnswers,
    domain: str,
    scope: str,
    group: str,
    seed: str,
    seeds: int,
    drawn: Mapping[str, Drawn],
) -> Row:
    items, contents = study.items([(domain, scope)]), study.contents([(domain, scope)])
    runs: list[Run | None] = [None]
    if seeds:
        each = [int(seed)] if seed != ALL else study.seeds[domain]
        runs = [(domain, group, number) for number in each]
    base, base_draws = study.base(domain, scope)
    value, draws = drawn["accuracy"]
    accuracy = study.interval(value, draws)
    if min(value, 1 - value) < 1e-9:
        accuracy = wilson_interval(round(value * contents), contents, study.options.confidence)
    row = {
        "domain": domain,
        "scope": scope,
        "group": group,
        "share": self_aligning_share(group),
        "seed": seed,
        "items": items,
        "seeds": seeds,
        **_columns("accuracy", accuracy),
        "ties": study.ties(runs, domain, scope),
        "base": base,
        **_columns("gain", study.interval(value - base, draws - base_draws) if seeds else None),
    }
    for measure in MEASURES[1:]:
        interval = study.interval(*drawn[measure]) if measure in drawn else None
        row |= _columns(measure, interval)
    return row


def _columns(name: str, interval: Interval | None) -> Row:
    value, low, high = interval or (None, None, None)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def _difference_claims(study: PairedAnswers, difference: Difference) -> list[Row]:
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
        "domains": len(domains),
        "base": float(np.mean([study.base(d, s)[0] for d, s in cells])),
        difference.first: first,
        difference.second: second,
    }


def _points(study: PairedAnswers) -> list[Row]:
    """Consistency and accuracy of every run on the way from INCOMPATIBLE to SELF-ALIGNING."""
    return [
        {
            "domain": domain,
            "scope": scope,
            "group": group,
            "share": self_aligning_share(group),
            "seed": seed,
            "consistency": study.seed_value((domain, group, seed), scope, "consistency")[0],
            "accuracy": study.seed_value((domain, group, seed), scope, "accuracy")[0],
            "base": study.base(domain, scope)[0],
            "items": study.items([(domain, scope)]),
        }
        for domain, scope in study.cells()
        for group in study.groups[domain]
        if self_aligning_share(group) is not None
        for seed in study.seeds[domain]
    ]


def _consistency_claims(
    study: PairedAnswers, points: list[Row], rng: np.random.Generator
) -> list[Row]:
    """Partial Spearman correlation of consistency and accuracy, per scope and over all.

    The models of a group are one cluster in domains that share most of their questions.
    """
    scopes = list(dict.fromkeys(point["scope"] for point in points))
    rows = []
    for scope in [*scopes, ALL]:
        chosen = [p for p in points if scope in (p["scope"], ALL)]
        if not chosen:
            continue
        correlation = partial_spearman(
            *([p[name] for p in chosen] for name in ("consistency", "accuracy", "base")),
            clusters=[(study.piece(p["domain"], p["group"]), p["group"]) for p in chosen],
            strata=[study.piece(p["domain"], p["group"]) for p in chosen],
            rng=rng,
            draws=study.options.draws,
            confidence=study.options.confidence,
            residuals=study.options.partial,
        )
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
                "domains": len({p["domain"] for p in chosen}),
            }
        )
    return rows


def _knowledge(
    base_answers: Mapping[str, Sequence[Row]],
    mentions: Mapping[str, int | None],
    options: CompareOptions,
    rng: np.random.Generator,
    shared: SharedQuestions,
) -> list[Row]:
    """Accuracy of the base model per domain: all facts, those the corpus states, the others."""
    rows = []
    for domain, answers in sorted(base_answers.items()):
        parts: dict[str, list[Row]] = {ALL: list(answers), "mentioned": [], "unmentioned": []}
        for answer in answers:
            count = mentions.get(answer["id"])
            if count is not None:
                parts["mentioned" if count else "unmentioned"].append(answer)
        for facts, chosen in parts.items():
            if not chosen:
                continue
            correct = [answer["correct"] for answer in chosen]
            contents = [shared.content(answer["id"]) for answer in chosen]
            interval = accuracy_interval(
                correct, rng, options.draws, options.confidence, clusters=contents
            )
            rows.append(
                {
                    "domain": domain,
                    "facts": facts,
                    "items": len(chosen),
                    **_columns("accuracy", interval),
                    "ties": sum(answer["tied"] > 0 for answer in chosen),
                    "chance": float(np.mean([1 / len(answer["probs"]) for answer in chosen])),
                }
            )
    return rows


def write_comparison(comparison: Comparison, folder: Path) -> None:
    """Write metrics.json and a CSV of each table (accuracy.csv, claims.csv, …)."""
    write_metrics(comparison.metrics(), folder)
