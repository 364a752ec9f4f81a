"""Why a job would run: what changed, and what follows from it."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.small_results import PROBED, rewrite
from tuneatlas.audit.lineage import Results, read_results
from tuneatlas.audit.reasons import reasons, restricted
from tuneatlas.engine.jobs import Job, changed_options
from tuneatlas.errors import UserError


def jobs(results: Results) -> list[Job]:
    """The plan that the records come from."""
    return [
        Job(r["step"], r["wildcards"], tuple(r["inputs"]), (n,), r["options"], r["params"], False)
        for n, r in results.records.items()
    ]


def due(plan: list[Job], results: Results) -> dict[str, list[str]]:
    return {r.job.step: list(r.own) for r in reasons(plan, results)}


def test_why_names_nothing_when_nothing_changed(results: Path):
    read = read_results(results)
    # Scripts and package are those the records were made with.
    assert due(jobs(read), read) == {}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"options": {"harmonious_size": "all"}},
            'config label_knowledge.harmonious_size: was "all"',
        ),
        ({"params": {"seed": 7}}, "config seed: was 7, is 42"),
        ({"libraries": {"pyarrow": "1"}}, "library pyarrow was 1, is "),
        ({"code": {}}, "module tuneatlas.studies.knowledge.label is now used"),
        ({"inputs": {}}, f"input {PROBED} is new"),
    ],
)
def test_why_says_what_changed_and_what_follows(results: Path, change: dict, expected: str):
    plan = jobs(read_results(results))
    rewrite(results, "results/label_knowledge/mini/numbers.parquet", **change)
    found = due(plan, read_results(results))
    assert any(expected in text for text in found["label_knowledge"])
    after = {"explain_predictions", "mix_instructions", "finetune", "evaluate_knowledge"}
    assert set(found) == {"label_knowledge", "compare_groups", *after}
    assert all(found[step] == [] for step in after)


def test_what_is_missing_is_made_only_for_who_needs_it(results: Path):
    read = read_results(results)
    plan = jobs(read)
    (results / "label_knowledge/mini/numbers.parquet").unlink()
    assert due(plan, read) == {}
    shutil.rmtree(results / "compare_groups/mini")
    assert set(due(plan, read)) >= {"label_knowledge", "compare_groups"}


def test_a_target_is_a_step_or_a_file(results: Path):
    plan = jobs(read_results(results))
    steps = {job.step for job in restricted(plan, "label_knowledge")}
    assert steps == {"label_knowledge", "probe_knowledge", "prepare_base", "prepare_questions"}
    assert restricted(plan, PROBED)
    with pytest.raises(UserError, match="nonsense: neither a step nor a file"):
        restricted(plan, "nonsense")


def test_records_without_parameters_still_tell_a_change_of_seed(results: Path):
    read = read_results(results)
    (job,) = [j for j in jobs(read) if j.step == "label_knowledge"]
    record = dict(read.records[job.outputs[0]])
    del record["params"]
    assert changed_options(job, record) == []
    record["seed"] = 1
    assert [c.key for c in changed_options(job, record)] == ["seed"]


@pytest.mark.parametrize(("before", "now"), [(0, 3), (3, 7), (3, 0)])
def test_another_number_of_shards_remakes_nothing(results: Path, before: int, now: int):
    """Whether the shards of before are still there or not; their work is the step's."""

    def shards(count: int) -> tuple[str, ...]:
        items = [f"{number}-of-{count}" for number in range(1, count + 1)]
        return tuple(f"results/probe_shard/mini/numbers/{item}.json" for item in items)

    read = read_results(results)
    plan = [
        replace(job, inputs=(*job.inputs, *shards(now))) if PROBED in job.outputs else job
        for job in jobs(read)
    ]
    plan += [Job("probe_shard", {}, (), (name,), {}, {}, False) for name in shards(now)]
    inputs = read.records[PROBED]["inputs"] | dict.fromkeys(shards(before), "0" * 64)
    rewrite(results, PROBED, inputs=inputs)
    assert due(plan, read_results(results)) == {}
    # Where the step runs, its shards run first.
    rewrite(results, PROBED, inputs=inputs, options={"shots": 9})
    assert ("probe_shard" in due(plan, read_results(results))) == bool(now)
