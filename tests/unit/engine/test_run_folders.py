"""The folder that an experiment works in: the top for one, ``runs/NAME`` for each other."""

import json
import re
from pathlib import Path

import pytest

from tuneatlas.cli import main
from tuneatlas.config.naming import name_in, refuse_namesake, working_folder
from tuneatlas.engine.records import dump
from tuneatlas.engine.run_folders import (
    NOTE,
    is_run_folder,
    make_folder,
    note_run,
    others_of,
    project_of,
    ran_in,
    run_folder,
)
from tuneatlas.errors import UserError


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "workflow").mkdir()
    (tmp_path / "workflow/Snakefile").touch()
    (tmp_path / "config").mkdir()
    (tmp_path / "config/config.yaml").write_text("name: mini\n")
    return tmp_path


def test_the_name_decides_and_results_that_stand_at_the_top_stay_there(project: Path):
    assert run_folder(project, "mini", "mini") == project
    assert run_folder(project, "law", "mini") == project / "runs/law"
    # It was run before there were such folders, or with the engine's own command.
    assert note_run(project, project, "law", [project / "config/law.yaml"]) == ""
    assert ran_in(project) == ("law", ["config/law.yaml"])
    assert run_folder(project, "law", "mini") == project
    # Once it has results in its own, these are it.
    (project / "runs/law/results").mkdir(parents=True)
    assert run_folder(project, "law", "mini") == project / "runs/law"


def test_results_without_a_note_bear_their_name_in_a_record_or_none(project: Path):
    assert ran_in(project) == ("", [])
    (project / ".snakemake").mkdir()
    for text in ("[]", "{", '{"name": 1}', "null", '"x"'):
        (project / NOTE).write_text(text)
        assert ran_in(project) == ("", [])
    record = {key: {} for key in ("wildcards", "inputs", "code", "libraries")}
    record |= {"output": "results/report/m.html", "sha256": "0" * 64, "step": "report"}
    (project / "results/report").mkdir(parents=True)
    path = project / "results/report/m.html.record.json"
    path.write_text(dump(record | {"options": {}}))
    assert ran_in(project) == ("", [])
    path.write_text(dump(record | {"options": {"name": "law"}}))
    assert ran_in(project) == ("law", [])


def test_another_experiment_or_file_in_a_folder_is_said(project: Path):
    one, two = project / "config/a.yaml", project / "config/b.yaml"
    assert (
        note_run(project, project, "law", [one]) == note_run(project, project, "law", [one]) == ""
    )
    assert "config/a.yaml, and now with config/b.yaml" in note_run(project, project, "law", [two])
    said = note_run(project, project, "mini", [two])
    assert "Results of experiment 'law' stand here; this is 'mini'" in said


def test_run_folders_know_of_each_other_and_of_no_others(project: Path):
    for name in ("results", "runs/a/results", "runs/b/results", "runs/empty"):
        (project / name).mkdir(parents=True)
    (project / "runs/file").touch()
    assert others_of(project, project) == [Path("runs/a"), Path("runs/b")]
    assert others_of(project / "runs/a", project) == [Path("../.."), Path("../b")]
    assert others_of(project / "config", project) == []
    assert project_of(project / "runs/a") == project
    assert project_of(project / "config") == project / "config"


def test_runs_may_be_a_link_to_another_disk(
    project: Path, tmp_path_factory: pytest.TempPathFactory
):
    scratch = tmp_path_factory.mktemp("scratch")
    for name in ("a", "b"):
        (scratch / name / "results").mkdir(parents=True)
    (project / "runs").symlink_to(scratch)
    assert run_folder(project, "a", "mini") == project / "runs/a"
    # As the engine is in it, which knows no links.
    assert is_run_folder(scratch / "a", project) and not is_run_folder(scratch, project)
    assert others_of(scratch / "a", project) == [Path("../b")]


