"""The models between base and tuned, asked as the base was; the ends answer as the ends do."""

import shutil
from pathlib import Path

import pytest
import torch

from tests.examples import PROBE, TEMPLATES, TINY, question
from tests.unit.config.described import undescribed_columns
from tests.unit.steps import a_step, run_script
from tuneatlas.errors import UserError
from tuneatlas.models.build import new_llama
from tuneatlas.models.load import load_model
from tuneatlas.models.prompts import QuestionTemplate
from tuneatlas.models.save import save_model
from tuneatlas.studies.atlas.map import MapOptions, map_treatments
from tuneatlas.studies.atlas.runs import read_runs
from tuneatlas.studies.atlas.tables import BASE, INTERPOLATED, LINE, RESET
from tuneatlas.studies.knowledge.probe import probe_base
from tuneatlas.tables import ANSWERS, QUESTIONS, Row

ASKED = PROBE | {"alphas": [0.5], "undone": [10]}
TEMPLATE = TEMPLATES / "questions/cloze.yaml"


@pytest.fixture
def questions() -> list[Row]:
    rows = [question(n, split="dev", role=r, id=f"{r}/{n}") for n in range(3) for r in ROLES]
    return rows + [question(20 + n, split="test", role=ROLES[n % 2]) for n in range(8)]


ROLES = ("home", "related")


def probed(folder: Path, rows: list[Row]) -> list[Row]:
    """As the probe asks, by a model in another folder."""
    return probe_base(folder, rows, QuestionTemplate.load(TEMPLATE), PROBE, bos=True).answers


@pytest.fixture
def tuned(tmp_path: Path, tokenizer) -> Path:
    """Another model of the same shape."""
    save_model(tmp_path / "tuned", new_llama(tokenizer, TINY, seed=2).eval(), tokenizer)
    return tmp_path / "tuned"


def asked(folder: Path, base: Path, tuned: Path, rows: list[Row], stages: list[Path]) -> list[Row]:
    QUESTIONS.write(folder / "questions.parquet", rows)
    ANSWERS.write(folder / "probe.parquet", probed(base, rows))
    inputs = {
        **{"base": base, "finetuned": tuned, "stages": stages, "template": TEMPLATE},
        **{"questions": [folder / "questions.parquet"], "answers": [folder / "probe.parquet"]},
    }
    step = a_step(folder, inputs, {"answers": "m/numbers/harmonious/0.parquet"}, ASKED)
    run_script("interpolate_weights", step, bos=True)
    return INTERPOLATED.read(step.outputs["answers"])


def test_the_ends_answer_as_the_probe_asks_them(tmp_path, base, tuned, questions):
    """All that the tables share, scores to the bit."""
    found = asked(tmp_path, base, tuned, questions, [base])
    cells = dict.fromkeys((r["setting"], r["path"], r["point"]) for r in found)
    assert list(cells) == [
        BASE,
        *[("finetune", LINE, 0.5), ("finetune", LINE, 1.0), ("finetune", RESET, 10.0)],
        *[("stages", LINE, 0.5), ("stages", LINE, 1.0), ("stages", RESET, 10.0)],
    ]
    for cell, folder in ((BASE, base), (("finetune", LINE, 1.0), tuned)):
        own = {r["id"]: r for r in found if (r["setting"], r["path"], r["point"]) == cell}
        wanted = probed(folder, questions)
        assert own.keys() == {row["id"] for row in wanted}
        for row in wanted:
            assert all(own[row["id"]][name] == row[name] for name in row.keys() & own[row["id"]])
    # The second tuned model is the base itself, and so is all between them.
    of_base = [r["scores"] for r in found if r["setting"] == "base"]
    for point in (("stages", LINE, 1.0), ("stages", LINE, 0.5), ("stages", RESET, 10.0)):
        own = [r["scores"] for r in found if (r["setting"], r["path"], r["point"]) == point]
        assert own == of_base
    inner = [r["scores"] for r in found if (r["setting"], r["point"]) == ("finetune", 0.5)]
    assert inner != of_base


