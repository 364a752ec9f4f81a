"""The map: cells are the numbers of their tables, and two treatments are compared item by item."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from tests.unit.config.described import undescribed_columns
from tests.unit.studies.atlas.test_battery import MENTIONS, invented
from tests.unit.studies.atlas.test_law import made
from tests.unit.studies.atlas.test_map import OPTIONS as FEW
from tests.unit.studies.atlas.test_map import run
from tests.unit.studies.atlas.test_relearn import curves
from tuneatlas.studies.atlas.battery_map import map_battery
from tuneatlas.studies.atlas.board import Cell, Measure, Part, Treated, board
from tuneatlas.studies.atlas.cells import between, inside
from tuneatlas.studies.atlas.law import distance_law
from tuneatlas.studies.atlas.map import map_treatments
from tuneatlas.studies.atlas.measures import MEASURES
from tuneatlas.studies.atlas.savings import relearning
from tuneatlas.studies.atlas.tables import LINE

# Of three replicates, whose t distribution has long tails.
OPTIONS = replace(FEW, draws=1500)
TREATMENTS = {("facts", "harmonious"): 0.2, ("facts", "incompatible"): 0.5}


# Of two base models: how far two matrices moved, and what a probe of two layers has right.
MOVED = {
    (f"mini-{n}", 0): [
        {"setting": "finetune", "layer": layer, "norm": 4.0, "change": change * (n + 1)}
        for layer, change in ((0, 0.3), (1, 0.4))
    ]
    for n in range(2)
}
PROBED = {
    (f"mini-{n}", 0): [
        {
            **{"setting": "finetune", "states": states, "layer": layer, "id": str(i)},
            **{"kind": ("lost", "kept")[i % 2], "right": layer == 2 and i % 4 == 0},
            **{"control": states == "base"},
        }
        for states in ("base", "tuned")
        for layer in (1, 2)
        for i in range(8)
    ]
    for n in range(2)
}


@pytest.fixture(scope="module")
def read() -> SimpleNamespace:
    return SimpleNamespace(
        options=OPTIONS,
        contents={},
        runs={name: run(lost=lost) for name, lost in TREATMENTS.items()},
        distances={name: made(lost, several=3) for name, lost in TREATMENTS.items()},
        relearned={name: curves(1.0, lost) for name, lost in TREATMENTS.items()},
        batteries={("facts", "incompatible"): invented()},
        mentions=MENTIONS,
        moved={("facts", "incompatible"): MOVED},
        probed={("facts", "incompatible"): PROBED},
    )


@pytest.fixture(scope="module")
def tables(read: SimpleNamespace) -> dict:
    return board(MEASURES, read, OPTIONS, 1)


def test_each_cell_is_the_number_of_its_address(read: SimpleNamespace, tables: dict):
    """Its interval, drawn on its own, is the other's but for the draw."""
    metrics = map_treatments(read.runs, OPTIONS, 1)
    metrics |= distance_law(read.distances, OPTIONS, 1) | relearning(read.relearned, OPTIONS, 1)
    metrics |= map_battery(read.batteries, OPTIONS, 1, {}, MENTIONS)
    assert undescribed_columns("map_treatments", tables) == []
    assert {row["measure"] for row in tables["map"]} == {m.name for m in MEASURES}
    places = {
        "interpolation": lambda r: f"{r['scope']}/{r['setting']}/{r['path']}/{r['point']:g}",
        "distances": lambda r: f"{r['setting']}/{r['step']}",
        "battery": lambda r: f"{r['setting']}/{r['scope']}/{r['way']}",
        "relearning": lambda r: f"{r['text']}/{r['update']}/{r['kind']}",
    }
    addressed = [cell for cell in tables["map"] if cell["address"]]
    for cell in (cell for cell in addressed if not cell["address"].startswith("map/")):
        table, domain, group, *place = cell["address"].split("/")
        *place, name = place if table != "relearning" else (*place, "back")
        (row,) = (
            r
            for r in metrics[table]
            if (r["domain"], r["group"]) == (domain, group) and places[table](r) == "/".join(place)
        )
        assert cell["value"] == pytest.approx(row[name], abs=2e-6)
        width = row[f"{name}_high"] - row[f"{name}_low"]
        for end in ("low", "high"):
            assert cell[f"value_{end}"] == pytest.approx(
                row[f"{name}_{end}"], abs=0.25 * width + 1e-6
            )


