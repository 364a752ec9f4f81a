"""The folder that an experiment works in: the top for one, ``runs/NAME`` for each other."""

import json
from pathlib import Path

import pytest

from tuneatlas.cli import main
from tuneatlas.engine.run_folders import (
    NOTE,
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
    assert note_run(project, "law", [project / "config/law.yaml"]) == ""
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


def test_another_experiment_or_file_in_a_folder_is_said(project: Path):
    one, two = project / "config/a.yaml", project / "config/b.yaml"
    assert note_run(project, "law", [one]) == note_run(project, "law", [one]) == ""
    assert "config/a.yaml, and now with config/b.yaml" in note_run(project, "law", [two])
    assert "Results of experiment 'law' stand here; this is 'mini'" in note_run(
        project, "mini", [two]
    )


def test_run_folders_know_of_each_other_and_of_no_others(project: Path):
    for name in ("results", "runs/a/results", "runs/b/results", "runs/empty"):
        (project / name).mkdir(parents=True)
    (project / "runs/file").touch()
    assert others_of(project) == [Path("runs/a"), Path("runs/b")]
    assert others_of(project / "runs/a") == [Path("../.."), Path("../b")]
    assert others_of(project / "config") == []
    assert project_of(project / "runs/a") == project
    assert project_of(project / "config") == project / "config"


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
    )
    usual = load_config(config, root=ROOT)
    moved = load_config(config, root=ROOT, base="../..")
    assert usual.finetune.deepspeed == "config/deepspeed/zero3.json"
    assert moved.finetune.deepspeed == "../../config/deepspeed/zero3.json"
    assert moved.fetch_source.mirror == "/mirror"
