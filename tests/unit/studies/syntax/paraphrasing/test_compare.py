"""Runs are compared pair by pair, and the report says what is found."""

import json
import re
from itertools import product

import numpy as np
import pytest

from tests.examples import ROOT
from tests.unit.config.described import undescribed_columns
from tests.unit.steps import a_step, run_script
from tuneatlas.config.load import load_config, resolve
from tuneatlas.models.folder import SUMMARY
from tuneatlas.report.paraphrases import paraphrases_part
from tuneatlas.studies.syntax.tables import CANDIDATES, CORPUS, PARAPHRASES, PARSES, SCORES
from tuneatlas.studies.syntax.trees.linear import read_bracket
from tuneatlas.studies.syntax.trees.trees import words


def scores_of(tmp_path, data, levels: dict[str, float], seeds=(0, 1)):
    """Inputs of the comparison: 30 test pairs, scored at a level per start."""
    texts = [row["tree"] for row in PARSES.read(data / "0.parquet")[:3]]
    texts[1] = "(ROOT (S (NP (DT the) (NN cat)) (VP (VBD sat) (PP (IN on) (NP (NN it))))))"
    ids = [f"p{i:02}" for i in range(30)]
    rows = [
        dict(zip(("source", "target", "exemplar"), texts, strict=True))
        | {"id": i, "split": "test", "exemplar_id": "t/2", "exemplar_ted": 0}
        | {"source_ted": 0, "hard": n < 10, "long": n < 20}
        for n, i in enumerate(ids)
    ]
    PARAPHRASES.write(tmp_path / "paraphrases.parquet", rows)
    rng = np.random.default_rng(1)
    inputs = {"scores": [], "candidates": [], "models": [], "tasks": [], "systems": []}
    for start, seed in product(levels, seeds):
        folder = tmp_path / start / "aesop" / "100" / str(seed)
        rows = []
        for n, i in enumerate(ids):
            for metric, value in (
                ("bleu4", levels[start]),
                ("ted_r", n),
                ("ted_e", 9 - n),
                ("ted_e@5", 9 - n),
                ("self_copy", 0),
            ):
                noise = 0.1 * rng.random() if metric == "bleu4" else 0.0
                rows.append({"id": i, "metric": metric, "value": value + noise})
        # No tree, so no F1 of it.
        rows.append({"id": ids[0], "metric": "parse_f1", "value": None})
        rows += [{"id": i, "metric": "parse_f1", "value": 1.0} for i in ids[1:]]
        rows.append({"id": CORPUS, "metric": "corpus_bleu4", "value": 10 * levels[start]})
        SCORES.write(folder / "scores.parquet", rows)
        # A better start has more paraphrases that are the reference.
        target = " ".join(words(read_bracket(texts[1])))
        written = [
            {"id": i, "sentence": target if rng.random() < levels[start] else "a b c d"}
            | {"tree": None if i == "p03" else texts[0], "reason": ""}
            for i in ids
        ]
        CANDIDATES.write(folder / "candidates.parquet", written)
        for name in ("scores", "candidates"):
            inputs[name].append(folder / f"{name}.parquet")
    inputs["tasks"] = [tmp_path / "both.parquet"]
    SCORES.write(inputs["tasks"][0], [{"id": "t", "metric": "tree_pruning", "value": 0.5}])
    for step, start, tokens in (
        ("structure", "", 10),
        ("syntax", "both", 20),
        ("syntax", "no_auxiliary", 15),
        ("plain", "plain", 30),
    ):
        model = tmp_path / f"pretrain_{step}" / "mini" / start
        model.mkdir(parents=True)
        (model / SUMMARY).write_text(json.dumps({"tokens_seen": tokens}))
        inputs["models"].append(model)
    inputs["parses"] = [data / "0.parquet", data / "1.parquet"]
    return {**inputs, "paraphrases": tmp_path / "paraphrases.parquet"}


def compared(tmp_path, inputs, **more):
    options = {"draws": 200, "confidence": 0.95, "examples": [0.0, 0.5, 1.0], "retokenise": False}
    options |= {
        "tasks_solved": 0.0,
        "oracles": [],
        "choose": "dev",
        "without": {"no_auxiliary": ["tree_pruning"]},
    }
    step = a_step(tmp_path, inputs, {"folder": tmp_path / "out"}, options | more)
    run_script("compare_paraphrases", step)
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert undescribed_columns("compare_paraphrases", metrics) == []
    return metrics


def test_comparison(tmp_path, data):
    metrics = compared(
        tmp_path, scores_of(tmp_path, data, {"vanilla": 0.2, "plain": 0.9, "both": 0.6})
    )
    found = [r for r in metrics["scores"] if r["metric"] == "corpus_bleu4"]
    assert [(r["start"], r["subset"], r["pairs"], r["seeds"]) for r in found] == [
        (start, subset, pairs, 2)
        for start in ("vanilla", "plain", "both")
        for subset, pairs in (("all", 30), ("hard", 10), ("long", 20))
    ]
    means = {r["start"]: r["value"] for r in found if r["subset"] == "all"}
    for row in metrics["corpus_bleu4"]:
        assert np.mean(row["seeds"]) == pytest.approx(means[row["start"]])
    gains = {
        (r["start"], r["baseline"], r["subset"]): r
        for r in metrics["differences"]
        if r["metric"] == "bleu4"
    }
    assert set(gains) == {
        (start, baseline, subset)
        for start, baseline in (("plain", "vanilla"), ("both", "vanilla"), ("both", "plain"))
        for subset in ("all", "hard", "long")
    }
    gain = gains["both", "vanilla", "all"]
    assert 0.35 < gain["low"] < gain["value"] < gain["high"] < 0.45
    assert gain["verdict"] == "held"
    assert gains["both", "plain", "all"]["verdict"] == "did not hold"
    # Distances that are the same in all runs; and pairs without a value are left out.
    same = [r for r in metrics["differences"] if r["metric"].startswith("ted")]
    assert {r["verdict"] for r in same} == {"undecided"}
    assert {r["pairs"] for r in metrics["scores"] if r["metric"] == "parse_f1"} == {29, 19, 9}
    assert metrics["tokens"] == {"vanilla": 0, "plain": 30, "structure": 10, "both": 30}
    assert metrics["tasks"] == {"both": {"tree_pruning": {"mean": 0.5, "examples": 1}}}
    assert metrics["parses"] == {"status": {"parsed": 40}, "reasons": {}}
    assert (metrics["design"]["outputs"], metrics["design"]["without_tree"]) == (180, 6)
    assert [r["id"] for r in metrics["examples"]] == ["p00", "p14", "p29"]
    assert {r["start"] for r in metrics["examples"]} == {"both"}
    drawn = sorted(path.name for path in (tmp_path / "out" / "figures").iterdir())
    assert drawn == [f"paraphrase_scores.{kind}" for kind in ("csv", "pdf", "png", "svg")]


