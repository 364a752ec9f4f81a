"""A results folder of a few rows with true records: made by the step frame, without models."""

import json
import os
import random
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from snakemake.iocontainers import InputFiles, Log, OutputFiles, Params, Wildcards

from tuneatlas.engine.step import Step, step
from tests.examples import question
from tuneatlas.engine.files import FOLDER_MARK
from tuneatlas.engine.records import SUFFIX, dump
from tuneatlas.models.prompts import QuestionTemplate
from tuneatlas.studies.knowledge.label import label_questions
from tuneatlas.studies.knowledge.mix import mix_instructions
from tuneatlas.studies.knowledge.robust import knowledge_row
from tuneatlas.tables import ANSWERS, CONVERSATIONS, EXPLANATIONS, KNOWLEDGE, LABELS, QUESTIONS

MODEL = {"model": "mini"}
DOMAIN = {**MODEL, "domain": "numbers"}
RUN = {**DOMAIN, "group": "mixed_40", "seed": "0"}
PROBED = "results/probe_knowledge/mini/numbers.parquet"
TEMPLATE = "config/templates/questions/cloze.yaml"


def make_results(project: Path, root: Path) -> Path:
    """Nine outputs of seven steps in ``project``, which gets scripts and templates of ``root``."""
    for name in ("workflow", "config"):
        (project / name).symlink_to(root / name)
    here = Path.cwd()
    os.chdir(project)
    try:
        _run(project)
    finally:
        os.chdir(here)
    return project / "results"


def _run(project: Path) -> None:
    rows = [question(n, split=_split(n)) for n in range(30)]
    asked = [r for r in rows if r["split"] != "dev"]
    test = [r for r in rows if r["split"] == "test"]
    questions = "results/prepare_questions/numbers.parquet"
    base, probed = "results/prepare_base/mini", PROBED
    labels = "results/label_knowledge/mini/numbers.parquet"
    explained = "results/explain_predictions/mini/numbers.parquet"
    mixed = "results/mix_instructions/mini/numbers/mixed_40/0.parquet"
    tuned = "results/finetune/mini/numbers/mixed_40/0"
    tested = "results/evaluate_knowledge/mini/numbers/mixed_40/0.parquet"
    _step("prepare_questions", {"domain": "numbers"}, [], questions, _rows(QUESTIONS, rows))
    _step("prepare_base", MODEL, [], base, _model)
    asked = [r for r in rows if r["split"] != "dev"]
    _step(
        "probe_knowledge",
        DOMAIN,
        [base, questions, TEMPLATE],
        probed,
        _rows(ANSWERS, answers(asked)),
    )
    known = [knowledge_row(r, [np.zeros(len(r["choices"]))]) for r in asked]
    categories = "results/probe_knowledge/mini/categories/numbers.parquet"
    inputs = [base, questions, TEMPLATE]
    _step("probe_knowledge", DOMAIN, inputs, categories, _rows(KNOWLEDGE, known))
    train = [a for a in answers(asked) if a["split"] == "train"]
    groups = label_questions(train, harmonious_size="match", rng=random.Random(1))
    _step(
        "label_knowledge",
        DOMAIN,
        [probed],
        labels,
        _rows(LABELS, groups),
        harmonious_size="match",
    )
    own = [
        {"id": r["id"], "pred": r["pred"], "explanation": "So.", "finish": "end", "prompt": "Why?"}
        for r in groups
        if r["group"] == "self_aligning"
    ]
    _step(
        "explain_predictions",
        DOMAIN,
        [base, questions, labels],
        explained,
        _rows(EXPLANATIONS, own),
    )
    talks = mix_instructions(
        groups,
        {r["id"]: r for r in rows},
        {r["id"]: r["explanation"] for r in own},
        group="mixed_40",
        template=QuestionTemplate.load(Path(TEMPLATE)),
        rng=random.Random(2),
    )
    inputs = [questions, labels, explained, TEMPLATE]
    _step("mix_instructions", RUN, inputs, mixed, _rows(CONVERSATIONS, talks))
    chat = "config/templates/chat/vicuna.yaml"
    _step("finetune", RUN, [base, mixed, chat], tuned, _model)
    inputs = [tuned, questions, TEMPLATE, chat]
    _step("evaluate_knowledge", RUN, inputs, tested, _rows(ANSWERS, answers(test)))
    inputs = [questions, probed, labels, tested]
    _step("compare_groups", MODEL, inputs, "results/compare_groups/mini", _metrics)


def answers(rows: list[dict]) -> list[dict]:
    """Answers of a model that is right on every third question."""
    found = []
    for number, row in enumerate(rows):
        pred = 0 if number % 3 == 0 else 1
        probs = [0.7 if i == pred else 0.1 for i in range(4)]
        found.append(
            {
                **{k: row[k] for k in ("id", "domain", "relation", "role", "split", "answer")},
                "scores": [-1.0 if i == pred else -3.0 for i in range(4)],
                "probs": probs,
                "pred": pred,
                "correct": pred == row["answer"],
                "tied": 0,
                "gold_prob": probs[row["answer"]],
                "pred_prob": probs[pred],
                "prompt": f"{row['question']}\nAnswer:",
            }
        )
    return found


def _split(number: int) -> str:
    return "dev" if number < 4 else "train" if number < 20 else "test"


def _rows(table, rows: list[dict]) -> Callable[[Step], None]:
    return lambda this: table.write(this.outputs["file"], rows)


def _model(this: Step) -> None:
    folder = this.outputs["file"]
    folder.mkdir()
    header = json.dumps({"w": {"dtype": "F32", "shape": [64], "data_offsets": [0, 256]}}).encode()
    data = random.Random(str(folder)).randbytes(256)
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + data)
    (folder / "config.json").write_text('{"model_type": "llama"}\n')
    (folder / "tokenizer.json").write_text("{}\n")


def _metrics(this: Step) -> None:
    folder = this.outputs["file"]
    (folder / "figures").mkdir(parents=True)
    (folder / "metrics.json").write_text('{"accuracy": {"value": 0.5, "low": 0.4, "high": 0.6}}\n')
    (folder / "figures" / "a.csv").write_text("x,y\n1,2\n")


def _step(
    name: str, wildcards: dict, inputs: list[str], output: str, write: Callable, **options: object
) -> None:
    job = SimpleNamespace(
        config={},
        rule=name,
        input=InputFiles(fromdict={f"i{n}": path for n, path in enumerate(inputs)}),
        output=OutputFiles(fromdict={"file": output}),
        params=Params(fromdict={"options": options, "seed": 42}),
        wildcards=Wildcards(fromdict=wildcards),
        threads=1,
        resources={},
        scriptdir="workflow/scripts",
        log=Log([f"logs/{name}.log"]),
    )
    with step(job) as this:
        write(this)
    if Path(output).is_dir():
        (Path(output) / FOLDER_MARK).touch()


def rewrite(results: Path, name: str, **changes: Any) -> None:
    """Change the record of an output, and seal it again."""
    path = results.parent / (name + SUFFIX)
    record = json.loads(path.read_text()) | changes
    path.write_text(dump({k: v for k, v in record.items() if k != "seal"}))
