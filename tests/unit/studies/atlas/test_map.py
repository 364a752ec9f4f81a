"""From answers of invented models to the figure, the page, and the items behind each number."""

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.unit.report.html_tree import Tree
from tests.unit.studies.fake_answers import make_context, make_study
from tuneatlas.audit.atlas_numbers import atlas_numbers
from tuneatlas.plots import draw_figures
from tuneatlas.report import build_report
from tuneatlas.report.atlas import atlas_part
from tuneatlas.statistics.intervals import mean_interval
from tuneatlas.studies.atlas.figures import FIGURES
from tuneatlas.studies.atlas.map import MapOptions, map_treatments
from tuneatlas.studies.atlas.runs import Run
from tuneatlas.studies.atlas.tables import BASE, LINE, RESET
from tuneatlas.studies.knowledge.compare import compare_groups
from tuneatlas.studies.knowledge.paired_answers import CompareOptions

ITEMS = 480
OPTIONS = MapOptions(("home", "related"), "all", 300, 0.95)


def run(replicates: int = 3, lost: float = 0.5) -> Run:
    """Tuning loses a share of what the base knows, which is there again half way."""
    rng = np.random.default_rng(2)
    base = rng.random((replicates, ITEMS)) < 0.7
    tuned = base & (rng.random((replicates, ITEMS)) >= lost)
    cells = {BASE: base, ("finetune", LINE, 0.5): base, ("finetune", LINE, 1.0): tuned}
    cells |= {("finetune", RESET, 1.0): tuned, ("finetune", RESET, 20.0): base}
    cells |= {("stages", *cell[1:]): own for cell, own in cells.items() if cell != BASE}
    items = [
        {"id": str(n), "domain": ("facts", "other")[n % 2], "role": ("home", "related")[n % 3 > 1]}
        for n in range(ITEMS)
    ]
    trainings = [(f"mini-{n}", 0) for n in range(replicates)]
    return Run(trainings, items, cells, {cell: np.zeros_like(base) for cell in cells})


@pytest.fixture(scope="module")
def metrics() -> dict[str, Any]:
    return map_treatments({("facts", "incompatible"): run()}, OPTIONS, 1)


def cell(metrics: dict[str, Any], scope: str, path: str, point: float) -> dict[str, Any]:
    (row,) = (
        r
        for r in metrics["interpolation"]
        if (r["setting"], r["scope"], r["path"], r["point"]) == ("finetune", scope, path, point)
    )
    return row


@pytest.mark.parametrize("scope", ["homo", "id", "ood"])
def test_what_is_there_half_way_is_regained(metrics: dict[str, Any], scope: str):
    half, end = (cell(metrics, scope, LINE, point) for point in (0.5, 1.0))
    assert half["gain"] == half["gain_low"] == half["gain_high"] == 0
    assert half["regained_low"] > 0
    assert half["regained"] == pytest.approx(-end["gain"], abs=2e-6)
    assert cell(metrics, scope, LINE, 0.0)["accuracy"] == end["base"]
    assert end["regained"] == end["regained_low"] == end["regained_high"] == 0
    assert cell(metrics, scope, RESET, 1.0)["accuracy"] == end["accuracy"]


def test_replicates_widen_the_interval(metrics: dict[str, Any]):
    """By what other base models would add; taken for seeds of one, less is said to be known."""
    row = cell(metrics, "ood", LINE, 1.0)
    own = run()
    (chosen,) = (c for s, c in own.scopes(partial(OPTIONS.scope, ("facts", "one"))) if s == "ood")
    lost = own.correct["finetune", LINE, 1.0][:, chosen] * 1.0 - own.correct[BASE][:, chosen]
    whole = mean_interval(lost, np.random.default_rng(1), 2000, 0.95, replicates=3)
    assert row["gain_low"] == pytest.approx(whole.low, abs=0.03)
    assert row["gain_high"] == pytest.approx(whole.high, abs=0.03)


