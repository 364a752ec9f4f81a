"""What any system wrote for the test pairs: read from a file, and made rows of GENERATIONS.

In a text file a line is an output, an empty one too; in JSON lines a text or an object with one
of ``NAMES``; a Parquet file is the workflow's own table, whose outputs find their pairs by id.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tuneatlas.data.normal_form import one_line
from tuneatlas.data.text_files import load_json, read_lines, suffix_of
from tuneatlas.errors import UserError
from tuneatlas.studies.syntax.paraphrasing.formats import Format, read
from tuneatlas.studies.syntax.tables import CANDIDATES, GENERATIONS
from tuneatlas.studies.syntax.trees.given import given_parse
from tuneatlas.studies.syntax.trees.linear import escape, in_own_signs
from tuneatlas.studies.syntax.trees.parsing import Parsed
from tuneatlas.tables import Row

NAMES = ("output", "sentence", "paraphrase", "prediction", "generated", "text")
_END = re.compile(r"""[.!?\u2026]["'\u2019\u201d)\s]*$""")
# What decoding should have taken out: special tokens, pieces of words (SentencePiece, BPE,
# WordPiece), and what Moses writes for signs.
_UNDECODED = re.compile(
    r"</?(?:unk|s|pad|bos|eos|sep|cls|mask)>|<\|\w+\|>|\[(?:UNK|PAD|SEP|CLS|MASK)\]"
    r"|\u2581|\S@@(?!\S)|(?<!\S)##\w|&(?:apos|quot|amp|lt|gt|#91|#93|#124);",
    re.IGNORECASE,
)


class Output(NamedTuple):
    """An output and its line; the pair's id where the file says it."""

    line: int
    text: str
    id: str | None = None


def read_outputs(path: Path) -> list[Output]:
    """The outputs of a text file or of JSON lines (with .gz too), in order.

    Raises:
        UserError: naming file and line of what is no output.
    """
    if suffix_of(path) in (".jsonl", ".ndjson", ".json"):
        return list(_from_json(path))
    return [Output(number, line) for number, line in read_lines(path)]


def _from_json(path: Path) -> Iterator[Output]:
    for number, line in read_lines(path):
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        found = load_json(line, place)
        if isinstance(found, str):
            yield Output(number, found)
            continue
        if not isinstance(found, dict):
            raise UserError(f"{place}: expected a text or an object a line")
        named = [name for name in NAMES if name in found]
        if len(named) != 1:
            raise UserError(
                f"{place}: expected one of {', '.join(NAMES)}, found {', '.join(named) or 'none'}"
            )
        text, key = found[named[0]], found.get("id")
        if text is not None and not isinstance(text, str):
            raise UserError(f"{place}: {named[0]!r} must be a text, in quotes")
        yield Output(number, text or "", str(key) if key is not None else None)


def generations_of(
    path: Path, ids: Sequence[str], kind: Format | None = None, *, whose: str = "test pairs"
) -> list[Row]:
    """Rows of GENERATIONS for the pairs called ``ids``, in their order.

    Args:
        path: the file of outputs.
        ids: all pairs that the system was asked, in the order in which it was.
        kind: the format that outputs are read by; None: they are plain text.
        whose: what messages call the pairs.

    Raises:
        UserError: there is another number of outputs than pairs, or outputs are of others.
    """
    if suffix_of(path) == ".parquet":
        rows = {row["id"]: row for row in GENERATIONS.read(path)}
        _refuse_others(path, list(rows), ids, whose)
        return [rows[key] for key in ids]
    outputs = read_outputs(path)
    named = [output.id for output in outputs if output.id is not None]
    # Ids of the system's own say nothing here; where some are those of pairs, all have to be.
    if set(named) & set(ids):
        _refuse_others(path, named, ids, whose)
        by_id = {output.id: output for output in outputs}
        outputs = [by_id[key] for key in ids] if len(outputs) == len(by_id) else outputs
    _refuse_count(path, outputs, len(ids), whose)
    return [_generation(key, out.text, kind) for key, out in zip(ids, outputs, strict=True)]


