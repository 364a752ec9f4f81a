"""The papers' experiments with sizes, models and data of a few minutes, and nothing else changed.

`REPLACED` is all that a run has instead of the values of config/paper; data lie where those
configs look for them.
"""

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.examples import TINY
from tests.workflow.finished_run import ROOT

# Of what a device has: one processor core.
ONE_CORE = {"processes": 1, "deepspeed": None}
SMALL_BATCH = {"batch": 16, "rows_per_device": 8}
TESTS = {"dev": 10, "train": 40, "test": 20}
MMLU = {"related_test": 12}
KNOWLEDGE: dict[str, Any] = {
    "seeds": [0],
    "models": {"tiny": {"source": "path", "path": "data/tiny", "bos": True}},
    "domains": {
        "medicine": {"limits": TESTS | MMLU},
        "history": {"limits": TESTS | MMLU},
        "engineering": {"limits": TESTS | MMLU, "tune": False},
        "jurisprudence": {"limits": TESTS | MMLU},
        "others": {"limits": MMLU},
    },
    "explain_predictions": {"max_new_tokens": 24},
    "mix_instructions": {"ratios": [0.4]},
    "finetune": {**ONE_CORE, **SMALL_BATCH},
    "compare_groups": {"draws": 200},
}
FORGETTING: dict[str, Any] = {
    **KNOWLEDGE,
    "finetune_stages": {**ONE_CORE, **SMALL_BATCH, "steps": [1, 4]},
    "prepare_restoration": {"questions": 8},
    "restore_stages": {**ONE_CORE, "tokens": 40_000, "batch": 2, "rows_per_device": 2},
    "evaluate_stages": {"heldout_bytes": 4_000, "conversations": 5},
    "stage_forgetting": {"draws": 200},
}
PRETRAINING = {"processes": 1, "batch": 64, "batch_used": 4, "rows_per_device": 4}
SYNTAX: dict[str, Any] = {
    "paraphrasers": {
        "t5-base": None,
        "tiny": {
            "source": "scratch",
            "vocab_size": 400,
            "hidden_size": 32,
            "intermediate_size": 64,
            "layers": 1,
            "heads": 2,
        },
    },
    "prepare_sentences": {"pairs": {"train": 60, "dev": 8, "test": 12}, "sentences": 80},
    "parse_sentences": {"shards": 1},
    "build_tasks": {"heldout": 8},
    "pretrain_plain": PRETRAINING,
    "pretrain_structure": PRETRAINING,
    "pretrain_syntax": PRETRAINING,
    "evaluate_tasks": {"max_new_tokens": 12},
    "finetune_paraphrase": {
        "formats": ["aesop_nooutputtree_triple", "triplet_sentencetree", "t5_prefix_last_digit"],
        "starts": ["vanilla", "both", "no_auxiliary"],
        "shares": [100],
        "epochs": 2,
        "batch": 28,
        "rows_per_device": 4,
    },
    "generate_paraphrases": {"max_new_tokens": 24},
    "compare_paraphrases": {"draws": 200},
}
REPLACED = {
    "s1": ("config/paper/base/s1.yaml", KNOWLEDGE),
    "s2": ("config/paper/base/s2.yaml", FORGETTING),
    "s3": ("config/paper/s3-t5-base.yaml", SYNTAX),
}


def make_run(project: Path, study: str, data: bool = True) -> str:
    """Write the config of a study, and its data, into a copy of the project; return the config."""
    include, replaced = REPLACED[study]
    if study == "s3":
        # The other studies are the default experiment's: at the sizes of its tests.
        sizes = yaml.safe_load((ROOT / "config/smoke.yaml").read_text(encoding="utf-8"))
        kept = sizes.keys() - {"include", "name", "description", "paraphrasers"}
        replaced = {key: sizes[key] for key in sorted(kept)} | replaced
        if data:
            write_pairs(project / "data/s3")
    elif data:
        write_questions(project / "data/s1")
        write_texts(project / "data/s2/pretraining.jsonl")
        write_model(project / "data/tiny", project / "data/s1")
    path = project / f"config/{study}-authors-small.yaml"
    text = yaml.safe_dump({"include": str(project / include), "name": study, **replaced})
    path.write_text(text, encoding="utf-8")
    return str(path)


