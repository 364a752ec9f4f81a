"""The smallest decidable effect, against planted effects in simulated answers."""

import numpy as np
import pytest
from scipy import stats

from tuneatlas.statistics.bootstrap import percentile_interval, resample_items
from tuneatlas.statistics.metrics import HELD, verdict
from tuneatlas.statistics.power import (
    POWER,
    Components,
    Design,
    answer_variance,
    components_of,
    components_of_replicates,
    correlation_sensitivity,
    decidable,
    decidable_correlation,
    halved,
    multiple,
    sensitivity,
    standard_error_of,
)

TRIALS = 1000
# Three standard errors of a share of simulations.
NOISE = 3 * np.sqrt(POWER * (1 - POWER) / TRIALS)


def test_the_multiple_is_that_of_the_books():
    assert multiple() == pytest.approx(1.959964 + 0.841621, abs=1e-5)
    assert multiple(looks=4) == pytest.approx(stats.norm.isf(0.025 / 4) + 0.841621, abs=1e-5)


@pytest.mark.parametrize("freedom", [1, 2, 3, 5.5, 12, 100, 1999])
def test_with_few_clusters_the_multiple_is_that_of_the_noncentral_t(freedom: float):
    critical = stats.t.isf(0.025, freedom)
    found = multiple(freedom=freedom)
    assert stats.nct.sf(critical, freedom, found) == pytest.approx(POWER, abs=1e-6)
    assert found == pytest.approx(critical + stats.t.ppf(POWER, freedom), rel=0.17)
    assert found > multiple()
    assert multiple(freedom=0) == float("inf")


def test_an_interval_and_its_draws_say_the_same():
    draws = np.random.default_rng(1).normal(0.02, 0.01, 200_000)
    found = sensitivity(*percentile_interval(0.02, draws, 0.95)[1:])
    assert found.standard_error == pytest.approx(np.std(draws, ddof=1), rel=0.02)
    assert found.decidable == pytest.approx(0.028, rel=0.02)
    # The same error behind an interval at another level, and behind one by Student's t.
    wide = sensitivity(-stats.norm.isf(0.005), stats.norm.isf(0.005), 0.99)
    assert wide.standard_error == pytest.approx(1)
    few = sensitivity(-stats.t.isf(0.025, 4), stats.t.isf(0.025, 4), freedom=4)
    assert few == pytest.approx((1, multiple(freedom=4)))


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.0), (None, None), (0.1, None)])
def test_what_does_not_vary_says_nothing(low: float | None, high: float | None):
    assert sensitivity(low, high) == (None, None)


def test_a_correlation_that_could_be_anything_says_nothing():
    assert correlation_sensitivity(-1.0, 1.0) == (None, None)
    assert decidable_correlation(4) is None
    assert decidable_correlation(6) > 0.95
    assert decidable_correlation(400) == pytest.approx(multiple() / 20, abs=0.005)


def intervals(tables: np.ndarray) -> np.ndarray:
    """Percentile intervals of the mean of each table (trials, items), as the studies have them."""
    draws = resample_items(tables, 400, np.random.default_rng(3))
    return np.quantile(draws, [0.025, 0.975], axis=0)


# Questions, and how often the two models that are compared differ in one: in all, in part, rarely.
@pytest.mark.parametrize(("questions", "differ"), [(200, 0.6), (600, 0.3), (1500, 0.1)])
def test_a_planted_effect_is_found_as_often_as_stated(questions: int, differ: float):
    rng = np.random.default_rng(questions)
    design = Design(questions=questions)
    effect = decidable(Components(questions=differ, seeds=0.0), design)
    # Differences of right and wrong: variance `differ` less the square of their mean.
    effect = decidable(Components(questions=differ - effect**2, seeds=0.0), design)
    shares = [(differ + effect) / 2, (differ - effect) / 2]
    values = rng.choice([1, -1, 0], p=[*shares, 1 - differ], size=(TRIALS, questions))
    said = [verdict(low, high, 1) for low, high in intervals(values).T]
    assert said.count(HELD) / TRIALS == pytest.approx(POWER, abs=NOISE)


