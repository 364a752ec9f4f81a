"""The steps of the study one after the other, on a handful of rows and without Java."""

import json
import random
from itertools import count, product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from random_trees import random_tree
from recipes import RECIPE

from tuneatlas.engine import resume as parts
from tuneatlas.engine.step import Step
from tuneatlas.errors import UserError
from tuneatlas.models.folder import SUMMARY
from tuneatlas.report.paraphrases import paraphrases_part
from tuneatlas.statistics.bootstrap import Interval
from tuneatlas.studies.syntax.paraphrasing import compare
from tuneatlas.studies.syntax.paraphrasing.finetune import finetune_paraphrase
from tuneatlas.studies.syntax.paraphrasing.generate import generate_paraphrases
from tuneatlas.studies.syntax.paraphrasing.prepare import prepare_paraphrases
from tuneatlas.studies.syntax.pretraining.build import build_tasks
from tuneatlas.studies.syntax.pretraining.evaluate import evaluate_tasks
from tuneatlas.studies.syntax.pretraining.labels import collect_labels
from tuneatlas.studies.syntax.pretraining.prepare import prepare_paraphraser
from tuneatlas.studies.syntax.pretraining.pretrain import pretrain
from tuneatlas.studies.syntax.tables import (
    CANDIDATES,
    CORPUS,
    GENERATIONS,
    PAIRS,
    PARAPHRASES,
    PARSES,
    SCORES,
    SENTENCES,
    TASKS,
)
from tuneatlas.studies.syntax.trees.linear import read_bracket, write_bracket
from tuneatlas.studies.syntax.trees.trees import nodes, words
from tuneatlas.workflow import task_options

ORIGIN = {"source": "test", "licence": "none"}
SHOWN = {"height": 5, "form": "bracket"}
SEARCH = {"beams": 2, "length_penalty": 1.0, "max_new_tokens": 8, "max_length": 40, "batch_rows": 4}
SMALL = {"hidden_size": 16, "intermediate_size": 32, "layers": 1, "heads": 2, "dropout": 0.1}


