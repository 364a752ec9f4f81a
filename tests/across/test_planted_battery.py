"""What was overwritten is reached by no prompt; what one layout alone lost is, by the others."""

from pathlib import Path

import numpy as np
import pytest

from tests.across.planted import LAYOUT, facts_of, tune
from tests.across.test_planted_checkpoints import ASK, CHAT, SHAPE, TEMPLATE, facts, texts
from tuneatlas.models.build import new_llama, train_tokenizer
from tuneatlas.models.save import save_model
from tuneatlas.studies.atlas.battery import Battery, ask_all
from tuneatlas.studies.atlas.battery_map import read_battery
from tuneatlas.studies.atlas.recovery import indicators
from tuneatlas.studies.atlas.tables import BATTERY
from tuneatlas.studies.atlas.ways import Layouts
from tuneatlas.studies.knowledge.probe import probe_base

FORMS = ("Say: {question}", "Is it so? {question}", "{question} Say it!")
CONVERSED = "User: {question}\nAssistant: {said}"
HOW = {"scoring": "cloze", "ties": "wrong"}
OPTIONS = {"few_shot": HOW, "chat": HOW, "dtype": "float32", "batch_tokens": 4096}
LAYOUTS = Layouts(TEMPLATE, TEMPLATE, CHAT, False, ["chat"], FORMS, 0)
KEPT, OVERWRITTEN, FORMAT = range(3)


def told(rows: list[dict], end: str, *, tuned: bool) -> list[str]:
    """Each fact in all layouts: tuning overwrites a third in all, a third in the probe's alone."""
    found = []
    for number, fact in enumerate(facts_of(rows)):
        kind = number % 3 if tuned else KEPT
        here, elsewhere = (
            fact["wrong" if is_so else "right"] for is_so in (kind != KEPT, kind == OVERWRITTEN)
        )
        found.append(LAYOUT.format(question=fact["question"], said=here))
        others = [LAYOUT.replace("{question}", form) for form in FORMS]
        for layout in (*others, CONVERSED + end):
            found.append(layout.format(question=fact["question"], said=elsewhere))
    return found


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """What became of each fact, and what it was to be."""
    folder = tmp_path_factory.mktemp("battery")
    rows = facts()[:26]
    tokenizer = train_tokenizer([*texts(rows), *told(rows, "", tuned=False)], 400)
    end = str(tokenizer.eos_token)
    save_model(folder / "new", new_llama(tokenizer, SHAPE, seed=1), tokenizer)
    known = [*texts(rows)[:80], *told(rows, end, tuned=False)]
    tune(folder / "new", known, folder / "base", passes=24, rate=4e-3)
    base = probe_base(folder / "base", rows, TEMPLATE, ASK, bos=False, splits=["test"]).answers
    asked = [row for row in rows if row["split"] == "test"]
    tune(folder / "base", told(asked, end, tuned=True), folder / "tuned", passes=20, rate=2e-3)
    battery = Battery(asked, {r["id"]: r["prompt"] for r in base}, LAYOUTS, False, False)
    models = {"base": folder / "base", "finetune": folder / "tuned"}
    path = Path(folder / "run/mini/numbers/planted/0.parquet")
    BATTERY.write(path, ask_all(models, battery, OPTIONS))
    (own,) = read_battery([path], []).values()
    planted = {row["id"]: n % 3 for n, row in enumerate(asked)}
    said = {name: values[0] for name, values in indicators(own.asked("finetune")).items()}
    return said | {"planted": np.array([planted[row["id"]] for row in own.items])}


def test_what_is_told_otherwise_seems_lost_and_that_alone(found: dict[str, np.ndarray]):
    """Before tuning, all ways lead to what is known."""
    lost = [found["lost"][found["planted"] == kind].mean() for kind in (KEPT, OVERWRITTEN, FORMAT)]
    assert lost[KEPT] <= 0.15 and min(lost[OVERWRITTEN], lost[FORMAT]) >= 0.5
    assert found["base_reached"].sum() >= 0.9 * found["lost"].sum()


def test_what_is_overwritten_is_reached_by_none_and_a_format_by_the_others(
    found: dict[str, np.ndarray],
):
    lost, reached = (found[name] for name in ("lost", "reached"))
    overwritten, format_only = (found["planted"] == kind for kind in (OVERWRITTEN, FORMAT))
    assert reached[overwritten].sum() <= 0.15 * lost[overwritten].sum()
    assert reached[format_only].sum() >= 0.8 * lost[format_only].sum()
    assert 0 < found["reached_known"].sum() <= reached.sum()