def test_two_experiments_of_one_name_are_refused(project: Path):
    one, two = project / "config/a.yaml", project / "config/b.yaml"
    for path in (one, two):
        path.write_text("name: law\n")
    folder = working_folder([one], project)
    refuse_namesake([two], folder, project)
    make_folder(folder)
    note_run(folder, project, "law", [one])
    # With a further file it is the same experiment still.
    refuse_namesake([one, two], folder, project)
    with pytest.raises(UserError, match="config/b.yaml: name: 'law' is .* config/a.yaml too"):
        refuse_namesake([two], folder, project)
    one.write_text("name: other\n")
    refuse_namesake([two], folder, project)
    one.rename(project / "config/c.yaml")
    refuse_namesake([two], folder, project)


def test_no_two_experiments_of_the_project_have_one_name():
    from tests.examples import ROOT

    left_out = {"base", "templates", "deepspeed"}
    paths = [p for p in (ROOT / "config").rglob("*.yaml") if not left_out & {*p.parts}]
    names = [name_in([path]) for path in paths]
    assert len(names) == len(set(names)) > 10


def test_a_folder_that_cannot_be_made_is_said(project: Path):
    (project / "runs").touch()
    with pytest.raises(UserError, match="no folder to run in can be made here: Not a directory"):
        make_folder(project / "runs/law")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: law", "runs/law"),
        ("name: mini", "."),
        ("models: {}", "runs/experiment"),
        ("include: config.yaml", "."),
        ("include: config.yaml\nname: law", "runs/law"),
        ("name: ../law", "law.yaml:1: name: a name has lower-case letters"),
        ("name: a b", "law.yaml:1: name: a name has lower-case letters"),
        ("name: [x]", "law.yaml:1: name: "),
        ("name: law\n  x", "law.yaml"),
    ],
)
def test_the_command_names_it_or_says_what_is_wrong(
    project: Path,
    text: str,
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(project)
    Path("config/law.yaml").write_text(text + "\n")
    code = main(["folder", "config/law.yaml"])
    out, err = capsys.readouterr()
    if code:
        assert expected in err and not Path("runs").exists()
    else:
        assert out == expected + "\n" and Path(expected).is_dir()


def test_paths_in_a_config_are_from_the_project_in_its_run_folders(
    project: Path, monkeypatch: pytest.MonkeyPatch
):
    from tests.examples import ROOT
    from tuneatlas.config.load import load_config

    config = project / "own.yaml"
    config.write_text(
        f"include: {json.dumps(str(ROOT / 'config/smoke.yaml'))}\n"
        "finetune: {deepspeed: config/deepspeed/zero3.json}\n"
        "fetch_source: {mirror: /mirror}\n"
        "checkpoints: {mine: {base: mini, source: path, path: 'run/{step}', steps: [1]}}\n"
    )
    usual = load_config(config, root=ROOT)
    moved = load_config(config, root=ROOT, base="../..")
    assert usual.finetune.deepspeed == "config/deepspeed/zero3.json"
    assert moved.finetune.deepspeed == "../../config/deepspeed/zero3.json"
    assert moved.fetch_source.mirror == "/mirror"
    assert moved.checkpoints["mine"].path == "../../run/{step}"


def test_every_key_that_is_a_path_is_one_from_the_project():
    """By what keys say that they are."""
    from tuneatlas.config.fields import Section

    lacking = []
    for section in every_section(Section):
        for name, field in section.model_fields.items():
            said = str(field.description)
            told = re.search(r"\b(folder|file)\b", said) or name in ("path", "corpus", "mirror")
            shown = f"{field.annotation} {field.metadata}"
            if "config/templates" in said or "in the package" in said:
                continue
            if told and "str" in shown and "_from_here" not in shown:
                lacking.append(f"{section.__name__}.{name}: {said}")
    assert not lacking


def every_section(of: type) -> list[type]:
    return [one for sub in of.__subclasses__() for one in (sub, *every_section(sub))]
