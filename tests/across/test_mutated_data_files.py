"""Files as they are found, and worse: each is read as a slow reader reads it, or refused.

``DATA_MUTATIONS=5000 pytest tests/across/test_mutated_data_files.py -s`` tries so many of each.
"""

import gzip
import json
import os
import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.across import reference_reader as reference
from tuneatlas.data.corpus_files import read_texts
from tuneatlas.data.normal_form import normalise
from tuneatlas.data.questions import read_question_file, stock_explanation
from tuneatlas.errors import UserError
from tuneatlas.studies.syntax.sentences.pair_files import read_numbered

MUTATIONS = int(os.environ.get("DATA_MUTATIONS", "300"))
NASTY = [
    "\ufeff", "\0", "\r", "\r\n", "\n", "\u2028", "\u2029", "\x85", "\v", "\f", "\x1c", "\u00a0",
    "\u200b", "\u200d", "\u00ad", "\u202e", "\x1b[31m", '"', '""', "'", ",", ";", "\t", "\\",
    "sep=;\n", "\\ud83d", "\\u0000", "e\u0301", "é", "\ufb01", "\uff21", "\u0412", "\u0661",
    "NaN", "null", "true", "-1", "1.0", "7", "9" * 5000, "[" * 60, "[" * 100_000, "{", "}", "]",
    " ", "  ", "A", "b", "NA", "=1+1", "<s>",
]  # fmt: skip

BLANK = re.compile("(?<=[a-z]) (?=[a-z])")


def own_questions(rng: random.Random) -> list[dict]:
    rows = []
    for n in range(rng.randint(2, 5)):
        count = 4
        options = [f"{word} {n}" for word in ("größer", 'a "b"', "x, y", "three")][:count]
        rows.append(
            {
                "question": rng.choice([f"Which, {n}?", f"Is it {n} < 5?", f"Wo liegt Köln {n}?"]),
                "choices": options,
                "answer": rng.choice([0, 3, "B", "c", "2", options[1]]),
                "split": rng.choice(["dev", "train", "test"]),
                "explanation": rng.choice(["Because.", "", "So\nit is."]),
            }
        )
    return rows


def cell(value: object, separator: str) -> str:
    text = str(value)
    quoted = any(c in text for c in f'{separator}"\n')
    return '"' + text.replace('"', '""') + '"' if quoted else text


def as_jsonl(rows: list[dict], rng: random.Random) -> str:
    return "".join(json.dumps(row, ensure_ascii=rng.random() < 0.5) + "\n" for row in rows)


def as_csv(rows: list[dict], separator: str) -> str:
    names = list(rows[0])
    table = [names, *([row.get(name, "") for name in names] for row in rows)]
    return "".join(separator.join(cell(v, separator) for v in line) + "\n" for line in table)


def spread(row: dict) -> dict:
    """A row with a column for each option."""
    columns = {f"choice_{c}": text for c, text in zip("abcd", row["choices"], strict=True)}
    return {"question": row["question"], **columns, **{k: row[k] for k in list(row)[2:]}}


def own_pairs(rng: random.Random) -> list[dict]:
    third = rng.choice(["template", "exemplar", None])
    rows = []
    for n in range(rng.randint(2, 5)):
        row = {"source": f"The cat, {n}, sat .", "target": f"Es saß «{n}» da .", third: f"Like {n}"}
        rows.append({name: text for name, text in row.items() if name})
    return rows


def question_file(rng: random.Random) -> tuple[str, str]:
    rows = own_questions(rng)
    kind = rng.choice(["jsonl", "csv", "tsv"])
    if kind == "jsonl":
        return "own.jsonl", as_jsonl(rows, rng)
    separator = "\t" if kind == "tsv" else rng.choice(",;")
    return f"own.{kind}", as_csv([spread(row) for row in rows], separator)


def pair_file(rng: random.Random) -> tuple[str, str]:
    rows, kind = own_pairs(rng), rng.choice(["jsonl", "csv", "tsv"])
    if kind == "jsonl":
        return "own.jsonl", as_jsonl(rows, rng)
    if kind == "csv":
        return "own.csv", as_csv(rows, ",")
    head = "\t".join(rows[0]) + "\n" if rng.random() < 0.5 else ""
    return "own.tsv", head + "".join("\t".join(row.values()) + "\n" for row in rows)


def corpus_file(rng: random.Random) -> tuple[str, str]:
    texts = [f"Text {n}: «so» it goes, über alles." for n in range(rng.randint(1, 6))]
    if rng.random() < 0.5:
        return "own.txt", "".join(f"{text}\n" for text in texts)
    return "own.jsonl", as_jsonl([{"text": text, "n": 1} for text in texts], rng)


