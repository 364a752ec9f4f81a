"""What the papers report stands beside a run of their models and data, and beside no other."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.examples import ROOT
from tests.unit.report.html_tree import Tree
from tests.unit.studies.fake_answers import make_context, make_study
from tuneatlas.config.load import load_config, resolve
from tuneatlas.report import build_report, reported
from tuneatlas.report.reported import beside_reported, reported_for
from tuneatlas.studies.knowledge.compare import compare_groups
from tuneatlas.studies.knowledge.paired_answers import CompareOptions

PAPER = sorted((ROOT / "config/paper").glob("*.yaml"))
OTHERS = sorted(set((ROOT / "config").glob("*.yaml")) - {ROOT / "config/defaults.yaml"})
DATA = yaml.safe_load(Path(reported.__file__).with_suffix(".yaml").read_text(encoding="utf-8"))


def rows_of(config: Path) -> list[dict[str, Any]]:
    resolved = resolve(load_config(config, root=ROOT))
    return [row for model in resolved["models"] for row in reported_for(resolved, model)]


@pytest.fixture(scope="module")
def metrics() -> dict[str, Any]:
    """A study whose group of right answers has contexts as well."""
    study = make_study(items=20, seeds=(1, 2))
    study["tuned_answers"] |= {
        (domain, "contextualised", seed): rows
        for (domain, group, seed), rows in study["tuned_answers"].items()
        if group == "mixed_20"
    }
    return compare_groups(
        study["base_answers"], study["tuned_answers"], CompareOptions(draws=50), 1
    ).metrics()


def test_every_number_says_where_it_is_from():
    for row in (*DATA["knowledge"], *DATA["syntax"]):
        assert row["source"] and row["reported"] and row["models"]
        assert "measure" in row or row["data"]


@pytest.mark.parametrize("config", PAPER, ids=lambda path: path.stem)
def test_a_config_of_a_paper_has_its_numbers(config: Path):
    found = rows_of(config)
    if config.stem.startswith("s3"):
        assert [(row["effect"], row["data"]) for row in found] == [
            ("BLEU-4 of AESOP", "paranmt"),
            ("BLEU-4 of SGCP-F", "paranmt"),
            ("BLEU-4 of the source as it is", "paranmt"),
        ]
        return
    effects = {row["effect"] for row in found}
    assert {"Harmonious less Incompatible", "Self-aligning less Incompatible"} <= effects
    contexts = [row["reported"] for row in found if row["effect"].startswith("Context")]
    said = {"7b": "+8.16 %", "13b": "+9.48 %", "mistral-7b": "+3.98 %"}
    name = config.stem.removesuffix("-consistent").split("-", 1)[1].removeprefix("llama2-")
    assert contexts == ([said[name]] if name in said else [])
    assert any("KL" in effect for effect in effects) == (name == "mistral-7b")
    assert any("correlation" in effect for effect in effects) == (name in ("13b", "mistral-7b"))


@pytest.mark.parametrize("config", OTHERS, ids=lambda path: path.stem)
def test_no_other_config_has_any(config: Path):
    assert rows_of(config) == []


def test_other_data_or_another_model_have_none():
    resolved = resolve(load_config(ROOT / "config/paper/s1-mistral-7b.yaml", root=ROOT))
    domains = resolved["domains"]
    tuned = {**domains["history"], "source": "file"}
    other = {**resolved, "domains": {**domains, "history": tuned}}
    assert reported_for(other, "mistral-7b") == []
    models = {"mistral-7b": {**resolved["models"]["mistral-7b"], "id": "me/mine"}}
    assert reported_for({**resolved, "models": models}, "mistral-7b") == []


def mean(metrics: dict[str, Any], group: str, scope: str | None, measure: str) -> float:
    return float(
        np.mean(
            [
                row[measure]
                for row in metrics["accuracy"]
                if (row["group"], row["seed"]) == (group, "all") and scope in (None, row["scope"])
            ]
        )
    )


def test_this_runs_numbers_are_those_of_its_tables(metrics: dict[str, Any]):
    found = beside_reported(DATA["knowledge"], metrics, {})
    assert len(found) == len(DATA["knowledge"])
    for row, beside in zip(DATA["knowledge"], found, strict=True):
        assert (beside.effect, beside.reported) == (row["effect"], row["reported"])
        measure, told = row["measure"], beside.ours.replace("\N{MINUS SIGN}", "-")
        scope = measure["scope"]
        value, *interval = told.replace("[", "").replace("]", "").replace(",", "").split()
        if "difference" in measure and scope != "id+ood":
            one, other = (mean(metrics, g, scope, "accuracy") for g in measure["difference"])
            assert float(value) == pytest.approx(100 * (one - other), abs=0.06)
        if "difference" in measure and "harmonious" not in measure["difference"]:
            low, high = map(float, interval)
            assert low <= float(value) <= high
        if measure.get("kl") == "incompatible":
            assert float(value) == pytest.approx(
                mean(metrics, "incompatible", None, "kl"), abs=0.006
            )
        if measure.get("kl") == "best":
            accuracies = {
                group: mean(metrics, group, None, "accuracy")
                for group in ("incompatible", "mixed_20", "mixed_40", "mixed_60", "mixed_80")
            } | {"self_aligning": mean(metrics, "self_aligning", None, "accuracy")}
            best = max(accuracies, key=lambda group: accuracies[group])
            assert float(value) == pytest.approx(mean(metrics, best, None, "kl"), abs=0.006)


def test_what_a_run_lacks_is_a_dash(metrics: dict[str, Any]):
    poor = metrics | {"accuracy": [], "claims": []}
    assert {row.ours for row in beside_reported(DATA["knowledge"], poor, {})} == {"\N{EN DASH}"}


def test_bleu_of_each_format_without_an_oracle():
    score = {"start": "both", "share": 100, "subset": "all", "metric": "corpus_bleu4"}
    found = {
        "design": {"formats": ["a", "b", "b_oracle"], "oracles": ["b_oracle"], "shares": [10, 100]},
        "scores": [
            {**score, "format": kind, "value": value, "low": value - 1, "high": value + 1}
            for kind, value in (("a", 20.0), ("b", 21.0), ("b_oracle", 40.0))
        ],
    }
    rows = [{**DATA["syntax"][0], "paraphraser": "t5"}]
    assert [(row.tests, row.ours) for row in beside_reported(rows, {}, {"t5": found})] == [
        ("paranmt, a", "20.0 [19.0, 21.0]"),
        ("paranmt, b", "21.0 [20.0, 22.0]"),
    ]


def test_the_report_has_a_section_of_them_or_none(metrics: dict[str, Any], tmp_path: Path):
    context = make_context()
    assert "Beside the papers" not in build_report(metrics, tmp_path, context)
    context["reported"] = DATA["knowledge"]
    html = build_report(metrics, tmp_path, context)
    assert "Beside the papers" in html and "+11.27 %" in html
    Tree(html)
