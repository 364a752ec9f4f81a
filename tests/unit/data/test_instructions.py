"""General instructions of the user's: three forms, and what is none."""

import json

import pytest

from tuneatlas.data.instructions import read_instructions
from tuneatlas.errors import UserError

WANTED = [{"role": "user", "content": "Add.\n1 + 1"}, {"role": "assistant", "content": "2"}]
FORMS = [
    {"instruction": "Add.", "input": "1 + 1", "output": "2"},
    {"messages": WANTED},
    {"conversations": [{"from": "human", "value": "Add.\n1 + 1"}, {"from": "gpt", "value": "2"}]},
]


def test_all_forms_say_the_same(tmp_path):
    lines, array = tmp_path / "some.jsonl", tmp_path / "some.json"
    lines.write_text("".join(json.dumps(row) + "\n" for row in FORMS))
    array.write_text(json.dumps(FORMS, indent=1))
    assert read_instructions(lines) == read_instructions(array) == [WANTED] * 3
    alone = tmp_path / "alone.json"
    alone.write_text(json.dumps([{"instruction": "Hello.", "input": "", "output": "Hi."}]))
    assert read_instructions(alone)[0][0] == {"role": "user", "content": "Hello."}


BAD = [
    ([{"text": "Hi."}], "row 1: an instruction has messages, .* has text"),
    ([{"instruction": "Hi.", "output": 3}], "row 1: instruction, input and output must be texts"),
    ([{"instruction": "Hi.", "output": " "}], "row 1: the assistant says nothing"),
    ([{"messages": WANTED[:1]}], r'row 1: user and assistant must speak in turn, found \["user"\]'),
    ([FORMS[0], {"messages": [{"role": "system", "content": "x"}]}], "row 2: a message has role"),
    ({"instruction": "Hi."}, "expected a JSON array"),
    ([], "holds no instructions"),
]


@pytest.mark.parametrize(("rows", "said"), BAD)
def test_what_is_no_instruction_is_named(tmp_path, rows, said):
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(rows))
    with pytest.raises(UserError, match=said):
        read_instructions(path)
    with pytest.raises(UserError, match=r"ends in .jsonl or .json"):
        read_instructions(tmp_path / "bad.txt")
