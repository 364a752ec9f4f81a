"""A job's time on a cluster is what `size` says of it, and it keeps what its config says."""

from dataclasses import replace

import pytest

from tests.examples import ROOT
from tuneatlas.config.load import load_config
from tuneatlas.engine.jobs import Job
from tuneatlas.sizing import tasks
from tuneatlas.sizing.estimates import DEVICES, Need, checkpoint_size
from tuneatlas.sizing.events import Cluster
from tuneatlas.sizing.needs import Study, need_of
from tuneatlas.sizing.sheet import study_of
from tuneatlas.sizing.tasks import fitted, model_of, saving_of, task_of, tasks_of

TRAINED = {"gres": "gpu:8", "nodes": 2, "runtime": 240}


@pytest.fixture(scope="module")
def large() -> Study:
    experiment = load_config(ROOT / "config/paper/s1-llama2-70b.yaml", root=ROOT)
    return study_of(experiment, ROOT, DEVICES["a100-80"], look=False)


def tuning(study: Study, **more: object) -> Job:
    options = {**study.config["finetune"], **more}
    where = {"model": "llama2-70b", "domain": "medicine", "group": "harmonious", "seed": "0"}
    made = ("results/finetune/0",)
    return Job("finetune", where, ("labels",), made, options, {}, due=True, resources=TRAINED)


def asking(study: Study) -> Job:
    where, read = {"model": "llama2-70b", "domain": "medicine"}, ("results/finetune/0", "other")
    options = {**study.config["evaluate_knowledge"], "dtype": "bfloat16"}
    gpus = {"gpu": 8, "nodes": 1, "runtime": 120}
    return Job("evaluate_knowledge", where, read, (), options, {}, due=True, resources=gpus)


def test_a_job_takes_what_its_plan_says_and_waits_for_what_it_reads(large: Study):
    jobs = [tuning(large), asking(large)]
    for job, task in zip(jobs, tasks_of(large, jobs), strict=True):
        need = need_of(job, large)
        assert need is not None
        assert task.gpus * (task.start + task.work) == pytest.approx(3600 * need.hours)
        assert task.limit == 60 * job.resources["runtime"]
        assert task.nodes == job.resources["nodes"]
    assert [task.after for task in tasks_of(large, jobs)] == [(), (0,)]


def test_a_training_keeps_what_its_config_says(large: Study):
    assert task_of(tuning(large), large).saving is None
    kept = task_of(tuning(large, keep_checkpoints=2, checkpoint_minutes=5), large)
    assert kept.saving is not None and kept.saving.every == 300
    shape = model_of(tuning(large), large)
    assert shape is not None
    seconds = checkpoint_size(shape, tuning(large).options)
    assert kept.saving.cost == kept.saving.read == pytest.approx(seconds)
    job = tuning(large, keep_checkpoints=2, checkpoint_steps=5)
    need, steps = need_of(job, large), task_of(job, large)
    assert need is not None and steps.saves(steps.work) == -(-need.steps // 5) - 1


def test_a_training_that_is_all_start_saves_nothing(large: Study, monkeypatch: pytest.MonkeyPatch):
    """As of a few steps of a small model, whose estimate is shorter than its start."""
    monkeypatch.setattr(tasks, "need_of", lambda job, study: Need(hours=1e-4, devices=1, steps=4))
    task = task_of(tuning(large, keep_checkpoints=2, checkpoint_steps=1), large)
    assert task.work == 0 and task.saves(task.work) == 0
    assert saving_of(asking(large), large) is None


def test_a_training_runs_on_fewer_gpus_where_there_are_no_more(large: Study):
    job = tuning(large)
    assert fitted(job, Cluster(16, 1)) is job
    # Processes are spread evenly: on a node of eight and one of four there is no room for twelve.
    uneven = Cluster(12, 1)
    fewer = task_of(fitted(job, uneven), large)
    assert (fewer.gpus, fewer.nodes) == (8, 1) and uneven.holds(fewer)
    assert fewer.gpus * fewer.work == pytest.approx(16 * task_of(job, large).work, rel=0.2)
    nested = replace(job, options={"training": job.options})
    assert fitted(nested, Cluster(4, 1)).options["training"]["processes"] == 4
    assert fitted(asking(large), Cluster(1, 1)).options == asking(large).options


def test_shards_of_sentences_share_what_was_measured(large: Study):
    config = {
        "prepare_sentences": {"sentences": 1000, "pairs": {"train": 60, "dev": 5, "test": 5}},
        "parse_sentences": {"shards": 4},
    }
    study = replace(large, config={**large.config, **config})
    parse = Job("parse_sentences", {}, (), (), {}, {}, due=True, resources={"_cores": 1})
    assert task_of(parse, study).work == pytest.approx(2 + 1140 / 57 / 4)
    built = task_of(replace(parse, step="build_tasks"), study)
    assert built.work == pytest.approx(1140 / 4 * 253e-6)
    assert (built.cores, built.gpus) == (1, 0)
