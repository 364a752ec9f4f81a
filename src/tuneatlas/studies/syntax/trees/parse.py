"""The step that parses sentences, shard by shard; and its trees, read back."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tuneatlas.engine.step import Step
from tuneatlas.errors import UserError
from tuneatlas.studies.syntax.tables import PARSES, SENTENCES
from tuneatlas.studies.syntax.trees.parsers import PARSERS, Parser
from tuneatlas.studies.syntax.trees.parsing import need_some, parse_counts, parse_rows
from tuneatlas.tables import shard_bounds


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
