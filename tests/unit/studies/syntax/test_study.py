"""The steps of the study one after the other, on a handful of rows and without Java."""

import json
import random
import re
from contextlib import nullcontext
from itertools import count, product
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import pytest
from conftest import ROOT, TEMPLATES
from random_trees import random_tree
from recipes import RECIPE

from tuneatlas.engine import resume as parts
from tuneatlas.engine.step import Step
from tuneatlas.errors import UserError
from tuneatlas.models.folder import SUMMARY
from tuneatlas.report.paraphrases import paraphrases_part
from tuneatlas.statistics.bleu import bleu_counts, bleu_interval
from tuneatlas.studies.syntax.paraphrasing.finetune import choose_pairs, finetune_paraphrase
from tuneatlas.studies.syntax.pretraining.prepare import prepare_paraphraser
from tuneatlas.studies.syntax.pretraining.pretrain import (
    pretrain_on_structure,
    pretrain_on_syntax,
    pretrain_plainly,
)
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
from tuneatlas.workflow import syntax_options, task_options, tuning_options

ORIGIN = {"source": "test", "licence": "none"}
SHOWN = {"height": 5}
SEARCH = {"beams": 2, "length_penalty": 1.0, "max_new_tokens": 8, "max_length": 40, "batch_rows": 4}
SEARCH |= {"min_length": 2, "no_repeat_ngram_size": 3, "search": "early"}
PAIRED = {"end_when_cut": True, "group_by_length": True, "overwrite_pieces": False, "dropout": 0.0}
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


def run_script(name: str, step: Step, **params) -> dict:
    """Run a step's script; what it reports."""
    text = (ROOT / "workflow/scripts" / f"{name}.py").read_text(encoding="utf-8")
    job = SimpleNamespace(params=SimpleNamespace(**params))
    with patch("tuneatlas.engine.step.step", lambda _: nullcontext(step)):
        exec(compile(text, name, "exec"), {"snakemake": job})
    return step.info


def template(name: str) -> dict:
    """The input that a format's file is."""
    return {"format": [TEMPLATES / "paraphrases" / f"{name}.yaml"]}


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
        | {"template_id": None, "pivot": "x", **ORIGIN}
        | {"split": "train" if i < 7 else "dev" if i == 7 else "test"}
        for i in range(12)
    ]
    PAIRS.write(folder / "pairs.parquet", pairs)
    return folder


def summary(model: Path) -> dict:
    return json.loads((model / SUMMARY).read_text())


def trained(tmp_path, data, run, base: Path, name: str, inputs: dict, options: dict, **wildcards):
    recipe = {**vars(RECIPE), **PAIRED, "epochs": 1, "row_length": 200, **options}
    outputs = {"model": tmp_path / name}
    info = run(make_step(tmp_path / name, outputs, {"model": base, **inputs}, recipe, **wildcards))
    assert info["steps"] > 0 and np.isfinite(info["final_loss"])
    assert (tmp_path / name / "model.safetensors").is_file()
    return tmp_path / name


