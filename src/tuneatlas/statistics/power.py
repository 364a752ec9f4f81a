"""What a design can tell: the smallest effect that it decides in 4 of 5 cases, and what halves it.

An interval decides a claim where it leaves zero out. With two-sided intervals an effect of
(z.975 + z.80) standard errors is decided in 80 % of repetitions (Miller 2024, "Adding Error Bars to
Evals", arXiv 2411.00640); where clusters are few, the quantiles are those of Student's t. Variances
are in the squared unit of the effect.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy import optimize, stats

from tuneatlas.statistics.bootstrap import CONFIDENCE, Floats

POWER = 0.8
# Beyond these, t and normal quantiles are the same in every figure shown.
LARGE = 2000.0
# What a design is made of, and how often one of it may be multiplied when its half is sought.
FACTORS = {"questions": 1000, "seeds": 64, "replicates": 64, "domains": 64}


@cache
def multiple(
    confidence: float = CONFIDENCE,
    freedom: float | None = None,
    looks: int = 1,
    power: float = POWER,
) -> float:
    """The effect, in standard errors, that a two-sided interval decides with probability ``power``.

    ``freedom``: of the standard error, if it is estimated from few clusters. ``looks``: tests that
    the first of a family is corrected for (Holm, Bonferroni). Only decisions in the direction of
    the effect count.
    """
    if freedom is not None and freedom <= 0:
        return float("inf")
    tail = (1 - confidence) / (2 * looks)
    if freedom is None or freedom > LARGE:
        return float(stats.norm.isf(tail) + stats.norm.ppf(power))
    critical = float(stats.t.isf(tail, freedom))

    def missed(effect: float) -> float:
        return float(stats.nct.sf(critical, freedom, effect)) - power

    # Twice the sum of both quantiles is beyond it, as t has heavier tails than the normal.
    high = 2 * (critical + float(stats.t.ppf(power, freedom)))
    return float(optimize.brentq(missed, 0.0, high))


class Sensitivity(NamedTuple):
    """What stands beside a number: its standard error, and the smallest effect that is decided."""

    standard_error: float | None
    decidable: float | None


def sensitivity(
    low: float | None,
    high: float | None,
    confidence: float = CONFIDENCE,
    freedom: float | None = None,
    looks: int = 1,
) -> Sensitivity:
    """Of a number with this interval, which is what decides; None where it has no width.

    The standard error is the half width by the quantile that the interval was made with.
    """
    if low is None or high is None or not high > low:
        return Sensitivity(None, None)
    tail = (1 - confidence) / 2
    quantile = stats.norm.isf(tail) if freedom is None else stats.t.isf(tail, freedom)
    error = (high - low) / 2 / float(quantile)
    return Sensitivity(error, error * multiple(confidence, freedom, looks))


def correlation_sensitivity(low: float, high: float, confidence: float = CONFIDENCE) -> Sensitivity:
    """Of a correlation with an interval by Fisher's z, on whose scale its width is one.

    None where the interval is all that a correlation may be: nothing could have been seen.
    """
    if not -1 < low < high < 1:
        return Sensitivity(None, None)
    error, decidable = sensitivity(float(np.arctanh(low)), float(np.arctanh(high)), confidence)
    if error is None or decidable is None:
        return Sensitivity(None, None)
    return Sensitivity(error, float(np.tanh(decidable)))


def decidable_correlation(
    clusters: int, controls: int = 1, confidence: float = CONFIDENCE
) -> float | None:
    """The smallest rank correlation of so many clusters that is decided; None below four or so.

    Its error on Fisher's scale grows with it: (1 + r² / 2) / (clusters - 3 - controls).
    """
    freedom = clusters - 3 - controls
    if freedom < 1:
        return None

    def beyond(r: float) -> float:
        error = np.sqrt((1 + r * r / 2) / freedom)
        return float(np.arctanh(r) - multiple(confidence) * error)

    return float(optimize.brentq(beyond, 0.0, 1 - 1e-12))


@dataclass(frozen=True)
class Components:
    """Where a number's variance comes from: that of one of each, all else averaged out.

    ``questions``: of the value of a question, paired over what is compared; ``seeds``: of a
    training; ``replicates``: of a base model; ``domains``: of a tuned domain, 0 if the claim is
    about these domains alone; ``answers``: of a question in a base model beyond these two, as
    each knows other things.
    """

    questions: float
    seeds: float
    replicates: float = 0.0
    domains: float = 0.0
    answers: float = 0.0


@dataclass(frozen=True)
class Design:
    """How many there are of each: test questions in all, and seeds for each domain and replicate.

    Of what there is one alone, no spread can be seen: the claim is about this one.
    """

    questions: int
    seeds: int = 1
    replicates: int = 1
    domains: int = 1


def variance_parts(components: Components, design: Design) -> dict[str, tuple[float, float]]:
    """By factor: what it adds to the variance of the mean, and its degrees of freedom.

    What there is one alone of adds nothing: the claim is about this one.
    """
    runs = design.seeds * design.replicates * design.domains
    asked = components.questions + components.answers / design.replicates
    found = {"questions": (asked / design.questions, design.questions - 1.0)}
    levels = {
        "seeds": (runs, runs - design.replicates * design.domains),
        "replicates": (design.replicates, design.replicates - 1),
        "domains": (design.domains, design.domains - 1),
    }
    for factor, (number, freedom) in levels.items():
        variance: float = getattr(components, factor)
        if variance and freedom:
            found[factor] = (variance / number, float(freedom))
    return found


def standard_error_of(components: Components, design: Design) -> tuple[float, float]:
    """The standard error of a design, and its degrees of freedom after Satterthwaite (1946)."""
    parts = variance_parts(components, design)
    variance = sum(part for part, _ in parts.values())
    if not variance:
        return 0.0, float("inf")
    spread = sum(part**2 / freedom for part, freedom in parts.values() if freedom > 0)
    return variance**0.5, variance**2 / spread if spread else float("inf")


def decidable(components: Components, design: Design, confidence: float = CONFIDENCE) -> float:
    """The smallest effect that a design decides in 4 of 5 cases."""
    error, freedom = standard_error_of(components, design)
    return error * multiple(confidence, None if freedom > LARGE else freedom)


def halved(
    components: Components,
    design: Design,
    factor: str,
    confidence: float = CONFIDENCE,
) -> int | None:
    """How many of one factor alone halve the smallest effect; None if no number does.

    A factor of which the design has one alone cannot: with more the claim would be another one.
    """
    now: int = getattr(design, factor)
    if now == 1 and factor != "questions":
        return None
    wanted = decidable(components, design, confidence) / 2

    def enough(number: int) -> bool:
        tried = replace(design, **{factor: number})
        return decidable(components, tried, confidence) <= wanted

    low, high = now, now * FACTORS[factor]
    if not enough(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def at_best(
    components: Components, design: Design, factor: str, confidence: float = CONFIDENCE
) -> float:
    """The smallest effect with ever more of one factor alone; the design's own if it has one."""
    now: int = getattr(design, factor)
    more = now if now == 1 and factor != "questions" else now * FACTORS[factor] ** 2
    return decidable(components, replace(design, **{factor: more}), confidence)


