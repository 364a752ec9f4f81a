"""From sentences to a table of trees in which every sentence is kept, with what came of it."""

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tuneatlas.engine.step import progress
from tuneatlas.engine.files import write_text
from tuneatlas.errors import TransientError
from tuneatlas.studies.syntax.trees.asking import ask_all
from tuneatlas.studies.syntax.trees.java import Stopped
from tuneatlas.studies.syntax.trees.linear import MARKERS, TreeError, read_bracket, write_bracket
from tuneatlas.studies.syntax.trees.parsers import PLAIN, Parser, over
from tuneatlas.studies.syntax.trees.trees import Tree, normalise, relabel
from tuneatlas.studies.syntax.trees.trees import words as leaves
from tuneatlas.studies.syntax.trees.words import treebank, visible, words_of


class Parsed(NamedTuple):
    """What came of a sentence: a tree in normal form, or the reason why there is none."""

    tree: str | None
    status: str
    reason: str


def objection(sentence: str, max_words: int) -> str:
    """Why a sentence is not given to a parser; empty if nothing speaks against it."""
    if not sentence.strip():
        return "empty"
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in sentence):
        return "control characters"
    if not visible(sentence):
        return "nothing visible"
    if len(sentence.split()) > max_words:
        return f"more than {max_words} words"
    return ""


def parse_all(parser: Parser, sentences: Sequence[str], max_words: int) -> list[Parsed]:
    """What comes of each sentence: a tree over exact stretches of it, or the reason for none.

    A sentence and the same one written word by word, with spaces, have the same tree.

    Raises:
        TransientError: the parser, or the tokenizer before it, does not work.
    """
    found = [Parsed(None, "rejected", objection(s, max_words)) for s in sentences]
    good = [at for at, parsed in enumerate(found) if not parsed.reason]
    cut = words_of([sentences[at] for at in good], parser.tokenize)
    given: dict[int, list[str]] = {}
    for at, words in zip(good, cut, strict=True):
        if isinstance(words, str):
            found[at] = Parsed(None, "failed", words)
        elif len(words) > max_words:
            found[at] = Parsed(None, "rejected", f"more than {max_words} words")
        elif any(map(MARKERS.search, words)):
            found[at] = Parsed(None, "rejected", "a word that stands for a node in written trees")
        else:
            given[at] = words
    lines = [" ".join(treebank(words)) for words in given.values()]
    answers = ask_all(parser.parse, lines, PLAIN, parser.name)
    for (at, words), answer in zip(given.items(), answers, strict=True):
        found[at] = _finish(answer, words)
    return found


def _finish(answer: str | Stopped | None, words: Sequence[str]) -> Parsed:
    if answer is None:
        return Parsed(None, "failed", "no tree found")
    if isinstance(answer, Stopped):
        return Parsed(None, "failed", f"the parser stops on it, alone and repeatedly: {answer}")
    try:
        tree = normalise(read_bracket(answer, "parser"))
    except TreeError as error:
        return Parsed(None, "failed", str(error))
    if not over(answer, " ".join(treebank(words))) or len(leaves(tree)) != len(words):
        return Parsed(None, "failed", "its tree is over other words")
    return Parsed(write_bracket(_with_words(tree, words)), "parsed", "")


def need_some(parser: Parser, statuses: Iterable[str]) -> None:
    """Refuse a table of sentences none of which has a tree, though some were given to the parser.

    Raises:
        TransientError: that is so; it may be the machine's fault, and is nothing to go on with.
    """
    counts = Counter(statuses)
    if counts["failed"] and not counts["parsed"]:
        raise TransientError(
            f"{parser.name} found no tree for any of {counts['failed']} sentences; the log and "
            "the kept answers say why: mend the sentences or the parser, and run again"
        )


def _with_words(tree: Tree, spelt: Sequence[str]) -> Tree:
    following = iter(spelt)
    return relabel(tree, lambda label: label, lambda _: next(following))


def parse_rows(
    rows: Sequence[Mapping[str, Any]],
    parser: Parser,
    *,
    max_words: int,
    chunk: int,
    folder: Path,
) -> Iterator[dict[str, Any]]:
    """A row of the table PARSES for each row of SENTENCES, in order.

    Chunks that are done are kept in ``folder``, so an interrupted run goes on with the next.
    """
    starts = range(0, len(rows), chunk)
    for start in progress(starts, len(starts), "chunks of sentences"):
        part = rows[start : start + chunk]
        kept = folder / f"{start:09d}.json"
        if kept.is_file():
            found = [Parsed(*entry) for entry in json.loads(kept.read_text(encoding="utf-8"))]
        else:
            found = parse_all(parser, [row["sentence"] for row in part], max_words)
            if any(parsed.tree for parsed in found):
                write_text(kept, json.dumps(found))
        for row, parsed in zip(part, found, strict=True):
            yield {
                "id": row["id"],
                "sentence": row["sentence"],
                **parsed._asdict(),
                "parser": parser.name,
                "source": row["source"],
                "licence": row["licence"],
            }


def parse_counts(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """How many sentences have which status, and why: no tree, or something odd about it."""
    status: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for row in rows:
        status[row["status"]] += 1
        if row["reason"]:
            reasons[row["reason"]] += 1
    return {"status": dict(status), "reasons": dict(reasons.most_common())}
