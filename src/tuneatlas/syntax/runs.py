"""The steps of the syntax study that run a model: prepare, pre-train, tune, write."""

import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.errors import UserError
from tuneatlas.loading import refuse_not_finite, weight_problems
from tuneatlas.model_card import CARD, brought_card, trained_card
from tuneatlas.model_folder import brought_folder
from tuneatlas.models import load_model, save_model, train_tokenizer
from tuneatlas.step import Step
from tuneatlas.syntax.formats import fill, format_named, read, shown
from tuneatlas.syntax.generating import cut_inputs, generate
from tuneatlas.syntax.linear import FORMS
from tuneatlas.syntax.models import new_t5
from tuneatlas.syntax.steps import STAGES, shape_of, trees_of
from tuneatlas.syntax.tables import GENERATIONS, SCORES, SENTENCES, TASKS, paraphrases, score_rows
from tuneatlas.syntax.task_scores import task_score
from tuneatlas.syntax.vocabulary import add_labels, add_structure_tokens, tidy
from tuneatlas.training.plan import Recipe, Run, tell_warmup
from tuneatlas.training.runs import train_and_save, training_section
from tuneatlas.training.seq2seq import encode_pairs, plan_like_lengths
from tuneatlas.training.tokens import write_tokens

log = logging.getLogger(__name__)


def prepare_paraphraser(step: Step) -> dict[str, Any]:
    """Write an encoder-decoder, new or brought from elsewhere, that knows structure's tokens."""
    options = step.options
    if options["source"] == "scratch":
        texts = [row["sentence"] for row in SENTENCES.read(step.path("sentences"))]
        tokenizer: PreTrainedTokenizerBase = train_tokenizer(texts, options["vocab_size"])
        model, card = new_t5(tokenizer, options, step.seed), trained_card(step)
    else:
        model, tokenizer, card = _brought(step)
    torch.manual_seed(step.seed)
    added = add_structure_tokens(model, tokenizer)
    save_model(step.outputs["model"], model, tokenizer, beside={CARD: card})
    return {"parameters": model.num_parameters(), "added_tokens": added}


def _brought(step: Step) -> tuple[PreTrainedModel, PreTrainedTokenizerBase, str]:
    """A model from elsewhere, its weights in single precision, if it can be used, and its card."""
    try:
        folder = brought_folder(step.options)
        if problems := list(weight_problems(folder, two=True)):
            raise UserError(problems[0])
        # Where tokens are added to it, on whichever machine.
        model, tokenizer = load_model(folder, place=False)
        refuse_not_finite(model)
    except UserError as error:
        raise UserError(f"paraphrasers.{step.wildcards['paraphraser']}: {error}") from error
    return model, tokenizer, brought_card(step, folder)


def pretrain(step: Step) -> dict[str, Any]:
    """Train a model on the examples of a stage; ``tasks`` are their tables.

    Option ``as_both`` has epochs and row_length of both stages, by name, and their tables are
    inputs: then for as many tokens as they see, in as many passes and whole steps as that takes.
    """
    model, tokenizer = _open(step)
    budget = _tokens_seen(step, "structure", tokenizer)
    # Stage 1 is trained without the labels of trees, stage 2 with them.
    if step.inputs.get("labels"):
        _add_labels(step, model, tokenizer)
    budget += _tokens_seen(step, "syntax", tokenizer)
    return _train(step, model, tokenizer, _texts(step.paths("tasks")), budget=budget)


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


def finetune_paraphrase(step: Step) -> dict[str, Any]:
    """Tune a model on a share of the training pairs, in one format.

    Pairs without a sentence that the format shows, an exemplar, are left out and counted.
    """
    model, tokenizer = _open(step)
    _add_labels(step, model, tokenizer)
    shape, kind = shape_of(step), format_named(step.wildcards["format"])
    rows = list(paraphrases(step.path("paraphrases"), "train"))
    # The same pairs are drawn whatever the model and the format, and a smaller share is part of a
    # larger; a format that shows exemplars leaves out those without one.
    step.shared_rng().shuffle(rows)
    rows = rows[: max(1, round(len(rows) * int(step.wildcards["share"]) / 100))]
    whole = [row for row in rows if all(row[name] for name in shown(kind))]
    if rows and not whole:
        raise UserError(
            f"{step.name}: no training pair has an exemplar; raise prepare_paraphrases.overlap"
        )
    texts = (fill(kind, trees_of(row, shown(kind)), shape) for row in whole)
    return _train(step, model, tokenizer, texts, without_exemplar=len(rows) - len(whole))


