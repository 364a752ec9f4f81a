"""What is said before the first submission, with stand-ins for Slurm's commands."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from snakemake.iocontainers import ResourceList
from snakemake_executor_plugin_slurm.submit_string import get_submit_command

from tests.examples import ROOT
from tests.workflow.plans import planned
from tuneatlas import workflow
from tuneatlas.engine.cluster import Request, check_cluster
from tuneatlas.errors import UserError

SINFO = """
case "$*" in
*idle*) echo n1; echo n2 ;;
*) echo "8 16000 gpu:a100:2(S:0-1)"; echo "64 500000 (null)" ;;
esac
"""


@pytest.fixture
def tools(tmp_path: Path, monkeypatch) -> Path:
    """A folder first on PATH, with a Slurm that says yes to everything."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    for name, body in (("sbatch", "exit 0"), ("sinfo", SINFO), ("srun", "echo sees n1")):
        stand_in(folder, name, body)
    return folder


def stand_in(folder: Path, name: str, body: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def asked(step: str = "finetune", **resources: object) -> Request:
    return Request(step, {"slurm_partition": "gpu", "slurm_account": "lab", **resources})


def complaint(*requests: Request) -> str:
    with pytest.raises(UserError) as caught:
        check_cluster(requests, ROOT)
    return str(caught.value)


def test_all_well(tools: Path):
    check_cluster([asked(mem_mb=8000, gpu=1)], ROOT)


def test_no_sbatch(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "there is no sbatch on PATH: start this on a login node" in complaint(asked())


def test_the_same_refusal_is_said_once_for_all_steps(tools: Path):
    refusal = "allocation failure: Invalid account or account/partition combination specified"
    stand_in(tools, "sbatch", f'echo "{refusal}" >&2; exit 1')
    said = complaint(asked(mem_mb=1), asked("probe", mem_mb=2), asked("probe", mem_mb=3))
    assert said.count("Invalid account") == 1
    assert "finetune, probe: Invalid account" in said
    assert "sacctmgr show assoc" in said and "profiles/slurm/config.yaml" in said


@pytest.mark.parametrize(
    "more",
    [
        {"gpu": 3},
        {"gres": "gpu:3"},
        {"gres": "gpu:a100:3"},
        {"gpu": 1, "mem_mb": 20000},
        {"cpus_per_task": 65},
    ],
)
def test_what_no_node_has_is_refused(tools: Path, more: dict[str, object]):
    stand_in(tools, "sbatch", 'echo "Requested node configuration is not available" >&2; exit 1')
    assert "no node of this partition has so many GPUs" in complaint(asked(**more))


def test_nodes_that_are_away_just_now_refuse_nothing(tools: Path):
    stand_in(tools, "sbatch", 'echo "Requested node configuration is not available" >&2; exit 1')
    check_cluster([asked(gpu=2, mem_mb=16000), asked(mem_mb=400000)], ROOT)
    check_cluster([asked(gres="gpu:a100"), asked(gres="nvme:500")], ROOT)


def test_a_limit_shorter_than_a_checkpoint_interval(tools: Path):
    options = {"checkpoint_minutes": 10.0, "checkpoint_steps": None}
    short = Request("finetune", {"runtime": 10}, options)
    assert "finetune: its time limit of 10 min is no longer than the 10 min" in complaint(short)
    scratch = Request("prepare_base", {"runtime": 5}, {"training": options})
    assert "prepare_base: its time limit of 5 min" in complaint(scratch, scratch)
    check_cluster([Request("finetune", {"runtime": 11}, options)], ROOT)
    check_cluster([Request("finetune", {"runtime": 1}, options | {"checkpoint_steps": 5})], ROOT)


def test_a_node_that_does_not_see_the_folder(tools: Path):
    stand_in(tools, "srun", "echo sees n1; echo blind n2")
    said = complaint(asked())
    assert f"node n2 of partition gpu does not see {ROOT}" in said and "--exclude=n2" in said


def said_to(tools: Path, name: str, answer: str = "") -> Path:
    """A file that gets the words a command is called with, one a line."""
    heard = tools / f"{name}.heard"
    stand_in(tools, name, f'printf "%s\\n" "$@" >> "{heard}"; {answer}')
    return heard


@pytest.mark.parametrize(
    ("more", "site", "words"),
    [
        ({"qos": "long"}, (), ["--qos=long"]),
        ({"slurm_extra": "--signal=TERM@60 --qos long"}, (), ["--signal=TERM@60", "--qos", "long"]),
        ({"slurm_extra": "'--comment=two words' --exclusive"}, (), ["--comment=two words"]),
        ({}, ("--qos=long", "--reservation=mine"), ["--qos=long", "--reservation=mine"]),
        ({"cluster": "big", "mem_mb_per_cpu": 2000}, (), ["--clusters=big", "--mem-per-cpu=2000"]),
    ],
)
def test_what_a_site_wants_is_said_in_the_question_as_in_the_submission(
    tools: Path, more: dict[str, object], site: tuple[str, ...], words: list[str]
):
    heard = said_to(tools, "sbatch")
    check_cluster([asked(mem_mb=8000, **more)], ROOT, site)
    lines = heard.read_text().splitlines()
    assert set(words) <= set(lines)
    assert lines.index(words[-1]) > lines.index("--partition=gpu")


def test_of_several_partitions_each_is_asked_by_itself(tools: Path, tmp_path: Path):
    """No job has nodes of two, so that a question to both would get no answer."""
    for name in ("sbatch", "srun"):
        stand_in(tools, name, f'echo "$*" >> {tmp_path / name}')
    check_cluster([asked(slurm_partition="a100,old"), asked(slurm_partition="old")], ROOT)
    assert "--partition=a100,old" in (tmp_path / "sbatch").read_text()
    lines = (tmp_path / "srun").read_text().splitlines()
    assert [line.count("--partition=a100 ") for line in lines] == [1, 0]
    assert [line.count("--partition=old ") for line in lines] == [0, 1]


@pytest.mark.parametrize("given", ["--qos=a -q b", "--qos=a --qos b", "--qos=a -qb", "--qos=b"])
def test_nodes_are_asked_under_the_same_account_and_qos(tools: Path, given: str):
    heard = said_to(tools, "srun", "echo sees n1")
    check_cluster([asked(slurm_extra=given)], ROOT, ["--reservation=mine"])
    assert {"--account=lab", "--qos=b", "--reservation=mine"} <= set(heard.read_text().splitlines())


@pytest.mark.parametrize("names", ["n2", "n[2-3]", "n7,n2"])
def test_nodes_that_were_left_out_are_not_asked(tools: Path, names: str):
    stand_in(tools, "scontrol", "echo n2; echo n3")
    heard = said_to(tools, "srun", "echo sees n1")
    check_cluster([asked(slurm_extra=f"--exclude={names}")], ROOT)
    assert "--nodelist=n1" in heard.read_text().splitlines()


@pytest.mark.parametrize("name", ["two words", "it's", 'a"b', "a;b", "a&b", "hüte", "{a}", "a#b"])
def test_a_node_looks_for_the_folder_whatever_it_is_called(tools: Path, tmp_path: Path, name: str):
    stand_in(tools, "srun", 'while [ "$1" != sh ]; do shift; done; SLURMD_NODENAME=n1 exec "$@"')
    (tmp_path / name).mkdir()
    check_cluster([asked()], tmp_path / name)


@pytest.mark.parametrize("name", ["a$(touch here)", "a`touch here`", "$HOME", "a\\b"])
def test_a_folder_that_a_submission_would_misread_is_refused(
    tools: Path, tmp_path: Path, monkeypatch, name: str
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()
    with pytest.raises(UserError, match="jobs cannot be submitted from"):
        check_cluster([asked()], tmp_path / name)
    assert not (tmp_path / "here").exists()


def test_options_that_no_shell_could_read_are_one_message(tools: Path):
    said = complaint(asked(slurm_extra="'--qos=long"))
    assert 'finetune: slurm_extra "\'--qos=long" is no line of options: No closing' in said


def test_nodes_that_do_not_answer_keep_nobody(tools: Path):
    stand_in(tools, "srun", "exit 1")
    check_cluster([asked()], ROOT)


def test_a_training_asks_for_a_gpu_for_each_process(tmp_path: Path):
    path = tmp_path / "wide.yaml"
    path.write_text(
        f"include: {ROOT / 'config/smoke.yaml'}\n"
        "finetune: {processes: 4, nodes: 2}\nrestore_stages: {processes: 2}\n"
    )
    jobs = {job.step: job.resources for job in planned(ROOT, [path])}
    wide = {"gres": "gpu:2", "nodes": 2, "tasks": 2, "mpi": "srun", "cpus_per_task": 2}
    assert wide.items() <= jobs["finetune"].items()
    assert {"gpu": 2, "cpus_per_task": 2, "nodes": 1}.items() <= jobs["restore_base"].items()
    assert jobs["finetune_stages"]["gpu"] == 1
    assert sbatch(jobs["finetune"]).count("--ntasks") == 1
    assert "--nodes=2 --ntasks=2 --cpus-per-task=2" in sbatch(jobs["finetune"])
    assert "--nodes=1 --cpus-per-task=2" in sbatch(jobs["restore_base"])


def sbatch(resources: dict) -> str:
    """What the executor makes of a job's resources."""
    job = SimpleNamespace(resources=ResourceList(fromdict=dict(resources)), threads=1)
    names = ("run_uuid", "slurm_logfile", "comment_str", "account", "partition", "workdir")
    return get_submit_command(job, dict.fromkeys(names, ""))


def test_memory_follows_from_the_size_of_the_model(tmp_path: Path):
    """LLaMA-2-7B takes 25.7 thousand MiB in four bytes a parameter, half of it in two."""
    jobs = {j.step: j for j in planned(ROOT, [ROOT / "config/paper/s2-llama2-7b.yaml"])}
    asked = {step: jobs[step].resources["mem_mb"] for step in jobs}
    assert asked["prepare_base"] == 8000 + 25705
    assert asked["probe_knowledge"] == 8000 + 12853
    # In the process that starts the others, in one of them, and at the end once more.
    assert asked["finetune"] == 8000 + 3 * 25705
    assert asked["compare_groups"] == 4000


def test_each_attempt_gets_more(tmp_path: Path):
    """But memory is doubled once: a training in many pieces asked for more than nodes have."""
    profile = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())
    assert not any({"mem_mb", "runtime"} & r.keys() for r in profile["set-resources"].values())
    namespace: dict = {"tuneatlas": workflow}
    exec((ROOT / "workflow/rules/resources.smk").read_text(), namespace)
    given = namespace["scaled"](4000, 300, lambda w: 100)
    third = {name: ask(None, 3) for name, ask in given.items()}
    assert third == {"mem_mb": 8100, "runtime": 900, "attempt": 3}
    assert given["runtime"](None, 9) == 1440
