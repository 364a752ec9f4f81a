"""The user's own paraphrase pairs and sentences: tab-separated files, or JSON lines.

A pair has a source and a target, and may have a template, the sentence whose syntax the target
is to have (in ParaNMT-small and QQP-Pos: the exemplar).
"""

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from tuneatlas.errors import UserError
from tuneatlas.syntax.pairs import Row


class Pair(NamedTuple):
    """Source, target and template of a line; the template may be missing."""

    source: str
    target: str
    template: str | None


def read_pairs(path: Path) -> Iterator[Pair]:
    """The pairs of a file; its ending says how it is read: .tsv, .txt or .jsonl.

    Raises:
        UserError: naming file and line of what is no pair.
    """
    reader = READERS.get(path.suffix)
    if reader is None:
        raise UserError(f"{path}: ends in none of {', '.join(READERS)}")
    for number, line in _lines(path):
        found = reader(line)
        if isinstance(found, str):
            raise UserError(f"{path}, line {number}: {found}")
        yield found


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open(encoding="utf-8") as stream:
            for number, line in enumerate(stream, 1):
                yield number, line.rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8: {error.reason} at byte {error.start}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None


def _tabbed(line: str) -> Pair | str:
    fields = [field.strip() for field in line.split("\t")]
    if len(fields) not in (2, 3):
        return f"expected source, target and perhaps template between tabs, found {len(fields)}"
    return _pair(*fields)


def _json(line: str) -> Pair | str:
    try:
        found = json.loads(line)
    except ValueError as error:
        return f"not JSON: {error}"
    if not isinstance(found, dict):
        return "not a JSON object"
    texts = [found.get(key, "") for key in ("source", "target", "template")]
    if not all(isinstance(text, str) for text in texts):
        return "source, target and template must be texts"
    return _pair(*(" ".join(text.split()) for text in texts))


def _pair(source: str, target: str, template: str = "") -> Pair | str:
    missing = [name for name, text in (("source", source), ("target", target)) if not text]
    return f"no {missing[0]}" if missing else Pair(source, target, template or None)


READERS: dict[str, Callable[[str], Pair | str]] = {
    ".tsv": _tabbed,
    ".txt": _tabbed,
    ".jsonl": _json,
}


def read_files(
    files: Mapping[str, Any], sizes: Mapping[str, int], most: int
) -> tuple[list[Row], Iterator[Row], int]:
    """Rows of PAIRS, at most ``sizes`` of each split; rows of SENTENCES; pairs left out.

    A pair is left out if its source or its target is one of an earlier split's, in the order
    test, dev, train. The sentences of the pairs come first, then at most ``most`` of
    ``files["sentences"]``; these are streamed, and may repeat each other.
    """
    licence = files["licence"]
    ids: dict[str, str] = {}
    origin: list[Row] = []
    rows: list[Row] = []
    asked: set[str] = set()
    left_out = 0

    def place(text: str, path: Path, number: int) -> str:
        if text not in ids:
            ids[text] = f"{path.name}/{len(ids)}"
            origin.append(_sentence(ids[text], text, f"{path.name}, line {number}", licence))
        return ids[text]

    for split in ("test", "dev", "train"):
        path, own = Path(files[split]), set[str]()
        for number, pair in islice(enumerate(read_pairs(path), 1), sizes[split]):
            if {pair.source, pair.target} & asked:
                left_out += 1
                continue
            own |= {pair.source, pair.target}
            keys = [place(text, path, number) if text else None for text in pair]
            rows.append(
                {
                    "id": f"{split}/{number}",
                    **dict(zip(("source_id", "target_id", "template_id"), keys, strict=True)),
                    "split": split,
                    "pivot": "",
                    "source": f"{path.name}, line {number}",
                    "licence": licence,
                }
            )
        asked |= own
    return rows, _sentences(origin, ids, files, most), left_out


def _sentences(
    origin: list[Row], known: Mapping[str, str], files: Mapping[str, Any], most: int
) -> Iterator[Row]:
    yield from origin
    if files["sentences"]:
        path = Path(files["sentences"])
        new = ((n, line.strip()) for n, line in _lines(path) if line.strip() not in known)
        for number, text in islice(new, most):
            where = f"{path.name}, line {number}"
            yield _sentence(f"{path.name}/line/{number}", text, where, files["licence"])


def _sentence(key: str, text: str, source: str, licence: str) -> Row:
    return {"id": key, "sentence": text, "source": source, "licence": licence}