def generate_paraphrases(step: Step) -> dict[str, Any]:
    """Write the paraphrase of every test pair."""
    model, tokenizer = _open(step, place=True)
    shape, kind = shape_of(step), format_named(step.wildcards["format"])
    pairs = list(paraphrases(step.path("paraphrases"), "test"))
    inputs = [fill(kind, trees_of(row, shown(kind)), shape).input for row in pairs]
    outputs = generate(
        model, tokenizer, inputs, step.options, step.parts(), [pair["id"] for pair in pairs]
    )
    readings = [read(kind, output, shape) for output in outputs]
    GENERATIONS.write(
        step.outputs["generations"],
        (
            {
                "id": pair["id"],
                "input": text,
                "output": output,
                "sentence": reading.sentence,
                "problem": reading.problem,
            }
            for pair, text, output, reading in zip(pairs, inputs, outputs, readings, strict=True)
        ),
    )
    return {
        "paraphrases": len(pairs),
        "inputs_cut": cut_inputs(tokenizer, inputs, step.options),
        "of_another_form": sum(bool(r.problem) for r in readings),
    }


def evaluate_tasks(step: Step) -> dict[str, Any]:
    """Score a pre-trained model on the examples of held-out trees, task by task."""
    model, tokenizer = _open(step, place=True)
    form = FORMS[step.options["form"]]
    rows = [row for path in step.paths("tasks") for row in TASKS.read(path)]
    inputs = [row["input"] for row in rows]
    outputs = generate(
        model, tokenizer, inputs, step.options, step.parts(), [row["id"] for row in rows]
    )
    kinds = {name: task.score for tasks in STAGES.values() for name, task in tasks.items()}
    found: list[dict[str, float | None]] = [
        {row["task"]: task_score(kinds[row["task"]], output, tidy(row["target"]), form)}
        for row, output in zip(rows, outputs, strict=True)
    ]
    SCORES.write(step.outputs["scores"], score_rows(rows, found))
    return {"examples": len(rows), "inputs_cut": cut_inputs(tokenizer, inputs, step.options)}


def _open(step: Step, place: bool = False) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    torch.set_num_threads(step.threads)
    return load_model(step.path("model"), place=place)


def _add_labels(step: Step, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    labels = json.loads(step.path("labels").read_text(encoding="utf-8"))
    added = add_labels(model, tokenizer, labels, step.seed)
    log.info("%d labels of trees added to the vocabulary", added)


def _train(
    step: Step,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Iterable[tuple[str, str]],
    *,
    budget: int = 0,
    **counts: int,
) -> dict[str, Any]:
    """Train on ``texts``: in the recipe's epochs, or for ``budget`` tokens if there is one."""
    recipe = Recipe.of(step.options)
    section = training_section(step)
    too_long: list[int] = []
    coded = encode_pairs(tokenizer, texts, recipe.row_length, too_long)
    tokens = write_tokens(step.checkpoints / "tokens", (e for e in coded if e is not None))
    if not len(tokens):
        raise UserError(
            f"{section}: no example is within {recipe.row_length} tokens, of {len(too_long)}: "
            f"raise {section}.row_length"
        )
    if too_long:
        log.warning(
            "%s: %d of %d examples have more than %d tokens, the longest %d, and are left out; "
            "raise %s.row_length to keep them",
            *(section, len(too_long), len(too_long) + len(tokens), recipe.row_length),
            *(max(too_long), section),
        )
    recipe = replace(recipe, batch=min(recipe.batch, len(tokens)))
    epochs = -(-budget // int(tokens.offsets[-1])) if budget else recipe.epochs
    steps = plan_like_lengths(tokens, epochs=epochs, batch=recipe.batch, seed=step.seed)
    if budget:
        steps = steps.until(budget)
    states = step.checkpoints / "states"
    run = Run(tokens, steps, recipe, tokenizer, states, step.seed, section=section)
    tell_warmup(run)
    counts |= {"too_long": len(too_long), "tokens_seen": int(steps.counts.sum())}
    return train_and_save(step, model, run, counts)
