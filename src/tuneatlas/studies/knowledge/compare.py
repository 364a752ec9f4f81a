"""Compare base and tuned models by knowledge group: accuracy, agreement, and the two claims.

The study is "Learning or Self-aligning?" (Ren et al. 2024). Shares, differences and their
intervals are fractions of 1; KL is in nats.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tuneatlas.data.groups import self_aligning_share
from tuneatlas.data.mentions import MENTIONED, UNMENTIONED, Mentions, facts_of
from tuneatlas.data.scopes import ALL
from tuneatlas.statistics.bootstrap import Interval
from tuneatlas.statistics.intervals import accuracy_interval, wilson_interval
from tuneatlas.statistics.manipulation import Bounds
from tuneatlas.statistics.metrics import interval_columns, of_each, plain, write_metrics
from tuneatlas.studies.knowledge.about import about
from tuneatlas.studies.knowledge.claims import (
    DIFFERENCES,
    answers_of,
    consistency_claims,
    difference_claims,
    run_points,
)
from tuneatlas.studies.knowledge.paired_answers import (
    MEASURES,
    Answers,
    CompareOptions,
    Drawn,
    PairedAnswers,
    Run,
)
from tuneatlas.studies.knowledge.shared_questions import SharedQuestions, find_shared
from tuneatlas.studies.knowledge.single_replicates import single_rows
from tuneatlas.studies.knowledge.testable import (
    chance_levels,
    judged,
    knowledge_checks,
    null_control,
    positive_control,
)
from tuneatlas.tables import GROUPS, Row


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
    negative_control: list[Row]

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
    mentions: Mentions | None = None,
    labels: Mapping[str, Sequence[Row]] | None = None,
    questions: Mapping[str, Sequence[Row]] | None = None,
) -> Comparison:
    """All numbers of the study of one base model; see `compare_replicates`.

    ``base_answers`` maps a domain to its rows; ``tuned_answers`` maps (tuned domain, group,
    seed) to the rows of the test split of every domain; ``labels`` a domain to its LABELS rows.
    """
    one = "base"
    return compare_replicates(
        {one: Answers(base_answers, tuned_answers)},
        options,
        seed,
        mentions=mentions,
        labels={one: labels or {}},
        questions=questions,
    )


def compare_replicates(
    answers: Mapping[str, Answers],
    options: CompareOptions,
    seed: int,
    *,
    mentions: Mentions | None = None,
    labels: Mapping[str, Mapping[str, Sequence[Row]]] | None = None,
    questions: Mapping[str, Sequence[Row]] | None = None,
) -> Comparison:
    """All numbers of the study, as means over replicates, from the answers of each.

    ``mentions`` counts how often the pre-training corpus states the fact of a question, where that
    is known; ``labels`` maps a replicate and a domain to LABELS rows; ``questions`` maps a domain
    to its QUESTIONS rows, by which items that say the same are found: without them all are taken
    to be different.
    """
    rng = np.random.default_rng(seed)
    shared = find_shared(questions or {})
    mentions = mentions or {}
    study = PairedAnswers(about(answers, options.facts, mentions), options, rng, shared)
    points = run_points(study)
    accuracy = [row for cell in study.cells() for row in _accuracy(study, *cell)]
    bounds = Bounds(**options.manipulation_checks)
    checks = list(
        knowledge_checks(accuracy, chance_levels(study, next(iter(answers.values())).base), bounds)
    )
    claims = [row for difference in DIFFERENCES for row in difference_claims(study, difference)]
    claims += consistency_claims(study, points, rng)
    return Comparison(
        design=study.design() | {"answer_variance": answers_of(study)},
        accuracy=accuracy,
        claims=judged(claims, checks, study.domains, options.confidence),
        points=points,
        base_knowledge=_knowledge(
            [own.base for own in answers.values()], mentions, options, rng, shared
        ),
        group_sizes=_group_sizes(list((labels or {}).values()), mentions),
        checks=checks,
        null_control=list(null_control(study, -1)),
        positive_control=list(positive_control(study)),
        negative_control=_negative_control(answers, options, rng, shared, mentions),
    )


def _negative_control(
    answers: Mapping[str, Answers],
    options: CompareOptions,
    rng: np.random.Generator,
    shared: SharedQuestions,
    mentions: Mentions,
) -> list[Row]:
    """The differences again, on facts that the corpus never states: nothing is there to be lost.

    No rows where the claims are about all facts, or no such fact is tested.
    """
    tested = {row["id"] for own in answers.values() for rows in own.tuned.values() for row in rows}
    if options.facts == ALL or not any(facts_of(i, mentions) == UNMENTIONED for i in tested):
        return []
    study = PairedAnswers(about(answers, UNMENTIONED, mentions), options, rng, shared)
    rows = [row for difference in DIFFERENCES for row in difference_claims(study, difference)]
    return [row for row in rows if row["headline"]]


def _group_sizes(labels: Sequence[Mapping[str, Sequence[Row]]], mentions: Mentions) -> list[Row]:
    """Training questions of each group, averaged over the replicates whose ``labels`` they are.

    Where it is known, also how many are on facts that the corpus states.
    """
    rows = []
    for domain in sorted({domain for own in labels for domain in own}):
        if not any(own[domain] for own in labels):
            continue  # nothing is tuned on
        for group in GROUPS:
            chosen = [[r["id"] for r in own[domain] if r["group"] == group] for own in labels]
            row = {"domain": domain, "group": group, "questions": _mean_count(map(len, chosen))}
            if any(facts_of(i, mentions) for own in chosen for i in own):
                stated = (sum(facts_of(i, mentions) == MENTIONED for i in own) for own in chosen)
                row["mentioned"] = _mean_count(stated)
            rows.append(row)
    return rows


def _mean_count(counts: Iterable[int]) -> float:
    """A count, or the mean of those of several replicates."""
    each = list(counts)
    return each[0] if len(each) == 1 else float(np.mean(each))


def _accuracy(study: PairedAnswers, domain: str, scope: str) -> list[Row]:
    """The base model's row, then per group a row for each seed and one pooled over them."""
    seeds = study.seeds[domain]
    base = study.base(domain, scope)
    rows = [_accuracy_row(study, domain, scope, "base", ALL, 0, {"accuracy": base})]
    for group in study.groups[domain]:
        if len(study.replicates) > 1:
            rows += single_rows(study, domain, scope, group)
        for seed in seeds if len(study.replicates) == 1 else ():
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
    found = study.interval(value, draws)
    accuracy = Interval(value, max(found.low, 0.0), min(found.high, 1.0))
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
        "replicates": len(study.replicates),
        **interval_columns("accuracy", accuracy),
        "ties": study.ties(runs, domain, scope),
        "base": base,
        **interval_columns(
            "gain", study.interval(value - base, draws - base_draws) if seeds else None
        ),
    }
    for measure in MEASURES[1:]:
        interval = study.interval(*drawn[measure]) if measure in drawn else None
        row |= interval_columns(measure, interval)
    return row | of_each(study.per_replicate(domain, group, scope, "accuracy"))


