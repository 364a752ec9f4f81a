"""The examples of a pre-training stage, from one shard of the trees."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tuneatlas.engine.step import Step
from tuneatlas.studies.syntax.paraphrasing.templates import sentences_of
from tuneatlas.studies.syntax.pretraining.denoising import PLAIN_TASKS
from tuneatlas.studies.syntax.pretraining.structure_tasks import STRUCTURE_TASKS
from tuneatlas.studies.syntax.pretraining.syntax_tasks import SYNTAX_TASKS
from tuneatlas.studies.syntax.pretraining.tasks import draw_examples, select_tasks
from tuneatlas.studies.syntax.tables import PAIRS, TASKS
from tuneatlas.studies.syntax.trees.linear import FORMS
from tuneatlas.studies.syntax.trees.parse import read_parses
from tuneatlas.tables import shard_bounds

STAGES = {"plain": PLAIN_TASKS, "structure": STRUCTURE_TASKS, "syntax": SYNTAX_TASKS}


def build_tasks(step: Step) -> dict[str, Any]:
    """Write the examples of a stage from one shard of the trees, and others of trees held out.

    No sentence of a dev or test pair is trained on. Each shard holds out its part of the trees,
    the same ones in every stage; of the rest, option ``share`` is used.
    """
    options, stage = step.options, step.wildcards["stage"]
    tasks = select_tasks(STAGES[stage], options.get(f"{stage}_tasks") or list(STAGES[stage]))
    asked = sentences_of(p for p in PAIRS.stream(step.path("pairs")) if p["split"] != "train")
    parses = {i: tree for i, tree in sorted(read_parses(step)) if i not in asked}
    ids = list(parses)
    step.shared_rng("scatteritem").shuffle(ids)
    start, stop = shard_bounds(options["heldout"], step.wildcards["scatteritem"])
    heldout, train = ids[: stop - start], ids[stop - start :]
    train = train[: round(options["share"] * len(train))]
    facts = {}
    for name, chosen, passes in (
        ("heldout", heldout, 1),
        ("train", train, options[f"{stage}_passes"]),
    ):
        rng = step.rng(name)
        drawn = _examples(chosen * passes, parses, tasks, options["form"], rng)
        rows = [{"id": f"{stage}/{key}", **row} for key, row in drawn]
        TASKS.write(step.outputs[name], rows)
        facts[name] = dict(Counter(row["task"] for row in rows))
    return facts


def _examples(
    ids: list[str], parses: Mapping[str, str], tasks: Any, form: str, rng: random.Random
) -> Iterator[tuple[str, dict[str, Any]]]:
    written = (parses[tree_id] for tree_id in ids)
    for number, task, text in draw_examples(written, tasks, FORMS[form], rng):
        yield f"{ids[number]}#{number}", {"task": task, **text._asdict()}
