"""Tasks of lm-evaluation-harness side by side: from what each model scored to page and items."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.unit.audit.synthetic import _Maker
from tuneatlas.audit.behind import compute, read_items
from tuneatlas.audit.columns import Columns
from tuneatlas.audit.lineage import read_results
from tuneatlas.audit.numbers import numbers
from tuneatlas.audit.page.items import Catalogue
from tuneatlas.config.harness import compared_by_harness, harness_models
from tuneatlas.errors import UserError
from tuneatlas.models.harness_items import HARNESS_ITEMS
from tuneatlas.report.harness import tasks_parts
from tuneatlas.report.rendering import page_environment
from tuneatlas.statistics.metrics import write_metrics
from tuneatlas.studies.knowledge.harness import compare_harness, read_asked

OPTIONS = {"draws": 200, "confidence": 0.95}
GIVEN = {"base": "mini", "source": "path", "path": "x", "bos": None, "restore": None}
CONFIG = {
    "seeds": [0, 1],
    "models": {"mini": {"source": "path", "bos": True}},
    "checkpoints": {
        "sft": {**GIVEN, "steps": [5]},
        "dpo": {**GIVEN, "restore": False, "bos": False},
    },
    "prepare_restoration": {"corpus": "text.txt", "package": None},
    "evaluate_harness": {"chat": True},
}
MODELS = harness_models(CONFIG, "mini", ["law/harmonious/0"])


@pytest.fixture
def told(tmp_path):
    """Results of all models on a task of which each item is right or wrong, and of one of texts."""
    rng, made = np.random.default_rng(3), _Maker(tmp_path)
    paths: dict[str, list[Path]] = {"json": [], "parquet": []}
    inputs = []
    for name in MODELS:
        values = {"acc": rng.integers(2, size=30), "bits_per_byte": np.full(30, np.nan)}
        rows = [
            {
                **{"id": f"{task}/{n}", "task": task, "filter": "none", "metric": metric},
                **{"value": float(v) if v == v else None, "prompt": f"{n}?", "answers": ["a"]},
                **{"scores": [-1.0], "target": "0"},
            }
            for task, metric in (("numbers", "acc"), ("texts", "bits_per_byte"))
            for n, v in enumerate(values[metric])
        ]
        found = {
            "library": "lm_eval 1",
            "versions": {"numbers": 1, "texts": 2},
            "shots": {"numbers": 0, "texts": 0},
            "items": {task: {"effective": 30} for task in ("numbers", "texts")},
            "results": {
                "numbers": {"alias": "n", "acc,none": values["acc"].mean(), "acc_stderr,none": 0.1},
                "texts": {"bits_per_byte,none": 1.5, "bits_per_byte_stderr,none": "N/A"},
            },
        }
        place = f"evaluate_harness/mini/{name}"
        wildcards = {"model": "mini", "trained": name}
        inputs.append(made.table(HARNESS_ITEMS, f"{place}.parquet", rows, wildcards))
        (tmp_path / f"{place}.json").write_text(json.dumps(found))
        inputs.append(made.record(f"{place}.json", wildcards))
        for kind, own in paths.items():
            own.append(tmp_path / f"{place}.{kind}")
    asked = read_asked(compared_by_harness(MODELS), paths["json"], paths["parquet"])
    write_metrics(compare_harness(asked, OPTIONS, 1), tmp_path / "compare_harness/mini")
    made.record("compare_harness/mini", {"model": "mini"}, *inputs)
    metrics = json.loads((tmp_path / "compare_harness/mini/metrics.json").read_text())
    return asked, metrics, tmp_path


def test_all_that_is_made_from_a_base_is_asked_and_beside_what_it_was_made_from():
    assert {name: entry["after"] for name, entry in MODELS.items()} == {
        "base": [],
        "law/harmonious/0": ["base"],
        "restored/0": ["base"],
        "restored/1": ["base"],
        "checkpoints/sft/5/given": ["base"],
        "checkpoints/sft/5/restored/0": ["base", "checkpoints/sft/5/given"],
        "checkpoints/sft/5/restored/1": ["base", "checkpoints/sft/5/given"],
        "checkpoints/dpo/given": ["base"],
    }
    assert {entry["inside"] for n, entry in MODELS.items() if "restored/" in n} == {"100"}
    assert [n for n, entry in MODELS.items() if not entry["bos"]] == ["checkpoints/dpo/given"]
    alone = harness_models({**CONFIG, "checkpoints": {}}, "mini", [])
    assert list(alone) == ["base"]


def test_every_number_is_of_its_items_again_and_has_its_place_on_the_page(told):
    _, metrics, folder = told
    results = read_results(folder)
    columns, items = Columns(results), read_items(results)
    found = {number.address: number for number in numbers(results)}
    # Of each model a score; of each change three numbers.
    assert len(found) == 8 + 3 * 9
    for number in found.values():
        assert compute(number, columns, items) == pytest.approx(number.value, abs=1.01e-6)
    place = "harness_changes/mini/base/checkpoints/dpo/given/numbers/none/acc/change"
    row = next(r for r in metrics["changes"] if r["second"] == "checkpoints/dpo/given")
    assert found[place].value == row["change"]
    assert row["change_low"] <= row["change"] <= row["change_high"]
    assert row["gained"] - row["lost"] == pytest.approx(30 * row["change"], abs=1e-4)
    assert row["p"] <= row["p_holm"]
    part = tasks_parts([(metrics, Path("x"), "../compare_harness/mini")])
    assert part[0].names["checkpoints/sft/5/restored/1"] == "sft/5, restored (seed 1)"

    class Page:
        harness = part

    for name, rows in (("harness_scores", 16), ("harness_changes", 9)):
        template = page_environment().get_template(f"sections/{name}.html.jinja")
        html = template.render(page=Page)
        assert html.count('<th scope="row">') == rows
    catalogue = Catalogue.read(results)
    assert catalogue.kinds() == {"task item": 60}


def test_models_that_were_asked_other_items_are_refused(told):
    asked, _, _ = told
    key = ("numbers", "none", "acc")
    del asked[1].values[key]["numbers/7"]
    with pytest.raises(UserError, match=r"law/harmonious/0 were asked other items .*numbers/7"):
        compare_harness(asked, OPTIONS, 1)
