"""The papers' S1 configs, and keys of knowledge intervention that cannot be together."""

import json
from pathlib import Path

import pytest
import yaml

from tests.examples import ROOT
from tests.unit.config.config_files import GOOD, complaints, dump
from tuneatlas.config.load import load_config, resolve
from tuneatlas.config.preflight import preflight
from tuneatlas.config.slices import begin_token, probed_splits, question_sources
from tuneatlas.errors import UserError

MODELS = ("llama2-7b", "llama2-13b", "llama2-70b", "mistral-7b")
PAPER = ROOT / "config" / "paper"


def loaded(name: str) -> dict:
    return resolve(load_config(PAPER / f"{name}.yaml", root=ROOT))


@pytest.mark.parametrize("model", MODELS)
def test_the_authors_setting_is_stated(model: str):
    config = loaded(f"s1-{model}")
    assert config["label_knowledge"] == {
        "min_confidence": 0.5,
        "harmonious_pool": "confident",
        "harmonious_size": "match",
    }
    explain = config["explain_predictions"]
    assert (explain["explain_template"], explain["shots"], explain["top_k"]) == (
        "urial_1shot",
        0,
        50,
    )
    assert (explain["unfinished"], explain["max_new_tokens"]) == ("keep", 256)
    for section in ("probe_knowledge", "evaluate_knowledge"):
        asked = config[section]
        assert asked["question_template"] == "letter_ren"
        assert (asked["option_tokens"], asked["logits"], asked["ties"]) == (
            "alone",
            "model",
            "first",
        )
        assert begin_token(config, section, model) == {"home": True, "related": False}
    for section in ("explain_predictions", "finetune"):
        assert begin_token(config, section, model) is False
    tuning = config["finetune"]
    assert tuning["remainder"] == "carry"
    assert tuning["schedule"] == ("constant" if model == "llama2-70b" else "cosine")
    assert tuning["learning_rate"] == (1e-5 if model == "mistral-7b" else 2e-5)
    compared = config["compare_groups"]
    assert (compared["ranks"], compared["partial"], compared["epsilon"]) == ("dense", "spearman", 0)
    assert config["mix_instructions"]["general"]["ratio"] == 1.0
    entry = config["models"][model]
    assert entry["dtype"] == entry["tuned_dtype"] == "bfloat16"
    sources = {d["source"] for n, d in config["domains"].items() if n != "others"}
    assert sources == {"self_aligning"} and config["domains"]["others"]["as_published"]


@pytest.mark.parametrize("model", MODELS)
def test_the_mended_setting_states_only_the_differences(model: str):
    """The same for each model, and the setting that the second study's configs have."""
    shared = yaml.safe_load((PAPER / "base" / "s1-consistent.yaml").read_text(encoding="utf-8"))
    own = yaml.safe_load((PAPER / f"s1-{model}-consistent.yaml").read_text(encoding="utf-8"))
    assert own["include"] == f"s1-{model}.yaml"
    if model == "llama2-70b":
        assert own["finetune"].pop("schedule") == "cosine"
    apart = ("include", "name", "description", "models")
    assert {k: v for k, v in own.items() if k not in apart} == {
        k: v for k, v in shared.items() if k not in apart
    }
    theirs, mended = loaded(f"s1-{model}"), loaded(f"s1-{model}-consistent")
    for section in ("probe_knowledge", "evaluate_knowledge", "explain_predictions", "finetune"):
        said = begin_token(mended, section, model)
        assert said in (True, {"home": True, "related": True})
    assert theirs["domains"] == mended["domains"] and theirs["seeds"] == mended["seeds"]
    stated = {s: v for s, v in own.items() if isinstance(v, dict) and s != "models"}
    for section, values in stated.items():
        for key in values:
            assert theirs[section][key] != mended[section][key], f"{section}.{key} changes nothing"


def test_defaults_ask_as_before():
    config = loaded("../config")
    model = next(iter(config["models"]))
    for section in ("explain_predictions", "finetune", "finetune_stages"):
        assert begin_token(config, section, model) is config["models"][model]["bos"]
    assert begin_token(config, "probe_knowledge", model) == {"home": True, "related": True}
    assert probed_splits(config, model, "countries") == ["train", "test"]
    assert load_config(ROOT / "config/config.yaml", root=ROOT).groups == [
        "harmonious",
        "incompatible",
        "self_aligning",
        "mixed_50",
    ]


