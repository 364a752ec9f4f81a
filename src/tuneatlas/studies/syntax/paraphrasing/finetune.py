"""Tune a model on a share of the training pairs, in one format."""

from typing import Any

from tuneatlas.engine.step import Step
from tuneatlas.errors import UserError
from tuneatlas.studies.syntax.paraphrasing.formats import (
    fill,
    format_named,
    shape_of,
    shown,
    trees_of,
)
from tuneatlas.studies.syntax.tables import paraphrases
from tuneatlas.studies.syntax.train import add_tree_labels, open_model, train_on_pairs


def finetune_paraphrase(step: Step) -> dict[str, Any]:
    """Tune a model on a share of the training pairs, in one format.

    Pairs without a sentence that the format shows, an exemplar, are left out and counted.
    """
    model, tokenizer = open_model(step)
    add_tree_labels(step, model, tokenizer)
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
    return train_on_pairs(step, model, tokenizer, texts, without_exemplar=len(rows) - len(whole))
