"""The user's text files: opened, decoded and taken apart in one way, for checks and steps alike.

A line ends with LF, CRLF or CR and with nothing else: U+2028, U+0085, VT and FF are text. A file
is UTF-8; a byte-order mark is no text. Each error names file, line and, where there is one, column.
"""

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tuneatlas.engine.files import open_file, read_file
from tuneatlas.errors import UserError

# Characters of a line, levels of a JSON value, digits of a number: more is no data of this field.
LONGEST_LINE = 2**26
DEEPEST = 50
LONGEST_NUMBER = 400
# How files begin that are no text, and what is to be done with them.
MAGIC = {
    b"\xff\xfe\x00\x00": "is UTF-32: save it as UTF-8",
    b"\x00\x00\xfe\xff": "is UTF-32: save it as UTF-8",
    b"\xff\xfe": "is UTF-16: save it as UTF-8",
    b"\xfe\xff": "is UTF-16: save it as UTF-8",
    b"\x1f\x8b": "is compressed by gzip: let its name end in .gz",
    b"PK\x03\x04": "is a spreadsheet or a zip archive: save it as text, in UTF-8",
    b"\xd0\xcf\x11\xe0": "is a spreadsheet: save it as .csv, in UTF-8",
    b"PAR1": "is a Parquet file: export it as .jsonl",
}
ABSENT = "there is no such file: put it there, or change the path"
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}


class Record(NamedTuple):
    """What a line, or several in the case of CSV, holds by name; ``place`` says where."""

    place: str
    line: int
    values: dict[str, Any]


def suffix_of(path: Path) -> str:
    """The ending that says what a file is, in lower case and without .gz."""
    inner = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    return inner.suffix.lower()


