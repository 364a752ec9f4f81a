"""Which pairs a model is tuned on."""

import random
from pathlib import Path

import pytest

from tests.examples import ROOT
from tests.unit.steps import a_step
from tuneatlas.config.load import load_mapping, resolve
from tuneatlas.config.slices import tuning_options
from tuneatlas.studies.syntax.paraphrasing.finetune import choose_pairs, drawing_rng


def test_a_smaller_share_is_part_of_a_larger_and_another_seed_draws_others():
    rows = [{"id": str(n)} for n in range(50)]
    few, many = (choose_pairs(rows, share, random.Random(1)) for share in (10, 40))
    assert len(few) == 5 and many[:5] == few
    assert choose_pairs(rows, 10, random.Random(2)) != few
    assert len(choose_pairs(rows, 1, random.Random(1))) == 1


@pytest.mark.parametrize("replicates", [None, [0, 1]])
def test_replicates_draw_pairs_of_their_own_and_starts_the_same(
    tmp_path: Path, replicates: list[int] | None
):
    """Else what pairs a seed draws would be common to all replicates, and not in their spread."""
    model = {"source": "scratch", **({"replicates": replicates} if replicates else {})}
    include = {"include": f"{ROOT}/config/smoke.yaml"}
    config = resolve(load_mapping({**include, "paraphrasers": {"m": model}}, "given", ROOT))
    drawn = {}
    for name in config["paraphrasers"]:
        for start in ("plain", "both"):
            options = tuning_options(config, name)
            step = a_step(tmp_path, {}, {}, options, paraphraser=name, start=start, seed="0")
            drawn[name, start] = drawing_rng(step).random()
    assert all(drawn[name, "plain"] == drawn[name, "both"] for name in config["paraphrasers"])
    assert len(set(drawn.values())) == len(replicates or [0])