def _generation(key: str, text: str, kind: Format | None) -> Row:
    if kind is not None:
        reading = read(kind, text)
        said, problem = reading.sentence, reading.problem
    else:
        # Plain text says what it says: it is written as in trees, to be read back the same.
        said, problem = " ".join(map(escape, one_line(text).split())), ""
    return {"id": key, "input": "", "output": text, "sentence": said, "problem": problem}


def _refuse_count(path: Path, outputs: Sequence[Output], pairs: int, whose: str) -> None:
    if len(outputs) == pairs:
        return
    blank = [output.line for output in outputs if not output.text.strip()]
    hint = ""
    if blank:
        without = len(outputs) - len(blank)
        hint = (
            f"; {len(blank)} of them are empty (the first is line {blank[0]}), and an empty line "
            f"is an empty output: without them there would be {without}"
        )
    raise UserError(
        f"{path}: {len(outputs)} outputs for {pairs} {whose}: there must be one for each, in the "
        f"same order{hint}"
    )


def _refuse_others(path: Path, have: Sequence[str], ids: Sequence[str], whose: str) -> None:
    known, own = set(ids), set(have)
    if missing := [key for key in ids if key not in own]:
        raise UserError(f"{path}: no output for {len(missing)} of {len(ids)} {whose}: {missing[0]}")
    if further := [key for key in have if key not in known]:
        raise UserError(f"{path}: {len(further)} outputs are of none of the {whose}: {further[0]}")
    if len(set(have)) < len(have):
        twice = next(key for key in have if have.count(key) > 1)
        raise UserError(f"{path}: two outputs for {twice}")


def oddities(outputs: Sequence[str], references: Sequence[str]) -> dict[str, int]:
    """How many outputs are odd in ways that are scored all the same.

    Lower case and a missing end count only where the reference has capitals, or an end mark; signs
    of a tokenizer where it has none.
    """
    names = ("empty", "odd spacing", "lower case", "unfinished", "with signs of a tokenizer")
    found = dict.fromkeys(names, 0)
    for text, reference in zip(outputs, references, strict=True):
        if not text.strip():
            found["empty"] += 1
            continue
        found["odd spacing"] += text != " ".join(text.split())
        found["lower case"] += text == text.lower() and reference != reference.lower()
        found["unfinished"] += not _END.search(text) and bool(_END.search(reference))
        undecoded = _UNDECODED.search(text) and not _UNDECODED.search(reference)
        found["with signs of a tokenizer"] += bool(undecoded)
    return {name: count for name, count in found.items() if count}


def texts_of(generations: Sequence[Row]) -> list[str]:
    """The outputs in their own signs, as a parser is given them."""
    return [in_own_signs(row["sentence"]) for row in generations]


def read_trees(
    path: Path, ids: Sequence[str], texts: Sequence[str], max_words: int
) -> list[Parsed]:
    """The given parses of outputs: a tree a line, in their order, or a table of CANDIDATES.

    An empty line, or ``()``, says that there is no tree.

    Raises:
        UserError: naming the line of what is no parse of its output.
    """
    if suffix_of(path) == ".parquet":
        rows = {row["id"]: row for row in CANDIDATES.read(path)}
        given = [(f"{path}, {key}", (rows.get(key) or {}).get("tree") or "") for key in ids]
    else:
        given = [(f"{path}, line {number}", line) for number, line in read_lines(path)]
    if len(given) != len(texts):
        raise UserError(
            f"{path}: {len(given)} parses for {len(texts)} outputs: there must be one a line for "
            "each, in the same order; () where there is none"
        )
    return [
        given_parse(tree, text, max_words, place)
        for (place, tree), text in zip(given, texts, strict=True)
    ]
