"""A battery that asks the same twice is refused before the first job, with its line."""

from pathlib import Path

import pytest

from tests.unit.config.config_files import GOOD, complaints

CLOZE = (
    "probe_knowledge: {scoring: cloze, question_template: cloze}\n"
    "evaluate_knowledge: {scoring: cloze, question_template: cloze}\n"
)
NO_SHOTS = "probe_knowledge: {shots: 0}\n"
SAME = "puts a question in the same words as few_shot"
BAD = {
    ("", "rewordings: ['Say it']"): (
        "atlas.rewordings[0]: 'Say it' lacks {question}, where the question is to stand"
    ),
    ("", "rewordings: ['{question} ', 'Q: {question}', 'Q: {question}']"): (
        "atlas.rewordings[2]: reworded_3 puts a question in the same words as reworded_2: leave "
        "out one of the two"
    ),
    ("", "rewordings: ['{question}']"): (
        f"atlas.rewordings[0]: reworded_1 {SAME}: leave out one of the two"
    ),
    (CLOZE, ""): (
        f"atlas.orders: order_1 {SAME}: template 'cloze' does not show the options; say 0"
    ),
    (NO_SHOTS, ""): f"atlas.ways: zero_shot {SAME}: leave out one of the two",
    ("", "layers: [0, 99]"): ("atlas.layers: model 'small' has layers 0 (embeddings) to 4, not 99"),
    ("", "layers: [1, 1]"): "atlas.layers: 1 is listed 2 times",
    ("", "measures: [distance, inside]"): (
        "atlas.measures: inside asks of questions by what the battery reached: add battery to it, "
        "or leave out inside"
    ),
    ("", "ways: [zero_shot, zero]"): "atlas.ways[1]: should be 'zero_shot' or 'chat', not \"zero\"",
}


@pytest.mark.parametrize("bad", BAD)
def test_it_is_said_once_with_its_line(tmp_path: Path, bad: tuple[str, str]):
    before, own = bad
    line = f"atlas: {{groups: [harmonious]{', ' * bool(own)}{own}}}"
    (found,) = complaints(tmp_path, f"{GOOD}{before}{line}\n")
    assert found.endswith(f": {BAD[bad]}")
    assert found.startswith(f"bad.yaml:{17 + before.count(chr(10))}: ")
