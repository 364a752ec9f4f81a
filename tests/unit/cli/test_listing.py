"""What stands in a project: a row for each folder in which an experiment ran."""

import os
from pathlib import Path

from tuneatlas.cli import main
from tuneatlas.cli.listing import row
from tuneatlas.engine.run_folders import note_run


def test_each_run_folder_has_a_row_with_its_size_age_and_state(tmp_path: Path, capsys):
    assert main(["list", "--root", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "No experiment has run here yet.\n"
    law = tmp_path / "runs/law"
    for folder in (tmp_path, law):
        (folder / "results/finetune").mkdir(parents=True)
    weights = tmp_path / "results/finetune/weights"
    weights.write_bytes(bytes(3_000_000))
    os.link(weights, law / "results/finetune/weights")
    # A second name here is no other folder's.
    (law / "results/own").write_bytes(bytes(2_000_000))
    os.link(law / "results/own", law / "results/twice")
    record = law / "results/own.record.json"
    record.write_text("{}")
    os.utime(record, (1_700_000_000, 1_700_000_000))
    note_run(law, tmp_path, "law", [tmp_path / "config/law.yaml"])
    assert main(["list", "--root", str(tmp_path)]) == 0
    heading, first, second = capsys.readouterr().out.splitlines()
    assert heading.split()[:4] == ["folder", "experiment", "config", "outputs"]
    assert first.split()[:6] == [".", "-", "-", "0", "0.003", "0.003"]
    assert second.split()[:6] == ["runs/law", "law", "config/law.yaml", "1", "0.005", "0.003"]
    assert "2023-11-1" in second and second.endswith("no report")
    # Pages end a run, by some seconds of each other; what is newer is not in them.
    pages = law / "results/report"
    pages.mkdir()
    for name, at in (("report/index.html", 1_800_000_000), ("audit.record.json", 1_800_000_009)):
        (law / "results" / name).write_text("{}")
        os.utime(law / "results" / name, (at, at))
    assert row(law, tmp_path)[-1] == "report"
    os.utime(record, (1_800_000_001, 1_800_000_001))
    assert row(law, tmp_path)[-1] == "report, and newer results"
    (law / ".snakemake/locks").mkdir()
    (law / ".snakemake/locks/0.output.lock").touch()
    assert row(law, tmp_path)[-1] == "at work, or killed"
