"""What keeps a treatment from being tuned or measured is said before the first job, once."""

from pathlib import Path

import pytest

from tests.examples import ROOT
from tests.unit.config.config_files import GOOD, complaints
from tuneatlas.config.load import load_config, resolve
from tuneatlas.config.preflight import preflight
from tuneatlas.config.slices import treatment_options, writer_of
from tuneatlas.errors import UserError

BROUGHT = """\
models:
  brought: {source: hub, id: a/b, revision: REVISION}
domains:
  countries: {source: facts, tune: true}
  elements: {source: facts}
""".replace("REVISION", "a" * 40)


def arm(stated: str, name: str = "arm", measured: str = "arm") -> str:
    return f"treatments: {{{name}: {{{stated}}}}}\natlas: {{groups: [{measured}]}}\n"


BAD = {
    arm("of: harmonius"): "of: no group 'harmonius'; did you mean 'harmonious'?",
    arm("of: harmonious", measured="harmonious"): "nothing measures it: name it in atlas.groups",
    arm("of: harmonious", "mixed_7", "mixed_7"): "'mixed_7' is the name of a group: choose another",
    arm("of: harmonious, lora_rank: 4, l2_sp: 1.0"): "l2_sp: adapters (lora_rank) train none",
    arm("of: harmonious, lora_rank: 4, frozen_layers: 1"): "frozen_layers: adapters (lora_rank)",
    arm("of: harmonious, replay: 100"): "replay: should be less than 100, not 100",
    arm("of: harmonious, kl: -1"): "kl: should be greater than or equal to 0, not -1",
    arm("of: harmonious, frozen: 1"): "frozen",
    arm("of: harmonious, over: incompatibel"): "over: no group 'incompatibel'; did you mean",
    arm("of: harmonious, over: harmonious"): "over: its replies would be preferred to themselves",
    arm("of: incompatible, over: self_aligning, replay: 1"): "replay: text of pre-training has no",
    arm("of: incompatible, over: self_aligning, kl: 1.0"): "kl: beta says how near the base",
    arm("of: incompatible, over: self_aligning, beta: 0"): "beta: preference tuning learns nothing",
    arm("of: harmonious, reward: letter"): "reward: 'letter' is not possible; known here: answer",
    arm("of: harmonious, reward: answer, generations: 1"): "generations: should be greater than or",
    arm("of: harmonious, reward: answer, patience: 0"): "patience: should be greater than or equal",
    arm("of: harmonious, reward: answer, over: self_aligning"): "over: replies are either rewarded",
    arm(
        "of: harmonious, reward: answer, words: own"
    ): "words: the replies are the model's own, and",
    arm("of: harmonious, reward: answer, replay: 1"): "replay: text of pre-training is no reply to",
    arm("of: harmonious, reward: answer, kl: 1.0"): "kl: beta says how near the base reinforcement",
    arm(
        "of: harmonious, reward: answer, max_new_tokens: 512"
    ): "max_new_tokens: a row of 512 tokens",
    arm("of: harmonious, reward: answer, lora_rank: 4, l2_sp: 1.0"): "l2_sp: adapters (lora_rank)",
}


@pytest.mark.parametrize("bad", BAD)
def test_it_is_said_once_with_its_line(tmp_path: Path, bad: str):
    (found,) = complaints(tmp_path, f"{GOOD}{bad}")
    assert found.startswith("bad.yaml:1")
    assert BAD[bad] in found


def test_what_is_done_within_a_process_is_not_done_in_several(tmp_path: Path):
    text = GOOD.replace("row_length: 512", "row_length: 512\n  processes: 2")
    (found,) = complaints(tmp_path, f"{text}{arm('of: harmonious, kl: 0.1')}")
    assert "treatments.arm.kl: is done in one process, and finetune says processes" in found


@pytest.mark.parametrize(
    ("key", "value", "needed"),
    [
        ("processes", "2", "is done in one process, and finetune says processes"),
        ("remainder", "carry", "reinforcement learning needs finetune.remainder: step"),
        ("isolate", "false", "reinforcement learning needs finetune.isolate: true"),
        ("batch_unit", "rows", "reinforcement learning needs finetune.batch_unit: examples"),
    ],
)
def test_rewards_need_a_way_to_train(tmp_path: Path, key: str, value: str, needed: str):
    text = GOOD.replace("row_length: 512", f"row_length: 512\n  {key}: {value}")
    (found,) = complaints(tmp_path, f"{text}{arm('of: harmonious, reward: answer')}")
    assert f"treatments.arm.reward: {needed}" in found


