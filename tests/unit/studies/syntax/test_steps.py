"""The steps of the syntax study one after the other, on a handful of rows and without Java."""

import json
from itertools import count, product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.examples import TEMPLATES
from tests.unit.steps import a_step, run_script
from tests.unit.training.recipes import RECIPE
from tuneatlas.config.slices import syntax_options, task_options, tuning_options
from tuneatlas.engine import resume as parts
from tuneatlas.errors import UserError
from tuneatlas.models.folder import SUMMARY
from tuneatlas.studies.syntax.paraphrasing.finetune import finetune_paraphrase
from tuneatlas.studies.syntax.pretraining.prepare import prepare_paraphraser
from tuneatlas.studies.syntax.pretraining.pretrain import (
    pretrain_on_structure,
    pretrain_on_syntax,
    pretrain_plainly,
)
from tuneatlas.studies.syntax.tables import GENERATIONS, PARAPHRASES, PARSES, SCORES, TASKS
from tuneatlas.studies.syntax.trees.linear import read_bracket
from tuneatlas.studies.syntax.trees.trees import nodes

SHOWN = {"height": 5}
SEARCH = {"beams": 2, "length_penalty": 1.0, "max_new_tokens": 8, "max_length": 40, "batch_rows": 4}
SEARCH |= {"min_length": 2, "no_repeat_ngram_size": 3, "search": "early"}
PAIRED = {"end_when_cut": True, "group_by_length": True, "overwrite_pieces": False, "dropout": 0.0}
SMALL = {"hidden_size": 16, "intermediate_size": 32, "layers": 1, "heads": 2, "dropout": 0.1}


def template(name: str) -> dict:
    """The input that a format's file is."""
    return {"format": [TEMPLATES / "paraphrases" / f"{name}.yaml"]}


def summary(model: Path) -> dict:
    return json.loads((model / SUMMARY).read_text())


def trained(tmp_path, data, run, base: Path, name: str, inputs: dict, options: dict, **wildcards):
    recipe = {**vars(RECIPE), **PAIRED, "epochs": 1, "row_length": 200, **options}
    outputs = {"model": tmp_path / name}
    info = run(a_step(tmp_path / name, {"model": base, **inputs}, outputs, recipe, **wildcards))
    assert info["steps"] > 0 and np.isfinite(info["final_loss"])
    assert (tmp_path / name / "model.safetensors").is_file()
    return tmp_path / name


def test_from_sentences_to_paraphrases(tmp_path, data, monkeypatch):
    parses = [data / "0.parquet", data / "1.parquet"]
    paraphrases = tmp_path / "paraphrases.parquet"
    options = {"height": 5, "pool": 9, "overlap": 1.0, "hard": 0.5, "long": 0.5}
    given = {"pairs": data / "pairs.parquet", "parses": parses}
    step = a_step(tmp_path, given, {"paraphrases": paraphrases}, options)
    assert run_script("prepare_paraphrases", step) == {
        "paraphrases": {"train": 7, "dev": 1, "test": 4},
        "left_out": 0,
        "without_exemplar": 0,
    }

    labels = tmp_path / "labels.json"
    run_script("collect_labels", a_step(tmp_path, {"parses": parses}, {"labels": labels}, {}))
    trees = [read_bracket(row["tree"]) for path in parses for row in PARSES.read(path)]
    found = {node.label for tree in trees for _, node in nodes(tree)}
    assert json.loads(labels.read_text()) == sorted(found)

    base = tmp_path / "base"
    new = {"source": "scratch", "vocab_size": 320, **SMALL}
    sentences = {"sentences": data / "sentences.parquet"}
    prepare_paraphraser(a_step(tmp_path, sentences, {"model": base}, new))

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
        step = a_step(tmp_path, shards, outputs, chosen, **wildcards)
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
        step = a_step(tmp_path, given, {"scores": scores}, SEARCH | {"form": "bracket"})
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
    step = a_step(tmp_path, given, {"generations": written}, search)
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
    models = {"paraphrasers": {"t5": {"family": None}, "many-0": {"family": "many"}}}
    tuned = {"finetune_paraphrase": {**several, "epochs": 8}, **models}
    assert tuning_options(tuned, "t5") == {"epochs": 8}
    assert tuning_options(tuned, "many-0") == {"epochs": 8, "own_pairs": True}