def change_text(text: str, rng: random.Random) -> str:
    """One change of a text that a program, a spreadsheet or a person might make."""
    at = rng.randint(0, len(text))
    to = min(len(text), at + rng.choice([1, 1, 3, 20]))
    rows = text.splitlines(keepends=True) or [""]
    line = rng.randrange(len(rows))
    ways: list[Callable[[], str]] = [
        lambda: text[:at] + rng.choice(NASTY) + text[at:],
        lambda: text[:at] + rng.choice(NASTY) + text[to:],
        lambda: text[:at] + text[to:],
        lambda: text[:at],
        lambda: "".join([*rows[:line], rows[line], *rows[line:]]),
        lambda: "".join([*rows[:line], *rows[line + 1 :]]),
        lambda: text.replace("\n", rng.choice(["\r\n", "\r", "\n\n", "\u2028"])),
        lambda: "\ufeff" + text,
        lambda: text.replace(*rng.choice([(",", ";"), (",", "\t"), ('"', "'"), ('"', "”")])),
        lambda: text.replace(*rng.choice([("answer", "Answer"), ("split", "question")]), 1),
        lambda: text.replace(*rng.choice([("target", "tgt"), ("choices", "options")])),
        lambda: text.replace('": "', rng.choice(['": ', '": 7, "z": "', '": "", "answer": "']), 1),
        lambda: text.replace(" ", rng.choice(["\u00a0", "  ", "\t", "\u200b "]), rng.randint(1, 9)),
        lambda: f"[{text}]",
        lambda: text.replace("{", '{"more": [1, {"a": null}], ', 1),
    ]
    return rng.choice(ways)()


def change_bytes(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    ways: list[Callable[[], bytes]] = [
        lambda: data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :],
        lambda: data[:at] + bytes([rng.randrange(256)]) + data[at:],
        lambda: data[:at],
        lambda: data + b"\xff",
    ]
    return rng.choice(ways)()


def mutant(file: Callable, folder: Path, rng: random.Random) -> Path:
    """A file with up to three faults, in one of the encodings that are about."""
    name, text = file(rng)
    for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
        text = change_text(text, rng)
    encoding = rng.choice(["utf-8"] * 9 + ["utf-16", "utf-16-le", "utf-8-sig", "cp1252"])
    data = text.encode(encoding, errors="replace")
    if rng.random() < 0.1:
        data = change_bytes(data, rng)
    if rng.random() < 0.15:
        name, data = f"{name}.gz", gzip.compress(data)
        if rng.random() < 0.5:
            data = change_bytes(data, rng)
    path = folder / name
    path.write_bytes(data)
    return path


def read_questions_as_seen(path: Path) -> list[tuple]:
    rows = read_question_file(path, "own", {"first_option": 0})
    found = []
    for row in rows:
        assert row["question"] == normalise(row["question"])
        assert [*map(normalise, row["choices"])] == row["choices"]
        stock = stock_explanation(row["choices"], row["answer"])
        explained = "" if row["explanation"] == stock else row["explanation"]
        texts = [reference.seen(text) for text in row["choices"]]
        found.append(
            (
                reference.seen(row["question"]), tuple(texts), row["answer"], row["split"],
                row["role"], reference.seen(explained),
            )
        )  # fmt: skip
    return found


def read_pairs_as_seen(path: Path) -> list[tuple]:
    return [tuple(reference.seen(t or "") for t in found.pair) for found in read_numbered(path)]


KINDS = {
    "questions": (question_file, read_questions_as_seen, reference.questions),
    "pairs": (pair_file, read_pairs_as_seen, reference.pairs),
    "corpora": (corpus_file, lambda path: list(read_texts(path)), reference.corpus),
}


def outcome(kind: str, folder: Path, seed: int) -> str:
    """Whether a mutant is read or refused; an AssertionError if it is read wrongly."""
    file, read, read_slowly = KINDS[kind]
    path = mutant(file, folder, random.Random(f"{kind}/{seed}"))
    try:
        try:
            found = read(path)
        except UserError as error:
            assert str(error).startswith(str(path)), error
            assert len(str(error)) < 1000 and "\n" not in str(error) and "\x1b" not in str(error)
            try:
                read_slowly(path)
            except (reference.Unreadable, KeyError, TypeError, AttributeError):
                return "refused by both"
            return "refused"
        assert found == read_slowly(path), (seed, path.read_bytes())
        return "read"
    finally:
        path.unlink()


@pytest.mark.parametrize("kind", KINDS)
def test_mutants_are_read_as_a_slow_reader_reads_them_or_refused(tmp_path, kind):
    counts = Counter(outcome(kind, tmp_path, seed) for seed in range(MUTATIONS))
    print(f"{kind}: {dict(counts)}")
    assert min(counts["read"], counts["refused by both"]) > MUTATIONS / 10
    # What a slow reader could make sense of is refused where it says something unsound.
    assert counts["refused"] < MUTATIONS / 4


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: f"\n\n{text}\n \n",
        lambda text: text.rstrip("\n"),
        lambda text: BLANK.sub("\u00a0", text).replace("\n", "\n\ufeff"),
        lambda text: BLANK.sub("\u2028", text).replace("\n", "\n\v\n"),
        lambda text: BLANK.sub(" \x85\u200b ", text),
    ],
)
def test_what_programs_do_to_files_changes_nothing(tmp_path, kind, change):
    """The same rows with a byte-order mark, other line ends, blank lines, other blanks."""
    file, read, _ = KINDS[kind]
    for seed in range(20):
        name, text = file(random.Random(seed))
        (tmp_path / name).write_bytes(text.encode())
        plain = read(tmp_path / name)
        (tmp_path / name).write_bytes(change(text).encode())
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(change(text).encode()))
        seen = [read(tmp_path / name), read(tmp_path / f"{name}.gz")]
        if kind == "corpora":
            seen = [[reference.seen(t) for t in texts] for texts in seen]
            plain = [reference.seen(t) for t in plain]
        assert seen == [plain, plain], (seed, text)
