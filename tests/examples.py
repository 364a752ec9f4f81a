"""What tests begin with: the project, a question, a probe, and the shape of a tiny model."""

from pathlib import Path
from typing import Any

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
# How a base model is asked: few-shot, once.
PROBE = {
    "shots": 1,
    "demonstration_seed": 3,
    "draws": 1,
    "rotations": 1,
    "scoring": "cloze",
    "batch_tokens": 512,
    "dtype": "float32",
}


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


def tiny_tokenizer() -> Any:
    """Of 400 tokens, trained here: the same whenever it is asked for."""
    from tuneatlas.models.build import train_tokenizer

    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    words = "The capital of France is Paris. USER: ASSISTANT: A. B."
    return train_tokenizer([makefile, words], 400)
