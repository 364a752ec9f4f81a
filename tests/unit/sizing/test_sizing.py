"""Estimates before a run: from the config alone, and what cannot fit."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, TINY, question
from hypothesis import given
from hypothesis import strategies as st

from tuneatlas.cli import main
from tuneatlas.config.load import load_config, resolve
from tuneatlas.data.benchmarks import load_sets
from tuneatlas.engine.jobs import Job
from tuneatlas.engine.operations import split
from tuneatlas.errors import UserError
from tuneatlas.models.shapes import COUNTS, Shape, known_shape, shape_of
from tuneatlas.sizing.counts import count_questions
from tuneatlas.sizing.estimates import (
    DEVICES,
    Need,
    Zero,
    checkpoint_size,
    forward_memory,
    training_memory,
)
from tuneatlas.sizing.needs import Study
from tuneatlas.sizing.plans import full_configs, outdated
from tuneatlas.sizing.sheet import Line, refuse_misfits

COMMIT = "0123456789abcdef" * 2 + "01234567"
LLAMA = Shape(6_738_415_616, 32, 4096, 32000)
TRAINING = {
    "processes": 1,
    "precision": "bf16",
    "lora_rank": None,
    "gradient_checkpointing": True,
    "rows_per_device": 1,
}


def memory(zero: Zero | None, **changes: object) -> float:
    return training_memory(LLAMA, TRAINING | changes, 2048, zero)


def test_a_small_model_has_the_parameters_it_says(model):
    entry = {"source": "scratch", "vocab_size": model.config.vocab_size, **TINY}
    assert shape_of(entry, ROOT).parameters == model.num_parameters()


def test_a_config_json_says_the_size(tmp_path: Path):
    described = {
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
        "vocab_size": 32000,
        "tie_word_embeddings": False,
    }
    (tmp_path / "config.json").write_text(json.dumps(described))
    assert shape_of({"source": "path", "path": str(tmp_path)}, ROOT) == LLAMA
    assert shape_of({"source": "hub", "id": "meta-llama/Llama-2-7b-hf"}, ROOT) == LLAMA


def test_where_a_config_json_is_silent_its_family_says_if_embeddings_are_shared(tmp_path: Path):
    sizes = {}
    for family in ("llama", "gemma2"):
        described = {"hidden_size": 8, "num_hidden_layers": 1, "vocab_size": 100}
        (tmp_path / "config.json").write_text(json.dumps(described | {"model_type": family}))
        sizes[family] = shape_of({"source": "path", "path": str(tmp_path)}, ROOT).parameters
    assert sizes["llama"] - sizes["gemma2"] == 8 * 100


@pytest.mark.parametrize("name", [*sorted(COUNTS), "tie_word_embeddings", "is_encoder_decoder"])
def test_a_key_that_is_null_is_as_one_that_is_not_there(tmp_path: Path, name: str):
    sound = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 9}

    def found(described: dict[str, object]) -> str:
        (tmp_path / "config.json").write_text(json.dumps(described))
        try:
            return str(shape_of({"source": "path", "path": str(tmp_path)}, ROOT))
        except UserError as error:
            return str(error)

    absent = {key: value for key, value in sound.items() if key != name}
    assert found(sound | {name: None}) == found(absent)


def test_weights_gradients_and_moments_are_what_the_optimizer_needs():
    """18 bytes a parameter with autocast, 16 with ZeRO's two-byte weights: beside the rest."""
    assert memory(None) - memory(Zero(1, False, False)) == pytest.approx(
        2 * LLAMA.parameters / 2**30
    )
    assert memory(None) > 18 * LLAMA.parameters / 2**30


def test_adapters_need_little_beside_the_weights():
    full, low = memory(None), memory(None, lora_rank=16)
    # Gradients and moments of all weights are 12 bytes for each.
    saved = 12 * LLAMA.parameters / 2**30
    assert 0.95 * saved < full - low < saved
    state = checkpoint_size(LLAMA, TRAINING | {"lora_rank": 16})
    assert state < 1.1 * 4 * LLAMA.parameters / 2**30 < checkpoint_size(LLAMA, TRAINING)


def test_a_config_without_a_width_is_named(tmp_path: Path):
    (tmp_path / "config.json").write_text(json.dumps({"n_embd": 768}))
    with pytest.raises(UserError, match=r"config.json: no d_model"):
        shape_of({"source": "path", "path": str(tmp_path)}, ROOT)


@pytest.mark.parametrize("text", ['{"hidden_size": 4096, ', "[4096]"])
def test_a_damaged_config_is_named_and_stops_no_plan(tmp_path: Path, text: str):
    (tmp_path / "config.json").write_text(text)
    entry = {"source": "path", "path": str(tmp_path)}
    with pytest.raises(UserError, match=r"config.json: not a model's JSON: .*fetch the model"):
        shape_of(entry, ROOT)
    assert known_shape(entry, ROOT) is None


@given(st.integers(1, 64), st.integers(0, 3))
def test_more_devices_and_higher_stages_never_need_more(processes: int, stage: int):
    here = memory(Zero(stage, False, False), processes=processes)
    if stage < 2:
        assert memory(Zero(stage + 1, False, False), processes=processes) <= here
    assert memory(Zero(stage, False, False), processes=2 * processes) <= here
    if stage:
        assert memory(Zero(stage, True, False), processes=processes) < here