def test_from_sentences_to_paraphrases(tmp_path, data, monkeypatch):
    parses = [data / "0.parquet", data / "1.parquet"]
    paraphrases = tmp_path / "paraphrases.parquet"
    options = {"height": 5, "pool": 9, "overlap": 1.0, "hard": 0.5, "long": 0.5}
    given = {"pairs": data / "pairs.parquet", "parses": parses}
    step = make_step(tmp_path, {"paraphrases": paraphrases}, given, options)
    assert run_script("prepare_paraphrases", step) == {
        "paraphrases": {"train": 7, "dev": 1, "test": 4},
        "left_out": 0,
        "without_exemplar": 0,
    }

    labels = tmp_path / "labels.json"
    run_script("collect_labels", make_step(tmp_path, {"labels": labels}, {"parses": parses}, {}))
    trees = [read_bracket(row["tree"]) for path in parses for row in PARSES.read(path)]
    found = {node.label for tree in trees for _, node in nodes(tree)}
    assert json.loads(labels.read_text()) == sorted(found)

    base = tmp_path / "base"
    new = {"source": "scratch", "vocab_size": 320, **SMALL}
    sentences = {"sentences": data / "sentences.parquet"}
    prepare_paraphraser(make_step(tmp_path, {"model": base}, sentences, new))

    tasks = {"structure_tasks": [], "syntax_tasks": [], "heldout": 6, "refill": False}
    tasks |= {"plain_passes": 1, "structure_passes": 2, "syntax_passes": 2}
    tasks |= {"structure_share": 1.0, "syntax_share": 1.0, "structure_form": "bracket"}
    built = {}
    for stage, shard in product(("plain", "structure", "syntax"), (1, 2)):
        outputs = {n: tmp_path / f"{stage}-{n}-{shard}.parquet" for n in ("train", "heldout")}
        real = stage == "syntax"
        shards = {"pairs": data / "pairs.parquet", "parses": parses[shard - 1 : shard]}
        shards |= {"tokenizer": base if real else [], "labels": labels if real else []}
        wildcards = {"stage": stage, "scatteritem": f"{shard}-of-2"}
        chosen = task_options({"build_tasks": tasks}, stage)
        step = make_step(tmp_path, outputs, shards, chosen, **wildcards)
        info = run_script("build_tasks", step)
        rows, held = (TASKS.read(outputs[n]) for n in ("train", "heldout"))
        assert sum(info["train"].values()) == len(rows) > 9
        # Neither sentences of test pairs nor trees held out.
        used, kept = ({r["id"].split("#")[0] for r in part} for part in (rows, held))
        assert len(kept) <= 3 and not used & kept
        assert not (used | kept) & {f"t/{i}" for i in range(14, 24)}
        built.setdefault(stage, []).append(outputs["train"])

    table = {"tasks": built["structure"]}
    twice = {"epochs": 2, "row_length": 60}
    first = trained(tmp_path, data, pretrain_on_structure, base, "first", table, twice)
    assert summary(first)["cut"] > 0
    table = {"tasks": built["syntax"], "labels": labels}
    once = {"epochs": 1, "row_length": 200, "without": []}
    run = pretrain_on_syntax
    second = trained(tmp_path, data, run, first, "second", table, once, start="both")
    # A mask makes the run shorter.
    less = once | {
        "without": [f"denoise_{a}_{b}" for a in ("low", "high") for b in ("intra", "inter")]
    }
    masked = trained(tmp_path, data, run, first, "masked", table, less, start="no_unsupervised")
    assert summary(masked)["tokens_seen"] < summary(second)["tokens_seen"]
    # The control sees as many tokens as both stages, each trained in its own way; in whole steps.
    table = {**built, "tasks": built["plain"], "labels": labels}
    both = {"as_both": {"structure": twice, "syntax": once}, "row_length": 40, "batch": 2}
    # A clock by which counting takes long enough to be kept.
    monkeypatch.setattr(parts, "time", SimpleNamespace(monotonic=count(0, 100).__next__))
    run = pretrain_plainly
    control = trained(tmp_path, data, run, base, "control", table, both)
    seen = [summary(model)["tokens_seen"] for model in (first, second, control)]
    assert 0 <= seen[2] - (seen[0] + seen[1]) < 2 * 2 * 40
    # Cut off and started again, it does not count them anew.
    again = table | {"structure": [], "syntax": []}
    trained(tmp_path, data, run, base, "control", again, both)
    assert summary(control)["tokens_seen"] == seen[2]
    monkeypatch.undo()

    scores = tmp_path / "tasks.parquet"
    held = [tmp_path / f"{stage}-heldout-1.parquet" for stage in ("structure", "syntax")]
    for path in held:
        given = {"model": second, "tasks": path}
        step = make_step(tmp_path, {"scores": scores}, given, SEARCH | {"form": "bracket"})
        assert run_script("evaluate_tasks", step)["examples"] == len(TASKS.read(path))
        assert {r["metric"] for r in SCORES.read(scores)} == {r["task"] for r in TASKS.read(path)}

    table = {"paraphrases": paraphrases, "labels": labels}
    run, tuning = finetune_paraphrase, SHOWN | {"choose": "dev", "epochs": 3}
    for start, model in (("both", second), ("vanilla", base)):
        names = {"format": "triplet_sentencetree", "share": "50", "seed": "0", "start": start}
        inputs = table | template("triplet_sentencetree")
        tuned = trained(tmp_path, data, run, model, f"tuned-{start}", inputs, tuning, **names)
        said = summary(tuned)
        assert len(said["dev_bleu4"]) == 3
        assert said["epoch"] == 1 + said["dev_bleu4"].index(max(said["dev_bleu4"]))

    written = tmp_path / "written.parquet"
    given = {"model": tuned, "paraphrases": paraphrases, **template("triplet_sentencetree")}
    search = SEARCH | SHOWN | {"max_new_tokens": None}
    step = make_step(tmp_path, {"generations": written}, given, search)
    assert run_script("generate_paraphrases", step)["paraphrases"] == 4
    found = GENERATIONS.read(written)
    assert [row["id"] for row in found] == ["p8", "p9", "p10", "p11"]
    assert all(row["input"].startswith("no-tree-scpg source sentence: ") for row in found)

    # Of three pairs that have no exemplar the trees are trained on, but no words are shown.
    rows = PARAPHRASES.read(paraphrases)
    lacking = {"exemplar": None, "exemplar_id": None, "exemplar_ted": None, "source_ted": None}
    for row in rows[:3]:
        row |= lacking
    PARAPHRASES.write(paraphrases, rows)
    tuning = SHOWN | {"choose": "last"}
    names = {"share": "100", "seed": "0", "start": "both"}
    for kind, left_out in (("aesop", 0), ("aesop_triple", 3), ("triplet", 3)):
        inputs = table | template(kind)
        tuned = trained(tmp_path, data, run, second, kind, inputs, tuning, format=kind, **names)
        assert summary(tuned)["without_exemplar"] == left_out and "epoch" not in summary(tuned)
    for row in rows:
        row |= lacking
    PARAPHRASES.write(paraphrases, rows)
    with pytest.raises(UserError, match="triplet shows the exemplar, and no training pair has one"):
        trained(tmp_path, data, run, second, "words", inputs, tuning, **names)
    # Exemplars are not at fault where there are no training pairs.
    PARAPHRASES.write(paraphrases, [row for row in rows if row["split"] == "test"])
    with pytest.raises(UserError, match="there is no example to train on"):
        trained(tmp_path, data, run, second, "empty", inputs, tuning, **names)