@pytest.mark.parametrize(
    ("stated", "beta"),
    [
        ("of: incompatible, over: self_aligning", 0.1),
        ("of: harmonious, reward: answer", 0.04),
        ("of: harmonious, reward: answer, beta: 0", 0),
    ],
)
def test_how_near_the_base_a_treatment_stays(tmp_path: Path, stated: str, beta: float):
    (tmp_path / "good.yaml").write_text(f"{GOOD}{arm(stated)}")
    config = resolve(load_config(tmp_path / "good.yaml", root=ROOT))
    options = treatment_options(config, "arm")
    found = options["treatment"]
    assert found["beta"] == beta
    # What is said of rewards is of those that have some, and replies are drawn without dropout.
    assert ("clip" in found) == ("reward" in stated) == (not options["lora_dropout"])
    # Who waits longer for a reward goes on with the training that stopped.
    assert "patience" not in found


def test_replay_asks_for_text_and_its_licence(tmp_path: Path):
    bad = f"name: b\n{BROUGHT}{arm('of: harmonious, replay: 5')}"
    (found,) = complaints(tmp_path, bad)
    assert "treatments.arm.replay: model 'brought' was not pre-trained here, so name a" in found
    (found,) = complaints(tmp_path, f"{bad}prepare_restoration: {{corpus: text.txt}}\n")
    assert "prepare_restoration.licence: missing" in found


def test_layers_that_a_model_does_not_have_are_told_before_the_first_job(tmp_path: Path):
    (tmp_path / "good.yaml").write_text(f"{GOOD}{arm('of: harmonious, frozen_layers: 40')}")
    experiment = load_config(tmp_path / "good.yaml", root=ROOT)
    with pytest.raises(UserError, match=r"frozen_layers: 40 are to be frozen, and model 'small'"):
        preflight(experiment, tmp_path, "structure")


def test_a_treatment_tunes_as_finetune_says_but_for_what_it_states(tmp_path: Path):
    text = f"{GOOD}{arm('of: harmonious, learning_rate: 1.0e-3, lora_rank: 4')}"
    (tmp_path / "good.yaml").write_text(text)
    config = resolve(load_config(tmp_path / "good.yaml", root=ROOT))
    options = treatment_options(config, "arm")
    differing = {k for k, v in options.items() if config["finetune"].get(k) != v}
    assert differing == {"learning_rate", "lora_rank", "treatment"}
    assert (options["learning_rate"], options["lora_rank"]) == (1e-3, 4)


def test_other_words_need_another_model_and_a_group_of_one_kind(tmp_path: Path):
    (found,) = complaints(tmp_path, f"{GOOD}{arm('of: harmonious, words: other')}")
    assert "treatments.arm.words: there is one model, and no other to explain its labels" in found
    (found,) = complaints(tmp_path, f"{GOOD}{arm('of: mixed_20, words: own')}")
    assert "treatments.arm.words: labels of harmonious, incompatible, self_aligning are" in found


def test_the_writer_is_the_next_replicate_or_the_next_model(tmp_path: Path):
    several = GOOD.replace("max_length: 2048", "max_length: 2048\n    replicates: [0, 1, 2]")
    both = f"{several}{arm('of: self_aligning, words: other')}"
    (tmp_path / "good.yaml").write_text(both)
    config = resolve(load_config(tmp_path / "good.yaml", root=ROOT))
    found = {name: writer_of(config, "arm", name) for name in config["models"]}
    assert found == {"small-0": "small-1", "small-1": "small-2", "small-2": "small-0"}
    alone = {"models": {"a": {"family": None}, "b": {"family": None}}}
    assert writer_of(config | alone, "arm", "b") == "a"
    config["treatments"]["arm"]["words"] = "own"
    assert writer_of(config | alone, "arm", "b") == "b"
