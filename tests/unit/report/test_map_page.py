"""The map as a page: every cell with its interval and its way to the items, every pair ready."""

import json
import re
from typing import Any

from tests.unit.report.html_tree import Tree
from tuneatlas.report.map_page import build_map
from tuneatlas.studies.atlas.measures import MEASURES

MINUS = "\N{MINUS SIGN}"
GROUPS = ("harmonious", "incompatible", "self_aligning")


def numbers(at: float) -> dict[str, float]:
    return {"value": at, "value_low": at - 0.05, "value_high": at + 0.05}


def fake_map() -> dict[str, Any]:
    """Three treatments; of the last measure the first has none, and the last pair is not paired."""
    cells, pairs = [], []
    for place, measure in enumerate(MEASURES):
        own = [
            {"domain": "facts", "group": group, "setting": "finetune"}
            for group in GROUPS[place == len(MEASURES) - 1 :]
        ]
        for number, row in enumerate(own):
            cells.append(
                row | {"measure": measure.name, "replicates": 3, "seeds": 1, "items": 40}
                | numbers(0.1 * number) | {"address": f"interpolation/facts/{row['group']}/x"}
            )  # fmt: skip
        for one in range(len(own)):
            for two in range(one + 1, len(own)):
                names = {f"first_{k}": v for k, v in own[one].items()}
                names |= {f"second_{k}": v for k, v in own[two].items()}
                if (own[one]["group"], own[two]["group"]) != GROUPS[1:]:
                    pairs.append({"measure": measure.name} | names | numbers(0.1 * (one - two)))
    design = {"replicates": ["m-0", "m-1", "m-2"], "seeds": [0], "confidence": 0.95}
    return {"design": design, "map": cells, "map_pairs": pairs}


def test_every_cell_leads_to_its_items_its_figure_and_its_table():
    html = build_map(fake_map(), "mini", "../map_treatments/mini")
    tree = Tree(html)
    assert len(tree.all("caption")) == len(tree.all("table")) == 2
    buttons = re.findall(r'<span class="who">([^<]+)', html)
    assert buttons == ["Harmonious, facts", "Incompatible, facts", "Self-aligning, facts"]
    cells = len(MEASURES) * 3 - 1
    of = 'href="../audit/index.html#of=interpolation/mini/facts/'
    assert html.count(of) == cells and html.count('class="num none"') == 1
    for measure in MEASURES:
        figure, table = measure.files
        assert f"../map_treatments/mini/figures/{figure}.svg" in html
        assert f"../map_treatments/mini/{table}.csv" in html
    assert ">+10.0</a>" in html and '<small title="40 items">+5.0 to +15.0</small>' in html
    # Faint where the interval includes 0.
    assert html.count('class="num open"') == len(MEASURES)


def test_other_ways_to_tune_stand_after_the_groups_that_they_tune_on():
    metrics = fake_map()
    for row in metrics["map"]:
        row["group"] = {"harmonious": "dpo"}.get(row["group"], row["group"])
    metrics["map_pairs"] = []
    buttons = re.findall(r'<span class="who">([^<]+)', build_map(metrics, "mini", "there"))
    assert buttons == ["Incompatible, facts", "Self-aligning, facts", "dpo, facts"]


def test_of_a_percentage_the_sign_stands_once():
    html = build_map(fake_map(), "mini", "there")
    assert ">10.0%</a>" in html and ">5.0 to 15.0</small>" in html


def test_pairs_stand_in_both_orders():
    html = build_map(fake_map(), "mini", "there")
    (text,) = re.findall(r'id="pairs">(.*?)</script>', html)
    pairs = json.loads(text)
    assert set(pairs) == {"0,1", "1,0", "0,2", "2,0"}
    first, *_ = pairs["0,1"]
    assert first == [0, f"{MINUS}10.0", f"{MINUS}15.0", f"{MINUS}5.0", True]
    assert pairs["1,0"][0] == [0, "+10.0", "+5.0", "+15.0", True]


def test_names_end_no_script():
    metrics = fake_map()
    for row in metrics["map"]:
        row["address"] = "interpolation/</script><b>"
    html = build_map(metrics, "mini", "there")
    assert "<b>" not in html and html.count("</script>") == 2


def test_a_map_of_one_treatment_asks_for_no_two():
    metrics = fake_map()
    alone = [row for row in metrics["map"] if row["group"] == "incompatible"]
    single = metrics | {"map": alone, "map_pairs": []}
    both = [build_map(own, "mini", "x") for own in (single, metrics)]
    assert ["Choose two rows to compare" in html for html in both] == [False, True]
    assert ['aria-live="polite" hidden>' in html for html in both] == [True, False]
