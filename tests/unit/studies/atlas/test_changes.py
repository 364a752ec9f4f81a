"""Where a model changed: a change of one matrix is found there; unlike models are refused."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from tests.examples import PROBE, TEMPLATES, TINY, question
from tests.unit.config.described import undescribed_columns
from tests.unit.steps import a_step, run_script
from tuneatlas.audit.inside_numbers import inside_numbers
from tuneatlas.audit.terms import Number
from tuneatlas.errors import UserError
from tuneatlas.models.build import new_llama
from tuneatlas.models.encode import encode
from tuneatlas.models.load import load_model
from tuneatlas.models.prompts import QuestionTemplate
from tuneatlas.models.save import save_model
from tuneatlas.studies.atlas import inside
from tuneatlas.studies.atlas.changes import layers_of
from tuneatlas.studies.atlas.changes_map import map_changes
from tuneatlas.studies.atlas.inside_map import map_inside
from tuneatlas.studies.atlas.map import MapOptions
from tuneatlas.studies.atlas.states import chosen_layers, last_states
from tuneatlas.studies.atlas.tables import BATTERY, PROBED_STATES, SIMILARITY, WEIGHT_CHANGES
from tuneatlas.studies.atlas.trainings import read_trainings
from tuneatlas.studies.knowledge.probe import probe_base
from tuneatlas.tables import ANSWERS, QUESTIONS, Row

TEMPLATE = TEMPLATES / "questions/cloze.yaml"
ASKED = {"layers": None, "facts": "all", "dtype": "float32", "batch_tokens": 512}
OPTIONS = MapOptions(("home",), "all", 200, 0.95)


def battery(rows: list[Row], kept: int, setting: str = "finetune") -> list[Row]:
    """The base has all right but the last; the tuned model the first ``kept``."""
    found = []
    for way in ("few_shot", "zero_shot"):
        for name in ("base", setting):
            for n, row in enumerate(rows):
                right = n < (len(rows) - 1 if name == "base" else kept)
                found.append(
                    {
                        **{"setting": name, "way": way, "pred": 0 if right else 1},
                        **{key: row[key] for key in ("id", "domain", "role", "answer")},
                        **{"correct": right, "tied": 0, "gold_prob": 0.5, "scores": [0.0] * 4},
                    }
                )
    return found


@pytest.fixture
def rows() -> list[Row]:
    return [question(20 + n, split="test") for n in range(24)]


@pytest.fixture
def step_of(tmp_path: Path, base: Path, rows: list[Row]) -> Any:
    """A step on questions of which some are kept, and a tuned model with another second block."""
    dev = [question(n, split="dev", id=f"dev/{n}") for n in range(3)]
    asked = probe_base(base, dev + rows, QuestionTemplate.load(TEMPLATE), PROBE, bos=True)
    QUESTIONS.write(tmp_path / "questions.parquet", dev + rows)
    ANSWERS.write(tmp_path / "probe.parquet", asked.answers)
    model, tokenizer = load_model(base)
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight.mul_(-1)
    save_model(tmp_path / "tuned", model, tokenizer)

    def step(
        outputs: dict, kept: int = 12, tuned: Path = tmp_path / "tuned", **options: Any
    ) -> Any:
        BATTERY.write(tmp_path / "battery/m/numbers/harmonious/0.parquet", battery(rows, kept))
        inputs = {
            **{"base": base, "finetuned": tuned, "stages": [], "template": TEMPLATE},
            "battery": tmp_path / "battery/m/numbers/harmonious/0.parquet",
            "questions": [tmp_path / "questions.parquet"],
            **{"answers": [tmp_path / "probe.parquet"], "mentions": []},
        }
        return a_step(tmp_path, inputs, outputs, ASKED | options)

    return step


def made_of(metrics: dict, step: str, name: str) -> list[Number]:
    """The numbers of a map that one file is read for."""
    run = {"model": "mini", "domain": "numbers", "group": "harmonious", "seed": "0"}
    results: Any = SimpleNamespace(records={name: {"step": step, "wildcards": run}})
    record = {"wildcards": {"model": "mini"}, "inputs": [name]}
    return list(inside_numbers(results, record, metrics))


PLACE = "m/numbers/harmonious/0"
CHANGES = {"weights": f"{PLACE}.weights.parquet", "similarity": f"{PLACE}.similarity.parquet"}


def test_a_change_of_one_matrix_is_found_where_it_is(tmp_path, base, step_of, rows):
    step = step_of(CHANGES)
    run_script("measure_changes", step, bos=True)
    weights = WEIGHT_CHANGES.read(step.outputs["weights"])
    (moved,) = (row for row in weights if row["change"])
    assert moved["name"] == "model.layers.1.mlp.up_proj.weight" and moved["layer"] == 2
    assert moved["change"] == pytest.approx(2 * moved["norm"])
    similarity = SIMILARITY.read(step.outputs["similarity"])
    assert {row["kind"] for row in similarity} == {"kept", "lost"}
    assert {row["id"] for row in similarity} == {row["id"] for row in rows[:-1]}
    for row in similarity:
        assert (row["cka"] > 1 - 1e-9) == (row["layer"] < 2)
    changed = read_trainings([step.outputs["weights"]], WEIGHT_CHANGES)
    alike = read_trainings([step.outputs["similarity"]], SIMILARITY)
    metrics = map_changes(changed, alike, OPTIONS, 1, {})
    assert undescribed_columns("map_treatments", metrics) == []
    by_layer = {row["layer"]: row["relative_change"] for row in metrics["weight_changes"]}
    block = [row for row in weights if row["layer"] == 2]
    whole = sum(row["norm"] ** 2 for row in block) ** 0.5
    assert by_layer == pytest.approx({0: 0, 1: 0, 2: moved["change"] / whole, 3: 0}, abs=1e-6)
    for row in metrics["similarity"]:
        values = [
            r["value"] for r in similarity if (r["kind"], r["layer"]) == (row["kind"], row["layer"])
        ]
        assert row["similarity"] == pytest.approx(np.mean(values), abs=1e-6)
        assert row["similarity_low"] <= row["similarity"] <= row["similarity_high"]
    (similar, *_) = made_of(metrics, "measure_changes", "x.similarity.parquet")
    assert similar.terms[0].column == "finetune/1/kept:similarity"
    assert similar.address == "similarity/mini/numbers/harmonious/finetune/1/kept/similarity"
    # All prompts end in one token, whose embedding is the same.
    assert {row["layer"] for row in metrics["similarity"]} == {1, 2}


def test_states_of_a_batch_are_those_of_each_text_alone(base):
    model, tokenizer = load_model(base)
    texts = [encode(tokenizer, "a " * n, bos=True) for n in (9, 2, 5)]
    found = last_states(model, texts, [0, 2], 24)
    for own, text in zip(found, texts, strict=True):
        with torch.inference_mode():
            alone = model.base_model(torch.tensor([text]), output_hidden_states=True).hidden_states
        wanted = np.stack([alone[layer][0, -1].numpy() for layer in (0, 2)])
        assert own == pytest.approx(wanted, abs=1e-5)


def test_models_of_other_depth_and_layers_that_are_not_there_are_refused(
    base, tokenizer, step_of, tmp_path
):
    model, _ = load_model(base)
    assert set(layers_of(model).values()) == {0, 1, 2, 3}
    deeper = new_llama(tokenizer, TINY | {"layers": 3}, seed=1)
    with pytest.raises(UserError, match=r"^there: it has 3 layers, its base 2: .*leave this"):
        chosen_layers(model, None, deeper, Path("there"))
    with pytest.raises(UserError, match=r"^atlas.layers: 3 is none of the layers of .*0 .* to 2$"):
        run_script("measure_changes", step_of(CHANGES, layers=[0, 3]), bos=True)
    model.model.layers = torch.nn.Sequential(*model.model.layers)
    with pytest.raises(UserError, match="family 'llama' have no list of 2 blocks"):
        layers_of(model)


def test_fewer_kept_questions_than_options_are_refused(step_of):
    step = step_of({"answers": f"{PLACE}.parquet"}, kept=3)
    with pytest.raises(UserError, match=r"tuned: 3 questions are kept, fewer than the 4 options"):
        run_script("probe_states", step, bos=True)


def test_the_probe_is_asked_of_base_and_tuned_in_each_layer(step_of, rows, tmp_path):
    step = step_of({"answers": f"{PLACE}.parquet"}, layers=[1, 2])
    run_script("probe_states", step, bos=True)
    found = PROBED_STATES.read(step.outputs["answers"])
    cells = {(row["states"], row["layer"]) for row in found}
    assert cells == {(s, n) for s in ("base", "tuned") for n in (1, 2)}
    assert len(found) == 4 * len(rows)
    one = {(r["states"], r["id"]): (r["right"], r["control"]) for r in found if r["layer"] == 1}
    for row in rows:
        # Nothing changed below the second block.
        assert one["base", row["id"]] == one["tuned", row["id"]]
    kinds = [row["kind"] for row in found if (row["states"], row["layer"]) == ("base", 1)]
    assert [kinds.count(k) for k in ("kept", "shifted", "lost", "unknown")] == [12, 0, 11, 1]
    probed = read_trainings([step.outputs["answers"]], PROBED_STATES)
    metrics = map_inside(probed, OPTIONS, 1, {})
    assert undescribed_columns("map_treatments", metrics) == []
    for row in metrics["inside"]:
        own = [r for r in found if all(r[k] == row[k] for k in ("states", "layer", "kind"))]
        assert row["asked"] == len(own) and row["chance"] == 0.25
        assert row["right"] == pytest.approx(np.mean([r["right"] for r in own]), abs=1e-6)
    numbers = {n.address: n for n in made_of(metrics, "probe_states", "x.parquet")}
    assert len(numbers) == 3 * len(metrics["inside"])
    at = "finetune/tuned/2/lost"
    less = numbers[f"inside/mini/numbers/harmonious/{at}/selectivity"]
    parts = [(term.weight, term.column) for term in less.terms]
    assert parts == [(1, f"{at}:right"), (-1, f"{at}:control")]


def planted(rng: np.random.Generator, signal: float) -> tuple[list[Row], np.ndarray]:
    """States (options, 1 layer, width) of which one direction says which option is right."""
    rows = [question(n, answer=int(rng.integers(4)), question=f"{n}?") for n in range(300)]
    states = rng.normal(size=(1200, 1, 20))
    for n, row in enumerate(rows):
        states[4 * n + row["answer"], 0] += signal * np.eye(20)[3]
    return rows, states


def test_a_probe_finds_what_is_there_and_nothing_that_is_not():
    """In questions that it never saw; a control task that cannot be learnt stays at chance."""
    rng = np.random.default_rng(1)
    rows, base = planted(rng, 4)
    _, gone = planted(rng, 0)
    kept = {"kept": [row["id"] for row in rows[:200]], "lost": [row["id"] for row in rows[200:280]]}
    found = list(inside.probe_rows({"base": base, "tuned": gone}, [5], rows, kept, seed=1))

    def share(states: str, kind: str, name: str) -> float:
        own = [r[name] for r in found if (r["states"], r["kind"]) == (states, kind)]
        return float(np.mean(own))

    for kind in ("kept", "lost", "unknown"):
        assert share("base", kind, "right") > 0.9
        assert 0.05 < share("tuned", kind, "right") < 0.55
        assert 0.05 < share("base", kind, "control") < 0.55


def test_ridge_is_that_of_the_normal_equations():
    rng = np.random.default_rng(2)
    rows, states = planted(rng, 1)
    asked = inside._options(states[:, 0], rows)
    chosen = np.arange(300) < 250
    found = inside.train(asked, chosen, "right")
    where = chosen[asked.owner]
    table = asked.states[where]
    spread = table.std(axis=0)
    x, y = table / spread, asked.right[where] - 0.25
    scale = (np.linalg.svd(x, compute_uv=False) ** 2).mean()
    errors = {}
    for penalty in inside.PENALTIES * scale:
        inverse = np.linalg.inv(x.T @ x + penalty * np.eye(20))
        hat = x @ inverse @ x.T
        error = ((y - hat @ y) ** 2).sum() / (750 - np.trace(hat)) ** 2
        errors[error] = inverse @ x.T @ y / spread
    assert found == pytest.approx(errors[min(errors)])


def test_questions_that_say_the_same_are_in_one_fold():
    folds = inside.fold_of([("a",), ("b",), ("a",), ("c",), ("d",), ("e",)], 1)
    assert folds[0] == folds[2] and sorted(set(folds)) == [0, 1, 2, 3, 4]
