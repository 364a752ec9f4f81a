"""A job is led to the first type of GPU that holds it; what holds none is told before the start."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.iocontainers import ResourceList
from snakemake_executor_plugin_slurm.utils import set_gres_string

from tests.examples import ROOT
from tests.workflow.plans import planned
from tuneatlas.config.load import load_config, resolve
from tuneatlas.engine.cluster import Request
from tuneatlas.engine.jobs import read_plan
from tuneatlas.errors import UserError
from tuneatlas.sizing.estimates import DEVICES
from tuneatlas.sizing.gpu_types import (
    FILE,
    GpuType,
    check_types,
    memory_of,
    read_types,
    study_on_any,
    type_for,
)
from tuneatlas.sizing.needs import need_of
from tuneatlas.sizing.sheet import study_of

SITE = """
l40s: {memory: 48, slurm_partition: l40s, gpu_model: l40s}
a100: {memory: 80, slurm_partition: "a100,old", gpu_model: a100}
"""


def read(path: Path, text: str) -> list[GpuType]:
    path.write_text(text)
    return read_types(path)


def test_the_first_with_memory_enough_is_chosen_or_else_the_largest(tmp_path: Path):
    types = read(tmp_path / "gpus.yaml", SITE)
    assert [type_for(types, gib).name for gib in (1, 48, 48.1, 80, 200)] == [
        *("l40s", "l40s", "a100", "a100", "a100")
    ]
    assert types[1].asks == {"slurm_partition": "a100,old", "gpu_model": "a100"}
    check_types(types, [("probe_knowledge", 79.0), ("evaluate_harness", float("inf"))])
    with pytest.raises(
        UserError, match=r"memory enough for finetune \(137 GiB\): the largest has 80"
    ):
        check_types(types, [("finetune", 137.0), ("probe_knowledge", 1.0)])


def test_a_site_with_one_type_says_nothing(tmp_path: Path):
    assert read_types(ROOT / FILE) == read_types(tmp_path / "none.yaml") == []
    check_types([], [("finetune", 137.0)])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a100: 80", "a100: say its memory"),
        ("a100: {constraint: a100}", "a100: say its memory"),
        ("a100: {memory: much, constraint: a100}", "a100: say its memory"),
        ("a100: {memory: 80}", "what leads to it"),
        ("a100: {memory: 80, partition: a}", "slurm_partition, constraint, gpu_model, qos"),
        ("a: {memory: 80, qos: a}\nb: {memory: 90, constraint: b}", "say the same of all"),
        ("a100: {memory: 80, constraint: [", "gpus.yaml"),
        ("- a100", "gpus.yaml"),
    ],
)
def test_what_leads_nowhere_is_one_message(tmp_path: Path, text: str, said: str):
    with pytest.raises(UserError, match=said):
        read(tmp_path / "gpus.yaml", text)


@pytest.mark.parametrize("name", ["smoke", "paper/s2-llama2-7b", "syntax-smoke"])
def test_the_memory_of_every_job_is_that_of_its_plan(name: str):
    path = ROOT / f"config/{name}.yaml"
    experiment = load_config(path, root=ROOT)
    plan = study_of(experiment, ROOT, DEVICES["a100-80"], look=False)
    here, seen = study_on_any(resolve(experiment), ROOT), set()
    for job in planned(ROOT, [path]):
        need = need_of(plan.whole(job), plan)
        if job.gpu and need is not None:
            seen.add(job.step)
            assert memory_of(here, job.step, job.wildcards) == pytest.approx(need.memory), job
    assert len(seen) > 3


def test_jobs_of_a_site_ask_for_the_type_that_holds_them(tmp_path: Path):
    for name in ("Snakefile", "workflow", "src", "envs", "config", "profiles/default"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / FILE).parent.mkdir()
    (tmp_path / FILE).write_text(SITE)
    path = tmp_path / "wide.yaml"
    base = ROOT / "config/paper/s1-llama2-70b.yaml"
    path.write_text(f"include: {base}\n")
    jobs = {job.step: job.resources for job in read_plan(tmp_path, [path])}
    # 70B takes 23 GiB on each of eight that ask it, and over 48 on each of 16 that train it.
    small = {"gpu_model": "l40s", "slurm_partition": "l40s"}
    assert small.items() <= jobs["probe_knowledge"].items()
    assert jobs["finetune"]["gres"] == "gpu:a100:8"
    assert jobs["finetune"]["slurm_partition"] == "a100,old"
    assert "gpu_model" not in jobs["finetune"] and "slurm_partition" not in jobs["compare_groups"]
    asked = Request("probe_knowledge", jobs["probe_knowledge"]).words()
    assert {"--gpus=l40s:8", "--partition=l40s"} <= set(asked)
    for step, flag in (("probe_knowledge", "--gpus=l40s:8"), ("finetune", "--gres=gpu:")):
        job = SimpleNamespace(resources=ResourceList(fromdict=dict(jobs[step])), threads=1)
        assert flag in set_gres_string(job)
