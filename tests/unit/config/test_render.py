"""Defaults, schema and reference table are written from the models, and in step with them."""

import dataclasses
import json
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from tests.examples import ROOT
from tuneatlas.cli import main
from tuneatlas.config.load import load_config, resolve
from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.models.training import TrainingConfig
from tuneatlas.config.render import REPAIR, entries, generated_files, outdated_files
from tuneatlas.config.shape import Choice, Leaf, Named, Shape

# A file whose name ends so is only there to be included.
EXPERIMENTS = [
    path
    for path in sorted(ROOT.glob("config/**/*.yaml"))
    if not {"templates", "base"} & set(path.parts) and path.stem != "defaults"
]


def test_generated_files_are_in_step() -> None:
    outdated = outdated_files(ROOT)
    assert not outdated, f"{outdated} differ from the config models; run: {REPAIR}"


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_experiment_is_valid(path: Path) -> None:
    resolved = resolve(load_config(path, root=ROOT))
    jsonschema.validate(resolved, json.loads((ROOT / "config/schema.json").read_text()))


def test_the_defaults_file_states_the_defaults(tmp_path: Path) -> None:
    stated = YAML(typ="safe").load(generated_files()[Path("config/defaults.yaml")])
    path = tmp_path / "least.yaml"
    path.write_text(
        "models: {m: {source: path, path: x}}\n"
        "domains: {countries: {source: facts, tune: true}, elements: {source: facts}}\n"
    )
    resolved = resolve(load_config(path, root=ROOT))
    assert stated == {
        k: v
        for k, v in resolved.items()
        if k not in ("models", "domains", "paraphrasers", "systems", "checkpoints", "treatments")
    }


def test_every_key_is_described() -> None:
    todo: list[Shape] = [Experiment]
    while todo:
        shape = todo.pop()
        if isinstance(shape, Named):
            todo.append(shape.item)
        elif isinstance(shape, Choice):
            todo += shape.members.values()
        elif isinstance(shape, type):
            assert shape.__doc__, shape
            for entry in entries(shape):
                assert entry.field.description, entry.path
                todo.append(entry.shape)
        else:
            assert isinstance(shape, Leaf)


def test_docs_stay_readable() -> None:
    lines = generated_files()[Path("config/defaults.yaml")].splitlines()
    assert max(map(len, lines)) <= 100


def test_write_mends_what_check_finds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["config", "--root", str(tmp_path)]
    assert main([*command, "--check"]) == 2
    assert f"out of step with the config models; run '{REPAIR}'" in capsys.readouterr().err
    assert main([*command, "--write"]) == 0
    assert main([*command, "--check"]) == 0


def test_show_prints_an_experiment_that_loads_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["config", "--root", str(ROOT), "show"]
    assert main([*command, str(ROOT / "config/smoke.yaml")]) == 0
    shown = tmp_path / "shown.yaml"
    shown.write_text(capsys.readouterr().out)
    first, second = (
        resolve(load_config(p, root=ROOT)) for p in (ROOT / "config/smoke.yaml", shown)
    )
    assert first == second


def test_a_mistake_is_one_message_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("include: nothing.yaml\n")
    assert main(["config", "show", str(path)]) == 2
    said = capsys.readouterr()
    assert "bad.yaml:1: include: there is no file" in said.err
    assert said.out == ""


def test_the_trainer_knows_every_training_option() -> None:
    plan = pytest.importorskip("tuneatlas.training.recipe")
    fields = {field.name for field in dataclasses.fields(plan.Recipe)}
    assert fields == set(TrainingConfig.model_fields)
