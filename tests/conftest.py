"""Fixtures that many tests share: a tokenizer and a tiny model, both made here."""

import os
from pathlib import Path

import pytest

from tuneatlas.engine import processor

# As in a run, and before any library is loaded.
processor.hold()

from transformers import PreTrainedModel, PreTrainedTokenizerBase  # noqa: E402

pytest_plugins = ["finished_run", "sandbox"]
# What `make test` hands on to a make within a test: its options, variables and depth, which change
# what that one does and prints.
for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"):
    os.environ.pop(name, None)
ROOT = Path(__file__).parent.parent
TEMPLATES = ROOT / "config" / "templates"

TINY = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "layers": 2,
    "heads": 4,
    "kv_heads": 2,
    "max_length": 256,
    "tie_embeddings": True,
}


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerBase:
    from tuneatlas.models.build import train_tokenizer

    readme = (ROOT / "Makefile").read_text(encoding="utf-8")
    return train_tokenizer([readme, "The capital of France is Paris. USER: ASSISTANT: A. B."], 400)


@pytest.fixture
def model(tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    from tuneatlas.models.build import new_llama

    return new_llama(tokenizer, TINY, seed=1).eval()


def question(number: int, **changes: object) -> dict:
    """A question row; every field may be changed."""
    row = {
        "id": f"numbers/next/{number}",
        "domain": "numbers",
        "topic": changes.get("domain", "numbers"),
        "relation": "next",
        "role": "home",
        "split": "train",
        "subject": str(number),
        "question": f"Which number follows {number}?",
        "choices": [str(number + d) for d in (1, 2, 3, 4)],
        "answer": 0,
        "explanation": f"{number + 1} follows {number}.",
        "source": "test",
        "licence": "none",
    }
    return row | changes