def open_input(path: Path) -> io.FileIO:
    """Open a file that holds data: a pipe, a device or a folder is refused, and never waited for.

    Raises:
        UserError: the path names nothing that can be read.
    """
    try:
        return open_file(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        if path.is_symlink():
            reason = f"{reason} (a link to {path.readlink()})"
        elif isinstance(error, FileNotFoundError):
            raise UserError(f"{path}: {ABSENT}") from None
        raise UserError(f"{path}: cannot be read: {reason}") from None


@contextmanager
def _text(path: Path) -> Iterator[io.TextIOWrapper]:
    """The characters of a file, line ends in one form; damage to it ends in a UserError."""
    with open_input(path) as raw:
        stream = gzip.GzipFile(fileobj=raw) if _is_gzip(path) else io.BufferedReader(raw)
        try:
            start = stream.peek(4)[:4]
            for magic, said in MAGIC.items():
                if start.startswith(magic):
                    raise UserError(f"{path}, line 1: {said}")
            # Bytes that are no UTF-8 become half surrogates, so that they are found by line.
            yield io.TextIOWrapper(stream, encoding="utf-8", errors="surrogateescape")
        except (OSError, EOFError, zlib.error) as error:
            more = "; fetch or compress it again" if _is_gzip(path) else ""
            raise UserError(f"{path}: cannot be read: {error}{more}") from None


def _is_gzip(path: Path) -> bool:
    return path.suffix.lower() == ".gz"


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number and text of each line of a plain or gzipped file, without its end.

    Raises:
        UserError: naming file, line and column of what is no text in UTF-8.
    """
    with _text(path) as stream:
        number = 0
        while line := stream.readline(LONGEST_LINE):
            number += 1
            if len(line) == LONGEST_LINE:
                raise UserError(f"{path}, line {number}: longer than {LONGEST_LINE:,} characters")
            line = line.rstrip("\n").removeprefix("\ufeff")
            if not line.isascii():
                _refuse_bytes(line, f"{path}, line {number}")
            if "\0" in line:
                at = f"column {line.index(chr(0)) + 1}"
                text = "a NUL character; remove it, or save a UTF-16 file as UTF-8"
                raise UserError(f"{path}, line {number}, {at}: {text}")
            yield number, line


def _refuse_bytes(line: str, place: str) -> None:
    try:
        line.encode()
    except UnicodeEncodeError as error:
        byte = ord(line[error.start]) - 0xDC00
        text = f"byte {byte:#x} is not UTF-8; save the file as UTF-8"
        raise UserError(f"{place}, column {error.start + 1}: {text}") from None


def read_yaml(path: Path, what: str) -> Any:
    """The value in a YAML file, one of the files of a kind, ``what``, that lie in a folder.

    Raises:
        UserError: naming the file, and the others of its kind if it is not there.
    """
    try:
        return yaml.safe_load(read_file(path))
    except FileNotFoundError:
        have = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml"))) or "none"
        raise UserError(f"{path}: no such {what}; there are: {have}") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise UserError(f"{path}: this {what} cannot be read: {reason}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise UserError(f"{path}: not YAML: {error}") from error


def load_json(text: str, place: str) -> Any:
    """A JSON value in which no key occurs twice and every text can be written.

    Raises:
        UserError: naming ``place`` and the column or key of what is wrong.
    """
    try:
        found = json.loads(text, object_pairs_hook=_object, parse_int=_integer)
    except json.JSONDecodeError as error:
        line = f"line {error.lineno}, " if error.lineno > 1 else ""
        raise UserError(f"{place}, {line}column {error.colno}: not JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        deep = isinstance(error, RecursionError)
        said = f"nested deeper than {DEEPEST} levels" if deep else str(error)
        raise UserError(f"{place}: {said}") from None
    _check_values(found, place)
    return found


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(k for k, _ in pairs if k in seen or seen.add(k))  # type: ignore[func-returns-value]
        raise ValueError(f"key {twice!r} occurs twice; keep one of them")
    return found


def _integer(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise ValueError(f"a number of {len(digits):,} digits")
    return int(digits)


def _check_values(found: Any, place: str) -> None:
    """Refuse depth, half surrogates and NUL, wherever in a JSON value they are."""
    left: list[tuple[str, Any, int]] = [("", found, 0)]
    while left:
        name, value, depth = left.pop()
        at = f"{place}: {name!r}" if name else place
        if depth > DEEPEST:
            raise UserError(f"{place}: nested deeper than {DEEPEST} levels")
        if isinstance(value, dict):
            left += [(name, key, depth) for key in value]
            left += [(name or key, item, depth + 1) for key, item in value.items()]
        elif isinstance(value, list):
            left += [(name, item, depth + 1) for item in value]
        elif isinstance(value, str) and not (value.isascii() and "\0" not in value):
            half = next((c for c in value if "\ud800" <= c <= "\udfff"), None)
            if half:
                text = (
                    f"holds \\u{ord(half):x}, half of a surrogate pair: write the whole character"
                )
                raise UserError(f"{at} {text}")
            if "\0" in value:
                raise UserError(f"{at} holds a NUL character; remove it")


def read_json_lines(path: Path) -> Iterator[Record]:
    """The JSON objects of a file, one a line; blank lines are passed over."""
    for number, line in read_lines(path):
        place = f"{path}, line {number}"
        text = line.strip()
        if not text:
            continue
        if text.startswith("["):
            how = "write one object with named values a line (jq -c '.[]' does)"
            raise UserError(f"{place}: a JSON array; {how}")
        if text == "{":
            raise UserError(f"{place}: not JSON: put each object on one line (jq -c . does)")
        found = load_json(line, place)
        if not isinstance(found, dict):
            raise UserError(f"{place}: expected an object with named values")
        yield Record(place, number, found)


def read_table(path: Path) -> tuple[list[str], Iterator[Record]]:
    """Names of the header of a CSV file, and its rows; separated by commas, semicolons or tabs.

    Names are taken in lower case and without blanks around them. Rows without any text are
    passed over, and so are empty fields after the last named one.
    """
    rows = _rows(path)
    number, header = next(rows, (1, []))
    names = [name.strip().lower() for name in header]
    while names and not names[-1]:
        names.pop()
    if twice := next((name for name in names if name and names.count(name) > 1), None):
        raise UserError(f"{path}, line {number}: two columns are called {twice!r}")
    return names, (_record(f"{path}, line {n}", n, names, fields) for n, fields in rows)


def _record(place: str, number: int, names: Sequence[str], fields: list[str]) -> Record:
    while len(fields) > len(names) and not fields[-1].strip():
        fields = fields[:-1]
    if len(fields) != len(names):
        more = ": quote the option or text with the comma" if len(fields) > len(names) else ""
        raise UserError(f"{place}: {len(fields)} fields, the header has {len(names)}{more}")
    for name, field in zip(names, fields, strict=True):
        if field[:1].isspace() and field.lstrip().startswith('"'):
            how = "has a quotation mark after a blank: remove the blank, or the marks"
            raise UserError(f"{place}: {name!r} {how}")
        if field.strip() and not name:
            text = "stands in a column without a name: name it in the header, or leave it out"
            raise UserError(f"{place}: {field.strip()[:60]!r} {text}")
    values = {name: field for name, field in zip(names, fields, strict=True) if name}
    return Record(place, number, values)


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line of the beginning, and fields, of each row that has any text."""
    numbered = read_lines(path)
    at, first = next(((n, line) for n, line in numbered if line.strip()), (1, ""))
    # How a spreadsheet is told the separator.
    hint = re.fullmatch(r"(?i)sep=([,;\t])", first)
    if hint:
        at, first = next(numbered, (at, ""))
    separator = hint[1] if hint else _separator(path, first)
    lines = (f"{line}\n" for line in chain([first], (line for _, line in numbered)))
    reader = csv.reader(lines, delimiter=separator, strict=True)
    while True:
        begin = at + reader.line_num
        try:
            fields = next(reader, None)
        except csv.Error as error:
            raise UserError(f"{path}, line {begin}: not CSV: {error}") from None
        if fields is None:
            return
        if any(field.strip() for field in fields):
            yield begin, fields


def _separator(path: Path, header: str) -> str:
    """What separates the names of a header: tabs in .tsv; else the one that is there."""
    if suffix_of(path) in (".tsv", ".tab"):
        return "\t"
    return next((s for s in SEPARATORS if s in header), ",")


def show(value: Any) -> str:
    """A value as it may stand in a message: one short line of printable characters."""
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    text = repr(value) if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 80 else f"{text[:80]}… ({len(text):,} characters)"
