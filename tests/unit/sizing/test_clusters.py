"""What holds a run up is told, and why a cluster cannot run it; checkpoints are weighed."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.examples import ROOT
from tuneatlas.cli import main
from tuneatlas.config.load import load_config
from tuneatlas.engine.jobs import Job
from tuneatlas.sizing import sheet
from tuneatlas.sizing.clusters import at_a_time, bounds, checkpoints, table
from tuneatlas.sizing.estimates import DEVICES
from tuneatlas.sizing.events import Cluster, Task
from tuneatlas.sizing.needs import Study
from tuneatlas.sizing.sheet import study_of

CONFIG = ROOT / "config/paper/s1-llama2-70b.yaml"


@pytest.fixture(scope="module")
def large() -> Study:
    return study_of(load_config(CONFIG, root=ROOT), ROOT, DEVICES["a100-80"], look=False)


def tunings(study: Study, count: int = 3, **more: object) -> list[Job]:
    options = {**study.config["finetune"], **more}
    where = {"model": "llama2-70b", "domain": "medicine"}
    placed = {"gres": "gpu:8", "nodes": 2}
    return [
        Job("finetune", where, (), (f"out/{n}",), options, {}, due=True, resources=placed)
        for n in range(count)
    ]


def test_the_tightest_bound_comes_first_and_names_its_steps():
    first = Task("first", 0.0, 10.0, gpus=1)
    wide = [Task("wide", 0.0, 30.0, (0,), gpus=2) for _ in range(4)]
    tasks = [first, *wide, Task("small", 0.0, 1.0, cores=1)]
    found = bounds(tasks, Cluster(4, 8))
    assert found[0].what == "GPUs: wide 96%" and found[0].seconds == pytest.approx(250 / 4)
    assert found[1].what == "one after another: first 25%, wide 75%"
    assert bounds(tasks, Cluster(400, 8))[0] == found[1]
    assert bounds(tasks, Cluster(400, 8, jobs=1))[0].what.startswith("jobs submitted at a time")


def test_a_cluster_that_cannot_is_told_what_for(large: Study):
    rows, notes = table(large, tunings(large), [Cluster(8, 8), Cluster(32, 8)], 20)
    assert rows[1][:2] == ("8", "cannot")
    assert notes[0] == "8 GPUs cannot: finetune on 8 needs 137 GiB on each, of 80."
    # Three trainings of two nodes on four nodes: one after two.
    (each,) = {float(row[2]) / 16 for row in rows[2:]} and {float(rows[2][2]) / 16 / 3}
    assert float(rows[2][1]) == pytest.approx(2 * each, rel=0.1)
    assert rows[2][3] == "75%" and rows[2][-1] == "1"
    assert notes[1].startswith("32 GPUs: held up by ")


def test_of_chance_the_mean_and_the_range_are_told(large: Study):
    often = Cluster(16, 8, preempted_every=3600.0)
    rows, _ = table(large, tunings(large), [often], 5)
    assert " to " in rows[1][1] and float(rows[1][-1]) > 1 and float(rows[1][-2]) > 0
    assert rows == table(large, tunings(large), [often], 5)[0]


def test_checkpoints_that_take_longer_than_they_spare_are_not_worth_it(large: Study):
    (row,) = checkpoints(large, tunings(large), 12 * 3600.0)[1:]
    assert row[0] == "finetune" and row[5] == row[7] == "0" and row[6] == row[8]
    (row,) = checkpoints(large, tunings(large, keep_checkpoints=2, epochs=300), 12 * 3600.0)[1:]
    assert int(row[5]) > int(row[7]) > 0 and float(row[6]) > float(row[8])


def test_the_command_says_all_of_it(large: Study, monkeypatch, capsys):
    def plan(root: Path, configs: Sequence[Path], folder: Path | None = None) -> list[Job]:
        return tunings(large)

    monkeypatch.setattr(sheet, "read_plan", plan)
    said = ["simulate", "--root", str(ROOT), str(CONFIG)]
    assert main([*said, "--gpus", "8", "64", "--preempted-every", "12", "--times", "3"]) == 0
    text = capsys.readouterr().out
    assert "8     cannot" in text and "s1-llama2-70b: 3 jobs on a100-80" in text
    assert "Checkpoints, a node being left alone for 12 h" in text
    for wrong in (["--gpus", "0"], ["--preempted-every", "-1"], ["--preempted-every", "often"]):
        with pytest.raises(SystemExit):
            main([*said, *wrong])
        assert "above 0" in capsys.readouterr().err
    assert at_a_time(ROOT) == 100