@pytest.mark.parametrize(
    ("components", "design"),
    [
        (Components(0.3, 0.0, 0.02**2), Design(2000, seeds=1, replicates=4)),
        (Components(0.3, 0.0, 0.05**2), Design(400, seeds=1, replicates=10)),
        (Components(0.3, 0.03**2, 0.0), Design(400, seeds=6)),
    ],
)
def test_a_planted_effect_is_found_as_often_as_stated_among_few_clusters(
    components: Components, design: Design
):
    """With clusters drawn, each with its own questions, a t interval over clusters decides."""
    rng = np.random.default_rng(8)
    clusters = max(design.replicates, design.seeds)
    own = components.questions * clusters / design.questions  # of a cluster's share of questions
    spread = np.sqrt(components.seeds + components.replicates + own)
    effect = multiple(freedom=clusters - 1) * spread / np.sqrt(clusters)
    means = rng.normal(effect, spread, (TRIALS, clusters))
    half = stats.t.isf(0.025, clusters - 1) * stats.sem(means, axis=1)
    found = (means.mean(axis=1) - half > 0).mean()
    assert found == pytest.approx(POWER, abs=NOISE)
    error, freedom = standard_error_of(components, design)
    assert error == pytest.approx(spread / np.sqrt(clusters))
    # Questions are many more than clusters: what they add has more degrees of freedom.
    assert decidable(components, design) <= effect
    assert freedom >= clusters - 1


def test_no_effect_is_claimed_at_the_nominal_rate():
    values = np.random.default_rng(5).choice([1, -1, 0], p=[0.15, 0.15, 0.7], size=(TRIALS, 400))
    said = [verdict(low, high, 1) for low, high in intervals(values).T]
    assert said.count(HELD) / TRIALS <= 0.025 + 3 * np.sqrt(0.025 * 0.975 / TRIALS)


def test_what_halves_the_smallest_effect():
    items = Components(questions=0.4, seeds=0.0)
    design = Design(questions=500, seeds=3)
    # A quarter of the variance: four times the questions, and nothing else helps.
    assert halved(items, design, "questions") == pytest.approx(2000, rel=0.01)
    assert halved(items, design, "seeds") is None
    both = Components(questions=0.4, seeds=0.02**2)
    assert halved(both, design, "questions") is None
    assert halved(both, design, "seeds") is None
    seeds = Components(questions=1e-9, seeds=0.02**2)
    number = halved(seeds, design, "seeds")
    assert number is not None
    # Less than four times: the quantile falls too.
    assert 3 < number < 12
    bases = Components(questions=0.02, seeds=0.0, replicates=0.03**2)
    number = halved(bases, Design(500, 3, replicates=3), "replicates")
    assert number is not None
    assert 3 < number < 12
    # With more than this one, the claim is another.
    assert halved(bases, Design(500, 3, replicates=1), "replicates") is None


def test_components_come_back_from_a_pilot():
    """The bootstrap error and the seeds of many pilots give the variances that made them."""
    rng = np.random.default_rng(2)
    questions, seeds, domains, truth = 800, 5, 2, Components(questions=0.3, seeds=0.02**2)
    found = []
    for _ in range(400):
        per_seed = rng.normal(0, np.sqrt(truth.seeds / domains), seeds)
        drawn = np.var(per_seed) / seeds
        error = np.sqrt(truth.questions / questions + drawn)
        found.append(components_of(float(error), per_seed.tolist(), questions, domains))
    assert np.mean([f.questions for f in found]) == pytest.approx(truth.questions, rel=0.05)
    assert np.mean([f.seeds for f in found]) == pytest.approx(truth.seeds, rel=0.15)


def test_components_come_back_from_a_pilot_of_base_models():
    """Planted: what questions, base models, seeds and answers add, of many pilots."""
    rng = np.random.default_rng(3)
    questions, replicates, seeds = 300, 5, 3
    truth = Components(questions=0.1, seeds=0.02**2, replicates=0.03**2, answers=0.12)
    found = []
    for _ in range(400):
        asked = rng.normal(0, truth.questions**0.5, questions)
        known = rng.normal(0, truth.answers**0.5, (replicates, questions))
        base = rng.normal(0, truth.replicates**0.5, replicates)
        run = base[:, None] + rng.normal(0, truth.seeds**0.5, (replicates, seeds))
        each = asked.mean() + known.mean(axis=1)[:, None] + run
        error, _ = standard_error_of(truth, Design(questions, seeds, replicates))
        answers = answer_variance(asked + known + run.mean(axis=1)[:, None])
        found.append(components_of_replicates(error, each.tolist(), answers, questions))
    for name, off in [("seeds", 0.1), ("answers", 0.02), ("replicates", 0.15), ("questions", 0.2)]:
        means = np.mean([getattr(f, name) for f in found])
        assert means == pytest.approx(getattr(truth, name), rel=off), name


def test_one_base_model_cannot_tell_what_its_answers_add():
    assert answer_variance(np.array([[1.0, 0.0, 1.0]])) == 0.0
    # Alike but for a shift: nothing is of question and base model together.
    assert answer_variance(np.array([[1.0, 0.0, 1.0], [0.5, -0.5, 0.5]])) == pytest.approx(0)
    assert answer_variance(np.array([[1.0, 0.0], [0.0, 1.0]])) == pytest.approx(1.0)