def make_step(folder: Path, outputs: dict, inputs: dict, options: dict, **wildcards: str) -> Step:
    return Step(
        name="some_step",
        wildcards=wildcards,
        inputs={
            k: str(v) if isinstance(v, Path) else [str(p) for p in v] for k, v in inputs.items()
        },
        outputs=outputs,
        options=options,
        threads=1,
        base_seed=1,
        seed=1,
        checkpoints=folder / "checkpoints",
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Parses of 40 random trees and 12 pairs among them."""
    folder = tmp_path_factory.mktemp("data")
    rng = random.Random(1)
    trees = [random_tree(rng, 3) for _ in range(40)]
    rows = [
        {"id": f"t/{i}", "sentence": " ".join(words(t)), "tree": write_bracket(t)}
        | {"status": "parsed", "reason": "", "parser": "none", **ORIGIN}
        for i, t in enumerate(trees)
    ]
    PARSES.write(folder / "0.parquet", rows[:25])
    PARSES.write(folder / "1.parquet", rows[25:])
    kept = ("id", "sentence", "source", "licence")
    SENTENCES.write(folder / "sentences.parquet", [{k: r[k] for k in kept} for r in rows])
    pairs = [
        {"id": f"p{i}", "source_id": f"t/{2 * i}", "target_id": f"t/{2 * i + 1}"}
        | {"template_id": None, "split": "train" if i < 8 else "test", "pivot": "x", **ORIGIN}
        for i in range(12)
    ]
    PAIRS.write(folder / "pairs.parquet", pairs)
    return folder


def summary(model: Path) -> dict:
    return json.loads((model / SUMMARY).read_text())


def trained(tmp_path, data, run, base: Path, name: str, inputs: dict, options: dict, **wildcards):
    recipe = {**vars(RECIPE), "epochs": 1, "row_length": 200, **options}
    outputs = {"model": tmp_path / name}
    info = run(make_step(tmp_path / name, outputs, {"model": base, **inputs}, recipe, **wildcards))
    assert info["steps"] > 0 and np.isfinite(info["final_loss"])
    assert (tmp_path / name / "model.safetensors").is_file()
    return tmp_path / name


def test_from_sentences_to_paraphrases(tmp_path, data, monkeypatch):
    parses = [data / "0.parquet", data / "1.parquet"]
    paraphrases = tmp_path / "paraphrases.parquet"
    options = {"height": 5, "pool": 9, "overlap": 1.0, "hard": 0.5}
    given = {"pairs": data / "pairs.parquet", "parses": parses}
    info = prepare_paraphrases(make_step(tmp_path, {"paraphrases": paraphrases}, given, options))
    assert info == {"paraphrases": {"train": 8, "test": 4}, "left_out": 0, "without_exemplar": 0}

    labels = tmp_path / "labels.json"
    collect_labels(make_step(tmp_path, {"labels": labels}, {"parses": parses}, {}))
    trees = [read_bracket(row["tree"]) for path in parses for row in PARSES.read(path)]
    found = {node.label for tree in trees for _, node in nodes(tree)}
    assert json.loads(labels.read_text()) == sorted(found)

    tasks = {"structure_tasks": [], "syntax_tasks": ["tree_pruning"], "heldout": 6}
    tasks |= {"plain_passes": 1, "structure_passes": 2, "syntax_passes": 1, "form": "bracket"}
    tasks |= {"share": 1.0}
    built = {}
    for stage, shard in product(("plain", "structure", "syntax"), (1, 2)):
        outputs = {n: tmp_path / f"{stage}-{n}-{shard}.parquet" for n in ("train", "heldout")}
        shards = {"pairs": data / "pairs.parquet", "parses": parses[shard - 1 : shard]}
        wildcards = {"stage": stage, "scatteritem": f"{shard}-of-2"}
        chosen = task_options({"build_tasks": tasks}, stage)
        info = build_tasks(make_step(tmp_path, outputs, shards, chosen, **wildcards))
        rows, held = (TASKS.read(outputs[n]) for n in ("train", "heldout"))
        assert sum(info["train"].values()) == len(rows) > 9
        # Neither sentences of test pairs nor trees held out.
        used, kept = ({r["id"].split("#")[0] for r in part} for part in (rows, held))
        assert len(kept) <= 3 and not used & kept
        assert not (used | kept) & {f"t/{i}" for i in range(16, 24)}
        built.setdefault(stage, []).append(outputs["train"])
    assert {r["task"] for r in rows} == {"tree_pruning"}

    base = tmp_path / "base"
    new = {"source": "scratch", "vocab_size": 320, **SMALL}
    sentences = {"sentences": data / "sentences.parquet"}
    prepare_paraphraser(make_step(tmp_path, {"model": base}, sentences, new))
    table = {"tasks": built["structure"]}
    twice = {"epochs": 2, "row_length": 60}
    first = trained(tmp_path, data, pretrain, base, "first", table, twice)
    table = {"tasks": built["syntax"], "labels": labels}
    once = {"epochs": 1, "row_length": 200}
    second = trained(tmp_path, data, pretrain, first, "second", table, once)
    assert summary(first)["too_long"] > 0
    # The control sees as many tokens as both stages, each trained in its own way; in whole steps.
    table = {**built, "tasks": built["plain"], "labels": labels}
    both = {"as_both": {"structure": twice, "syntax": once}, "row_length": 40, "batch": 2}
    # A clock by which counting takes long enough to be kept.
    monkeypatch.setattr(parts, "time", SimpleNamespace(monotonic=count(0, 100).__next__))
    control = trained(tmp_path, data, pretrain, base, "control", table, both)
    seen = [summary(model)["tokens_seen"] for model in (first, second, control)]
    assert 0 <= seen[2] - (seen[0] + seen[1]) < 2 * 2 * 40
    # Cut off and started again, it does not count them anew.
    again = table | {"structure": [], "syntax": []}
    trained(tmp_path, data, pretrain, base, "control", again, both)
    assert summary(control)["tokens_seen"] == seen[2]
    monkeypatch.undo()
    table = {"paraphrases": paraphrases, "labels": labels}
    wildcards = {"format": "aesop_tree", "share": "50"}
    run = finetune_paraphrase
    tuned = trained(tmp_path, data, run, second, "tuned", table, SHOWN, **wildcards)

    scores = tmp_path / "tasks.parquet"
    given = {"model": second, "tasks": tmp_path / "syntax-heldout-1.parquet"}
    search = SEARCH | {"form": "bracket"}
    evaluate_tasks(make_step(tmp_path, {"scores": scores}, given, search))
    assert {row["metric"] for row in SCORES.read(scores)} == {"tree_pruning"}

    written = tmp_path / "written.parquet"
    given = {"model": tuned, "paraphrases": paraphrases}
    step = make_step(tmp_path, {"generations": written}, given, SEARCH | SHOWN, **wildcards)
    generate_paraphrases(step)
    found = GENERATIONS.read(written)
    assert [row["id"] for row in found] == ["p8", "p9", "p10", "p11"]
    assert all(" <sep> " in row["input"] for row in found)

    with pytest.raises(UserError, match="no example is within 2 tokens"):
        trained(tmp_path, data, run, second, "none", table, SHOWN | {"row_length": 2}, **wildcards)

    # Of three pairs that have no exemplar the trees are trained on, but no words are shown.
    rows = PARAPHRASES.read(paraphrases)
    for row in rows[:3]:
        row |= {"exemplar": None, "exemplar_id": None, "exemplar_ted": None}
    PARAPHRASES.write(paraphrases, rows)
    for kind, left_out in (("aesop", 0), ("exemplar", 3)):
        wildcards = {"format": kind, "share": "100"}
        model = trained(tmp_path, data, run, second, kind, table, SHOWN, **wildcards)
        assert summary(model)["without_exemplar"] == left_out
    for row in rows:
        row |= {"exemplar": None, "exemplar_id": None, "exemplar_ted": None}
    PARAPHRASES.write(paraphrases, rows)
    with pytest.raises(UserError, match="no training pair has an exemplar"):
        trained(tmp_path, data, run, second, "words", table, SHOWN, **wildcards)
    # Exemplars are not at fault where there are no training pairs.
    PARAPHRASES.write(paraphrases, [row for row in rows if row["split"] == "test"])
    with pytest.raises(UserError, match="no example is within"):
        trained(tmp_path, data, run, second, "empty", table, SHOWN, **wildcards)


def test_a_stage_is_built_by_its_own_options():
    options = {"form": "bracket", "share": 0.5, "plain_passes": 1, "syntax_passes": 2}
    found = {stage: task_options({"build_tasks": options}, stage) for stage in ("plain", "syntax")}
    assert found["plain"] == {"form": "bracket", "share": 1.0, "plain_passes": 1}
    assert found["syntax"] == {"form": "bracket", "share": 0.5, "syntax_passes": 2}


def scores_of(tmp_path, data, levels: dict[str, float], seeds=(0, 1)):
    """Inputs of the comparison: 30 test pairs, scored at a level per start."""
    texts = [row["tree"] for row in PARSES.read(data / "0.parquet")[:3]]
    ids = [f"p{i:02}" for i in range(30)]
    rows = [
        dict(zip(("source", "target", "template"), texts, strict=True))
        | {"id": i, "split": "test", "template_id": "t/2"}
        | {"exemplar": texts[2], "exemplar_id": "t/2", "exemplar_ted": 0}
        | {"source_ted": 0, "hard": n < 10}
        for n, i in enumerate(ids)
    ]
    PARAPHRASES.write(tmp_path / "paraphrases.parquet", rows)
    rng = np.random.default_rng(1)
    inputs = {"scores": [], "candidates": [], "models": [], "tasks": []}
    for start, seed in product(levels, seeds):
        folder = tmp_path / start / "aesop" / "100" / str(seed)
        rows = []
        for n, i in enumerate(ids):
            for metric, value in (
                ("bleu4", levels[start]),
                ("ted_r@5", n),
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
        written = [
            {"id": i, "sentence": "a b", "tree": None if i == "p03" else texts[0], "reason": ""}
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
        ("plain", "plain", 30),
    ):
        model = tmp_path / f"pretrain_{step}" / "mini" / start
        model.mkdir(parents=True)
        (model / SUMMARY).write_text(json.dumps({"tokens_seen": tokens}))
        inputs["models"].append(model)
    inputs["parses"] = [data / "0.parquet", data / "1.parquet"]
    return {**inputs, "paraphrases": tmp_path / "paraphrases.parquet"}


def compared(tmp_path, inputs):
    options = {"draws": 200, "confidence": 0.95, "examples": [0.0, 0.5, 1.0]}
    step = make_step(tmp_path, {"folder": tmp_path / "out"}, inputs, options)
    compare.compare_paraphrases(step)
    return json.loads((tmp_path / "out" / "metrics.json").read_text())


def test_comparison(tmp_path, data):
    metrics = compared(
        tmp_path, scores_of(tmp_path, data, {"vanilla": 0.2, "plain": 0.9, "both": 0.6})
    )
    found = [r for r in metrics["scores"] if r["metric"] == "bleu4"]
    assert [(r["start"], r["subset"], r["pairs"], r["seeds"]) for r in found] == [
        (start, subset, pairs, 2)
        for start in ("vanilla", "plain", "both")
        for subset, pairs in (("all", 30), ("hard", 10))
    ]
    gains = {
        (r["start"], r["baseline"], r["subset"]): r
        for r in metrics["differences"]
        if r["metric"] == "bleu4"
    }
    assert set(gains) == {
        (start, baseline, subset)
        for start, baseline in (("plain", "vanilla"), ("both", "vanilla"), ("both", "plain"))
        for subset in ("all", "hard")
    }
    gain = gains["both", "vanilla", "all"]
    assert 0.35 < gain["low"] < gain["value"] < gain["high"] < 0.45
    assert gain["verdict"] == "held"
    assert gains["both", "plain", "all"]["verdict"] == "did not hold"
    # Distances that are the same in all runs; and pairs without a value are left out.
    same = [r for r in metrics["differences"] if r["metric"].startswith("ted")]
    assert {r["verdict"] for r in same} == {"undecided"}
    assert {r["pairs"] for r in metrics["scores"] if r["metric"] == "parse_f1"} == {29, 9}
    assert metrics["tokens"] == {"vanilla": 0, "plain": 30, "structure": 10, "both": 30}
    assert metrics["tasks"] == {"both": {"tree_pruning": {"mean": 0.5, "examples": 1}}}
    assert metrics["parses"] == {"status": {"parsed": 40}, "reasons": {}}
    assert (metrics["design"]["outputs"], metrics["design"]["without_tree"]) == (180, 6)
    assert [r["id"] for r in metrics["examples"]] == ["p00", "p14", "p29"]
    assert {r["start"] for r in metrics["examples"]} == {"both"}
    drawn = sorted(path.name for path in (tmp_path / "out" / "figures").iterdir())
    assert drawn == [f"paraphrase_scores.{kind}" for kind in ("csv", "png", "svg")]


def test_fewer_edits_are_better():
    assert compare.judge(Interval(-2, -3, -1), less_is_better=True) == "held"
    assert compare.judge(Interval(2, 1, 3), less_is_better=True) == "did not hold"
    assert compare.judge(Interval(-2, -3, 0), less_is_better=True) == "undecided"


def test_the_report_shows_claim_table_and_trees(tmp_path, data):
    metrics = compared(tmp_path, scores_of(tmp_path, data, {"vanilla": 0.2, "both": 0.6}))
    metrics["examples"][1]["output"] = None
    metrics["examples"][1]["reason"] = "no tree found"
    part = paraphrases_part(metrics, "../compare_paraphrases/mini", {})
    assert part.verdict == "held"
    assert part.finding == (
        "After both stages BLEU-4 is 0.4 higher than that of T5: 0.6 against 0.3. No run starts "
        "from T5, trained longer: what the stages add cannot be told from what longer training "
        "adds."
    )
    assert [row["headline"] for row in part.rows] == [True, False]
    assert [list(example.trees) for example in part.examples] == [
        ["source", "template", "output"],
        ["source", "template"],
        ["source", "template", "output"],
    ]


def test_the_claim_is_about_the_control_where_there_is_one(tmp_path, data):
    levels = {"vanilla": 0.2, "plain": 0.9, "both": 0.6}
    metrics = compared(tmp_path, scores_of(tmp_path, data, levels))
    part = paraphrases_part(metrics, "../compare_paraphrases/mini", {})
    assert part.verdict == "did not hold"
    assert part.finding.startswith(
        "After both stages BLEU-4 is 0.3 lower than that of T5, trained longer: "
    )
    assert part.finding.endswith(": the opposite of the claim.")
