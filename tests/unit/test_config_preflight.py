import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from config_files import GOOD, ROOT
from safetensors.numpy import save_file

from tuneatlas.config import preflight as module
from tuneatlas.config.load import load_config
from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.preflight import disk_bytes, preflight
from tuneatlas.errors import UserError
from tuneatlas.model_folder import folder_problems

MIB = 2**20


def experiment_of(folder: Path, text: str) -> Experiment:
    (folder / "run.yaml").write_text(text)
    return load_config(folder / "run.yaml", root=ROOT)


def complaints(folder: Path, text: str) -> list[str]:
    experiment = experiment_of(folder, text)
    preflight(experiment, folder, "structure")
    with pytest.raises(UserError) as caught:
        preflight(experiment, folder)
    return [line.strip().replace(f"{folder}/", "") for line in str(caught.value).splitlines()]


def with_model(entry: str) -> str:
    head, tail = GOOD.split("  small:")
    return f"{head}  small: {entry}\ndomains:{tail.split('domains:')[1]}"


def question(number: int, **changes: object) -> str:
    row = {"question": f"Q{number}?", "choices": ["a", "b", "c", "d"], "answer": 0, **changes}
    return json.dumps(row)


def with_questions(folder: Path, lines: list[str], entry: str = "") -> str:
    (folder / "own.jsonl").write_text("\n".join(lines))
    return GOOD.replace(
        "{source: facts}", f"{{source: file, path: own.jsonl, licence: MIT{entry}}}"
    )


def whole_file() -> list[str]:
    splits = ["dev"] * 5 + ["train", "test"]
    return [question(i, split=split) for i, split in enumerate(splits)]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.json").write_text("{}")
    save_file({"w": np.zeros((4, 4), np.float32)}, folder / "model.safetensors")
    return folder


def test_a_sound_experiment_passes_and_leaves_nothing_behind(tmp_path: Path, model: Path) -> None:
    text = with_questions(tmp_path, whole_file())
    preflight(experiment_of(tmp_path, text), tmp_path)
    preflight(experiment_of(tmp_path, with_model("{source: path, path: model}")), tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model", "own.jsonl", "run.yaml"]


def test_missing_paths_name_the_line_that_states_them(tmp_path: Path) -> None:
    text = with_model("{source: path, path: nowhere}").replace(
        "{source: facts}", "{source: file, path: no.csv, licence: MIT}"
    )
    assert complaints(tmp_path, f"{text}fetch_source:\n  mirror: gone\n") == [
        "good: 3 problems before the first job:",
        "run.yaml:8: domains.elements.path: there is no file no.csv: put the questions there, or "
        "change the path",
        "run.yaml:3: models.small.path: there is no folder nowhere",
        "run.yaml:14: fetch_source.mirror: there is no folder gone",
    ]


def test_an_unsound_question_names_file_and_line(tmp_path: Path) -> None:
    bad = question(1, choices=["a", "b", "b", "d"])
    (found,) = complaints(tmp_path, with_questions(tmp_path, [question(0), bad]))
    assert found.startswith("run.yaml:12: domains.elements.path: own.jsonl, line 2: ")
    assert "'b' occurs more than once" in found


def test_a_file_with_fewer_questions_than_asked(tmp_path: Path) -> None:
    text = with_questions(tmp_path, whole_file(), ", limits: {test: 30}")
    assert complaints(tmp_path, text) == [
        "run.yaml:12: domains.elements.limits.test: own.jsonl has 1 such questions, 30 are asked "
        "for: lower this, or add some"
    ]


def test_a_file_that_cannot_serve_its_domain(tmp_path: Path) -> None:
    lines = [question(i, split="dev") for i in range(3)] + [question(9, split="train")]
    assert complaints(tmp_path, with_questions(tmp_path, lines)) == [
        "good: 2 problems before the first job:",
        "run.yaml:12: domains.elements.path: own.jsonl has 3 questions of role home in split dev, "
        "too few for 5 shots: add some, or lower probe_knowledge.shots",
        "run.yaml:12: domains.elements.path: own.jsonl has no question in split test",
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("config.json", "has no config.json"),
        ("tokenizer.json", "has no tokenizer"),
        ("model.safetensors", "has no *.safetensors"),
    ],
)
def test_a_model_folder_that_lacks_a_file(
    tmp_path: Path, model: Path, name: str, expected: str
) -> None:
    (model / name).unlink()
    (found,) = complaints(tmp_path, with_model("{source: path, path: model}"))
    assert found.startswith(f"run.yaml:3: models.small.path: model {expected}")


@pytest.mark.parametrize("size", [0, 5, 8, 30, -1])
def test_weights_cut_anywhere(model: Path, size: int) -> None:
    path = model / "model.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    (found,) = folder_problems(model)
    assert f"{path} is " in found
    assert "fetch it again" in found


def test_weights_that_their_index_names_but_are_not_there(model: Path) -> None:
    index = model / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"w": "model.safetensors", "v": "b.safetensors"}}))
    assert folder_problems(model) == [f"{model} lacks b.safetensors, named in {index.name}"]
    index.write_text("{")
    assert folder_problems(model) == [f"{index} is damaged: fetch the model again"]


def test_a_hub_model_without_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    found = complaints(tmp_path, with_model("{source: hub, id: no-one/nothing, revision: abc}"))
    assert found == [
        "run.yaml:3: models.small.id: no-one/nothing is not in the hub's cache and HF_HUB_OFFLINE "
        "is set: fetch it first, or use source: path with a local folder"
    ]


def test_results_that_cannot_be_written(tmp_path: Path) -> None:
    # Not even root can make files in /proc.
    (tmp_path / "results").symlink_to("/proc")
    found = complaints(tmp_path, GOOD)
    assert found[0].startswith("run.yaml:1: cannot write to results: ")
    assert found[0].endswith("make it writable or run in another folder")


def test_too_little_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = SimpleNamespace(total=MIB, free=MIB)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: usage)
    (found,) = complaints(tmp_path, GOOD)
    assert "results has 0.0 GiB free, this experiment needs about 0.4 GiB" in found


def test_the_disk_that_is_needed_grows_with_runs_and_parameters(tmp_path: Path) -> None:
    small = disk_bytes(experiment_of(tmp_path, GOOD), tmp_path)
    runs = disk_bytes(experiment_of(tmp_path, f"{GOOD}seeds: [0, 1, 2, 3, 4, 5]\n"), tmp_path)
    # A 4 x 192 network with 4096 tokens has 2.56 million parameters of 4 bytes; 15 runs more.
    assert runs - small == pytest.approx(15 * 2.56e6 * 4, rel=0.01)


def test_a_deepspeed_config_is_needed_even_for_a_dry_run(tmp_path: Path) -> None:
    text = GOOD.replace("finetune:\n", "finetune:\n  deepspeed: zero.json\n")
    experiment = experiment_of(tmp_path, text)
    with pytest.raises(UserError, match=r"run\.yaml:14: finetune\.deepspeed: there is no file"):
        preflight(experiment, tmp_path, "structure")
    (tmp_path / "zero.json").write_text("{]")
    with pytest.raises(UserError, match=r"zero\.json is not JSON"):
        preflight(experiment, tmp_path, "structure")
