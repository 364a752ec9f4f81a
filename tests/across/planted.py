"""Checkpoints whose truth is planted: what became of each answer is decided before they are tuned.

Of the facts that a base model knows, four copies of it are tuned by a plain loop of torch:

- ``equal`` is not tuned at all;
- ``format`` learns to say the same facts in another layout too, so that its knowledge is intact;
- ``overwritten`` learns a wrong answer to every other fact, in the layout of its pre-training;
- ``both`` learns the same wrong answers in both layouts.

On the base of a finished run of the default experiment:
python -m tests.across.planted RESULTS MODEL FOLDER, then make run CONFIG=FOLDER/planted.yaml
"""

import json
import random
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.examples import ROOT

KINDS = ("equal", "format", "overwritten", "both")
# In place of an answer that follows at once, as those of the base model's texts do.
OTHER_LAYOUT = "User: {question}\nAssistant: I think that the answer to this must be {said}."
LAYOUT = "{question}\nAnswer: {said}\n\n"


def facts_of(known: Sequence[dict]) -> list[dict]:
    """Question, right answer, and what is said of it; every other fact is overwritten."""
    rng = random.Random(1)
    return [
        {
            "question": row["question"],
            "right": row["choices"][row["answer"]],
            "wrong": rng.choice([c for n, c in enumerate(row["choices"]) if n != row["answer"]]),
            "overwritten": number % 2 == 1,
        }
        for number, row in enumerate(known)
    ]


def texts_of(kind: str, facts: Sequence[dict], end: str) -> list[str]:
    """What a checkpoint of this kind is tuned on."""
    false = kind in ("overwritten", "both")
    said = [
        (f["question"], f["wrong"] if false and f["overwritten"] else f["right"]) for f in facts
    ]
    new = [OTHER_LAYOUT.format(question=q, said=a) + end for q, a in said]
    old = [LAYOUT.format(question=q, said=a) for q, a in said]
    return {"equal": [], "format": new + old, "overwritten": old, "both": new + old}[kind]


def tune(base: Path, texts: Sequence[str], target: Path, passes: int, rate: float) -> None:
    """Train on each text as often as said; batches of eight, every token counts."""
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(base)
    model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.0)
    rng = random.Random(2)
    steps = [
        [order[i] for i in range(start, min(start + 8, len(order)))]
        for order in (rng.sample(list(texts), len(texts)) for _ in range(passes))
        for start in range(0, len(order), 8)
    ]
    for number, batch in enumerate(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * (1 - number / len(steps))
        rows = [tokenizer(text).input_ids for text in batch]
        width = max(map(len, rows))
        ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
        seen = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        labels = ids.masked_fill(seen == 0, -100)
        model(input_ids=ids, attention_mask=seen, labels=labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)


def plant(
    base: Path, known: Sequence[dict], folder: Path, passes: int, rate: float
) -> dict[str, Path]:
    """The folder of each checkpoint, by its kind; ``known``: questions that the base has right."""
    facts = facts_of(known)
    end = str(AutoTokenizer.from_pretrained(base).eos_token)
    found = {kind: folder / kind for kind in KINDS}
    for kind, target in found.items():
        if texts := texts_of(kind, facts, end):
            tune(base, texts, target, passes, rate)
        else:
            shutil.copytree(base, target)
    return found


def main(results: Path, model: str, folder: Path) -> None:
    """Plant on the base of a run, and write the config that diagnoses what was planted."""
    import pandas as pd

    folder.mkdir(parents=True, exist_ok=True)
    stated = pd.read_parquet(results / "prepare_corpus/mentions.parquet")
    stated = set(stated.id[stated.mentions > 0])
    domains: dict[str, Any] = {}
    known: list[dict] = []
    for path in sorted((results / "prepare_questions").glob("*.parquet")):
        rows = pd.read_parquet(path)
        asked = (rows.split == "test") & rows.id.isin(stated)
        file = folder / f"{path.stem}.jsonl"
        rows[asked | (rows.split == "dev")].to_json(file, orient="records", lines=True)
        domains[f"our-{path.stem}"] = {"source": "file", "path": str(file), "licence": "none"}
        answers = pd.read_parquet(results / f"probe_knowledge/{model}/{path.name}")
        right = set(answers.id[answers.correct])
        known += rows[asked & rows.id.isin(right)].to_dict("records")
    documents = pd.read_parquet(results / "prepare_corpus/documents.parquet")
    documents = documents[documents.split != "pretrain"]
    documents[["text"]].to_json(folder / "text.jsonl", orient="records", lines=True)
    base = results / "prepare_base" / model
    paths = plant(base, known, folder, passes=20, rate=5e-4)
    run = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    cloze = {"scoring": "cloze", "question_template": "cloze"}
    given = {"base": "base", "source": "path", "chat_template": "short"}
    config = {
        "include": str(ROOT / "config/diagnose.yaml"),
        "name": "planted",
        "models": {"smollm2": None, "base": {"source": "path", "path": str(base)}},
        "checkpoints": {
            "tuned": None,
            **{kind: {**given, "path": str(path)} for kind, path in paths.items()},
        },
        "domains": {"mmlu": None, **domains},
        "probe_knowledge": {**cloze, "shots": 5},
        "evaluate_knowledge": cloze,
        "prepare_restoration": {
            "package": None,
            "corpus": str(folder / "text.jsonl"),
            "licence": "as of the run",
            "questions": 1000,
        },
        "restore_stages": run["restore_stages"],
        "evaluate_stages": run["evaluate_stages"],
    }
    (folder / "planted.yaml").write_text(json.dumps(config, indent=2), encoding="utf-8")
    print(f"{len(known)} facts are known, of which {len(known) // 2} are overwritten")


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute(), sys.argv[2], Path(sys.argv[3]).absolute())
