"""Text, tables and JSON of a user's files, read line by line, or damage told with its place."""

import gzip
import json
import os
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneatlas.data.corpus_files import read_texts
from tuneatlas.data.normal_form import comparison_key, normalise
from tuneatlas.data.questions import read_question_file
from tuneatlas.data.text_files import load_json, read_json_lines, read_lines, read_table
from tuneatlas.errors import UserError
from tuneatlas.studies.syntax.sentences.pair_files import read_pairs

READERS = {
    "questions": lambda path: read_question_file(path, "law"),
    "pairs": lambda path: list(read_pairs(path)),
    "corpora": lambda path: list(read_texts(path)),
}


@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_file_is_told_at_once(tmp_path: Path, reader: str) -> None:
    """A pipe was waited for, for ever."""
    os.mkfifo(tmp_path / "pipe.jsonl")
    os.mkfifo(tmp_path / "pipe.jsonl.gz")
    (tmp_path / "linked.jsonl").symlink_to(tmp_path / "pipe.jsonl")
    (tmp_path / "loop.jsonl").symlink_to("loop.jsonl")
    (tmp_path / "broken.jsonl").symlink_to("nothing")
    (tmp_path / "device.jsonl").symlink_to("/dev/zero")
    (tmp_path / "folder.jsonl").mkdir()
    started = time.monotonic()
    for name, message in {
        "pipe.jsonl": "named pipe",
        "pipe.jsonl.gz": "named pipe",
        "linked.jsonl": "named pipe",
        "loop.jsonl": "symbolic links",
        "broken.jsonl": r"a link to nothing",
        "device.jsonl": "a device or a socket",
        "folder.jsonl": "no file in this folder" if reader == "corpora" else "a folder",
        "none.jsonl": "there is no such file",
    }.items():
        with pytest.raises(UserError, match=f"{name}: .*{message}"):
            READERS[reader](tmp_path / name)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.jsonl", '{"text": "a"}'.encode("utf-16"), "line 1: is UTF-16"),
        ("a.jsonl", '{"text": "a"}'.encode("utf-16-le"), "line 1, column 2: a NUL character"),
        ("a.jsonl", b"\n{\xfc}", "line 2, column 2: byte 0xfc is not UTF-8"),
        ("a.jsonl", gzip.compress(b"{}", mtime=0), r"let its name end in \.gz"),
        ("a.jsonl", b"PK\x03\x04 xlsx", "is a spreadsheet"),
        ("a.jsonl.gz", b"{}", "cannot be read: Not a gzipped file"),
        ("a.jsonl.gz", gzip.compress(b"{}" * 999, mtime=0)[:-9], "cannot be read"),
        ("a.jsonl.gz", b"\x1f\x8b\x08\x00\0\0\0\0\0\x03\xff\xff\xff", "cannot be read: Error -3"),
        ("a.jsonl", b'{"text": "\\ud83d"}', r"line 1: 'text' holds \\ud83d, half of a surrogate"),
        ("a.jsonl", b'{"\\udc00": "a"}', r"half of a surrogate"),
        ("a.jsonl", b'{"text": "a", "text": "b"}', "line 1: key 'text' occurs twice"),
        ("a.jsonl", b'{"text": {"a": 1, "a": 2}}', "line 1: key 'a' occurs twice"),
        ("a.jsonl", b'{"text": ' + b"[" * 200_000, "line 1: nested deeper than 50 levels"),
        ("a.jsonl", b'{"text": ' + b"[" * 60 + b"]" * 60 + b"}", "nested deeper than 50 levels"),
        ("a.jsonl", b'{"text": ' + b"9" * 5000 + b"}", "line 1: a number of 5,000 digits"),
        ("a.jsonl", b'\n[{"text": "a"}]', "line 2: a JSON array"),
        ("a.jsonl", b'{"text": "a"},', "line 1, column 14: not JSON: Extra data"),
        ("a.jsonl", b'{"text": "a"', "line 1, column 13: not JSON"),
        ("a.jsonl", b'{"text": "a\\u0000"}', "'text' holds a NUL character"),
    ],
)
def test_damage_is_told_with_its_place(
    tmp_path: Path, reader: str, name: str, data: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(UserError, match=message) as told:
        READERS[reader](path)
    assert str(told.value).startswith(str(path))


def test_a_line_without_an_end_is_not_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuneatlas.data.text_files.LONGEST_LINE", 100)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"a\n" + b"x" * 10**6, mtime=0))
    with pytest.raises(UserError, match="line 2: longer than 100 characters"):
        list(read_lines(tmp_path / "a.txt.gz"))


LINES = st.text(st.sampled_from("ab\u2028\x85\v\f\x1c é\r\n\ufeff"), max_size=30)


@given(LINES)
def test_lines_end_with_their_ends_alone(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "lines.txt"
    path.write_bytes(text.encode())
    wanted = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    wanted = wanted[:-1] if not wanted[-1] else wanted
    found = list(read_lines(path))
    assert [line for _, line in found] == [line.removeprefix("\ufeff") for line in wanted]
    assert [number for number, _ in found] == list(range(1, len(wanted) + 1))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_sound_json_is_read_as_it_is(value: object) -> None:
    text = json.dumps(value)
    if "\\ud8" in text.lower() or "\\u0000" in text:
        return
    assert load_json(text, "here") == value


@given(st.text())
def test_the_normal_form_is_one(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert unicodedata.is_normalized("NFC", once)
    assert once == once.strip() and "\r" not in once and "\u00a0" not in once
    key = comparison_key(text)
    assert comparison_key(once) == key == comparison_key(key)
    assert comparison_key(f" \u200b{text}\u00a0") == key
    assert comparison_key(unicodedata.normalize("NFD", text)) == key


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (" a\u00a0 \tb ", "a b"),
        ("if a:\n    b  = 1 \n", "if a:\n    b = 1"),
        ("e\u0301", "é"),
        ("soft\u00adware\u200b", "software"),
        ("\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u200c\u062e"),
        ("one\u2028two\x85three", "one\ntwo\nthree"),
        ("AA and Aa", "AA and Aa"),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert normalise(text) == shown


def test_a_table_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('sep=;\n\n A ;"B"; ;\n"x;1";"say ""hi""\nthere";;;\n;;;\n y;z;;\n')
    names, records = read_table(path)
    assert names == ["a", "b"]
    found = list(records)
    assert [(r.line, r.values) for r in found] == [
        (4, {"a": "x;1", "b": 'say "hi"\nthere'}),
        (7, {"a": " y", "b": "z"}),
    ]
    assert found[1].place == f"{path}, line 7"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,A \n", "line 1: two columns are called 'a'"),
        ("a,b\n1,2,3\n", "line 2: 3 fields, the header has 2: quote the option or text with"),
        ("a,b\n\n1\n", "line 3: 1 fields, the header has 2"),
        ('a,b\n1, "2"\n', "line 2: 'b' has a quotation mark after a blank"),
        ('a,b\n1,"2"3\n', "line 2: not CSV"),
        ('a,b\n1,2\n1,"2\n\n', "line 3: not CSV: unexpected end of data"),
        ("a,,b\n1,2,3\n", "line 2: '2' stands in a column without a name"),
    ],
)
def test_tables_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        list(read_table(path)[1])


def test_an_empty_table(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\n\n")
    names, records = read_table(tmp_path / "a.csv")
    assert (names, list(records)) == ([], [])
    assert list(read_json_lines(tmp_path / "a.csv")) == []


def test_a_folder_of_shards(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b/2.txt").write_text("two\n\nthree")
    (tmp_path / "1.jsonl.gz").write_bytes(gzip.compress(b'{"text": "one", "id": 7}\n'))
    (tmp_path / ".hidden.txt").write_text("not this")
    (tmp_path / "README.md").write_text("nor this")
    assert list(read_texts(tmp_path)) == ["one", "two", "three"]
    for other, message in (
        ("b/2.txt.gz", r"2\.txt: lies beside 2\.txt\.gz: keep one of them"),
        ("b/4.jsonl.zst", r"4\.jsonl\.zst: cannot be read, and its text would be missing"),
    ):
        (tmp_path / other).write_bytes(b"")
        with pytest.raises(UserError, match=message):
            list(read_texts(tmp_path))
        (tmp_path / other).unlink()
    (tmp_path / "b/3.jsonl").write_text('{"text": 3}')
    with pytest.raises(UserError, match=r"3\.jsonl, line 1: not a JSON object with a 'text'"):
        list(read_texts(tmp_path))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"text": [1, 2]}, "column 'text' is int64, but must be text"),
        ({"txt": ["a"]}, "needs one column 'text', has 'txt'"),
        ({"text": ["a", None]}, "row 2: 'text' is missing"),
        ({"text": [" "]}, "holds no text"),
    ],
)
def test_a_table_that_is_no_corpus(tmp_path: Path, columns: dict, message: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    with pytest.raises(UserError, match=message):
        list(read_texts(tmp_path / "a.parquet"))


def test_a_fault_in_a_file_of_several_lines_is_named_with_its_line():
    with pytest.raises(UserError, match=r"^f\.json, line 3, column 3: not JSON"):
        load_json("[\n  1,\n  x\n]", "f.json")
