"""The workflow on a real Slurm cluster: `make slurm-test`."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.examples import ROOT
from tests.slurm.sandbox import HERE, QUICK, ask, cluster, run, start, until
from tests.workflow.compare_results import differences
from tests.workflow.finished_run import SNAKEMAKE
from tuneatlas.engine.jobs import read_plan

pytestmark = pytest.mark.slurm


def refusal(project: Path, *arguments: str, config: str = "config/smoke.yaml") -> str:
    """What a run that must not start says; nothing may have been submitted."""
    code, said = run(project, *arguments, config=config)
    assert code != 0
    assert "has been submitted" not in said
    (message,) = [part for part in said.split("WorkflowError")[1:]]
    return message


def test_no_sbatch(project: Path, monkeypatch):
    tools = project / "tools"
    tools.mkdir()
    for name in ("bash", "sh", "which"):
        (tools / name).symlink_to(f"/usr/bin/{name}")
    monkeypatch.setenv("PATH", str(tools))
    assert "there is no sbatch on PATH" in refusal(project)


def test_an_account_and_a_partition_that_do_not_exist(project: Path):
    said = refusal(project, "--default-resources", "slurm_account=nobody", "slurm_partition=cpu")
    assert "you have no such account" in said and said.count("Invalid account") == 1
    said = refusal(project, "--default-resources", "slurm_account=lab", "slurm_partition=moon")
    assert "there is no such partition" in said and "moon" in said


def test_more_gpus_than_any_node_has_and_a_limit_shorter_than_a_checkpoint(project: Path):
    said = refusal(project, "--set-resources", "finetune:gpu=9", "restore_base:runtime=5")
    assert "finetune: Requested node configuration is not available" in said
    assert "restore_base: its time limit of 5 min" in said


def test_a_node_that_does_not_see_the_project(project: Path):
    cluster("stop", "slurmd.c1")
    hidden = f"mount -t tmpfs none '{project}' && exec slurmd -N c1"
    done = subprocess.run(["unshare", "-m", "sh", "-c", hidden], capture_output=True, check=False)
    try:
        if done.returncode:
            pytest.skip("no mount namespaces here, so no node can be blinded")
        try:
            until(lambda: "idle" in ask("sinfo", "-hn", "c1", "-o%T"), 60, "idle c1")
        except TimeoutError:
            pytest.skip("c1 has other jobs, and only idle nodes are asked")
        said = refusal(project)
        assert f"node c1 of partition cpu does not see {project}" in said
    finally:
        cluster("stop", "slurmd.c1")
        cluster("start", "slurmd.c1")


def test_two_drivers_on_one_folder(project: Path):
    first = start(project)
    try:
        until((project / ".snakemake/locks").is_dir, 60, "lock")
        until(lambda: any((project / ".snakemake/locks").iterdir()), 60, "lock")
        code, said = run(project)
        assert code != 0 and "Directory cannot be locked" in said
    finally:
        first.send_signal(signal.SIGINT)  # it cancels its jobs
        first.wait(timeout=300)


ARRAY = """\
rule all:
    input: "first", "second"
rule make:
    output: "{name}"
    resources: mem_mb=600, runtime=5, slurm_account="lab", slurm_partition="cpu"
    shell: "[ {wildcards.name} = first ] && touch first || {{ sleep 20; exit 1; }}"
"""


def test_a_task_of_an_array_that_fails_takes_away_what_another_made(slurm, tmp_path: Path):
    """So plugins slurm 2.8.0 and slurm-jobstep 0.6.1: where this fails, arrays may be tried."""
    (tmp_path / "Snakefile").write_text(ARRAY)
    words = ("--jobs", "2", "--keep-going", "--latency-wait", "5", "--slurm-array-jobs", "make")
    polling = ("--slurm-status-command", "squeue", *QUICK[:2])
    done = subprocess.run(
        [SNAKEMAKE, "--executor", "slurm", *words, *polling],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode and "Submitted array job" in said and "1 of 3 steps" in said
    assert not (tmp_path / "first").exists()


@pytest.mark.parametrize("zero", ["zero2", "zero3"])
def test_two_nodes_train_as_one_process(slurm, tmp_path: Path, zero: str):
    """Losses of every step within 1e-4 relative, over gloo."""
    env = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    found = {}
    for name, asked in (("alone", []), (zero, ["--nodes=2", "--ntasks=2", "--gres=gpu:1"])):
        folder = tmp_path / name
        words = ("exec", sys.executable, HERE / "two_nodes.py", folder, name)
        command = shlex.join(map(str, words))
        log = tmp_path / f"{name}.log"
        done = subprocess.run(
            ["sbatch", "--wait", "-Alab", "-pgpu", "-t10", *asked, f"-o{log}", "--wrap", command],
            env=env,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, log.read_text()
        found[name] = json.loads((folder / "losses.json").read_text())
    assert len(found[zero]) == 15
    assert found[zero] == pytest.approx(found["alone"], rel=1e-4)


LONG = """\
include: smoke.yaml
models:
  mini:
    training: {epochs: EPOCHS, checkpoint_minutes: 0.5}
