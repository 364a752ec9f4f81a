"""Pairs of a user's files, and their splits, which share no sentence."""

import json

import pytest

from tuneatlas.errors import UserError
from tuneatlas.studies.syntax.sentences.pair_files import read_files, read_pairs
from tuneatlas.studies.syntax.tables import PAIRS, SENTENCES
from tuneatlas.tables import STREAMED


def write(path, *lines: str):
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_both_forms_say_the_same(tmp_path):
    tabbed = write(tmp_path / "a.tsv", "I run .\tRun I do .\tEat he does .", "a\tb")
    rows = [
        {"source": "I run .", "target": "Run I do .", "template": "Eat he does ."},
        {"source": "a", "target": "b", "more": 1},
    ]
    lines = write(tmp_path / "a.jsonl", *map(json.dumps, rows))
    assert list(read_pairs(tabbed)) == list(read_pairs(lines))
    assert list(read_pairs(tabbed))[1] == ("a", "b", None)


@pytest.mark.parametrize(
    ("name", "line", "message"),
    [
        ("a.tsv", "alone", "line 2: expected source, target and perhaps template"),
        ("a.tsv", "a\tb\tc\td", "line 2: .* found 4"),
        ("a.tsv", "a\t ", "line 2: no target"),
        ("a.jsonl", '{"source": "a"}', "line 2: no target"),
        ("a.jsonl", "{", "line 2: not JSON"),
        ("a.jsonl", "[1]", "line 2: a JSON array"),
        ("a.jsonl", '{"source": 1, "target": "b"}', "line 2: 'source' must be a text"),
        ("a.pdf", "a,b", "ends in none of .tsv, .txt, .csv, .jsonl"),
    ],
)
def test_what_is_no_pair_is_named(tmp_path, name, line, message):
    good = '{"source": "a", "target": "b"}' if name.endswith("jsonl") else "a\tb"
    with pytest.raises(UserError, match=message):
        list(read_pairs(write(tmp_path / name, good, line)))


def test_what_is_no_text_is_named(tmp_path):
    (tmp_path / "a.tsv").write_bytes(b"a\tb\n\xff\tb\n")
    with pytest.raises(UserError, match=r"a\.tsv, line 2, column 1: byte 0xff is not UTF-8"):
        list(read_pairs(tmp_path / "a.tsv"))
    with pytest.raises(UserError, match=r"b\.tsv: there is no such file"):
        list(read_pairs(tmp_path / "b.tsv"))


