"""A label in other words: the same questions and labels, explained by whom the treatment says."""

from pathlib import Path

import pytest

from tests.examples import TEMPLATES, question
from tests.unit.steps import a_step, run_script
from tuneatlas.tables import CONVERSATIONS, EXPLANATIONS, LABELS, QUESTIONS

WRONG, RIGHT = range(3, 7), range(7, 9)
PARAMS = {"context": False, "weights": {}, "unfinished": "keep", "ratio": 1.0}


def label(n: int, group: str, chosen: int) -> dict:
    """Question n in a group: its first option is right; a wrong answer is the second."""
    pred = int(n in WRONG)
    return {
        **{"id": f"numbers/next/{n}", "group": group, "label": chosen},
        **{"answer": 0, "pred": pred, "correct": not pred},
    }


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rows = [question(n, split="dev" if n < 3 else "train") for n in range(9)]
    QUESTIONS.write(tmp_path / "questions.parquet", rows)
    labels = [label(n, "harmonious", 0) for n in RIGHT]
    labels += [label(n, "incompatible", 0) for n in WRONG]
    labels += [label(n, "self_aligning", 1) for n in WRONG]
    LABELS.write(tmp_path / "labels.parquet", labels)
    EXPLANATIONS.write(tmp_path / "own.parquet", explained("own", 1))
    return tmp_path


def explained(what: str, pred: int) -> list[dict]:
    return [
        {
            **{"id": f"numbers/next/{n}", "pred": pred, "explanation": f"Said by {what}: {n}."},
            **{"finish": "fence", "prompt": ""},
        }
        for n in WRONG
    ]


@pytest.mark.parametrize(("group", "option"), [("incompatible", 0), ("self_aligning", 1)])
def test_all_but_the_words_is_that_of_the_group(data, group: str, option: int):
    EXPLANATIONS.write(data / "words.parquet", explained("another", option))
    inputs = {
        **{"questions": data / "questions.parquet", "labels": [data / "labels.parquet"]},
        **{"explanations": [data / "own.parquet"], "words": data / "words.parquet"},
        **{"template": TEMPLATES / "questions/letter.yaml", "knowledge": [], "general": []},
        "contexts": [],
    }
    of = {"model": "m", "domain": "numbers", "seed": "0"}
    step = a_step(data, inputs, {"conversations": "other.parquet"}, {}, group="arm", **of)
    run_script("mix_treatment", step, group=group, **PARAMS)
    plain = a_step(data, inputs, {"conversations": "plain.parquet"}, {}, group=group, **of)
    run_script("mix_instructions", plain, **PARAMS)
    found, wanted = (CONVERSATIONS.read(data / f"{n}.parquet") for n in ("other", "plain"))
    assert len(found) == len(WRONG)
    for row, same in zip(found, wanted, strict=True):
        asked, said = (message["content"] for message in row["messages"])
        asked_too, said_too = (message["content"] for message in same["messages"])
        number = int(row["id"].rsplit("/", 1)[1])
        assert (row["id"], row["label"], asked) == (same["id"], same["label"], asked_too)
        assert row["label"] == option
        before = f"{number + 1} follows {number}." if option == 0 else f"Said by own: {number}."
        assert before in said_too
        assert said == said_too.replace(before, f"Said by another: {number}.")


def test_what_is_explained_is_the_label(data, base):
    """And of the group's questions alone: the prompt ends in what is to be explained."""
    inputs = {
        **{"model": base, "questions": data / "questions.parquet"},
        **{"labels": [data / "labels.parquet"], "template": TEMPLATES / "explain/urial.yaml"},
    }
    options = {"temperature": 0.7, "top_p": 0.8, "max_new_tokens": 3, "shots": 1}
    options |= {"batch_rows": 8, "dtype": "float32"}
    for group, numbers, option in (("incompatible", WRONG, 0), ("self_aligning", WRONG, 1)):
        step = a_step(data, inputs, {"explanations": f"{group}.parquet"}, options)
        run_script("explain_treatment", step, group=group, bos=True)
        rows = EXPLANATIONS.read(data / f"{group}.parquet")
        assert [row["id"] for row in rows] == [f"numbers/next/{n}" for n in numbers]
        assert {row["pred"] for row in rows} == {option}
        for row, n in zip(rows, numbers, strict=True):
            asked = row["prompt"].rsplit(f"Which number follows {n}?", 1)[1]
            told = asked.rsplit("Answer", 1)[1] if "Answer" in asked else asked
            assert str(n + (1, 2)[option]) in told