def halved_together(
    components: Components, design: Design, confidence: float = CONFIDENCE
) -> int | None:
    """What questions and seeds, both times this number, halve the smallest effect; None: none."""
    wanted = decidable(components, design, confidence) / 2
    for times in range(2, 33):
        # A single seed stays one: with more the claim would be another one.
        seeds = design.seeds if design.seeds == 1 else design.seeds * times
        tried = replace(design, questions=design.questions * times, seeds=seeds)
        if decidable(components, tried, confidence) <= wanted:
            return times
    return None


def components_of(
    standard_error: float, per_seed: Sequence[float], questions: int, domains: int = 1
) -> Components:
    """Variances from what a pilot measured: a number's error, and its value in each seed.

    A pilot of one base model cannot tell the variance of base models. The bootstrap's own spread
    of seeds is short by (n - 1) / n, so that is what is taken from its error.

    Args:
        standard_error: of the mean over seeds, with seeds and questions drawn again.
        per_seed: the number in each seed, a mean over ``domains`` trainings.
        questions: test questions that the number rests on.
        domains: tuned domains, each with trainings of its own.
    """
    seeds = len(per_seed)
    spread = float(np.var(per_seed, ddof=1)) if seeds > 1 else 0.0
    drawn = spread * (seeds - 1) / seeds**2
    # Seeds may be seen to vary by more than all that there is, by chance.
    rest = max(standard_error**2 - drawn, standard_error**2 / 4)
    return Components(questions=rest * questions, seeds=spread * domains)


def components_of_replicates(
    standard_error: float,
    each: Sequence[Sequence[float]],
    answers: float,
    questions: int,
    domains: int = 1,
) -> Components:
    """Variances from what a pilot of several base models measured: see ``components_of``.

    Args:
        standard_error: of the mean, with replicates and questions drawn again.
        each: the number in each seed of each replicate, a mean over ``domains`` trainings.
        answers: see ``Components``; ``answer_variance`` of the pilot's answers.
        questions: test questions that the number rests on.
        domains: tuned domains, each with trainings of its own.
    """
    within = [float(np.var(values, ddof=1)) for values in each if len(values) > 1]
    seeds = float(np.mean(within)) if within else 0.0
    # Base models are seen to differ by what their seeds and their answers add, too.
    spread = float(np.var([np.mean(values) for values in each], ddof=1))
    others = seeds / min(map(len, each)) + answers / questions
    rest = max(standard_error**2 - spread / len(each), standard_error**2 / 4)
    return Components(
        questions=rest * questions,
        seeds=seeds * domains,
        replicates=max(spread - others, 0.0),
        answers=answers,
    )


def answer_variance(values: Floats) -> float:
    """What question and base model make together: the variance that neither alone explains.

    ``values``: (replicates, questions); 0 of a single replicate, which cannot tell. The mean square
    of the interaction in an analysis of variance with one value a cell.
    """
    replicates, questions = values.shape
    if min(replicates, questions) < 2:
        return 0.0
    alone = values.mean(axis=0) + values.mean(axis=1, keepdims=True) - values.mean()
    return float(((values - alone) ** 2).sum() / ((replicates - 1) * (questions - 1)))
