"""Train an encoder-decoder on the examples of a stage."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from tuneatlas.engine.step import Step
from tuneatlas.studies.syntax.tables import TASKS
from tuneatlas.studies.syntax.train import add_tree_labels, open_model, train_on_pairs
from tuneatlas.training.seq2seq import encode_pairs


def pretrain(step: Step) -> dict[str, Any]:
    """Train a model on the examples of a stage; ``tasks`` are their tables.

    Option ``as_both`` has epochs and row_length of both stages, by name, and their tables are
    inputs: then for as many tokens as they see, in as many passes and whole steps as that takes.
    """
    model, tokenizer = open_model(step)
    budget = _tokens_seen(step, "structure", tokenizer)
    # Stage 1 is trained without the labels of trees, stage 2 with them.
    if step.inputs.get("labels"):
        add_tree_labels(step, model, tokenizer)
    budget += _tokens_seen(step, "syntax", tokenizer)
    return train_on_pairs(step, model, tokenizer, _texts(step.paths("tasks")), budget=budget)


def _tokens_seen(step: Step, stage: str, tokenizer: PreTrainedTokenizerBase) -> int:
    """Tokens that a stage sees in all its epochs, if the step is to see as many; else 0."""
    recipe = step.options.get("as_both", {}).get(stage)
    if not recipe:
        return 0

    def count() -> int:
        coded = encode_pairs(tokenizer, _texts(step.paths(stage)), recipe["row_length"])
        return int(recipe["epochs"] * sum(len(example.tokens) for example in coded if example))

    return step.parts().within(stage).of(0, count)


def _texts(tables: Iterable[Path]) -> Iterator[tuple[str, str]]:
    for path in tables:
        for row in TASKS.stream(path):
            yield row["input"], row["target"]