def test_items_that_say_the_same_are_one(metrics: dict[str, Any]):
    """All items once more under other names: no interval changes, as nothing was added."""
    once = run()
    twice = once._replace(
        items=[*once.items, *(row | {"id": f"again/{row['id']}"} for row in once.items)],
        correct={cell: np.hstack([own, own]) for cell, own in once.correct.items()},
        tied={cell: np.hstack([own, own]) for cell, own in once.tied.items()},
    )
    contents = {row["id"]: row["id"].removeprefix("again/") for row in twice.items}
    found = map_treatments({("facts", "incompatible"): twice}, OPTIONS, 1, contents)
    apart = map_treatments({("facts", "incompatible"): twice}, OPTIONS, 1)
    narrower = 0
    for row, wanted, other in zip(
        *(each["interpolation"] for each in (found, metrics, apart)), strict=True
    ):
        assert row == pytest.approx(wanted | {"items": 2 * wanted["items"]}, abs=2e-6)
        narrower += other["gain_high"] - other["gain_low"] < row["gain_high"] - row["gain_low"]
    assert narrower


def test_the_page_says_it_with_interval_and_number(metrics: dict[str, Any], tmp_path: Path):
    draw_figures(metrics, tmp_path / "figures", FIGURES)
    rows = (tmp_path / "figures/interpolation.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 1 + len(metrics["interpolation"])
    fake = make_study(items=40)
    base, tuned = fake.pop("base_answers"), fake.pop("tuned_answers")
    knowledge = compare_groups(base, tuned, CompareOptions(draws=100), 1, **fake).metrics()
    atlas = (metrics, tmp_path / "figures", "../map_treatments/mini")
    html = build_report(knowledge, tmp_path / "none", make_context(), atlas=atlas)
    tree = Tree(html)
    assert len(tree.all("caption")) == len(tree.all("table"))
    assert 'id="atlas-interpolation"' in html
    assert '"../map_treatments/mini/figures/interpolation.csv"' in html
    end = cell(metrics, "ood", LINE, 1.0)
    (found, _) = atlas_part(metrics, "there").between
    assert found.name == "Incompatible, facts, tuned as in the first study"
    *_, ood = found.sentences
    assert ood.startswith(f"Out of the domain (OOD), {end['items']} questions: ")
    assert f"{100 * end['base']:.1f}% right before tuning" in ood
    for sentence in found.sentences:
        assert sentence in html
    without = build_report(knowledge, tmp_path / "none", make_context())
    assert "atlas-interpolation" not in without


def test_each_number_leads_to_its_answers(metrics: dict[str, Any]):
    """A weighted sum of means over the files of all trainings, which gives it again."""
    own = run()
    domains = [f"results/prepare_questions/{d}.parquet" for d in ("facts", "other")]
    place = "results/interpolate_weights/{}/facts/incompatible/0.parquet"
    of = {place.format(model): model for model, _ in own.trainings}
    files = list(of)
    asked = {"step": "interpolate_weights", "inputs": domains}
    run_of = {"domain": "facts", "group": "incompatible", "seed": "0"}
    records = {
        **{
            d: {"step": "prepare_questions", "wildcards": {"domain": Path(d).stem}} for d in domains
        },
        **{name: asked | {"wildcards": {"model": model, **run_of}} for name, model in of.items()},
    }
    record = {"wildcards": {"model": "mini"}, "inputs": files}
    found = list(atlas_numbers(SimpleNamespace(records=records), record, metrics))
    assert len(found) == 4 * len(metrics["interpolation"])
    for number in found:
        again = 0.0
        for term in number.terms:
            (name,) = term.outputs
            setting, path, point = term.column.removesuffix(":correct").split("/")
            right = own.correct[setting, path, float(point)][files.index(name)]
            blocks = [f"{i['domain']}/{i['role']}" for i in own.items]
            again += term.weight * right[[b in term.where["block"] for b in blocks]].mean()
        assert again == pytest.approx(number.value, abs=2e-6), number.address