SELF = "\n  history: {source: self_aligning, path: data, licence: L, tune: true}\n"
CONFLICTS = {
    "evaluate_stages: {shards: 99}\nstage_forgetting: {groups: [harmonious]}": (
        "evaluate_stages.shards: 99 jobs cannot share"
    ),
    "explain_predictions: {shards: 2}": "seeding: batch",
    "explain_predictions: {processes: 2}": "seeding: batch",
    "evaluate_knowledge: {scoring: cloze, question_template: cloze, option_tokens: alone}": (
        "evaluate_knowledge.option_tokens: alone scores "
    ),
    "pretrain_syntax: {remainder: carry}": "pretrain_syntax.remainder: here batches are of like",
    "mix_instructions: {contextualised: true}": (
        "mix_instructions.contextualised: the questions of countries (source: facts) have no"
    ),
    "mix_instructions: {general: {path: some.jsonl}}": "mix_instructions.general.licence: missing",
    "probe_knowledge: {ties: first}\nstage_forgetting: {groups: [harmonious]}": (
        "probe_knowledge.ties: the study of forgetting counts ties as wrong"
    ),
}


@pytest.mark.parametrize("text", CONFLICTS)
def test_keys_that_cannot_be_together(tmp_path: Path, text: str):
    base = GOOD.replace("mix_instructions:\n  ratios: [0.2, 0.4]\n", "")
    said = complaints(tmp_path, f"{base}{text}\n")
    assert any(CONFLICTS[text] in line for line in said), said


def test_a_group_of_another_model_is_refused(tmp_path: Path):
    model = "  mistral-7b: {source: path, path: x, released_groups: llama-2-7b}\n"
    (said,) = complaints(
        tmp_path,
        GOOD.replace("  countries:\n    source: facts\n    tune: true", SELF.strip("\n")).replace(
            "models:\n", f"models:\n{model}"
        ),
    )
    assert "models.mistral-7b.released_groups: 'llama-2-7b' is another model than this one" in said


def test_released_groups_of_other_domains_are_refused(tmp_path: Path):
    text = GOOD.replace("    heads: 6\n", "    heads: 6\n    released_groups: llama-2-7b\n")
    (said,) = complaints(tmp_path, text)
    assert "released_groups: there are none for domain countries (source: facts)" in said


def released(folder: Path, change: dict | None = None) -> Path:
    """An experiment on a small release with groups; ``change`` is made to the first wrong row."""
    from tests.unit.data.test_self_aligning import entry, grouped, write
    from tuneatlas.data.released_files import GROUP_FILES

    data = folder / "data"
    for domain in ("history", "engineering"):
        for split, numbers in (("dev", range(5)), ("test", range(5, 10))):
            write(data / f"source/{domain}/{split}.jsonl", [entry(n) for n in numbers])
    for group, numbers in (
        ("harmonious", (10, 11)),
        ("incompatible", (12, 13)),
        ("self_aligning", (12, 13)),
    ):
        rows = [grouped(n, group) for n in numbers]
        if change and group != "harmonious":
            rows[0] |= change
        write(data / f"group/llama-2-7b/history/{GROUP_FILES[group]}", rows)
    domain = {"source": "self_aligning", "path": str(data), "licence": "L"}
    experiment = {
        "name": "released",
        "models": {"tiny": {"source": "scratch", "released_groups": "llama-2-7b"}},
        "domains": {"history": domain | {"tune": True}, "engineering": domain},
        "compare_groups": {"ood_roles": ["home"]},
        "finetune": {"row_length": 512},
    }
    return dump(folder / "released.yaml", experiment)


def test_released_groups_stand_in_for_the_probe(tmp_path: Path):
    experiment = load_config(released(tmp_path), root=ROOT)
    config = resolve(experiment)
    assert probed_splits(config, "tiny", "history") == ["test"]
    assert probed_splits(config, "tiny", "engineering") == ["train", "test"]
    names = {Path(path).name for path in question_sources(config, "history")[1]}
    assert "inconsistent-golden-exp.jsonl" in names


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"output": 3}, "domains.history.path: .*golden-exp.jsonl, line 1: 'output' is 3"),
        ({"id": 5}, "domains.history.path: .*line 1: id 'history/5' is already used"),
    ],
)
def test_groups_are_looked_at_before_the_first_job(tmp_path: Path, change, said, monkeypatch):
    experiment = load_config(released(tmp_path, change), root=ROOT)
    with pytest.raises(UserError, match=said):
        preflight(experiment, tmp_path, "data", here=False, due=[])


def test_instructions_are_looked_at_before_the_first_job(tmp_path: Path):
    path = released(tmp_path)
    data = yaml.safe_load(path.read_text()) | {
        "mix_instructions": {"general": {"path": str(tmp_path / "none.json"), "licence": "L"}}
    }
    experiment = load_config(dump(path, data), root=ROOT)
    with pytest.raises(UserError, match=r"general.path: .*no such file.* say null: none are mixed"):
        preflight(experiment, tmp_path, "data", here=False, due=[])
    (tmp_path / "none.json").write_text(json.dumps([{"text": "Hi."}]))
    with pytest.raises(UserError, match=r"general.path: .*row 1: an instruction has"):
        preflight(experiment, tmp_path, "data", here=False, due=[])
