"""A slow reader of data files, written apart from the package's: what a careful person would read.

Everything is done a character at a time; what is not plainly readable is `Unreadable`. Texts are
compared as a reader sees them: without characters that have no width, any blanks as one space.
"""

import gzip
import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path


class Unreadable(Exception):
    """No one could say what this file means."""


def seen(text: str) -> str:
    """What a reader sees of a text."""
    shown = "".join(c for c in text if unicodedata.category(c) != "Cf")
    return unicodedata.normalize("NFC", " ".join(unicodedata.normalize("NFC", shown).split()))


def characters(path: Path) -> str:
    data = path.read_bytes()
    try:
        if path.name.endswith(".gz"):
            data = gzip.decompress(data)
        text = data.decode("utf-8")
    except Exception as error:
        raise Unreadable from error
    if "\0" in text:
        raise Unreadable
    return text


def lines(text: str) -> list[str]:
    """Lines that end with LF, CRLF or CR; a byte-order mark at the start of one is dropped."""
    found, line, at = [], "", 0
    while at < len(text):
        if text[at] == "\r" or text[at] == "\n":
            found.append(line)
            line = ""
            if text[at : at + 2] == "\r\n":
                at += 1
        elif not (text[at] == "\ufeff" and line == "" and not _in_line(text, at)):
            line += text[at]
        at += 1
    return [*found, line] if line else found


def _in_line(text: str, at: int) -> bool:
    return at > 0 and text[at - 1] not in "\r\n"


def objects(text: str) -> Iterator[dict]:
    def once(pairs: list) -> dict:
        if len({key for key, _ in pairs}) < len(pairs):
            raise Unreadable
        return dict(pairs)

    for line in lines(text):
        if not line.strip():
            continue
        try:
            value = json.loads(line, object_pairs_hook=once)
        except (ValueError, RecursionError) as error:
            raise Unreadable from error
        if not isinstance(value, dict):
            raise Unreadable
        yield {name.strip().lower(): item for name, item in value.items()}


def table(text: str, tabs: bool = False) -> Iterator[dict[str, str]]:
    """Rows of a CSV file, by a machine of three states."""
    text = "\n".join(lines(text)) + "\n"
    while text.strip("\n") and not text.split("\n", 1)[0].strip():
        text = text.split("\n", 1)[1]
    first, _, rest = text.partition("\n")
    separator = "\t" if tabs else next((s for s in ",;\t" if s in first), ",")
    if len(first) == 5 and first[:4].lower() == "sep=" and first[4] in ",;\t":
        separator, text = first[4], rest
    rows: list[list[str]] = []
    row: list[str] = []
    field, state = "", "start"
    for at, c in enumerate(text):
        if state == "start" and c == '"':
            state = "quoted"
        elif state == "quoted":
            if c == '"':
                state = "closed"
            else:
                field += c
        elif state == "closed" and c == '"':
            field += c
            state = "quoted"
        elif c == separator or c == "\n":
            row.append(field)
            field, state = "", "start"
            if c == "\n":
                rows.append(row)
                row = []
        elif state == "closed":
            raise Unreadable
        else:
            field += c
            state = "plain"
        if state == "quoted" and at == len(text) - 1:
            raise Unreadable
    full = [row for row in rows if any(field.strip() for field in row)]
    if not full:
        return
    names = [name.strip().lower() for name in full[0]]
    for row in full[1:]:
        while len(row) > len(names) and not row[-1].strip():
            row.pop()
        while len(row) < len(names) and not names[len(row)]:
            row.append("")
        if len(row) != len(names):
            raise Unreadable
        found = {}
        for name, field in zip(names, row, strict=True):
            if name in found and name:
                raise Unreadable
            if not name and field.strip():
                raise Unreadable
            found[name] = field
        yield found


def answer(said: object, options: list[str]) -> int:
    """The one option that an answer can mean."""
    meant = set()
    if isinstance(said, str):
        meant |= {i for i, text in enumerate(options) if text == seen(said)}
        meant |= {i for i in range(len(options)) if seen(said).upper() == "ABCDEFGHIJ"[i]}
        digits = seen(said)
        if digits and all(c in "0123456789" for c in digits):
            meant |= {i for i in range(len(options)) if i == int(digits[:9])}
    elif type(said) is int:
        meant |= {i for i in range(len(options)) if i == said}
    if len(meant) != 1:
        raise Unreadable
    return meant.pop()


def questions(path: Path) -> list[tuple]:
    """Question, options, answer, split, role, explanation (empty if there is none) of each row."""
    text = characters(path)
    kind = path.name.removesuffix(".gz").rsplit(".", 1)[1]
    rows = objects(text) if kind == "jsonl" else table(text, kind == "tsv")
    found = []
    for row in rows:
        names = [f"choice_{c}" for c in "abcdefghij" if f"choice_{c}" in row]
        options = row["choices"] if "choices" in row else [row[name] for name in names]
        if not all(isinstance(text, str) for text in [*options, row["question"]]):
            raise Unreadable
        options = [seen(text) for text in options]
        if len(set(options)) < len(options) or "" in options or not seen(row["question"]):
            raise Unreadable
        found.append(
            (
                seen(row["question"]),
                tuple(options),
                answer(row["answer"], options),
                seen(row.get("split") or "") or "train",
                seen(row.get("role") or "") or "home",
                seen(row.get("explanation") or ""),
            )
        )
    return found


def pairs(path: Path) -> list[tuple[str, str, str]]:
    """Source, target and template (empty if there is none) of each pair."""
    text = characters(path)
    name = path.name.removesuffix(".gz")
    if name.endswith(".tsv"):
        rows: list[dict] = []
        names: list[str] = []
        for number, line in enumerate(line for line in lines(text) if line.strip()):
            fields = line.split("\t")
            stated = [field.strip().lower() for field in fields]
            if number == 0 and "source" in stated and "target" in stated:
                names = stated
            elif len(fields) != len(names) if names else len(fields) not in (2, 3):
                raise Unreadable
            else:
                by = names or ["source", "target", "template"][: len(fields)]
                rows.append(dict(zip(by, fields, strict=True)))
    else:
        rows = list(objects(text) if name.endswith("jsonl") else table(text))
    found = []
    for row in rows:
        both = {seen(row.get(name) or "") for name in ("template", "exemplar")} - {""}
        source, target = seen(row["source"]), seen(row["target"])
        if len(both) > 1 or not source or not target:
            raise Unreadable
        found.append((source, target, both.pop() if both else ""))
    return found


def corpus(path: Path) -> list[str]:
    """The texts of a corpus that has any, character by character."""
    text = characters(path)
    texts = lines(text) if ".txt" in path.name else [row["text"] for row in objects(text)]
    if not all(isinstance(t, str) for t in texts):
        raise Unreadable
    return [t for t in texts if t.strip()]
