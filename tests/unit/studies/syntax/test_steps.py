"""The steps of the syntax study one after the other, on a handful of rows and without Java."""

import json
from itertools import count, product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.unit.steps import a_step
from tests.unit.training.recipes import RECIPE
from tuneatlas.engine import resume as parts
from tuneatlas.errors import UserError
from tuneatlas.models.folder import SUMMARY
from tuneatlas.studies.syntax.paraphrasing.finetune import finetune_paraphrase
from tuneatlas.studies.syntax.paraphrasing.generate import generate_paraphrases
from tuneatlas.studies.syntax.paraphrasing.prepare import prepare_paraphrases
from tuneatlas.studies.syntax.pretraining.build import build_tasks
from tuneatlas.studies.syntax.pretraining.evaluate import evaluate_tasks
from tuneatlas.studies.syntax.pretraining.labels import collect_labels
from tuneatlas.studies.syntax.pretraining.prepare import prepare_paraphraser
from tuneatlas.studies.syntax.pretraining.pretrain import pretrain
from tuneatlas.studies.syntax.tables import (
    GENERATIONS,
    PARAPHRASES,
    PARSES,
    SCORES,
    TASKS,
)
from tuneatlas.studies.syntax.trees.linear import read_bracket
from tuneatlas.studies.syntax.trees.trees import nodes
from tuneatlas.workflow import task_options

SHOWN = {"height": 5, "form": "bracket"}
SEARCH = {"beams": 2, "length_penalty": 1.0, "max_new_tokens": 8, "max_length": 40, "batch_rows": 4}
SMALL = {"hidden_size": 16, "intermediate_size": 32, "layers": 1, "heads": 2, "dropout": 0.1}


def summary(model: Path) -> dict:
    return json.loads((model / SUMMARY).read_text())


def trained(tmp_path, data, run, base: Path, name: str, inputs: dict, options: dict, **wildcards):
    recipe = {**vars(RECIPE), "epochs": 1, "row_length": 200, **options}
    outputs = {"model": tmp_path / name}
    info = run(a_step(tmp_path / name, {"model": base, **inputs}, outputs, recipe, **wildcards))
    assert info["steps"] > 0 and np.isfinite(info["final_loss"])
    assert (tmp_path / name / "model.safetensors").is_file()
    return tmp_path / name


def test_from_sentences_to_paraphrases(tmp_path, data, monkeypatch):
    parses = [data / "0.parquet", data / "1.parquet"]
    paraphrases = tmp_path / "paraphrases.parquet"
    options = {"height": 5, "pool": 9, "overlap": 1.0, "hard": 0.5}
    given = {"pairs": data / "pairs.parquet", "parses": parses}
    info = prepare_paraphrases(a_step(tmp_path, given, {"paraphrases": paraphrases}, options))
    assert info == {"paraphrases": {"train": 8, "test": 4}, "left_out": 0, "without_exemplar": 0}

    labels = tmp_path / "labels.json"
    collect_labels(a_step(tmp_path, {"parses": parses}, {"labels": labels}, {}))
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
        info = build_tasks(a_step(tmp_path, shards, outputs, chosen, **wildcards))
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
    prepare_paraphraser(a_step(tmp_path, sentences, {"model": base}, new))
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
    evaluate_tasks(a_step(tmp_path, given, {"scores": scores}, search))
    assert {row["metric"] for row in SCORES.read(scores)} == {"tree_pruning"}

    written = tmp_path / "written.parquet"
    given = {"model": tuned, "paraphrases": paraphrases}
    step = a_step(tmp_path, given, {"generations": written}, SEARCH | SHOWN, **wildcards)
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
