"""Facts that are stated come back, those never stated no faster than by chance."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tuneatlas.engine.step import Step
from tests.examples import PROBE, TEMPLATES, TINY, question
from tests.unit.config.described import undescribed_columns
from tests.unit.steps import TRAINING, a_step, document, run_script
from tuneatlas.audit.atlas_numbers import relearning_numbers
from tuneatlas.audit.columns import Columns
from tuneatlas.models.build import new_llama
from tuneatlas.models.prompts import QuestionTemplate
from tuneatlas.models.save import save_model
from tuneatlas.plots import draw_figures
from tuneatlas.report.atlas_relearning import relearning_sentences
from tuneatlas.studies.atlas.figures import FIGURES
from tuneatlas.studies.atlas.map import MapOptions
from tuneatlas.studies.atlas.savings import Relearned, read_relearned, relearning
from tuneatlas.studies.atlas.tables import LOST, NEVER, OTHER, RELEARNED, STATED
from tuneatlas.studies.knowledge.probe import probe_base
from tuneatlas.tables import ANSWERS, DOCUMENTS, MENTIONS, QUESTIONS

OPTIONS = MapOptions(("home",), "all", 300, 0.95)
PLACE = "results/relearn_facts/m/numbers/harmonious/0.parquet"


def relearning_step(folder: Path, base: Path, work: str = "work") -> Step:
    """The base is its own tuned model; half of what it is wrong on counts as known before."""
    rows = [question(n, split="dev") for n in range(3)]
    # What is right is never wrong elsewhere: the tiny model need not bind answers to questions.
    rows += [
        question(
            n,
            split="test",
            choices=[str(n + 1), *map(str, (61 + n % 13, 75 + n % 12, 88 + n % 11))],
        )
        for n in range(20, 60)
    ]
    QUESTIONS.write(folder / "questions.parquet", rows)
    QUESTIONS.write(folder / "material/questions.parquet", rows[3:])
    template = TEMPLATES / "questions/cloze.yaml"
    probed = probe_base(base, rows, QuestionTemplate.load(template), PROBE, bos=True).answers
    wrong = [row["id"] for row in probed if not row["correct"]]
    known = set(wrong[::2])
    ANSWERS.write(
        folder / "probe.parquet",
        [row | {"correct": row["correct"] or row["id"] in known} for row in probed],
    )
    stated = [{"id": row["id"], "mentions": 9 * (row["id"] in known)} for row in rows]
    MENTIONS.write(folder / "mentions.parquet", stated)
    names = [f"{one}{two}" for one in "abcdefgh" for two in "klmnopqr"]
    documents = [document(n, f"In {name} stands nothing.") for n, name in enumerate(names)]
    DOCUMENTS.write(folder / "material/documents.parquet", documents)
    inputs = {
        **{"finetuned": base, "stages": [], "material": folder / "material"},
        **{"mentions": [folder / "mentions.parquet"], "template": template},
        **{"questions": [folder / "questions.parquet"], "answers": [folder / "probe.parquet"]},
    }
    options = TRAINING | PROBE | {"updates": [2, 40], "facts": 5, "batch": 8, "row_length": 64}
    options |= {"batch_unit": "examples", "learning_rate": 0.005, "schedule": "constant"}
    return a_step(folder, inputs, {"answers": PLACE}, options, work)


@pytest.fixture(scope="module")
def relearnt(tmp_path_factory: pytest.TempPathFactory, tokenizer) -> Path:
    folder = tmp_path_factory.mktemp("relearnt")
    save_model(folder / "base", new_llama(tokenizer, TINY, seed=1), tokenizer)
    step = relearning_step(folder, folder / "base")
    run_script("relearn_facts", step, bos=True, text_bos=True)
    return step.outputs["answers"]


def test_a_fact_never_stated_is_relearnt_no_faster_than_by_chance(relearnt: Path, tmp_path: Path):
    rows = RELEARNED.read(relearnt)
    assert {r["kind"] for r in rows} == {LOST, NEVER}
    assert not any(r["correct"] for r in rows if r["update"] == 0)
    right = {
        text: np.mean([r["correct"] for r in rows if (r["text"], r["update"]) == (text, 40)])
        for text in (STATED, OTHER)
    }
    # Of 10 facts with four options, by guessing: at most 0.25 + 3 standard errors.
    assert right[OTHER] < 0.25 + 3 * (0.25 * 0.75 / 10) ** 0.5 < right[STATED]
    found = read_relearned([relearnt])
    tables = relearning(found, OPTIONS, 1)
    assert undescribed_columns("map_treatments", tables) == []
    for row in tables["relearning"]:
        assert row["setting"] == "finetune" and row["items"] in (5, 10)
        assert row["back_low"] <= row["back"] <= row["back_high"]
    # What is back stays back: no curve falls.
    for text in (STATED, OTHER):
        curve = [
            r["back"] for r in tables["relearning"] if (r["text"], r["kind"]) == (text, LOST)
        ]  # fmt: skip
        assert curve == sorted(curve) and curve[0] == 0
    metrics = tables | {"interpolation": [], "design": {"confidence": 0.95}}
    assert draw_figures(metrics, tmp_path / "figures", FIGURES) == ["relearning"]
    first, _ = relearning_sentences(metrics)
    assert "40 updates and 320 texts" in first and first.startswith("Harmonious, numbers. On text")
    run = {"model": "m", "domain": "numbers", "group": "harmonious", "seed": "0"}
    made = {"step": "relearn_facts", "wildcards": run, "inputs": []}
    results = SimpleNamespace(records={PLACE: made}, place=lambda _: relearnt)
    columns = Columns(results)
    record = {"wildcards": {"model": "m"}, "inputs": [PLACE]}
    numbers = list(relearning_numbers(results, record, tables))
    assert len(numbers) == len(tables["relearning"]) == 2 * 3 * 3
    for number in numbers:
        parts = [(t.weight, columns.column(t.outputs[0], t.column)) for t in number.terms]
        again = sum(weight * sum(own.values()) / len(own) for weight, own in parts)
        assert number.value == pytest.approx(again, abs=1e-6), number.address


def test_taken_up_again_it_ends_in_the_same_bytes(relearnt: Path):
    """One text is trained on already; of the other, nothing is."""
    whole, folder = relearnt.read_bytes(), relearnt.parents[5]
    assert (folder / "work" / STATED / "done").exists()
    (folder / "work" / OTHER / "done").unlink()
    relearnt.unlink()
    again = relearning_step(folder, folder / "base")
    run_script("relearn_facts", again, bos=True, text_bos=True)
    assert relearnt.read_bytes() == whole


def curves(lost: float, never: float, several: int = 3) -> Relearned:
    """Of 100 facts of each kind so many are back by the last of two updates."""

    def table(share: float) -> np.ndarray:
        return np.array([np.zeros(100), np.arange(100) < 50 * share, np.arange(100) < 100 * share])

    trainings = [(f"mini-{n}", 0) for n in range(several)]
    back = {
        (text, kind, training): table(share)
        for training in trainings
        for text in (STATED, OTHER)
        for kind, share in ((LOST, lost), (NEVER, never))
    }
    return Relearned("stages", [0, 4, 8], [0, 32, 64], back, 0.25)


def test_medians_and_differences_are_those_put_in():
    tables = relearning({("facts", "one"): curves(1.0, 0.2)}, OPTIONS, 1)
    times = {(r["text"], r["kind"]): r for r in tables["relearning_times"]}
    # Half are back by update 4 as found; as drawn, by 4 or by 8.
    row = times[STATED, LOST]
    assert (row["median_low"], row["median"], row["median_high"]) == (4, 4, 8)
    assert times[STATED, NEVER]["median"] is None
    (last,) = (
        r
        for r in tables["relearning"]
        if (r["text"], r["kind"], r["update"]) == (STATED, "difference", 8)
    )
    assert last["back"] == pytest.approx(0.8)
    assert 0.65 < last["back_low"] < 0.8 < last["back_high"] <= 0.9
    # A training that lost nothing says nothing of what comes back.
    own = curves(1.0, 0.2)
    none = {**own.back, (STATED, LOST, ("mini-1", 0)): np.zeros((3, 0))}
    tables = relearning({("facts", "one"): own._replace(back=none)}, OPTIONS, 1)
    assert {r["kind"] for r in tables["relearning"] if r["text"] == STATED} == {NEVER}
