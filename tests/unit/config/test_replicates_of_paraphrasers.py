"""Encoder-decoders come in replicates too, from weights of their own or all from the same."""

from pathlib import Path
from typing import Any

import pytest

from tests.examples import ROOT
from tuneatlas.config.load import load_mapping, resolve
from tuneatlas.config.paraphrase_formats import comparison_options
from tuneatlas.config.slices import paraphraser_options
from tuneatlas.errors import UserError

COMMIT = "0123456789abcdef0123" * 2
HUB = {"source": "hub", "id": "a/t5", "revision": COMMIT}


def resolved(**entry: Any) -> dict[str, Any]:
    data = {"include": f"{ROOT}/config/smoke.yaml", "paraphrasers": {"t5": entry}}
    return resolve(load_mapping(data, "given", ROOT))


def test_each_is_made_as_the_others_and_named_by_its_seed():
    config = resolved(source="scratch", layers=1, replicates=[2, 0])
    assert list(config["paraphrasers"]) == ["t5-2", "t5-0"]
    one, other = (paraphraser_options(config, name) for name in config["paraphrasers"])
    assert one == other
    alone = paraphraser_options(resolved(source="scratch", layers=1), "t5")
    assert alone == one, "what a model is made by does not say that there are others"


@pytest.mark.parametrize(
    ("entry", "one_start"),
    [
        ({"source": "scratch"}, False),
        ({"source": "path", "path": "models/t5"}, True),
        ({"source": "path", "path": "models/t5-{replicate}"}, False),
        (HUB, True),
        ({**HUB, "id": "a/t5-{replicate}", "revision": {"0": COMMIT, "1": COMMIT}}, False),
    ],
)
def test_the_comparison_knows_whether_all_start_from_the_same_weights(
    entry: dict[str, Any], one_start: bool
):
    several = resolved(**entry, replicates=[0, 1])
    assert comparison_options(several, ROOT, "t5").get("one_start", False) is one_start
    assert "one_start" not in comparison_options(several, ROOT, "t5-0")
    assert "one_start" not in comparison_options(resolved(source="scratch"), ROOT, "t5")


def test_what_was_resolved_reads_as_it_is():
    found = resolved(source="path", path="models/t5", replicates=[0, 1])
    assert resolve(load_mapping(found, "resolved", ROOT)) == found


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (
            {"source": "scratch", "replicates": [1, 1]},
            "paraphrasers.t5.replicates: 1 is listed 2 times; each is one model",
        ),
        (
            {**HUB, "id": "a/t5-{replicate}", "replicates": [0]},
            "paraphrasers.t5.revision: no commit for replicate 0: name one for each",
        ),
        (
            {**HUB, "id": "a/t5-{replicate}"},
            "paraphrasers.t5.id: {replicate} stands for a pre-training seed",
        ),
        (
            {"source": "scratch", "heads": 3, "replicates": [0, 1]},
            "paraphrasers.t5.heads: 3 heads do not divide hidden_size 128",
        ),
        (
            {"source": "scratch", "family": "all", "replicates": [0, 1]},
            "paraphrasers.t5.replicates: is of family all: name the one pre-training seed",
        ),
    ],
)
def test_mistakes_are_told_once_under_the_key_that_was_written(entry: dict[str, Any], said: str):
    with pytest.raises(UserError) as caught:
        resolved(**entry)
    assert said in str(caught.value)
    assert str(caught.value).count("paraphrasers.") == 1


def test_a_model_and_a_paraphraser_of_one_name_are_two(tmp_path: Path):
    """What is wrong with one is not said of the other."""
    data = {
        "include": f"{ROOT}/config/smoke.yaml",
        "models": {"mini": {"replicates": [0, 1]}},
        "paraphrasers": {"mini-0": {"source": "scratch", "heads": 3}},
    }
    with pytest.raises(UserError, match=r"paraphrasers\.mini-0\.heads"):
        load_mapping(data, "given", ROOT)
