"""From sentences to a table of trees in which every sentence is kept, with what came of it."""

import json
import logging
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tuneatlas.errors import UserError
from tuneatlas.files import write_text
from tuneatlas.step import progress
from tuneatlas.syntax.java import Stopped
from tuneatlas.syntax.linear import BRACKETS, read_bracket, write_bracket
from tuneatlas.syntax.parsers import Parser
from tuneatlas.syntax.trees import Tree, normalise, relabel, words

log = logging.getLogger(__name__)

# What treebank tokenisation writes for other characters: tried in this order.
RESPELT = {
    "``": ('"', "\u201c", "''", "\u00ab"),
    "''": ('"', "\u201d", "\u00bb"),
    "`": ("'", "\u2018"),
    "'": ("\u2019", "\u2018", "`"),
    "--": ("\u2014", "\u2013", "\u2015"),
    "...": ("\u2026",),
    "$": ("\u20ac", "\u00a3", "\u00a2", "\u00a5"),
    **{bracket: (f"-{name}-",) for bracket, name in BRACKETS.items()},
}
# A character the parsers' lexers know, for those beyond the basic plane, which they halve.
STAND_IN = "\u263a"


class Parsed(NamedTuple):
    """What came of a sentence: a tree in normal form, or the reason why there is none."""

    tree: str | None
    status: str
    reason: str


def objection(sentence: str, max_words: int) -> str:
    """Why a sentence is not given to a parser; empty if nothing speaks against it."""
    if not sentence.strip():
        return "empty"
    if any(unicodedata.category(c) == "Cc" for c in sentence):
        return "control characters"
    if not any(c.isprintable() and not c.isspace() for c in sentence):
        return "nothing visible"
    if len(sentence.split()) > max_words:
        return f"more than {max_words} words"
    return ""


def align(tokens: Sequence[str], sentence: str) -> list[str] | None:
    """The stretch of ``sentence`` behind each token; None if they do not spell it.

    A token may stand for other characters (see RESPELT) or leave out white space.
    """
    found = []
    at = 0
    for token in tokens:
        at = _after_space(sentence, at)
        spellings = (token, *RESPELT.get(token, ()), token.replace("'", "\u2019"))
        ends = (_match(sentence, at, spelling) for spelling in spellings)
        end = next((end for end in ends if end), None)
        if end is None:
            return None
        found.append(sentence[at:end])
        at = end
    return found if _after_space(sentence, at) == len(sentence) else None


def _after_space(sentence: str, at: int) -> int:
    while at < len(sentence) and (sentence[at].isspace() or not sentence[at].isprintable()):
        at += 1
    return at


def _match(sentence: str, at: int, token: str) -> int | None:
    """Where ``token`` ends if it stands at ``at``, white space aside."""
    for char in token:
        if char.isspace():
            continue
        at = _after_space(sentence, at)
        same = at < len(sentence) and (
            sentence[at] == char or (char == STAND_IN and ord(sentence[at]) > 0xFFFF)
        )
        if not same:
            return None
        at += 1
    return at


def parse_all(parser: Parser, sentences: Sequence[str], max_words: int) -> list[Parsed]:
    """What comes of each sentence. One that stops the parser is found by halving and set aside."""
    objections = [objection(sentence, max_words) for sentence in sentences]
    good = [s for s, reason in zip(sentences, objections, strict=True) if not reason]
    parsed = iter(_parse(parser, good))
    return [Parsed(None, "rejected", r) if r else next(parsed) for r in objections]


def _parse(parser: Parser, sentences: Sequence[str]) -> list[Parsed]:
    if not sentences:
        return []
    sent = ["".join(c if ord(c) < 0x10000 else STAND_IN for c in s) for s in sentences]
    try:
        texts = parser.parse(sent)
    except Stopped as stop:
        if len(sentences) == 1:
            return [Parsed(None, "failed", f"the parser stopped: {stop}")]
        half = len(sentences) // 2
        log.info("%s stopped (%s): trying %d sentences in halves", parser.name, stop, 2 * half)
        return _parse(parser, sentences[:half]) + _parse(parser, sentences[half:])
    return [_finish(text, s) for text, s in zip(texts, sentences, strict=True)]


def _finish(text: str | None, sentence: str) -> Parsed:
    if text is None:
        return Parsed(None, "failed", "no tree found")
    try:
        tree = normalise(read_bracket(text, "parser"))
    except UserError as error:
        return Parsed(None, "failed", str(error))
    spelt = align(words(tree), sentence)
    if spelt is None:
        return Parsed(write_bracket(tree), "parsed", "spelt differently")
    return Parsed(write_bracket(_with_words(tree, spelt)), "parsed", "")


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