def test_the_average_is_asked_of_averaged_weights(tmp_path, base, tuned, questions):
    found = asked(tmp_path, base, tuned, questions, [])
    assert {r["setting"] for r in found} == {"base", "finetune"}
    (model, tokenizer), (other, _) = load_model(base), load_model(tuned)
    with torch.no_grad():
        for value, more in zip(model.parameters(), other.parameters(), strict=True):
            value.copy_((value + more) / 2)
    shutil.rmtree(tmp_path / "tuned")
    save_model(tmp_path / "half", model, tokenizer)
    wanted = {row["id"]: row["scores"] for row in probed(tmp_path / "half", questions)}
    half = {r["id"]: r["scores"] for r in found if (r["path"], r["point"]) == (LINE, 0.5)}
    for key, scores in wanted.items():
        assert half[key] == pytest.approx(scores, abs=1e-4)


def test_numbers_are_those_of_the_answers_by_scope(tmp_path, base, tuned, questions):
    found = asked(tmp_path, base, tuned, questions, [])
    runs = read_runs([tmp_path / "m/numbers/harmonious/0.parquet"])
    metrics = map_treatments(runs, MapOptions(("related",), "all", 200, 0.95), 1)
    assert undescribed_columns("map_treatments", metrics) == []
    assert {row["scope"] for row in metrics["interpolation"]} == {"homo", "id"}
    for row in metrics["interpolation"]:
        role = "home" if row["scope"] == "homo" else "related"

        def right(*cell, role=role):
            own = [
                r["correct"]
                for r in found
                if (r["setting"], r["path"], r["point"]) == cell and r["role"] == role
            ]
            return sum(own) / len(own)

        value = right(row["setting"], row["path"], row["point"]) if row["point"] else right(*BASE)
        assert row["items"] == 4
        assert row["accuracy"] == pytest.approx(value, abs=1e-6)
        assert row["gain"] == pytest.approx(value - right(*BASE), abs=1e-6)
        end = right("finetune", LINE, 1.0)
        assert row["regained"] == pytest.approx(value - end, abs=1e-6)
        assert row["gain_low"] <= row["gain"] <= row["gain_high"]


def test_the_map_is_drawn_of_the_files_of_runs(tmp_path, base, tuned, questions):
    """A step has all operational options of its section, of which this one uses none."""
    asked(tmp_path, base, tuned, questions, [])
    options = {"draws": 100, "confidence": 0.9, "ood_roles": ["home"], "facts": "all", "homes": {}}
    inputs = {
        **{"interpolated": [tmp_path / "m/numbers/harmonious/0.parquet"], "mentions": []},
        **{
            "distances": [],
            "asked": [],
            "relearned": [],
            "replies": [],
            "battery": [],
            "restored": [],
            "weights": [],
        },
        **{"similarity": [], "inside": []},
        "questions": [tmp_path / "questions.parquet"],
        **{key: [] for key in ("battery", "restored", "weights", "similarity", "inside")},
    }
    step = a_step(tmp_path, inputs, {"folder": "map"}, options | {"batch_tokens": 512})
    run_script("map_treatments", step)
    names = {path.name for path in (tmp_path / "map").rglob("*")}
    assert {"metrics.json", "interpolation.csv", "interpolation.svg"} <= names


def test_questions_that_the_base_was_not_asked_are_refused(tmp_path, base, tuned, questions):
    asked(tmp_path, base, tuned, questions, [])
    QUESTIONS.write(tmp_path / "questions.parquet", [*questions, question(99, split="test")])
    inputs = {
        **{"base": base, "finetuned": tuned, "stages": [], "template": TEMPLATE},
        **{"questions": [tmp_path / "questions.parquet"], "answers": [tmp_path / "probe.parquet"]},
    }
    step = a_step(tmp_path, inputs, {"answers": "again.parquet"}, ASKED)
    with pytest.raises(UserError, match="not probed on question 'numbers/next/99'"):
        run_script("interpolate_weights", step, bos=True)


def test_runs_asked_otherwise_are_refused(tmp_path, base, tuned, questions):
    found = asked(tmp_path, base, tuned, questions, [])
    paths = [tmp_path / f"m/numbers/harmonious/{seed}.parquet" for seed in (0, 1)]
    INTERPOLATED.write(paths[1], [row for row in found if row["point"] != 0.5])
    with pytest.raises(UserError, match="m, seed 1 was asked other questions or at other points"):
        read_runs(paths)
    INTERPOLATED.write(paths[1], [row for row in found if row["id"] != found[0]["id"]])
    with pytest.raises(UserError, match="m, seed 1 was asked other questions or at other points"):
        read_runs(paths)