"""
# Long enough for several limits of a minute, whatever the machine.
EPOCHS = int(os.environ.get("TUNEATLAS_PIECES_EPOCHS", "1000"))


@pytest.mark.slow
def test_a_training_cut_into_pieces_ends_with_the_same_weights(project: Path):
    (project / "config/long.yaml").write_text(LONG.replace("EPOCHS", str(EPOCHS)))
    whole = project.parent / "whole"
    site = ("slurm_account=lab", "slurm_partition=cpu", "slurm_extra='--signal=TERM@5'")
    began = time.strftime("%Y-%m-%dT%H:%M:%S")
    code, said = run(
        project,
        "results/prepare_base/mini",
        "--set-resources",
        "prepare_base:runtime=1",
        "--default-resources",
        *site,
        "--retries=30",
        config="config/long.yaml",
    )
    assert code == 0, said
    listing = ask("sacct", "-XnPS", began, "-oJobID,State,Comment%200")
    pieces = [x for x in listing.splitlines() if "rule_prepare_base" in x]
    print("\n".join(pieces))
    assert len(pieces) >= 4
    project.rename(whole)
    (whole / "results/prepare_base").rename(whole / "in_pieces")
    code, said = run(whole, "results/prepare_base/mini", config="config/long.yaml")
    assert code == 0, said
    assert differences(whole / "in_pieces", whole / "results/prepare_base") == []


def test_the_smallest_experiment_runs_whole(project: Path):
    """And the accounting has each job with what its rule and the profile ask for."""
    began = time.strftime("%Y-%m-%dT%H:%M:%S")
    code, said = run(project)
    assert code == 0, said
    assert (project / "results/report/index.html").is_file()
    plan = read_plan(project, [project / "config/smoke.yaml"])
    own = {job.step: job.resources for job in plan}
    profile = yaml.safe_load((project / "profiles/slurm/config.yaml").read_text())
    fields = "-oComment%200,ReqMem,TimelimitRaw,ReqTRES%100,Partition,Account"
    jobs = ask("sacct", "-XnPS", began, fields).splitlines()
    grouped = {entry.split("=")[0] for entry in profile["groups"]}
    seen = set()
    for line in jobs:
        comment, memory, minutes, tres, partition, account = line.split("|")
        step = next((s for s in own if comment.removeprefix("rule_") == s), None) or next(
            (s for s in own if comment.startswith(f"rule_{s}_wildcards_")), None
        )
        if step is None:
            continue  # a group
        seen.add(step)
        asked = {**own[step], **profile["set-resources"].get(step, {})}
        expected = {k: eval(str(v), {"attempt": 1, "min": min}) for k, v in asked.items()
                    if k in ("mem_mb", "runtime")}  # fmt: skip
        assert memory == f"{expected['mem_mb']}M", line
        assert minutes == str(expected["runtime"]), line
        assert ("gres/gpu=1" in tres) == bool(own[step].get("gpu")), line
        assert partition == asked.get("slurm_partition", "cpu") and account == "lab", line
    assert seen == own.keys() - grouped - {"fetch_source"}  # which runs beside the driver


WIDE = """\
include: smoke.yaml
name: wide
finetune: {epochs: 1, processes: 2, nodes: 2}
"""


def test_a_training_on_two_nodes_through_the_workflow(project: Path):
    """The job holds a GPU on each of two nodes, and a step of it ran on both.

    In a run folder, as `make run CONFIG=config/wide.yaml PROFILE=slurm` works.
    """
    (project / "config/wide.yaml").write_text(WIDE)
    began = time.strftime("%Y-%m-%dT%H:%M:%S")
    target = "results/finetune/mini/countries/incompatible/0"
    code, said = run(project, target, "--directory=runs/wide", config="config/wide.yaml")
    assert code == 0, said
    folder = project / "runs/wide"
    assert (folder / target / "model.safetensors").is_file()
    log = (folder / "logs/finetune/mini/countries/incompatible/0.log").read_text()
    assert "done in" in log
    listing = ask("sacct", "-nPS", began, "-oJobID,Comment%200,NNodes,ReqTRES%100,State")
    lines = [line.split("|") for line in listing.splitlines()]
    (job,) = [line for line in lines if "rule_finetune_" in line[1]]
    assert job[2] == "2" and "gres/gpu=2" in job[3]
    steps = [x for x in lines if x[0].startswith(job[0] + ".") and x[0][-1].isdigit()]
    assert [(x[2], x[4]) for x in steps] == [("2", "COMPLETED")]
