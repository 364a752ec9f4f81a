"""What a section cannot choose is said before the first job, once, with its line."""

from pathlib import Path

import pytest

from tests.examples import ROOT
from tests.unit.config.config_files import GOOD, complaints
from tuneatlas.config.load import load_config

BAD = {
    "{groups: [harmonius]}": "atlas.groups: no group 'harmonius'; did you mean 'harmonious'?",
    "{domains: [elements]}": "atlas.domains: 'elements' is no domain with tune: true",
    "{seeds: [5]}": "atlas.seeds: 5 is none of the experiment's seeds (0, 1, 2)",
    "{seeds: [1, 1]}": "atlas.seeds: 1 is listed 2 times; each value runs once",
    "{alphas: [0.5, 0.25]}": "atlas.alphas: values must rise, each listed once",
    "{undone: [5, 5]}": "atlas.undone: values must rise, each listed once",
    "{undone: [120]}": "atlas.undone[0]: should be less than 100, not 120",
    "{undone: [-1]}": "atlas.undone[0]: should be greater than 0, not -1",
    "{alphas: [1.5]}": "atlas.alphas[0]: should be less than 1, not 1.5",
}


def test_updates_of_relearning_rise(tmp_path: Path):
    (found,) = complaints(tmp_path, f"{GOOD}relearn_facts: {{updates: [4, 2]}}\n")
    assert found == "bad.yaml:17: relearn_facts.updates: updates must rise, each listed once"


@pytest.mark.parametrize("bad", BAD)
def test_it_is_said_once_with_its_line(tmp_path: Path, bad: str):
    (found,) = complaints(tmp_path, f"{GOOD}atlas: {bad}\n")
    assert found == f"bad.yaml:17: {BAD[bad]}"


FOLLOWED = f"""{GOOD}finetune_stages: {{steps: [1, 2]}}
stage_forgetting: {{groups: [harmonious], domains: [countries], seeds: [0]}}
"""
SAID = (
    "stage_forgetting follows seeds 0 of harmonious and not 1, and the atlas tells of models that "
    "all seeds have: name 0 alone, or let stage_forgetting.seeds have the rest"
)


def test_seeds_of_the_atlas_are_followed_in_stages_all_or_none(tmp_path: Path):
    (found,) = complaints(tmp_path, f"{FOLLOWED}atlas: {{groups: [harmonious], seeds: [0, 1]}}\n")
    assert found == f"bad.yaml:19: atlas.seeds: {SAID}"


@pytest.mark.parametrize(
    "atlas",
    [
        "groups: [harmonious], seeds: [0]",
        "groups: [harmonious], seeds: [1, 2]",
        "groups: [incompatible]",
    ],
)
def test_other_seeds_are_none_or_of_what_is_not_followed(tmp_path: Path, atlas: str):
    path = tmp_path / "good.yaml"
    path.write_text(f"{FOLLOWED}atlas: {{{atlas}}}\n", encoding="utf-8")
    assert load_config(path, root=ROOT).atlas.groups
