"""Variances from a pilot's results: what comes back, and what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.studies.fake_answers import make_study
from tuneatlas.errors import UserError
from tuneatlas.sizing.pilot import STATED, read_pilot, stated
from tuneatlas.statistics.power import Design, decidable, standard_error_of
from tuneatlas.studies.knowledge.compare import compare_groups
from tuneatlas.studies.knowledge.paired_answers import CompareOptions

NAMES = {"model": "mini", "paraphraser": "mini"}


@pytest.fixture(scope="module")
def knowledge() -> dict[str, Any]:
    made = make_study(items=48)
    return compare_groups(
        made["base_answers"], made["tuned_answers"], CompareOptions(draws=400), 1
    ).metrics()


FORGETTING = {
    "design": {"confidence": 0.95, "steps": [3, 10], "answer_variance": 0.0},
    "fates": [
        {
            "fate": fate,
            "setting": "stages",
            "step": step,
            "low": 0.1,
            "high": 0.2,
            "counts": [30, 28, 32],
            "n": 200,
        }
        for fate in ("kept", "actually_forgotten")
        for step in (3, 10)
    ],
}
SYNTAX = {
    "design": {"confidence": 0.95, "formats": ["f"], "shares": [10, 100]},
    "differences": [
        {
            "start": "both",
            "baseline": "plain",
            "metric": "corpus_bleu4",
            "subset": "all",
            "format": "f",
            "share": share,
            "low": 0.0,
            "high": 4.0,
            "pairs": 300,
        }
        for share in (10, 100)
    ],
    "corpus_bleu4": [
        {"start": start, "format": "f", "share": 100, "seeds": seeds}
        for start, seeds in (("both", [9.0, 11.0]), ("plain", [8.0, 9.0]))
    ],
}


def write(results: Path, **parts: Any) -> Path:
    for folder, metrics in parts.items():
        path = results / folder / "mini" / "metrics.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(metrics))
    return results


def test_a_design_like_the_pilot_could_tell_what_the_pilot_could(
    tmp_path: Path, knowledge: dict[str, Any]
):
    parts = {"stage_forgetting": FORGETTING, "compare_paraphrases": SYNTAX}
    found = read_pilot(write(tmp_path, compare_groups=knowledge, **parts), NAMES).components
    headline = next(row for row in knowledge["claims"] if row["headline"])
    design = Design(headline["items"], seeds=3, domains=headline["domains"])
    # But for the seeds' spread, which the bootstrap of three has too small by a third.
    assert decidable(found["s1"], design) == pytest.approx(headline["decidable"], rel=0.35)
    half = 0.05 / 1.96
    assert decidable(found["s2"], Design(200, 3)) == pytest.approx(2.8 * half, rel=0.1)
    assert decidable(found["s3"], Design(300, 2)) == pytest.approx(2.8 * 2 / 1.96, rel=0.25)
    # A pilot of one base model cannot tell how these differ.
    assert all(found[s].replicates == STATED[s].replicates for s in STATED)


def test_a_study_that_the_pilot_does_not_have_is_as_stated(tmp_path: Path):
    found = read_pilot(write(tmp_path, stage_forgetting=FORGETTING), {"model": "a"} | NAMES)
    assert found.components["s1"] == STATED["s1"]
    assert found.components["s2"] != STATED["s2"]
    assert "pilot" in found.sources["s2"]
    assert found.sources["s1"] == stated().sources["s1"]


@pytest.mark.parametrize(
    "metrics",
    [{}, [], {"design": {}}, {"claims": 3}, {"claims": [{"claim": "x"}], "accuracy": None}, "text"],
)
def test_other_files_are_refused_by_name(tmp_path: Path, metrics: Any):
    for folder in ("compare_groups", "stage_forgetting", "compare_paraphrases"):
        results = write(tmp_path / folder, **{folder: metrics})
        if folder == "compare_groups" and metrics == {"claims": [{"claim": "x"}], "accuracy": None}:
            # No claim of groups was put to the test.
            assert read_pilot(results, NAMES).components["s1"] == STATED["s1"]
            continue
        with pytest.raises(UserError, match=rf"{folder}/mini/metrics.json: not the metrics of a"):
            read_pilot(results, NAMES)


def test_a_broken_file_and_an_empty_folder_are_refused(tmp_path: Path):
    with pytest.raises(UserError, match="holds no compare_groups"):
        read_pilot(tmp_path, NAMES)
    (write(tmp_path, compare_groups={}) / "compare_groups/mini/metrics.json").write_text("{")
    with pytest.raises(UserError, match="not the metrics of a finished compare_groups"):
        read_pilot(tmp_path, NAMES)


def test_one_model_of_another_name_is_the_pilot_and_several_are_not(tmp_path: Path):
    results = write(tmp_path, stage_forgetting=FORGETTING)
    other = {"model": "large", "paraphraser": "large"}
    assert read_pilot(results, other).components["s2"] != STATED["s2"]
    copy = results / "stage_forgetting/small/metrics.json"
    copy.parent.mkdir()
    copy.write_text(json.dumps(FORGETTING))
    with pytest.raises(UserError, match="holds mini, small, and none of the name 'large'"):
        read_pilot(results, other)


def test_a_pilot_of_several_starts_tells_how_these_vary(tmp_path: Path):
    """Planted: starts 2 BLEU-4 apart on average, their seeds half of one."""
    rng = np.random.default_rng(2)
    both = [
        float(of_start + rng.normal(0, 0.5)) for of_start in rng.normal(3, 2, 200) for _ in range(3)
    ]
    metrics = json.loads(json.dumps(SYNTAX))
    metrics["differences"] = [{**row, "replicates": 200} for row in metrics["differences"]]
    for row in metrics["corpus_bleu4"]:
        row["seeds"] = both if row["start"] == "both" else [0.0] * len(both)
    found = read_pilot(write(tmp_path, compare_paraphrases=metrics), NAMES).components["s3"]
    assert found.seeds**0.5 == pytest.approx(0.5, rel=0.1)
    assert found.replicates**0.5 == pytest.approx(2, rel=0.15)
    design = Design(300, seeds=3, replicates=200)
    assert standard_error_of(found, design)[0] == pytest.approx(2 / 1.96, rel=0.01)


def test_a_pilot_of_replicates_tells_how_they_forget(tmp_path: Path):
    """Planted: replicates 10 of 200 questions apart on average, their seeds 2."""
    rng = np.random.default_rng(2)
    counts = [
        float(of_model + rng.normal(0, 2)) for of_model in rng.normal(60, 10, 200) for _ in range(3)
    ]
    metrics = json.loads(json.dumps(FORGETTING))
    metrics["design"]["replicates"] = [f"m-{n}" for n in range(200)]
    for row in metrics["fates"]:
        row["counts"] = counts
    found = read_pilot(write(tmp_path, stage_forgetting=metrics), NAMES).components["s2"]
    assert found.seeds**0.5 == pytest.approx(0.01, rel=0.1)
    assert found.replicates**0.5 == pytest.approx(0.05, rel=0.15)
    design = Design(200, seeds=3, replicates=200)
    assert standard_error_of(found, design)[0] == pytest.approx(0.05 / 1.96, rel=0.01)


def test_a_pilot_of_replicates_tells_how_base_models_vary(tmp_path: Path):
    """Planted: replicates 4 points apart on average, their seeds 1 point."""
    rng = np.random.default_rng(2)
    rows = [
        {"domain": "a", "scope": "ood", "replicate": f"m-{r}", "seed": str(seed)}
        | {"group": group, "accuracy": (group == "incompatible") * (of_model + rng.normal(0, 0.01))}
        for r, of_model in enumerate(rng.normal(0, 0.04, 200))
        for seed in range(3)
        for group in ("incompatible", "self_aligning")
    ]
    claim = {"claim": "incompatible_worse", "headline": True, "low": -0.1, "high": 0.1}
    claim |= {"replicates": 200, "domains": 1, "items": 100}
    design = {"confidence": 0.95, "answer_variance": 0.04}
    metrics = {"design": design, "claims": [claim], "accuracy": rows}
    found = read_pilot(write(tmp_path, compare_groups=metrics), NAMES).components["s1"]
    assert found.seeds**0.5 == pytest.approx(0.01, rel=0.1)
    # Of the 100 questions asked, 2 points are chance.
    assert found.replicates**0.5 == pytest.approx((0.04**2 - 0.02**2) ** 0.5, rel=0.15)
    assert found.answers == 0.04
    # The whole of what the run itself saw: half an interval of 0.2 by its quantile.
    design = Design(100, seeds=3, replicates=200)
    assert standard_error_of(found, design)[0] == pytest.approx(0.1 / 1.96, rel=0.01)