def test_what_is_no_number_of_a_table_is_of_each_training(tables: dict):
    """Half of what was lost is reached; weights moved by .088 and .177; a probe finds a half."""
    own = [r for r in tables["map"] if not r["address"] or r["address"].startswith("map/")]
    cells = {row["measure"]: row for row in own}
    assert cells["reached"]["value"] == pytest.approx(0.5, abs=0.1)
    assert cells["reached"]["value_low"] < 0.5 < cells["reached"]["value_high"]
    assert cells["moved"]["value"] == pytest.approx(0.1875 / 2**0.5, abs=1e-6)
    assert cells["inside"]["value"] == 0.5
    assert {name: row["address"] for name, row in cells.items()} == {
        "reached": "map/facts/incompatible/finetune/reached",
        "inside": "map/facts/incompatible/finetune/inside",
        "moved": "",
    }


def test_a_cell_that_some_training_has_no_part_in_is_no_mean_over_all(read: SimpleNamespace):
    """Nothing of it is lost there, so that it would be a share of nothing."""
    probed = {("facts", "incompatible"): PROBED | {("kept_all", 0): []}}
    (cell,) = inside(SimpleNamespace(**{**vars(read), "probed": probed})).values()
    assert cell.address == ""


def test_half_way_is_told_where_a_model_between_was_asked(read: SimpleNamespace):
    """Beside the tuned model itself nothing is back."""
    assert between(read, "ood", "regained", LINE, 0.5)
    ends = {
        treatment: run._replace(
            correct={cell: own for cell, own in run.correct.items() if cell[2] in (0, 1)}
        )
        for treatment, run in read.runs.items()
    }
    alone = SimpleNamespace(**{**vars(read), "runs": ends})
    assert not between(alone, "ood", "regained", LINE, 0.5)
    assert between(alone, "ood", "gain", LINE, 1.0)


def test_all_pairs_are_compared(tables: dict):
    rows = {(r["measure"], r["domain"], r["group"], r["setting"]): r for r in tables["map"]}
    for measure in MEASURES:
        own = [row for row in tables["map"] if row["measure"] == measure.name]
        pairs = [row for row in tables["map_pairs"] if row["measure"] == measure.name]
        assert len(pairs) == len(own) * (len(own) - 1) / 2
        for pair in pairs:
            one, two = (
                rows[measure.name, *(pair[f"{n}_{k}"] for k in ("domain", "group", "setting"))]
                for n in ("first", "second")
            )
            assert pair["value"] == pytest.approx(one["value"] - two["value"], abs=2e-6)
            assert pair["value_low"] <= pair["value"] <= pair["value_high"]


def test_pairs_share_the_items_that_both_have():
    """Of equal answers to the same items the difference is nothing; to other items, uncertain."""
    rng = np.random.default_rng(1)
    trainings = [("m", 0), ("m", 1)]
    right = {training: rng.random(60) < 0.5 for training in trainings}

    def cell(prefix: str) -> Cell:
        names = [f"{prefix}{n}" for n in range(60)]
        return Cell({t: [Part(1.0, right[t], names)] for t in trainings}, "x")

    names = dict(title="", question="", unit="points", files=("", ""))
    cells = {Treated("a", "one", "s"): cell("q"), Treated("a", "two", "s"): cell("q")}
    cells[Treated("b", "one", "s")] = cell("r")
    tables = board([Measure("m", cells=lambda _: cells, **names)], None, OPTIONS, 1)
    widths = [row["value_high"] - row["value_low"] for row in tables["map_pairs"]]
    assert widths[0] == 0 and min(widths[1:]) > 0.1
    # Of trainings that the other has not, nothing is paired.
    cells[Treated("b", "one", "s")] = Cell({("m", 0): cell("r").parts["m", 0]}, "x")
    assert (
        len(board([Measure("m", cells=lambda _: cells, **names)], None, OPTIONS, 1)["map_pairs"])
        == 1
    )


def test_base_models_with_unlike_numbers_of_tunings_have_a_cell():
    """As where one tuning lost nothing, of which a share could be reached."""
    trainings = [("a", 0), ("a", 1), ("b", 0)]
    rng = np.random.default_rng(1)
    names = [str(n) for n in range(40)]
    parts = {t: [Part(1.0, rng.random(40) < 0.5, names)] for t in trainings}
    cells = {Treated("d", "g", "s"): Cell(parts, "")}
    of = dict(title="", question="", unit="points", files=("", ""))
    (row,) = board([Measure("m", cells=lambda _: cells, **of)], None, OPTIONS, 1)["map"]
    assert (row["replicates"], row["seeds"]) == (2, 2)
    assert row["value_low"] < row["value"] < row["value_high"]
