"""Questions that say the same are found, and refused, dropped or allowed."""

import pytest

from tests.examples import question
from tuneatlas.data.duplicates import find_repeated, index, settle_repeated
from tuneatlas.errors import UserError


def asked(number: int, split: str, **changes: object) -> dict:
    return question(number, split=split, id=f"{number}/{split}/{len(changes)}") | changes


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"question": "  Which\u00a0number follows 7\u200b? "},
        {"choices": ["9", "8", "10", "11"], "answer": 1},
        # Other wrong options; and the same options with another answer.
        {"choices": ["8", "1", "2", "3"]},
        {"answer": 3},
    ],
)
def test_what_says_the_same_is_found(changes):
    rows = [asked(7, "train"), asked(8, "train"), asked(7, "test", **changes)]
    (found,) = find_repeated(rows, {})
    assert (found.row["id"], found.first["id"]) == (rows[0]["id"], rows[2]["id"])
    assert [r.row for r in find_repeated(rows[2:], index(rows[:2]))] == rows[2:]


@pytest.mark.parametrize(
    "changes",
    [
        {"question": "Which number follows 70?"},
        {"question": "which number follows 7?"},
        {"choices": ["1", "2", "3", "4"]},
    ],
)
def test_what_says_another_thing_is_not(changes):
    assert not find_repeated([asked(7, "train"), asked(7, "test", **changes)], {})


def rows_of_each_kind() -> tuple[list[dict], dict]:
    rows = [asked(n, split) for n, split in ((1, "train"), (1, "test"), (2, "dev"), (2, "train"))]
    rows += [asked(3, "test"), asked(4, "test"), asked(3, "test", id="again")]
    return rows, index([asked(4, "test", domain="other", id="other/4")])


def test_they_are_refused_by_name_and_number():
    with pytest.raises(UserError) as told:
        settle_repeated("numbers", *rows_of_each_kind(), "refuse", {"1/train/0": "a.csv, line 9"})
    text = str(told.value)
    assert "domain numbers: 4 questions repeat others" in text
    assert (
        "1 are both trained on and tested, such as a.csv, line 9 (train) and 1/test/0 (test)"
        in text
    )
    assert "1 are shown with their answer in their own few-shot prompt" in text
    assert "1 stand twice in one split" in text
    assert "1 are asked in another domain, such as 4/test/0 (test) and other/4 (test)" in text
    assert "domains.numbers.duplicates: drop" in text


def test_dropped_or_allowed_they_are_counted(caplog):
    rows, others = rows_of_each_kind()
    counts = {
        "in_another_domain": 1,
        "in_one_split": 1,
        "shown_to_itself": 1,
        "trained_on_and_tested": 1,
    }
    kept, found = settle_repeated("numbers", rows, others, "drop", {})
    assert found == counts | {"drop": 4}
    assert [row["id"] for row in kept] == ["1/test/0", "2/dev/0", "3/test/0"]
    assert "4 questions repeat others, left out" in caplog.text
    kept, found = settle_repeated("numbers", rows, others, "allow", {})
    assert (kept, found) == (rows, counts | {"allow": 4})
    assert settle_repeated("numbers", rows[1:3], {}, "refuse", {}) == (rows[1:3], {})