def test_splits_share_no_sentence_and_sentences_are_streamed(tmp_path):
    files = {
        "test": str(write(tmp_path / "test.tsv", "a\tb\tx", "c\td\ty")),
        "dev": str(write(tmp_path / "dev.tsv", "e\tf\tx")),
        "train": str(write(tmp_path / "train.tsv", "g\th", "b\ti", "x\tj", "k\tl")),
        "sentences": str(
            write(tmp_path / "all.txt", "a", *(f"s{i}" for i in range(STREAMED + 9)), "never")
        ),
        "licence": "none",
    }
    sizes = {"test": 9, "dev": 9, "train": 3}
    rows, sentences, left_out = read_files(files, sizes, STREAMED + 9)
    PAIRS.build(rows)
    assert left_out == 1  # b is asked about
    assert [r["id"] for r in rows] == ["test/1", "test/2", "dev/1", "train/1", "train/3"]
    # The template of two pairs and the source of a third is one sentence.
    assert rows[0]["template_id"] == rows[2]["template_id"] == rows[4]["source_id"]
    path = tmp_path / "sentences.parquet"
    assert SENTENCES.write_stream(path, sentences) == SENTENCES.count(path)
    found = SENTENCES.read(path)  # which checks that no id occurs twice
    texts = [row["sentence"] for row in found]
    assert texts[:6] == ["a", "b", "x", "c", "d", "y"]
    assert texts.count("a") == 1 and texts[-1] == f"s{STREAMED + 8}"
    assert list(SENTENCES.stream(path)) == found
    assert list(SENTENCES.stream(path, 5, STREAMED + 7)) == found[5 : STREAMED + 7]
    assert list(SENTENCES.stream(path, STREAMED + 1)) == found[STREAMED + 1 :]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.tsv", "source\ttarget\texemplar\na \tb\tc\n\nd\te\t\n"),
        ("a.txt", "\ufeffID\tExemplar\tTarget\tSource\r\n1\tc\tb\ta\r\n2\t\te\td\r\n"),
        ("a.tsv", "a\tb\tc\rd\te\r"),
        ("a.csv", 'source,target,template\na,b,"c"\nd,e,\n'),
        ("a.jsonl", '{"source":"a","target":"b","exemplar":"c"}\n{"source":"d","target":"e"}'),
        ("a.csv", "sentence2;sentence1;template\nb;a;c\ne;d;\n"),
        ("a.tsv", "sentence1\tsentence2\ttemplate\na\tb\tc\nd\te\t\n"),
    ],
)
def test_pairs_by_place_or_name(tmp_path, name, text):
    (tmp_path / name).write_bytes(text.encode())
    mapped = {"source": "sentence1", "target": "sentence2", "template": None}
    columns = mapped if "sentence1" in text else {}
    assert list(read_pairs(tmp_path / name, columns)) == [("a", "b", "c"), ("d", "e", None)]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.tsv", "sentence1\tsentence2\n", "line 1: no column 'source' among 'sentence1"),
        ("a.tsv", "source\ttarget\ttarget\n", "line 1: two columns are the target"),
        ("a.tsv", "source\ttarget\na\tb\tc\n", "line 2: 3 fields, the header has 2"),
        ("a.tsv", 'a\tb\n"The ""cat"""\tb\n', "line 2: fields stand in a spreadsheet's quotation"),
        ("a.tsv", '"source"\t"target"\n', "line 1: fields stand in a spreadsheet's quotation"),
        ("a.tsv", "\n\n", "holds no pairs"),
        ("a.tsv", "source\ttarget\n", "holds no pairs"),
        ("a.csv", "a,b\n", "line 1: no column 'source'"),
        ("a.jsonl", '{"source":"a","target":"b","template":"c","exemplar":"d"}', "two different"),
        ("a.tsv", "a\t\u200b\n", "line 1: no target"),
    ],
)
def test_files_that_would_mislead(tmp_path, name, text, message):
    (tmp_path / name).write_bytes(text.encode())
    with pytest.raises(UserError, match=message):
        list(read_pairs(tmp_path / name))


def test_quotation_marks_of_speech_are_text(tmp_path):
    path = write(tmp_path / "a.tsv", "a\tb", '"Go," he said.\t"Leave!"', '"Go."\t"Go!"')
    assert list(read_pairs(path))[1:] == [
        ('"Go," he said.', '"Leave!"', None),
        ('"Go."', '"Go!"', None),
    ]


def test_a_byte_order_mark_hides_no_pair_from_the_test(tmp_path):
    files = {
        "test": str(write(tmp_path / "test.tsv", "The cat sat.\tA cat was sitting.")),
        "dev": str(write(tmp_path / "dev.tsv", "Go.\tLeave.")),
        "train": str(tmp_path / "train.tsv"),
        "sentences": str(
            write(tmp_path / "all.txt", "\ufeffHe left.", "", " \u00a0", "New\u2028one.")
        ),
        "licence": "none",
    }
    (tmp_path / "train.tsv").write_text(
        "\ufeff\nThe\u00a0cat  sat.\u200b\tA feline.\nHe left.\tGone.\n"
    )
    rows, sentences, left_out = read_files(files, {"test": 9, "dev": 9, "train": 9}, 9)
    assert left_out == 1
    assert [(r["id"], r["source"]) for r in rows][2:] == [("train/3", "train.tsv, line 3")]
    found = {row["sentence"]: row["source"] for row in sentences}
    assert list(found)[-3:] == ["He left.", "Gone.", "New one."]
    assert found["New one."] == "all.txt, line 4"
