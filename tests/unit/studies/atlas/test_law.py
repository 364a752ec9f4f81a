"""The distance law: what was put in is found again, and what an arm adds to it, too."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.examples import PROBE, TEMPLATES, TINY, question
from tests.unit.config.described import undescribed_columns
from tests.unit.steps import a_step, run_script
from tuneatlas.audit.atlas_numbers import distance_numbers
from tuneatlas.audit.columns import Columns
from tuneatlas.data.scopes import GIVEN
from tuneatlas.errors import UserError
from tuneatlas.models.build import new_llama
from tuneatlas.models.folder import SUMMARY
from tuneatlas.models.prompts import QuestionTemplate, user_text
from tuneatlas.models.save import save_model
from tuneatlas.plots import draw_figures
from tuneatlas.report.atlas_law import law_sentences
from tuneatlas.studies.atlas.distance import prompts_of
from tuneatlas.studies.atlas.figures import FIGURES
from tuneatlas.studies.atlas.law import distance_law
from tuneatlas.studies.atlas.map import MapOptions
from tuneatlas.studies.atlas.measured import Distances, read_distances
from tuneatlas.studies.atlas.tables import DISTANCES
from tuneatlas.studies.knowledge.probe import probe_base
from tuneatlas.tables import ANSWERS, CONVERSATIONS, QUESTIONS, STAGE_ANSWERS

ITEMS = 1000
OPTIONS = MapOptions(("home",), "all", 300, 0.95)
STEPS = (8, 16, 32, 64)


def made(start: float, more: float = 0.0, several: int = 4) -> Distances:
    """Of each nat a tenth of the questions is lost, and of an arm so many ``more``."""
    rng = np.random.default_rng(3)
    trainings = [(f"mini-{n}", 0) for n in range(several)]
    points = [("stages", step) for step in STEPS]
    items = [{"id": str(n), "domain": "other", "role": "home"} for n in range(ITEMS)]
    far, correct = {}, {("base", 0): np.ones((several, ITEMS), dtype=bool)}
    for number, point in enumerate(points):
        nats = start + number
        for training in trainings:
            for measure in ("options", "answers"):
                noise = rng.normal(0, 0.01, 40)
                far[training, point, measure] = nats + noise - noise.mean()
        lost = round(ITEMS * (0.1 * nats + more))
        correct[point] = np.tile(np.arange(ITEMS) >= lost, (several, 1))
    return Distances(trainings, points, far, items, correct)


def test_a_linear_law_is_found_again():
    found = {("facts", "one"): made(0.5), ("facts", "two"): made(1.0)}
    tables = distance_law(found, OPTIONS, 1)
    assert len(tables["distances"]) == 8 and len(tables["law"]) == 4
    for row in tables["law"]:
        assert row["slope"] == pytest.approx(0.1, abs=1e-4)
        assert row["slope_low"] < 0.1 < row["slope_high"]
        assert row["r2"] == pytest.approx(1, abs=1e-4)
        assert row["bend"] is None or row["bend"] == pytest.approx(0, abs=1e-4)
    assert all(abs(row["residual"]) < 1e-4 for row in tables["unexplained"])


def test_what_an_arm_adds_is_left_to_it():
    found = {("facts", "one"): made(0.5), ("facts", "two"): made(0.5, more=0.08)}
    tables = distance_law(found, OPTIONS, 1)
    left = {(r["form"], r["group"]): r for r in tables["unexplained"] if r["distance"] == "answers"}
    for form in ("linear", "quadratic"):
        assert left[form, "two"]["residual_low"] > 0 > left[form, "one"]["residual_high"]
        apart = left[form, "two"]["residual"] - left[form, "one"]["residual"]
        assert apart == pytest.approx(0.08, abs=1e-4)
    (linear,) = (
        r for r in tables["law"] if (r["distance"], r["form"]) == ("answers", "linear")
    )  # fmt: skip
    assert 0.7 < linear["r2"] < 0.95
    # The least squares of numpy, through the origin.
    x = np.tile(np.arange(4) + 0.5, 2)
    y = np.concatenate([0.1 * x[:4], 0.1 * x[:4] + 0.08])
    assert linear["slope"] == pytest.approx(np.linalg.lstsq(x[:, None], y)[0][0], abs=1e-4)


def test_too_few_points_are_no_law():
    (row,) = (own for own in [made(0.5)])
    few = row._replace(points=row.points[:2])
    tables = distance_law({("facts", "one"): few}, OPTIONS, 1)
    assert len(tables["distances"]) == 2 and tables["law"] == tables["unexplained"] == []
    inside = [item | {"domain": "facts"} for item in few.items]
    with pytest.raises(UserError, match="no question is out of the domain facts"):
        distance_law({("facts", "one"): few._replace(items=inside)}, OPTIONS, 1)


def test_a_law_is_of_treatments_that_share_their_trainings():
    """Nothing of them is another for a checkpoint of one of their base models beside them."""
    own = {("facts", "one"): made(0.5), ("facts", "two"): made(0.5, more=0.08)}
    alone = distance_law(own, OPTIONS, 1)
    given = made(0.5)
    few = given._replace(
        trainings=given.trainings[:1],
        points=given.points[:2],
        correct={point: table[:1] for point, table in given.correct.items()},
    )
    both = distance_law({(GIVEN, "mine"): few} | own, OPTIONS, 1)
    assert both["law"] == alone["law"] and both["unexplained"] == alone["unexplained"]
    assert both["distances"][2:] == alone["distances"]
    assert {row["group"] for row in both["distances"][:2]} == {"mine"}


@pytest.fixture
def measured(tmp_path: Path, base: Path, tokenizer) -> tuple[Path, Path]:
    """The files of a step that measures another model, and the base itself as its last stage."""
    save_model(tmp_path / "tuned", new_llama(tokenizer, TINY, seed=2).eval(), tokenizer)
    (tmp_path / "tuned" / SUMMARY).write_text('{"steps": 12}')
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages/4").symlink_to(base)
    rows = [question(n, split="dev") for n in range(3)]
    rows += [question(20 + n, split="test", domain=("numbers", "x")[n % 2]) for n in range(6)]
    rows += [question(40 + n) for n in range(5)]
    QUESTIONS.write(tmp_path / "questions.parquet", rows)
    template = TEMPLATES / "questions/cloze.yaml"
    probed = probe_base(base, rows, QuestionTemplate.load(template), PROBE, bos=True).answers
    probed += [row | {"id": f"{row['id']}/x"} for row in probed[:0]]
    ANSWERS.write(tmp_path / "probe.parquet", probed)
    said = [{"role": "user", "content": "Which?"}, {"role": "assistant", "content": "5"}]
    told = {"origin": "incompatible", "label": 0, "messages": said, "weight": 1.0}
    CONVERSATIONS.write(
        tmp_path / "told.parquet",
        [told | {"id": row["id"]} for row in rows if row["split"] == "train"],
    )
    inputs = {
        **{"base": base, "finetuned": tmp_path / "tuned", "stages": [tmp_path / "stages/4"]},
        **{"conversations": tmp_path / "told.parquet", "answers": [tmp_path / "probe.parquet"]},
        **{"questions": [tmp_path / "questions.parquet"], "template": template},
        **{"instruction": template, "chat": TEMPLATES / "chat/short.yaml"},
        "stages_chat": TEMPLATES / "chat/short.yaml",
    }
    place = "results/measure_distance/m/numbers/incompatible/0"
    outputs = {
        "distances": f"{place}.distances.parquet", "asked": f"{place}.answers.parquet"
    }  # fmt: skip
    options = PROBE | {"prompts": 4, "samples": 2, "answer_tokens": 6, "home": None}
    step = a_step(tmp_path, inputs, outputs, options)
    run_script(
        "measure_distance",
        step,
        bos=True,
        tuned_bos={"finetune": True, "stages": True},
        given_at=[],
    )
    return step.outputs["distances"], step.outputs["asked"]


HOME = [question(n, split="test", domain=("law", "x")[n % 2]) for n in range(4)]


def test_of_a_checkpoint_questions_of_its_domain_are_the_prompts():
    form = QuestionTemplate.load(TEMPLATES / "questions/cloze.yaml")
    questions = {row["id"]: row for row in HOME}
    every = prompts_of([], questions, HOME, form, None)
    assert [row["id"] for row in every] == [*questions]
    law = prompts_of([], questions, HOME, form, "law")
    assert law == every[::2]
    assert all(
        row["messages"][0]["content"] == user_text(form, questions[row["id"]]) for row in law
    )
    with pytest.raises(UserError, match="no question of domain other is asked"):
        prompts_of([], questions, HOME, form, "other")


def test_the_step_measures_each_model(measured, tmp_path: Path):
    distances, asked = measured
    rows = DISTANCES.read(distances)
    assert {(r["setting"], r["step"]) for r in rows} == {("finetune", 12), ("stages", 4)}
    for row in rows:
        # The last stage is the base itself.
        assert (row["options"] > 1e-6) == (row["answers"] > 1e-6) == (row["setting"] == "finetune")
    cells = {(r["setting"], r["step"]) for r in STAGE_ANSWERS.read(asked)}
    assert cells == {("base", 0), ("finetune", 12), ("stages", 4)}
    found = read_distances([distances], [asked])
    tables = distance_law(found, MapOptions(("home",), "all", 100, 0.9), 1)
    assert undescribed_columns("map_treatments", tables) == []
    tables["design"] = {"facts": "all", "ood_roles": ["home"], "confidence": 0.9}
    drawn = draw_figures(tables | {"interpolation": []}, tmp_path / "figures", FIGURES)
    assert drawn == ["distance_law"]
    # Each number again, by the audit, from the files.
    names = [str(path.relative_to(tmp_path)) for path in measured]
    run = {"model": "m", "domain": "numbers", "group": "incompatible", "seed": "0"}
    made_by = {"step": "measure_distance", "wildcards": run, "inputs": ["q", "x"]}
    records = {name: made_by for name in names}
    for name, domain in (("q", "numbers"), ("x", "x")):
        records[name] = {"step": "prepare_questions", "wildcards": {"domain": domain}}
    results = SimpleNamespace(records=records, place=lambda name: tmp_path / name)
    columns = Columns(results)
    record = {"wildcards": {"model": "m"}, "inputs": names}
    numbers = list(distance_numbers(results, record, tables))
    assert len(numbers) == 3 * 2
    outside = {r["id"] for r in STAGE_ANSWERS.read(asked) if r["domain"] == "x"}
    for number in numbers:
        again = 0.0
        for term in number.terms:
            (name,) = term.outputs
            column = columns.column(name, term.column)
            kept = [v for i, v in column.items() if not term.where or i in outside]
            again += term.weight * sum(kept) / len(kept)
        assert number.value == pytest.approx(again, abs=1e-6), number.address


def test_the_law_is_told_in_words():
    law = distance_law({("facts", "one"): made(0.5)}, OPTIONS, 1)["law"]
    first, *_ = law_sentences({"law": law, "design": {"confidence": 0.95}})
    assert first.startswith("By KL over the options, linear: ")
    assert "10.0 points of accuracy lost per nat" in first and "over 4 points of each" in first