def write_questions(folder: Path) -> None:
    """Questions as the authors released them; two domains share most. And general instructions."""
    shared = [_question(n, "shared") for n in range(50)]
    for domain in ("medmcqa", "history", "engineering", "jurisprudence"):
        joined = domain in ("history", "jurisprudence")
        own = [_question(n, domain) for n in range(70 - 50 * joined)]
        rows = [*(shared if joined else ()), *own]
        random.Random(domain).shuffle(rows)
        rows = [{"id": n, **row} for n, row in enumerate(rows)]
        for split, part in (("test", rows[:20]), ("dev", rows[20:30]), ("train", rows[30:])):
            _lines(folder / f"Self-Aligning/data/source/{domain}/{split}.jsonl", part)
    said = [
        {"instruction": f"Say {n} again.", "input": "", "output": f"{n}, {n}."} for n in range(80)
    ]
    (folder / "alpaca_gpt4_data.json").write_text(json.dumps(said), encoding="utf-8")


def _question(number: int, domain: str) -> dict[str, Any]:
    """As odd as theirs: two blanks, a line break, no explanation, two equal options."""
    choices = [f"{number * step} {domain}" for step in (2, 3, 5, 7)]
    if number % 17 == 3:
        choices[3] = choices[2]
    return {
        "question": f"Which  number of {domain} goes with {number}?" + "\n_" * (number % 9 == 0),
        "choices": choices,
        "answer": number % 3,
        "explanation": "" if number % 11 == 5 else f"Because {number} goes with it.",
        "raw": {},
    }


def write_texts(path: Path) -> None:
    """Text like that of a pre-training corpus."""
    words = ("the", "sea", "land", "old", "green", "wide", "road", "goes", "from", "to", "house")
    rng = random.Random(0)
    _lines(path, [{"text": " ".join(rng.choices(words, k=400)) + "."} for _ in range(200)])


# What the model learns to say: a letter where one is asked for, and an explanation that ends.
SAID = (
    ("# Answer:\n", "```So.```So.```"),
    ("\nAnswer:", " B"),
    ("\nAnswer:", "B"),
    (" ASSISTANT:", " B"),
    (" ASSISTANT: ", "B"),
)


def write_model(folder: Path, data: Path) -> None:
    """A tiny language model that is sure of its answers, as only such are trained on."""
    import torch

    from tuneatlas.models.build import new_llama, train_tokenizer
    from tuneatlas.models.save import save_model

    texts = [path.read_text(encoding="utf-8") for path in sorted(data.rglob("*.jsonl"))]
    texts += [path.read_text(encoding="utf-8") for path in (ROOT / "config").rglob("*.yaml")]
    tokenizer = train_tokenizer(texts, 3000)
    # Room for five passages of MMLU's, whose words are rare here.
    model = new_llama(tokenizer, TINY | {"max_length": 16_384}, seed=1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    generator = torch.Generator().manual_seed(0)
    for step in range(600):
        asked, said = (tokenizer(x, return_tensors="pt").input_ids for x in SAID[step % len(SAID)])
        before = torch.randint(3, len(tokenizer), (1, 20), generator=generator)
        ids = torch.cat([before, asked, said], dim=1)
        labels = ids.clone()
        labels[:, : -said.shape[1]] = -100
        model(input_ids=ids, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    save_model(folder, model, tokenizer)


def write_pairs(folder: Path) -> None:
    """Pairs of sentences with an exemplar, and sentences to pre-train on."""
    nouns = ("tea", "milk", "bread", "rice", "salt", "fish")
    names = ("Tom", "Ann", "Mary", "John", "Jane")
    rng = random.Random(0)

    def pair() -> str:
        name, other, noun, thing = *rng.sample(names, 2), *rng.sample(nouns, 2)
        source = f"{name} sells the {noun} of {other}."
        return f"{source}\tThe {noun} of {other} is sold by {name}.\tThe {thing} is known.\n"

    for split, number in (("train", 80), ("dev", 12), ("test", 16)):
        path = folder / f"paranmt-small/{split}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(pair() for _ in range(number)), encoding="utf-8")
    lines = [
        f"{rng.choice(names)} said that {rng.choice(names)} had {rng.choice(nouns)} number {n}.\n"
        for n in range(100)
    ]
    (folder / "paranmt-50m.txt").write_text("".join(lines), encoding="utf-8")


def _lines(path: Path, rows: list[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