def test_scoring_needs_the_weights_at_least():
    assert forward_memory(LLAMA, 1) > 4 * LLAMA.parameters / 2**30


def test_what_cannot_fit_is_refused_by_line_and_told_what_would(tmp_path: Path, capsys):
    path = tmp_path / "big.yaml"
    base = ROOT / "config/paper/s1-llama2-7b.yaml"
    path.write_text(f"include: {base}\nfinetune:\n  deepspeed: null\n  processes: 1\n")
    assert main(["size", "--root", str(ROOT), str(path)]) == 2
    said = capsys.readouterr()
    assert "big.yaml:2: finetune.rows_per_device: finetune of llama2-7b needs about" in said.err
    assert "with processes: 2 and deepspeed: config/deepspeed/zero2.json" in said.err
    assert "evaluate_knowledge" in said.out


@pytest.mark.parametrize(
    ("step", "options", "key"),
    [
        ("evaluate_base", {"batch_tokens": 8192}, "evaluate_stages.batch_tokens"),
        ("restore_base", {"rows_per_device": 8}, "restore_stages.rows_per_device"),
        ("explain_predictions", {"batch_rows": 8}, "explain_predictions.batch_rows"),
        ("prepare_base", {"training": {"rows_per_device": 8}}, "models.m.training.rows_per_device"),
    ],
)
def test_a_misfit_is_told_under_a_key_that_there_is(step: str, options: dict, key: str):
    device = DEVICES["a100-40"]
    job = Job(step, {"model": "m"}, (), (), options, {}, due=True)
    line = Line(step, "m", (job,), Need(memory=41))
    study = Study({}, {}, device, ROOT, {})
    with pytest.raises(UserError, match=rf"{key}: {step} of m needs about 41 GiB"):
        refuse_misfits(load_config(ROOT / "config/config.yaml", root=ROOT), study, [line])


def test_a_model_of_unknown_size_is_named(tmp_path: Path, capsys):
    path = tmp_path / "new.yaml"
    base = ROOT / "config/paper/base/s1.yaml"
    path.write_text(
        f"include: {base}\nmodels:\n  new:\n    source: hub\n    id: nobody/new\n"
        f"    revision: {COMMIT}\n"
    )
    assert main(["size", "--root", str(ROOT), str(path)]) == 2
    assert "new.yaml:3: models.new: its size is not known" in capsys.readouterr().err


def test_the_plans_are_in_step():
    assert not outdated(ROOT), "run: make plans"


FILE = {"source": "file", "path": "law.jsonl", "related": []}
NONE = dict.fromkeys(("dev", "train", "test", "related_dev", "related_test"))


def test_questions_of_a_file_are_counted_up_to_the_limits(tmp_path: Path):
    entry = FILE | {"limits": NONE | {"test": 2}, "expected": {"train": 7, "test": 9}}
    told = count_questions("law", entry, tmp_path)
    assert str(told) == "7 train, 2 test, 250 related_test (assumed)"
    parts = [{"split": s} for s in ("dev", "train", "train", "train", "test", "test", "test")]
    parts.append({"split": "test", "role": "related"})
    rows = [question(n, **part) for n, part in enumerate(parts)]
    for row in rows:
        del row["topic"]  # a table's, not a file's
    (tmp_path / "law.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert str(count_questions("law", entry, tmp_path)) == "3 train, 2 test, 1 related_test"
    assert count_questions("law", entry, tmp_path).numbers["dev"] == 1
    assert count_questions("law", entry, None) == told
    more = count_questions("law", entry | {"related": ["mmlu/law"]}, tmp_path)
    assert more.numbers["related_test"] == 1 + 1763


def test_questions_of_published_sets_are_those_that_are_left():
    limits = {"dev": 10, "test": 250, "train": None, "related_dev": 10, "related_test": None}
    entry = {"source": "benchmark", "home": ["medmcqa"], "related": ["mmlu/health"]}
    told = count_questions("medicine", entry | {"limits": limits}, ROOT)
    assert str(told) == "3,923 train, 250 test, 1,640 related_test"
    every = entry | {"home": [], "related": list(load_sets()), "limits": limits}
    assert count_questions("all", every, ROOT).numbers["related_test"] == 14042 + 6552


def test_what_a_file_is_expected_to_hold_changes_no_result():
    config = resolve(load_config(ROOT / "config/own.yaml", root=ROOT))
    science, operations = split(config)
    assert "expected" not in science["domains"]["law"]
    assert operations["domains"]["law"]["expected"]["train"] == 2000


def test_sizing_needs_no_torch():
    code = (
        "import sys; from tuneatlas.cli import size; "
        "sys.exit(any(m in sys.modules for m in ('torch', 'transformers', 'snakemake')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_full_config_says_which_devices_hold_it():
    assert full_configs(ROOT)
    for path in full_configs(ROOT):
        config = resolve(load_config(path, root=ROOT))
        assert config["models"] or config["paraphrasers"]
    assert DEVICES["a100-80"].memory == 80
