"""Train an encoder-decoder on the examples of a stage."""

import copy
import json
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from tuneatlas.engine.step import Step
from tuneatlas.studies.syntax.opening import open_model
from tuneatlas.studies.syntax.pretraining.vocabulary import add_structure_tokens, know_trees
from tuneatlas.studies.syntax.tables import TASKS
from tuneatlas.studies.syntax.train import add_tree_labels, train_on_pairs
from tuneatlas.training.seq2seq import encode_pairs


def pretrain_on_structure(step: Step) -> dict[str, Any]:
    """Stage 1: give the model the tokens for structure, and train it on the examples."""
    model, tokenizer = open_model(step)
    add_structure_tokens(model, tokenizer)
    return train_on_pairs(step, model, tokenizer, _texts(step.paths("tasks")))


def pretrain_on_syntax(step: Step) -> dict[str, Any]:
    """Stage 2: give it the labels of trees too; examples of tasks in option ``without`` go."""
    model, tokenizer = open_model(step)
    add_structure_tokens(model, tokenizer)
    add_tree_labels(step, model, tokenizer)
    texts = _texts(step.paths("tasks"), step.options["without"])
    return train_on_pairs(step, model, tokenizer, texts)


def pretrain_plainly(step: Step) -> dict[str, Any]:
    """Train a model on plain sentences.

    Option ``as_both`` has epochs and row_length of both stages, by name, and their tables are
    inputs: then for as many tokens as they see, in as many passes and whole steps as that takes.
    """
    model, tokenizer = open_model(step)
    budget = 0
    if stages := step.options.get("as_both"):
        # Read as the stages read them, by tokens that this model is not given.
        reading = copy.deepcopy(tokenizer)
        labels = json.loads(step.path("labels").read_text(encoding="utf-8"))
        for stage, names in (("structure", ()), ("syntax", labels)):
            know_trees(reading, names)
            budget += step.parts().within(stage).of(0, _seen(step, stage, stages[stage], reading))
    return train_on_pairs(step, model, tokenizer, _texts(step.paths("tasks")), budget=budget)


def _seen(
    step: Step, stage: str, recipe: dict[str, int], tokenizer: PreTrainedTokenizerBase
) -> Callable[[], int]:
    """What counts the tokens that a stage sees in all its epochs."""

    def count() -> int:
        coded = encode_pairs(tokenizer, _texts(step.paths(stage)), recipe["row_length"])
        return recipe["epochs"] * sum(len(example.tokens) for example in coded)

    return count


def _texts(tables: Iterable[Path], without: Collection[str] = ()) -> Iterator[tuple[str, str]]:
    for path in tables:
        for row in TASKS.stream(path):
            if row["task"] not in without:
                yield row["input"], row["target"]