def _knowledge(
    bases: Sequence[Mapping[str, Sequence[Row]]],
    mentions: Mentions,
    options: CompareOptions,
    rng: np.random.Generator,
    shared: SharedQuestions,
) -> list[Row]:
    """Accuracy of the base model per domain: all facts, those the corpus states, the others.

    ``bases`` are the rows of each replicate by domain.
    """
    rows = []
    indexed = [{row["id"]: row for own in base.values() for row in own} for base in bases]
    for domain, answers in sorted(bases[0].items()):
        parts: dict[str, list[Row]] = {ALL: list(answers), MENTIONED: [], UNMENTIONED: []}
        for answer in answers:
            if facts := facts_of(answer["id"], mentions):
                parts[facts].append(answer)
        for facts, chosen in parts.items():
            if not chosen:
                continue
            same = [[own[answer["id"]] for answer in chosen] for own in indexed]
            correct = [[answer["correct"] for answer in own] for own in same]
            contents = [shared.content(answer["id"]) for answer in chosen]
            interval = accuracy_interval(
                correct, rng, options.draws, options.confidence, contents, len(bases)
            )
            rows.append(
                {
                    "domain": domain,
                    "facts": facts,
                    "items": len(chosen),
                    **interval_columns("accuracy", interval),
                    "replicates": len(bases),
                    "ties": sum(answer["tied"] > 0 for own in same for answer in own),
                    "chance": float(np.mean([1 / len(answer["probs"]) for answer in chosen])),
                }
            )
    return rows


def write_comparison(comparison: Comparison, folder: Path) -> None:
    """Write metrics.json and a CSV of each table (accuracy.csv, claims.csv, …)."""
    write_metrics(comparison.metrics(), folder)
