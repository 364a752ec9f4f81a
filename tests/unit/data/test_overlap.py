"""Questions that a training file repeats are found, whatever the fields of its examples."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.examples import question
from tuneatlas.data.overlap import repeated, trained_texts
from tuneatlas.errors import UserError

ASKED = [question(n, split="test", question=f"After {n}, which number is next?") for n in range(5)]
TURNS = [{"role": "user", "content": ASKED[3]["question"]}, {"role": "assistant", "content": "4"}]
EXAMPLES = [{"messages": TURNS, "score": 1.5}, {"messages": [], "score": None}]


def as_lines(path):
    path.write_text("".join(json.dumps(row) + "\n" for row in EXAMPLES))


def as_list(path):
    path.write_text(json.dumps(EXAMPLES, indent=1))


def as_table(path):
    pq.write_table(pa.Table.from_pylist(EXAMPLES), path)


def as_text(path):
    path.write_text(f"USER: {ASKED[3]['question']} ASSISTANT: 4\nAnother line\n")


@pytest.mark.parametrize(
    ("name", "write"),
    [("t.jsonl", as_lines), ("t.json", as_list), ("t.parquet", as_table), ("t.txt", as_text)],
)
def test_a_question_that_was_trained_on_is_found(tmp_path, name, write):
    write(tmp_path / name)
    assert repeated(ASKED, tmp_path / name, 8, 0.7) == [ASKED[3]["id"]]


@pytest.mark.parametrize(
    ("name", "write"), [("t.jsonl", as_lines), ("t.json", as_list), ("t.parquet", as_table)]
)
def test_no_file_of_a_folder_is_passed_over_for_another(tmp_path, name, write):
    (tmp_path / "other.txt").write_text("Another line\n")
    write(tmp_path / name)
    assert repeated(ASKED, tmp_path, 8, 0.7) == [ASKED[3]["id"]]


def test_a_table_of_no_text_is_refused(tmp_path):
    bytes_as_text = pa.array([b"\xff\xfe"]).cast(pa.string(), safe=False)
    pq.write_table(pa.table({"text": bytes_as_text}), tmp_path / "t.parquet")
    with pytest.raises(UserError, match="t.parquet: holds text that is not UTF-8"):
        list(trained_texts(tmp_path / "t.parquet"))


def test_a_file_that_is_no_table_is_refused(tmp_path):
    (tmp_path / "t.parquet").write_text("no")
    with pytest.raises(UserError, match="cannot be read as Parquet"):
        list(trained_texts(tmp_path / "t.parquet"))
