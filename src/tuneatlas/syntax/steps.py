"""The data steps of the syntax study: sentences, trees, paraphrases, tasks."""

import logging
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tuneatlas.errors import UserError
from tuneatlas.sources import read_record
from tuneatlas.step import Step
from tuneatlas.syntax import pairs as tatoeba
from tuneatlas.syntax.formats import Shape
from tuneatlas.syntax.linear import FORMS, read_bracket
from tuneatlas.syntax.parsers import PARSERS, Parser
from tuneatlas.syntax.parsing import parse_rows, shard_of
from tuneatlas.syntax.structure_tasks import STRUCTURE_TASKS
from tuneatlas.syntax.syntax_tasks import SYNTAX_TASKS
from tuneatlas.syntax.tables import PAIRS, PARAPHRASES, PARSES, SENTENCES, TASKS
from tuneatlas.syntax.tasks import draw_examples, select_tasks
from tuneatlas.syntax.templates import paraphrase_rows
from tuneatlas.syntax.trees import Tree

log = logging.getLogger(__name__)

STAGES = {"structure": STRUCTURE_TASKS, "syntax": SYNTAX_TASKS}


def prepare_sentences(step: Step) -> dict[str, Any]:
    """Write the tables of sentences and of the pairs among them."""
    options, folder = step.options, step.path("tatoeba")
    found = list(tatoeba.read_translations(folder))
    sentences = tatoeba.sentence_rows(found, read_record(folder))
    lengths = options["min_words"], options["max_words"]
    pivots = tatoeba.pivot_pairs(found, *lengths, options["most_overlap"])
    rows = tatoeba.pair_rows(pivots, sentences, options["pairs"], step.rng("pairs"))
    count = options["sentences"]
    chosen = tatoeba.choose_sentences(sentences, rows, count, *lengths, step.rng("sentences"))
    PAIRS.write(step.outputs["pairs"], rows)
    SENTENCES.write(step.outputs["sentences"], chosen)
    splits = Counter(row["split"] for row in rows)
    return {"sentences": len(chosen), "possible_pairs": len(pivots), "pairs": dict(splits)}


def open_parser(options: Mapping[str, Any], folders: Mapping[str, Path]) -> Parser:
    """The configured parser. ``folders`` has the fetched sources of the embedded one."""
    kind = options["parser"]
    if kind not in PARSERS:
        raise UserError(f"parse_sentences.parser: {kind!r} is not one of {', '.join(PARSERS)}")
    if kind == "stanford":
        return PARSERS[kind](folders["parser"], folders["java"], memory_mb=options["memory_mb"])
    if kind == "berkeley":
        folder = Path(options["folder"] or "berkeley")
        return PARSERS[kind](folder, folders["java"], memory_mb=options["memory_mb"])
    return PARSERS[kind](options["url"]) if kind == "corenlp" else PARSERS[kind]()


def parse_sentences(step: Step, shards: int) -> dict[str, Any]:
    """Parse one shard of the sentences; what was parsed before a stop is not parsed again."""
    options = step.options
    rows = shard_of(SENTENCES.read(step.path("sentences")), int(step.wildcards["shard"]), shards)
    parser = open_parser(options, {name: step.path(name) for name in ("parser", "java")})
    limits = {"max_words": options["max_words"], "chunk": options["chunk"]}
    found = list(parse_rows(rows, parser, folder=step.checkpoints, **limits))
    PARSES.write(step.outputs["parses"], found)
    return {"parser": parser.name, **parse_counts(found)}


def parse_counts(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """How many sentences have which status, and why those without a tree have none."""
    return {
        "status": dict(Counter(row["status"] for row in rows)),
        "reasons": dict(Counter(row["reason"] for row in rows if row["reason"])),
    }


def read_parses(step: Step) -> dict[str, str]:
    """The tree of every parsed sentence, by id, from all shards."""
    rows = [row for path in step.paths("parses") for row in PARSES.read(path)]
    return {row["id"]: row["tree"] for row in rows if row["status"] == "parsed"}


def prepare_paraphrases(step: Step) -> dict[str, Any]:
    """Give each pair its trees and a template."""
    pairs = PAIRS.read(step.path("pairs"))
    rows = paraphrase_rows(pairs, read_parses(step), **step.options)
    PARAPHRASES.write(step.outputs["paraphrases"], rows)
    splits = Counter(row["split"] for row in rows)
    return {"paraphrases": dict(splits), "left_out": len(pairs) - len(rows)}


def build_tasks(step: Step) -> dict[str, Any]:
    """Write the examples of a pre-training stage, and others of trees held out.

    No sentence of a dev or test pair is trained on.
    """
    options, stage = step.options, step.wildcards["stage"]
    tasks = select_tasks(STAGES[stage], options[f"{stage}_tasks"] or list(STAGES[stage]))
    asked = {
        row[side]
        for row in PAIRS.read(step.path("pairs"))
        for side in ("source_id", "target_id")
        if row["split"] != "train"
    }
    parses = {i: tree for i, tree in sorted(read_parses(step).items()) if i not in asked}
    ids = list(parses)
    step.rng("order").shuffle(ids)
    heldout, train = ids[: options["heldout"]], ids[options["heldout"] :]
    train = train[: round(options["share"] * len(train))]
    facts = {}
    for name, chosen, passes in (
        ("heldout", heldout, 1),
        ("train", train, options[f"{stage}_passes"]),
    ):
        rng = step.rng(name)
        rows = list(_examples(chosen * passes, parses, tasks, options["form"], rng))
        TASKS.write(step.outputs[name], rows)
        facts[name] = dict(Counter(row["task"] for row in rows))
    return facts


def _examples(
    ids: list[str], parses: Mapping[str, str], tasks: Any, form: str, rng: random.Random
) -> Iterator[dict[str, Any]]:
    written = (parses[tree_id] for tree_id in ids)
    for number, task, text in draw_examples(written, tasks, FORMS[form], rng):
        yield {"id": f"{ids[number]}#{number}", "task": task, **text._asdict()}


def trees_of(row: Mapping[str, Any]) -> dict[str, Tree]:
    """The three trees of a row of PARAPHRASES."""
    return {n: read_bracket(row[n], row["id"]) for n in ("source", "target", "template")}


def shape_of(step: Step) -> Shape:
    """How trees are shown, from the step's options."""
    return Shape(step.options["height"], FORMS[step.options["form"]])
