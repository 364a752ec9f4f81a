"""The data steps of the syntax study: sentences, trees, paraphrases, tasks."""

import json
import logging
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tuneatlas.errors import UserError
from tuneatlas.files import write_text
from tuneatlas.sources import read_record
from tuneatlas.step import Step
from tuneatlas.syntax import flat
from tuneatlas.syntax import pairs as tatoeba
from tuneatlas.syntax.denoising import PLAIN_TASKS
from tuneatlas.syntax.formats import Shape
from tuneatlas.syntax.linear import FORMS, read_bracket, unescape
from tuneatlas.syntax.pair_files import read_files
from tuneatlas.syntax.parsers import PARSERS, Parser
from tuneatlas.syntax.parsing import need_some, parse_counts, parse_rows
from tuneatlas.syntax.structure_tasks import STRUCTURE_TASKS
from tuneatlas.syntax.syntax_tasks import SYNTAX_TASKS
from tuneatlas.syntax.tables import PAIRS, PARAPHRASES, PARSES, SENTENCES, TASKS
from tuneatlas.syntax.tasks import draw_examples, select_tasks
from tuneatlas.syntax.templates import paraphrase_rows, sentences_of
from tuneatlas.syntax.trees import Tree
from tuneatlas.tables import shard_bounds

log = logging.getLogger(__name__)

STAGES = {"plain": PLAIN_TASKS, "structure": STRUCTURE_TASKS, "syntax": SYNTAX_TASKS}


def prepare_sentences(step: Step) -> dict[str, Any]:
    """Write the tables of sentences and of the pairs among them."""
    options = step.options
    if options["files"]["train"]:
        rows, given, left_out = read_files(options["files"], options["pairs"], options["sentences"])
        PAIRS.write(step.outputs["pairs"], rows)
        count = SENTENCES.write_stream(step.outputs["sentences"], given)
        splits = Counter(row["split"] for row in rows)
        return {"sentences": count, "pairs": dict(splits), "shared_between_splits": left_out}
    folder = step.path("tatoeba")
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
    """The configured parser. ``folders`` has the fetched sources ``stanford`` and ``java``."""
    kind = options["parser"]
    if kind not in PARSERS:
        raise UserError(f"parse_sentences.parser: {kind!r} is not one of {', '.join(PARSERS)}")
    tools = {**folders, "memory_mb": options["memory_mb"]}
    if kind == "berkeley":
        return PARSERS[kind](Path(options["folder"] or "berkeley"), **tools)
    return PARSERS[kind](options["url"], **tools) if kind == "corenlp" else PARSERS[kind](**tools)


def parse_sentences(step: Step) -> dict[str, Any]:
    """Parse one shard of the sentences; what was parsed before a stop is not parsed again."""
    options, path = step.options, step.path("sentences")
    start, stop = shard_bounds(SENTENCES.count(path), step.wildcards["scatteritem"])
    rows = list(SENTENCES.stream(path, start, stop))
    parser = open_parser(options, {"stanford": step.path("parser"), "java": step.path("java")})
    limits = {"max_words": options["max_words"], "chunk": options["chunk"]}
    found = list(parse_rows(rows, parser, folder=step.checkpoints, **limits))
    need_some(parser, (row["status"] for row in found))
    PARSES.write(step.outputs["parses"], found)
    return {"parser": parser.name, **parse_counts(found)}


def read_parses(step: Step) -> Iterator[tuple[str, str]]:
    """Id and tree of every parsed sentence, from all shards; a part of them in memory at a time."""
    for path in step.paths("parses"):
        for row in PARSES.stream(path, columns=("id", "tree", "status")):
            if row["status"] == "parsed":
                yield row["id"], row["tree"]


def collect_labels(step: Step) -> dict[str, Any]:
    """Write the labels of all trees as a sorted list in JSON."""
    found = {name for _, tree in read_parses(step) for name in flat.labels(tree)}
    labels = sorted(map(unescape, found))
    write_text(step.outputs["labels"], json.dumps(labels) + "\n")
    return {"labels": len(labels)}


def prepare_paraphrases(step: Step) -> dict[str, Any]:
    """Give each pair its trees, a template and an exemplar."""
    pairs = list(PAIRS.stream(step.path("pairs")))
    wanted = sentences_of(pairs)
    parses = {i: tree for i, tree in read_parses(step) if i in wanted}
    rows = paraphrase_rows(pairs, parses, **step.options)
    PARAPHRASES.write_stream(step.outputs["paraphrases"], rows)
    splits = Counter(row["split"] for row in rows)
    return {
        "paraphrases": dict(splits),
        "left_out": len(pairs) - len(rows),
        "without_exemplar": sum(row["exemplar_id"] is None for row in rows),
    }


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


def trees_of(row: Mapping[str, Any], names: Iterable[str]) -> dict[str, Tree]:
    """The trees called ``names`` of a row of PARAPHRASES."""
    return {name: read_bracket(row[name], row["id"]) for name in names}


def shape_of(step: Step) -> Shape:
    """How trees are shown, from the step's options."""
    return Shape(step.options["height"], FORMS[step.options["form"]])