def test_a_smaller_share_is_part_of_a_larger_and_another_seed_draws_others():
    rows = [{"id": str(n)} for n in range(50)]
    few, many = (choose_pairs(rows, share, random.Random(1)) for share in (10, 40))
    assert len(few) == 5 and many[:5] == few
    assert choose_pairs(rows, 10, random.Random(2)) != few
    assert len(choose_pairs(rows, 1, random.Random(1))) == 1


def test_a_stage_is_built_by_its_own_options():
    options = {"structure_form": "bracket", "syntax_share": 0.5, "plain_passes": 1, "heldout": 3}
    options |= {"refill": True}
    found = {s: task_options({"build_tasks": options}, s) for s in ("plain", "structure", "syntax")}
    assert found["plain"] == {"plain_passes": 1, "heldout": 3}
    assert found["structure"] == {"structure_form": "bracket", "heldout": 3, "refill": True}
    assert found["syntax"] == {"syntax_share": 0.5, "heldout": 3, "refill": True}


def test_another_start_or_mask_changes_no_other_training():
    config = {"pretrain_syntax": {"epochs": 1, "masks": {"less": ["tree_pruning"], "other": []}}}
    assert syntax_options(config, "both") == {"epochs": 1, "without": []}
    assert syntax_options(config, "less") == {"epochs": 1, "without": ["tree_pruning"]}
    several = dict.fromkeys(("formats", "starts", "shares", "seeds"), ())
    assert tuning_options({"finetune_paraphrase": {**several, "epochs": 8}}) == {"epochs": 8}


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
    inputs = {"scores": [], "candidates": [], "models": [], "tasks": []}
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
    options |= {"oracles": [], "choose": "dev", "without": {"no_auxiliary": ["tree_pruning"]}}
    step = make_step(tmp_path, {"folder": tmp_path / "out"}, inputs, options | more)
    run_script("compare_paraphrases", step)
    return json.loads((tmp_path / "out" / "metrics.json").read_text())


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
    assert drawn == [f"paraphrase_scores.{kind}" for kind in ("csv", "png", "svg")]


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


def test_the_interval_of_corpus_bleu_covers():
    """Of many corpora of one kind, most intervals hold the value of a far larger one."""
    rng = random.Random(1)

    def corpus(pairs):
        found = []
        for _ in range(pairs):
            reference = [rng.choice("abcdefgh") for _ in range(9)]
            candidate = [w if rng.random() < 0.8 else rng.choice("abcdefgh") for w in reference]
            found.append(bleu_counts(candidate, reference))
        return np.array([found])

    true = bleu_interval(corpus(20_000), np.random.default_rng(0), draws=1).value
    held = 0
    for number in range(100):
        found = bleu_interval(corpus(100), np.random.default_rng(number), draws=300)
        held += found.low <= true <= found.high
    assert held >= 88
    with pytest.raises(ValueError, match="not paired"):
        bleu_interval(corpus(3), np.random.default_rng(0), other=corpus(4))
    one, rng_ = corpus(50), np.random.default_rng
    alike = bleu_interval(one, rng_(1), draws=50, other=one)
    assert alike == (0, 0, 0)


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
