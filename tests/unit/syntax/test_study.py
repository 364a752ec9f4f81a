"""The steps of the study one after the other, on a handful of rows and without Java."""

import csv
import json
import random
from pathlib import Path

import numpy as np
import pytest
from random_trees import random_tree
from test_seq2seq import RECIPE

from tuneatlas.errors import UserError
from tuneatlas.step import Step
from tuneatlas.syntax import compare, runs, steps
from tuneatlas.syntax.linear import write_bracket
from tuneatlas.syntax.scores import CORPUS
from tuneatlas.syntax.tables import (
    GENERATIONS,
    PAIRS,
    PARAPHRASES,
    PARSES,
    SCORES,
    SENTENCES,
    TASKS,
)
from tuneatlas.syntax.trees import words

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
        | {"split": "train" if i < 8 else "test", "pivot": "x", **ORIGIN}
        for i in range(12)
    ]
    PAIRS.write(folder / "pairs.parquet", pairs)
    return folder


def trained(tmp_path, data, run, base: Path, name: str, inputs: dict, options: dict, **wildcards):
    recipe = {**vars(RECIPE), "epochs": 1, "row_length": 200, **options}
    outputs = {"model": tmp_path / name}
    info = run(make_step(tmp_path / name, outputs, {"model": base, **inputs}, recipe, **wildcards))
    assert info["steps"] > 0 and np.isfinite(info["final_loss"])
    assert (tmp_path / name / "model.safetensors").is_file()
    return tmp_path / name


def test_from_sentences_to_paraphrases(tmp_path, data):
    parses = [data / "0.parquet", data / "1.parquet"]
    paraphrases = tmp_path / "paraphrases.parquet"
    options = {"height": 5, "pool": 9, "overlap": 1.0, "hard": 0.5}
    given = {"pairs": data / "pairs.parquet", "parses": parses}
    info = steps.prepare_paraphrases(
        make_step(tmp_path, {"paraphrases": paraphrases}, given, options)
    )
    assert info == {"paraphrases": {"train": 8, "test": 4}, "left_out": 0}

    tasks = {"structure_tasks": [], "syntax_tasks": ["tree_pruning"], "share": 1.0, "heldout": 6}
    tasks |= {"structure_passes": 2, "syntax_passes": 1, "form": "bracket"}
    for stage in ("structure", "syntax"):
        outputs = {n: tmp_path / f"{stage}-{n}.parquet" for n in ("train", "heldout")}
        info = steps.build_tasks(make_step(tmp_path, outputs, given, tasks, stage=stage))
        rows, held = (TASKS.read(outputs[n]) for n in ("train", "heldout"))
        assert sum(info["train"].values()) == len(rows) > 20
        # Neither sentences of test pairs nor trees held out.
        used, kept = ({r["id"].split("#")[0] for r in part} for part in (rows, held))
        assert not used & kept
        assert not (used | kept) & {f"t/{i}" for i in range(16, 24)}
    assert {r["task"] for r in rows} == {"tree_pruning"}

    base = tmp_path / "base"
    new = {"source": "scratch", "vocab_size": 320, **SMALL}
    sentences = {"sentences": data / "sentences.parquet"}
    runs.prepare_paraphraser(make_step(tmp_path, {"model": base}, sentences, new))
    table = {"tasks": tmp_path / "structure-train.parquet"}
    first = trained(tmp_path, data, runs.pretrain, base, "first", table, {})
    table = {"tasks": tmp_path / "syntax-train.parquet", "parses": parses}
    second = trained(tmp_path, data, runs.pretrain, first, "second", table, {})
    table = {"paraphrases": paraphrases, "parses": parses}
    wildcards = {"format": "aesop_tree", "share": "50"}
    run = runs.finetune_paraphrase
    tuned = trained(tmp_path, data, run, second, "tuned", table, SHOWN, **wildcards)

    scores = tmp_path / "tasks.parquet"
    given = {"model": second, "tasks": tmp_path / "syntax-heldout.parquet"}
    search = SEARCH | {"form": "bracket"}
    runs.evaluate_tasks(make_step(tmp_path, {"scores": scores}, given, search))
    assert {row["metric"] for row in SCORES.read(scores)} == {"tree_pruning"}

    written = tmp_path / "written.parquet"
    given = {"model": tuned, "paraphrases": paraphrases}
    step = make_step(tmp_path, {"generations": written}, given, SEARCH | SHOWN, **wildcards)
    runs.generate_paraphrases(step)
    found = GENERATIONS.read(written)
    assert [row["id"] for row in found] == ["p8", "p9", "p10", "p11"]
    assert all(" <sep> " in row["input"] for row in found)

    with pytest.raises(UserError, match="no example is within 2 tokens"):
        trained(tmp_path, data, run, second, "none", table, SHOWN | {"row_length": 2}, **wildcards)


def test_comparison(tmp_path, data):
    ids = [f"p{i}" for i in range(30)]
    rows = [
        {"id": i, "split": "test", "source": "", "target": "", "template": "", "template_id": ""}
        | {"template_ted": 0, "source_ted": 0, "hard": n < 10}
        for n, i in enumerate(ids)
    ]
    PARAPHRASES.write(tmp_path / "paraphrases.parquet", rows)
    TASKS.write(tmp_path / "heldout.parquet", [])
    rng = np.random.default_rng(1)
    paths = []
    for start, level in (("vanilla", 0.2), ("both", 0.6)):
        for seed in (0, 1):
            path = tmp_path / start / "aesop" / "100" / f"{seed}.parquet"
            values = level + 0.1 * rng.random(30)
            rows = [
                {"id": i, "metric": "meteor", "value": v} for i, v in zip(ids, values, strict=True)
            ]
            SCORES.write(
                path, [*rows, {"id": CORPUS, "metric": "corpus_bleu4", "value": 10 * level}]
            )
            paths.append(path)
    inputs = {
        "scores": paths,
        "tasks": [paths[0]],
        "heldout": [tmp_path / "heldout.parquet"],
        "paraphrases": tmp_path / "paraphrases.parquet",
    }
    step = make_step(
        tmp_path, {"folder": tmp_path / "out"}, inputs, {"draws": 200, "confidence": 0.95}
    )
    compare.compare_paraphrases(step)
    found = list(csv.DictReader((tmp_path / "out" / "scores.csv").open()))
    assert [(r["start"], r["subset"], r["pairs"]) for r in found] == [
        ("vanilla", "all", "30"),
        ("vanilla", "hard", "10"),
        ("both", "all", "30"),
        ("both", "hard", "10"),
    ]
    gain = [float(found[2][f"gain_{end}"]) for end in ("low", "value", "high")]
    assert 0.35 < gain[0] < gain[1] < gain[2] < 0.45
    assert float(found[0]["gain_value"]) == 0
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["tasks"]["0"]
    assert [(r["start"], r["seeds"]) for r in metrics["corpus_bleu4"]] == [
        ("vanilla", [2.0, 2.0]),
        ("both", [6.0, 6.0]),
    ]
