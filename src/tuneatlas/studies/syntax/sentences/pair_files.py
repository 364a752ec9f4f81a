"""The user's own paraphrase pairs and sentences: tab-separated files, CSV or JSON lines.

A pair has a source and a target, and may have a template, the sentence whose syntax the target
is to have (in ParaNMT-small and QQP-Pos: the exemplar).
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

from tuneatlas.data.normal_form import comparison_key, one_line
from tuneatlas.data.text_files import (
    Record,
    read_json_lines,
    read_lines,
    read_table,
    show,
    suffix_of,
)
from tuneatlas.errors import UserError
from tuneatlas.studies.syntax.sentences.tatoeba import Row

NAMES = ("source", "target", "template")
# Two names of one thing.
ALSO = {"exemplar": "template"}
# Names that columns of others' files have: such a line is no pair of sentences.
HEADERS = {
    *NAMES, *ALSO, "id", "src", "tgt", "trg", "ref", "reference", "input", "output", "original",
    "paraphrase", "sentence", "sentence1", "sentence2", "question1", "question2", "text", "text1",
    "text2", "label", "score", "similarity", "is_duplicate", "quality",
}  # fmt: skip
ENDINGS = (".tsv", ".txt", ".csv", ".jsonl", ".ndjson")


class Pair(NamedTuple):
    """Source, target and template of a line; the template may be missing."""

    source: str
    target: str
    template: str | None


class Found(NamedTuple):
    """A pair, and the line it begins on."""

    line: int
    pair: Pair


def read_pairs(path: Path, columns: Mapping[str, Any] | None = None) -> Iterator[Pair]:
    """The pairs of `read_numbered`."""
    return (found.pair for found in read_numbered(path, columns))


def read_numbered(path: Path, columns: Mapping[str, Any] | None = None) -> Iterator[Found]:
    """The pairs of a file; its ending says how it is read. Each sentence is one line of text.

    Args:
        path: .tsv or .txt: source, target and perhaps template between tabs, in this order or as
            a first line with these names says; .csv: with such a line; .jsonl: by these names.
        columns: other names of source, target and template.

    Raises:
        UserError: naming file and line of what is no pair.
    """
    renamed = {v.strip().lower(): k for k, v in (columns or {}).items() if v}
    suffix = suffix_of(path)
    if suffix in (".tsv", ".txt"):
        found = _tabbed(path, renamed)
    elif suffix in (".jsonl", ".ndjson"):
        found = (_named(record, renamed) for record in read_json_lines(path))
    elif suffix == ".csv":
        names, records = read_table(path)
        _check_names(names, renamed, f"{path}, line 1")
        found = (_named(record, renamed) for record in records)
    else:
        raise UserError(f"{path}: ends in none of {', '.join(ENDINGS)} (also with .gz)")
    first = next(found, None)
    if first is None:
        raise UserError(f"{path}: holds no pairs")
    return chain([first], found)


def _tabbed(path: Path, renamed: Mapping[str, str]) -> Iterator[Found]:
    names: Sequence[str] = ()
    begun = False
    for number, line in read_lines(path):
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        fields = [field.strip() for field in line.split("\t")]
        _refuse_quotes(fields, place, whole=not begun)
        if not begun:
            begun = True
            said = [field.lower() for field in fields]
            if {"source", "target"} <= {_name(name, renamed) for name in said}:
                _check_names(said, renamed, place)
                names = said
                continue
            if all(name in HEADERS for name in said):
                _check_names(said, renamed, place)
        if names:
            if len(fields) != len(names):
                raise UserError(f"{place}: {len(fields)} fields, the header has {len(names)}")
            values = {name: field for name, field in zip(names, fields, strict=True) if name}
            yield _named(Record(place, number, values), renamed)
            continue
        if len(fields) not in (2, 3):
            text = "expected source, target and perhaps template between tabs"
            raise UserError(f"{place}: {text}, found {len(fields)}")
        yield _named(Record(place, number, dict(zip(NAMES, fields, strict=False))), {})


def _refuse_quotes(fields: Sequence[str], place: str, *, whole: bool) -> None:
    """In a tab-separated file a quotation mark is a character, not what a spreadsheet means by it.

    ``whole``: a line of fields that stand in quotes is refused, even without any doubled.
    """
    inner = [f[1:-1] for f in fields if len(f) > 1 and f[0] == f[-1] == '"']
    doubled = any('""' in text and '"' not in text.replace('""', "") for text in inner)
    if doubled or (whole and len(inner) == len(fields)):
        how = "write it without, or as .csv or .jsonl"
        raise UserError(f"{place}: fields stand in a spreadsheet's quotation marks; {how}")


def _name(stated: str, renamed: Mapping[str, str]) -> str:
    name = renamed.get(stated, stated if stated not in renamed.values() else "")
    return ALSO.get(name, name)


def _check_names(names: Sequence[str], renamed: Mapping[str, str], place: str) -> None:
    ours = [_name(name, renamed) for name in names]
    if twice := next((name for name in NAMES if ours.count(name) > 1), None):
        raise UserError(f"{place}: two columns are the {twice}")
    if missing := [name for name in ("source", "target") if name not in ours]:
        found = show(", ".join(names))
        how = "key prepare_sentences.files.columns maps names"
        raise UserError(f"{place}: no column {missing[0]!r} among {found}; {how}")


def _named(record: Record, renamed: Mapping[str, str]) -> Found:
    """The pair of a record, by the names of its values; others are passed over."""
    texts = dict.fromkeys(NAMES, "")
    for stated, value in record.values.items():
        name = _name(stated.strip().lower(), renamed)
        if name not in texts or value is None:
            continue
        if not isinstance(value, str):
            raise UserError(f"{record.place}: {stated!r} must be a text, in quotes")
        text = one_line(value)
        if texts[name] and text and texts[name] != text:
            raise UserError(f"{record.place}: two different texts are the {name}")
        texts[name] = text or texts[name]
    if missing := [name for name in ("source", "target") if not comparison_key(texts[name])]:
        raise UserError(f"{record.place}: no {missing[0]}")
    template = texts["template"] if comparison_key(texts["template"]) else None
    return Found(record.line, Pair(texts["source"], texts["target"], template))


def read_sentences(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of the sentences of a plain text file, one a line; blank lines are none."""
    for number, line in read_lines(path):
        text = one_line(line)
        if comparison_key(text):
            yield number, text


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
        for number, pair in islice(read_numbered(path, files.get("columns")), sizes[split]):
            said = {comparison_key(pair.source), comparison_key(pair.target)}
            if said & asked:
                left_out += 1
                continue
            own |= said
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
        new = ((n, text) for n, text in read_sentences(path) if text not in known)
        for number, text in islice(new, most):
            where = f"{path.name}, line {number}"
            yield _sentence(f"{path.name}/line/{number}", text, where, files["licence"])


def _sentence(key: str, text: str, source: str, licence: str) -> Row:
    return {"id": key, "sentence": text, "source": source, "licence": licence}
