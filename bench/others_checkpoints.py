"""Models tuned by others' tools, diagnosed: python -m bench.others_checkpoints RESULTS FOLDER.

RESULTS: a finished run of config/smoke.yaml, or of another one with a model made here. In the
environment of the peers (envs/bench.txt) its base model is tuned by TRL's SFTTrainer, whole, kept
at two steps, and by the same trainer with a LoRA adapter of peft. The workflow then diagnoses them
from end to end in FOLDER, and what it brought is compared with what peft and transformers compute.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from datasets import Dataset
from peft import LoraConfig, PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

ROOT = Path(__file__).parent.parent
STEPS = (10, 20)
# A layout of our own as the tokenizer's chat template, which the checkpoints are then asked in.
TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ 'User: ' + message['content'] + '\\n' }}{% else %}"
    "{{ 'Assistant: ' + message['content'] + eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant: ' }}{% endif %}"
)
# As in config/smoke.yaml.
LIMITS = {"dev": 4, "train": 40, "test": 20, "related_dev": 4, "related_test": 20}
FACTS = {"source": "facts", "limits": LIMITS}
SMALL = {"window": 256, "heldout_bytes": 4000}


def conversations(results: Path) -> Dataset:
    """The conversations that the run tuned its own models on."""
    files = sorted((results / "mix_instructions").rglob("*.parquet"))
    rows = pd.concat(pd.read_parquet(path) for path in files).drop_duplicates("id")
    return Dataset.from_list([{"messages": list(m)} for m in rows["messages"]])


def tune(base: Path, rows: Dataset, folder: Path, adapter: LoraConfig | None = None) -> None:
    """Tune by TRL, on a CPU, as its documentation shows."""
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.chat_template = TEMPLATE
    options = SFTConfig(
        output_dir=str(folder),
        max_steps=STEPS[-1],
        save_steps=STEPS[0],
        per_device_train_batch_size=8,
        learning_rate=2e-3 if adapter is None else 1e-2,
        max_length=256,
        bf16=False,
        use_cpu=True,
        gradient_checkpointing=False,
        report_to=[],
        disable_tqdm=True,
        logging_steps=STEPS[0],
        seed=0,
    )
    trainer = SFTTrainer(
        model=plain(base),
        args=options,
        train_dataset=rows,
        processing_class=tokenizer,
        peft_config=adapter,
    )
    trainer.train()


def config(base: Path, folder: Path, text: Path) -> dict[str, Any]:
    """What diagnoses both, at the size of the smallest experiment."""
    given = {"base": "base", "source": "path", "chat_template": "own", "steps": list(STEPS)}
    named = {"sft": "trl", "lora": "peft"}
    own = {"package": None, "corpus": str(text), "licence": "as of the run", "questions": 20}
    return {
        "include": str(ROOT / "config/diagnose.yaml"),
        "name": "others",
        "models": {"smollm2": None, "base": {"source": "path", "path": str(base)}},
        "checkpoints": {
            "tuned": None,
            **{
                name: {**given, "path": f"{folder / name}/checkpoint-{{step}}", "tags": [tool]}
                for name, tool in named.items()
            },
        },
        "domains": {"mmlu": None, "countries": FACTS, "elements": FACTS},
        "probe_knowledge": {"scoring": "cloze", "shots": 2},
        "evaluate_knowledge": {"scoring": "cloze"},
        "compare_groups": {"draws": 200},
        "prepare_restoration": own,
        "restore_stages": {"tokens": 200},
        "evaluate_stages": SMALL,
        "stage_forgetting": {"draws": 200},
    }


def plain(folder: Path) -> Any:
    """A model as transformers opens it, in single precision."""
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


def logits(model: Any, ids: torch.Tensor) -> torch.Tensor:
    """In evaluation mode."""
    with torch.inference_mode():
        found: torch.Tensor = model.eval()(ids).logits
    return found


def farthest(base: Path, folder: Path, brought: Path) -> list[tuple[str, float, float]]:
    """Of each checkpoint: the largest difference of a logit from its own tool's, and from the base.

    On eight rows of random tokens.
    """
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(plain(base).config.vocab_size, (8, 64), generator=generator)
    before = logits(plain(base), ids)
    found = []
    for name in ("sft", "lora"):
        for step in STEPS:
            given = folder / name / f"checkpoint-{step}"
            own = plain(given) if name == "sft" else PeftModel.from_pretrained(plain(base), given)
            theirs = logits(own, ids)
            ours = logits(plain(brought / name / str(step)), ids)
            apart = [float((x - theirs).abs().max()) for x in (ours, before)]
            found.append((f"{name} at {step}", *apart))
    return found


def main(results: Path, folder: Path) -> int:
    """Tune, diagnose, compare; return 1 if a logit is off by 1e-5."""
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    base = results / "prepare_base/mini"
    rows = conversations(results)
    tune(base, rows, folder / "sft")
    tune(base, rows, folder / "lora", LoraConfig(r=8, lora_alpha=16, target_modules="all-linear"))
    documents = pd.read_parquet(results / "prepare_corpus/documents.parquet")
    text = folder / "text.jsonl"
    kept = documents[documents["split"] != "pretrain"]
    kept[["text"]].to_json(text, orient="records", lines=True)
    file = folder / "others.yaml"
    file.write_text(json.dumps(config(base, folder, text), indent=2), encoding="utf-8")
    place = folder / "run"
    place.mkdir(exist_ok=True)
    begun = time.perf_counter()
    command = [Path(sys.executable).parent / "snakemake", "-s", ROOT / "workflow/Snakefile"]
    profile = ["--profile", ROOT / "profiles/default", "--cores", "1"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    subprocess.run(
        [*command, *profile, "--configfile", file, "--", "all"],
        cwd=place,
        env=environment,
        check=True,
    )
    print(
        f"diagnosed in {time.perf_counter() - begun:.0f} s: {place / 'results/report/index.html'}"
    )
    found = farthest(base, folder, place / "results/prepare_checkpoint/base")
    print("| checkpoint | largest difference from its own tool's logits | from the base's |")
    print("|---|---|---|")
    for name, ours, before in found:
        print(f"| {name} | {ours:.2g} | {before:.2g} |")
    return int(max(ours for _, ours, _ in found) >= 1e-5)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).absolute(), Path(sys.argv[2]).absolute()))
