"""Which training a file is of, and that all of a treatment were asked the same."""

from pathlib import Path

import numpy as np
import pytest

from tuneatlas.data.scopes import GIVEN
from tuneatlas.errors import UserError
from tuneatlas.studies.atlas.tables import WEIGHT_CHANGES
from tuneatlas.studies.atlas.trainings import (
    align,
    bases_of,
    on_facts,
    read_trainings,
    sizes_of,
    training_of,
)
from tuneatlas.tables import Row

TREATMENT = ("numbers", "lora")
ASKED = {"step": "ask_battery", "otherwise": "in other ways"}


def asked(*names: str, way: str = "chat", pred: int = 0) -> list[Row]:
    return [{"id": name, "way": way, "pred": pred} for name in names]


@pytest.mark.parametrize("name", ["12.parquet", "12.answers.parquet"])
def test_a_path_says_which_training_a_file_is_of(name: str):
    path = Path("results/step/mini-2/numbers/lora") / name
    assert training_of(path) == (TREATMENT, ("mini-2", 12))


@pytest.mark.parametrize("name", ["mine/0.answers.parquet", "mine/200/3.answers.parquet"])
def test_a_restored_checkpoint_is_one_training_at_any_step_and_seed(name: str):
    path = Path("results/measure_checkpoint/base") / name
    assert training_of(path) == ((GIVEN, "mine"), ("base", 0))


def test_files_are_read_in_their_order(tmp_path: Path):
    row = {"setting": "finetune", "name": "w", "layer": 0, "numbers": 1, "norm": 1.0}
    paths = [tmp_path / f"m/{place}.parquet" for place in ("b/x/0", "a/x/1", "a/x/0")]
    for n, path in enumerate(paths):
        WEIGHT_CHANGES.write(path, [row | {"change": float(n)}])
    found = read_trainings(paths, WEIGHT_CHANGES, ["change"])
    assert list(found) == [("b", "x"), ("a", "x")]
    assert found["a", "x"] == {("m", 1): [{"change": 1.0}], ("m", 0): [{"change": 2.0}]}


def test_columns_are_by_cell_in_the_order_of_trainings_and_ids():
    rows = {("m", 10): asked("b", "a", pred=1), ("m", 2): asked("a", "b")}
    found = align(TREATMENT, rows, lambda row: row["way"], **ASKED)
    assert found.trainings == [("m", 2), ("m", 10)]
    assert [row["id"] for row in found.items] == ["a", "b"]
    (column,) = found.column("pred").values()
    assert np.array_equal(column, [[0, 0], [1, 1]])


OTHER = "was asked other questions or in other ways than the rest; run ask_battery again"
UNLIKE = {
    "fewer questions": (asked("a"), OTHER),
    "another question": (asked("a", "c"), OTHER),
    "another way": (asked("a", "b", way="zero_shot"), OTHER),
    "a question in one way": ([*asked("a", "b"), *asked("a", way="zero_shot")], OTHER),
    "nothing": ([], "was asked no question that counts: see compare_groups.facts"),
}


@pytest.mark.parametrize("case", UNLIKE)
def test_who_was_asked_otherwise_is_named(case: str):
    rows, said = UNLIKE[case]
    trainings = {("m", 0): asked("a", "b"), ("m", 1): rows}
    with pytest.raises(UserError) as raised:
        align(TREATMENT, trainings, lambda row: row["way"], **ASKED)
    assert str(raised.value) == f"atlas: numbers, lora: m, seed 1 {said}"


def test_one_training_has_the_same_questions_in_all_ways():
    rows = [*asked("a", "b"), *asked("a", way="zero_shot")]
    with pytest.raises(UserError, match="m, seed 0 was asked other questions"):
        align(TREATMENT, {("m", 0): rows}, lambda row: row["way"], **ASKED)


def test_questions_on_other_facts_are_left_out():
    found = {TREATMENT: {("m", 0): asked("stated", "never", "unknown")}}
    mentions = {"stated": 3, "never": 0}
    assert on_facts(found, "all", mentions) == found
    for facts, name in (("mentioned", "stated"), ("unmentioned", "never")):
        assert on_facts(found, facts, mentions)[TREATMENT]["m", 0] == asked(name)


def test_trainings_are_counted_by_base_model_and_seed():
    both = [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
    assert sizes_of(both) == {"replicates": 2, "seeds": 2}
    assert bases_of(both) == ["a", "a", "b", "b"]