def test_a_claim_is_not_testable_where_pre_training_did_not_teach_its_tasks(tmp_path, data):
    runs = scores_of(tmp_path, data, {"vanilla": 0.2, "plain": 0.3, "both": 0.6})
    metrics = compared(tmp_path, runs, tasks_solved=0.51)
    assert [(c["group"], c["value"], c["passed"]) for c in metrics["checks"]] == [
        ("both", 0.5, False)
    ]
    said = {
        start: {r["verdict"] for r in metrics["differences"] if r["start"] == start}
        for start in ("plain", "both")
    }
    assert said["both"] == {"not testable here"}
    assert "not testable here" not in said["plain"]
    part = paraphrases_part(metrics, "../compare_paraphrases/mini", {})
    assert part.reason == (
        "Not testable here: pre-training did not teach its own tasks (BOTH: 50.0% where "
        "51.0% was asked for)."
    )


def test_every_difference_says_what_could_have_been_seen(tmp_path, data):
    metrics = compared(tmp_path, scores_of(tmp_path, data, {"vanilla": 0.2, "both": 0.6}))
    for row in metrics["differences"]:
        if row["low"] == row["high"]:
            assert row["decidable"] is None
        else:
            assert row["decidable"] == pytest.approx((row["high"] - row["low"]) * 0.7148, rel=1e-3)


def test_the_ablations_are_compared_with_both_stages(tmp_path, data):
    levels = {"vanilla": 0.2, "both": 0.8, "no_auxiliary": 0.3}
    metrics = compared(tmp_path, scores_of(tmp_path, data, levels))
    assert metrics["tokens"]["no_auxiliary"] == 25
    part = paraphrases_part(metrics, "../compare_paraphrases/mini", {})
    (row,) = part.ablations
    assert row["name"] == "T5 + both stages, no auxiliary"
    assert row["without"] == ["tree_pruning"]
    assert row["cells"]["corpus_bleu4"]["value"] < 0
    assert set(row["cells"]) == {"corpus_bleu4", "ted_e"}


def test_the_report_shows_claim_table_and_trees(tmp_path, data):
    metrics = compared(tmp_path, scores_of(tmp_path, data, {"vanilla": 0.2, "both": 0.6}))
    metrics["examples"][1]["output"] = None
    metrics["examples"][1]["reason"] = "no tree found"
    part = paraphrases_part(metrics, "../compare_paraphrases/mini", {})
    assert part.verdict == "held"
    assert re.fullmatch(
        r"After both stages BLEU-4 is [\d.]+ higher than that of T5: [\d.]+ against [\d.]+\. No "
        "run starts from T5, trained longer: what the stages add cannot be told from what longer "
        "training adds.",
        part.finding,
    )
    assert [row["headline"] for row in part.rows] == [True, False, False]
    assert [list(example.trees) for example in part.examples] == [
        ["source", "exemplar", "output"],
        ["source", "exemplar"],
        ["source", "exemplar", "output"],
    ]


def test_the_claim_is_about_the_control_where_there_is_one(tmp_path, data):
    levels = {"vanilla": 0.2, "plain": 1.0, "both": 0.4}
    metrics = compared(tmp_path, scores_of(tmp_path, data, levels))
    part = paraphrases_part(metrics, "../compare_paraphrases/mini", {})
    assert part.verdict == "did not hold"
    assert re.match(
        r"After both stages BLEU-4 is [\d.]+ lower than that of T5, trained longer: ", part.finding
    )
    assert part.finding.endswith(": the opposite of the claim.")


def test_the_study_alone_has_a_page_of_its_own(tmp_path, data):
    compared(tmp_path, scores_of(tmp_path, data, {"vanilla": 0.2, "plain": 0.3, "both": 0.6}))
    folder = tmp_path / "compare_paraphrases" / "t5"
    folder.parent.mkdir()
    (tmp_path / "out").rename(folder)
    config = resolve(load_config(ROOT / "config/own-paraphrase.yaml", root=ROOT))
    step = a_step(tmp_path, {"paraphrases": [folder]}, {"page": "page.html"}, config)
    run_script("report_syntax", step, command="make run CONFIG=x.yaml")
    page = (tmp_path / "page.html").read_text()
    for text in (
        "What trees taught t5",
        'id="syntax-paraphrase_scores"',
        "<svg",
        "data/pairs/train.tsv",
        "make run CONFIG=x.yaml",
        "../compare_paraphrases/t5/scores.csv",
    ):
        assert text in page, text
    assert "compare_groups" not in page
