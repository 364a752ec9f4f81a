"""Tune a model on a share of the training pairs, in one format, and keep its best epoch."""

import json
import logging
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.engine.step import Step
from tuneatlas.engine.files import remove, write_text
from tuneatlas.errors import UserError
from tuneatlas.models.folder import SUMMARY
from tuneatlas.models.load import open_network
from tuneatlas.models.save import save_model
from tuneatlas.statistics.bleu import bleu, bleu_counts
from tuneatlas.studies.syntax.beam_search import generate
from tuneatlas.studies.syntax.opening import open_model
from tuneatlas.studies.syntax.paraphrasing.formats import (
    Format,
    asked,
    fill,
    read,
    read_format,
    trees_of,
    whole_rows,
)
from tuneatlas.studies.syntax.pretraining.vocabulary import add_marks
from tuneatlas.studies.syntax.tables import paraphrases
from tuneatlas.studies.syntax.train import add_tree_labels, train_on_pairs
from tuneatlas.studies.syntax.trees.linear import read_bracket, write_sentence
from tuneatlas.tables import Row

log = logging.getLogger(__name__)

# How epochs are asked: greedily, so that another search for the paraphrases tunes nothing again.
SEARCH: Mapping[str, Any] = {
    "beams": 1,
    "length_penalty": 1.0,
    "min_length": 5,
    "no_repeat_ngram_size": 3,
    "search": "early",
    "max_length": 1000,
}


def choose_pairs(rows: Sequence[Row], share: int, rng: random.Random) -> list[Row]:
    """``share`` percent of the training pairs, at least one; a smaller share is part of a larger.

    The same seed draws the same pairs, whatever the start and the format.
    """
    order = list(rows)
    rng.shuffle(order)
    return order[: max(1, round(len(order) * share / 100))]


def drawing_rng(step: Step) -> random.Random:
    """What pairs are drawn by: the seed, and the replicate where there are several."""
    return step.shared_rng(*(["paraphraser"] if step.options.get("own_pairs") else []), "seed")


def showable(kind: Format, rows: Sequence[Row]) -> list[Row]:
    """The pairs that have all that a format shows in training; UserError if none of them has."""
    whole = list(whole_rows(rows, kind.shown("train")))
    if rows and not whole:
        raise UserError(
            f"finetune_paraphrase.formats: {kind.name} shows the exemplar, and no training pair "
            "has one: raise prepare_paraphrases.overlap, or name exemplars in the pair files"
        )
    return whole


def finetune_paraphrase(step: Step) -> dict[str, Any]:
    """Tune a model on a share of the training pairs, in one format.

    Pairs without a sentence that the format shows, an exemplar, are left out and counted. The
    model kept is that of the epoch with the best corpus BLEU-4 on the pairs of option ``choose``.
    """
    options, height = step.options, step.options["height"]
    model, tokenizer = open_model(step)
    kind = read_format(step.paths("format")[0])
    add_tree_labels(step, model, tokenizer)
    if "<tgt>" in kind.output:
        add_marks(model, tokenizer, step.seed)
    path = step.path("paraphrases")
    train = list(paraphrases(path, "train"))
    rows = choose_pairs(train, int(step.wildcards["share"]), drawing_rng(step))
    whole = showable(kind, rows)
    texts = (fill(kind, trees_of(r, kind.shown("train")), "train", height) for r in whole)
    judges: list[Row] = []
    if options["choose"] != "last" and options["epochs"] > 1:
        judges = list(whole_rows(paraphrases(path, options["choose"]), kind.shown("test")))
    folders = [step.checkpoints / "epochs" / str(n) for n in range(1, options["epochs"])]
    kept = folders if judges else []
    summary = train_on_pairs(
        step, model, tokenizer, texts, kept=kept, without_exemplar=len(rows) - len(whole)
    )
    if not judges:
        return summary
    return summary | _choose(step, model, tokenizer, kind, judges, folders, summary)


def _choose(
    step: Step,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    kind: Format,
    rows: Sequence[Row],
    folders: Sequence[Path],
    summary: Mapping[str, Any],
) -> dict[str, Any]:
    """Keep the model of the best epoch, the first of equals, as the step's output."""
    height, names = step.options["height"], kind.shown("test", answer=False)
    asking = {
        **SEARCH,
        "max_new_tokens": kind.longest,
        "never": kind.never,
        "batch_rows": step.options["rows_per_device"],
    }
    inputs = [asked(kind, trees_of(row, names), height) for row in rows]
    wanted = [write_sentence(read_bracket(row["target"], row["id"])).split() for row in rows]
    found = []
    parts = step.parts().within("epochs")
    for number, folder in enumerate([*folders, None]):

        def score(folder: Path | None = folder) -> float:
            tuned: Any = model if folder is None else open_network(folder)
            outputs = generate(tuned.to(model.device).eval(), tokenizer, inputs, asking)
            said = [read(kind, output).sentence.lower().split() for output in outputs]
            pairs = zip(said, wanted, strict=True)
            counts = [bleu_counts(s, [w.lower() for w in t]) for s, t in pairs]
            return float(bleu(np.sum(counts, axis=0)))

        found.append(parts.of(number, score))
    best = found.index(max(found))
    output = step.outputs["model"]
    if best < len(folders):
        model.load_state_dict(open_network(folders[best]).state_dict())
        save_model(output, model, None)
    told = {"epoch": best + 1, f"{step.options['choose']}_bleu4": [round(b, 4) for b in found]}
    log.info("epoch %d of %d is kept: BLEU-4 %s", best + 1, len(found), told)
    write_text(output / SUMMARY, json.dumps({**summary, **told}, indent=1) + "\n")
    for folder in folders:
        remove(folder)
    return told
