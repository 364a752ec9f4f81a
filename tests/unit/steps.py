"""Steps as the workflow hands them over: tuning that keeps models, and their restoration."""

from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import torch
from transformers import AutoModelForCausalLM

from tuneatlas.engine.step import Step
from tests.examples import ROOT, TEMPLATES
from tests.unit.training.recipes import RECIPE, fingerprint
from tuneatlas.engine.operations import BATCHES
from tuneatlas.engine.records import dump, record_path
from tuneatlas.tables import CONVERSATIONS, DOCUMENTS

# Long enough that the replies, which stand at the end, are within a row.
TRAINING = asdict(RECIPE) | {"checkpoint_steps": 1, "row_length": 256}


def a_step(
    folder: Path, inputs: dict, outputs: dict, options: dict, work: str = "work", **wildcards: str
) -> Step:
    """Inputs are paths or lists of them; outputs are paths below the folder."""
    return Step(
        name="a_step",
        wildcards=wildcards or {"model": "mini", "seed": "0"},
        inputs={
            name: str(path) if isinstance(path, Path) else [str(p) for p in path]
            for name, path in inputs.items()
        },
        outputs={name: folder / path for name, path in outputs.items()},
        options=options,
        threads=1,
        base_seed=1,
        seed=2,
        checkpoints=folder / work,
    )


def run_script(name: str, step: Step, /, **params) -> dict:
    """Run a step's script; what it reports."""
    text = (ROOT / "workflow/scripts" / f"{name}.py").read_text(encoding="utf-8")
    job = SimpleNamespace(params=SimpleNamespace(**params))
    with patch("tuneatlas.engine.step.step", lambda _: nullcontext(step)):
        exec(compile(text, name, "exec"), {"snakemake": job})
    return step.info


def shards_by(
    script: str, folder: Path, inputs: dict, options: dict, count: int, /, **params
) -> list[Path]:
    """What each job that shares a step's work made by a script, with a record beside it."""
    found = []
    for number in range(1, count + 1):
        item = f"{number}-of-{count}"
        name = f"{script}-{item}.json"
        wildcards = {"model": "mini", "seed": "0", "scatteritem": item}
        step = a_step(folder, inputs, {"parts": name}, dict(options), name[:-5], **wildcards)
        step.name = script
        run_script(script, step, **params)
        found.append(step.outputs["parts"])
        record_path(found[-1]).write_text(dump(record_of_shard(item, options)), encoding="utf-8")
    return found


def record_of_shard(item: str, options: dict) -> dict:
    """A record as that of a shard is."""
    return {
        "output": f"results/probe_shard/m/d/{item}.json",
        "sha256": "0" * 64,
        "step": "probe_shard",
        "wildcards": {},
        "inputs": {"results/prepare_base/m": "1" * 64},
        "options": {k: v for k, v in options.items() if k not in BATCHES},
        "operations": {k: v for k, v in options.items() if k in BATCHES} | {"shards": 2},
        "code": {"frame": "1"},
        "libraries": {"torch": "2"},
        "params": {},
    }


def tuning(folder: Path, base: Path, steps: list[int], name: str = "kept", epochs: int = 3) -> Step:
    rows = [
        {
            "id": f"q/{n}",
            "origin": "incompatible",
            "label": 0,
            "messages": [
                {"role": "user", "content": f"Which number follows {n}?"},
                {"role": "assistant", "content": f"{n + 1} follows {n}."},
            ],
            "weight": 1.0,
        }
        for n in range(12)
    ]
    CONVERSATIONS.write(folder / "conversations.parquet", rows)
    inputs = {
        "model": base,
        "conversations": folder / "conversations.parquet",
        "template": TEMPLATES / "chat/vicuna.yaml",
    }
    outputs = {f"step_{n}": f"{name}/{n}" for n in steps}
    options = TRAINING | {"steps": steps, "epochs": epochs, "schedule_end": "epochs"}
    return a_step(folder, inputs, outputs, options, f"work-{name}")


def restoring(folder: Path, models: dict[str, Path], tokens: int = 200, name: str = "r") -> Step:
    documents = [document(n, f"After {n} comes {n + 1}, and then {n + 2}. " * 2) for n in range(40)]
    documents.append(document(99, "After 7 comes 8, held out for measuring.", "heldout"))
    DOCUMENTS.write(folder / "material/documents.parquet", documents)
    options = TRAINING | {"tokens": tokens, "curve": [50], "batch": 1, "batch_unit": "rows"}
    options |= {"rows_per_device": 1, "epochs": 1, "row_length": 128}
    inputs = {**models, "material": folder / "material"}
    return a_step(folder, inputs, {m: f"{name}/{m}" for m in models}, options, f"work-{name}")


def weights(folder: Path) -> str:
    return fingerprint(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32))


def document(number: int, text: str, split: str = "restore", states: tuple[str, ...] = ()) -> dict:
    return {
        "id": f"{split}/{number}",
        "split": split,
        "kind": "quiz",
        "text": text,
        "questions": list(states),
        "source": "test",
        "licence": "none",
    }
