"""Folders written here open and answer alike under the newest transformers 4.

Slow, and only where TRANSFORMERS_4 names the Python of an environment that has it:

    python3.11 -m venv /tmp/four
    /tmp/four/bin/pip install 'transformers<5' torch==2.13.0
    TRANSFORMERS_4=/tmp/four/bin/python .venv/bin/python -m pytest -n0 -s \\
        tests/workflow/test_other_transformers.py
"""

import json
import os
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerBase

from tests.examples import TINY
from tests.unit.steps import restoring, tuning
from tuneatlas.models.build import new_llama, new_t5
from tuneatlas.models.load import weight_problems
from tuneatlas.models.save import save_model
from tuneatlas.studies.forgetting.finetune import finetune_stages
from tuneatlas.studies.forgetting.restore import restore
from tuneatlas.studies.syntax.pretraining.vocabulary import add_structure_tokens

FOUR = os.environ.get("TRANSFORMERS_4", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FOUR, reason="TRANSFORMERS_4 names no Python"),
]
SCRIPT = Path(__file__).with_name("other_transformers.py")
LONG = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}


def folders(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> dict[str, Path]:
    """A base, its tuned and restored models, other ropes, and a T5 with added tokens."""
    found: dict[str, Path] = {}
    for name, rope in (
        ("base", None),
        ("theta", {"rope_type": "default", "rope_theta": 500000.0}),
        ("llama3", LONG),
    ):
        model = new_llama(tokenizer, TINY, seed=1)
        if rope:
            model = type(model)(
                type(model.config)(**(model.config.to_dict() | {"rope_parameters": rope}))
            )
        found[name] = tmp_path / name
        save_model(found[name], model, tokenizer)
    finetune_stages(tuning(tmp_path, found["base"], [1, 3]), bos=True)
    found["tuned"] = tmp_path / "kept/3"
    restore(restoring(tmp_path, {"step_3": found["tuned"]}, tokens=100), bos=True)
    found["restored"] = tmp_path / "r/step_3/100"
    shape = {"hidden_size": 32, "intermediate_size": 64, "layers": 2, "heads": 4, "dropout": 0.1}
    more = deepcopy(tokenizer)
    two = new_t5(more, shape, seed=3)
    add_structure_tokens(two, more)
    found["t5"] = tmp_path / "t5"
    save_model(found["t5"], two, more)
    return found


def answers(python: str, paths: list[Path]) -> dict[str, Any]:
    command = [python, str(SCRIPT), *map(str, paths)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def test_saved_folders_answer_alike_under_transformers_4(tmp_path: Path, tokenizer) -> None:
    named = folders(tmp_path, tokenizer)
    here, there = (answers(python, list(named.values())) for python in (sys.executable, FOUR))
    assert here["version"].startswith("5.") and there["version"].startswith("4.")
    print(f"\ntransformers {here['version']} and {there['version']}")
    for name, folder in named.items():
        assert list(weight_problems(folder, two=name == "t5")) == []
        ours, theirs = here["answers"][str(folder)], there["answers"][str(folder)]
        assert theirs["lacks"] == [] and ours.get("chat") == theirs.get("chat")
        largest = 0.0
        for (ids, logits, text), (ids_4, logits_4, text_4) in zip(
            ours["texts"], theirs["texts"], strict=True
        ):
            assert ids == ids_4 and text == text_4, name
            difference = torch.tensor(logits) - torch.tensor(logits_4)
            largest = max(largest, float(difference.abs().max()))
        print(f"{name}: {len(ours['texts'])} texts, logits differ by {largest:.1e} at most")
        assert largest < 1e-4
    assert "USER: Which number" in here["answers"][str(named["tuned"])]["chat"]
