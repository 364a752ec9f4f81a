"""Trace, compare, settle and why, on the small results folder."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from small_results import make_results

from tuneatlas.audit.compare_runs import compare_runs
from tuneatlas.audit.lineage import Results, is_categories, read_results
from tuneatlas.audit.reasons import reasons, restricted
from tuneatlas.audit.settling import make_newer, settle, standing
from tuneatlas.audit.telling import tell
from tuneatlas.audit.trace import trace
from tuneatlas.cli import main
from tuneatlas.cli.trace import PLAIN
from tuneatlas.engine.jobs import Job, changed_options, differences
from tuneatlas.engine.records import SUFFIX, dump
from tuneatlas.errors import UserError
from tuneatlas.tables import ANSWERS

PROBED = "results/probe_knowledge/mini/numbers.parquet"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    project.mkdir()
    return make_results(project, ROOT)


def jobs(results: Results) -> list[Job]:
    """The plan that the records come from."""
    return [
        Job(r["step"], r["wildcards"], tuple(r["inputs"]), (n,), r["options"], r["params"], False)
        for n, r in results.records.items()
    ]


def due(plan: list[Job], results: Results) -> dict[str, list[str]]:
    return {r.job.step: list(r.own) for r in reasons(plan, results)}


def test_a_question_is_traced_through_every_step(results: Path):
    life = trace(read_results(results), "numbers/next/5")
    assert list(life.rows) == [
        "prepare_questions",
        "probe_knowledge",
        "category of knowledge",
        "label_knowledge",
        "explain_predictions",
        "mix_instructions",
    ]
    said = "\n".join(tell(life, lambda seen: [("USER: hi ", False), ("yes", True)], PLAIN))
    for part in (
        "Which number follows 5?",
        "source: test; licence: none",
        "  | Answer:",
        " >  B. 7   0.700 #####################",
        "  = A. 6   0.100 ###",
        "group self_aligning: trained on B",
        "USER: hi [[yes]]",
    ):
        assert part in said, said


def test_a_test_question_shows_the_tuned_model(results: Path):
    life = trace(read_results(results), "numbers/next/21")
    said = "\n".join(tell(life, lambda seen: None, PLAIN))
    assert "tuned models: test" in said and "mixed_40        0" in said


def test_an_unknown_id_offers_the_nearest(results: Path):
    with pytest.raises(UserError, match=r"the nearest: numbers/next/29"):
        trace(read_results(results), "numbers/next/299")
    with pytest.raises(UserError, match="next/1, "):
        trace(read_results(results), "next/1")


def test_a_run_differs_from_itself_in_nothing(results: Path):
    same = read_results(results)
    assert all(lines == [] for _, lines in compare_runs(same, same))


def test_two_runs_are_compared_down_to_the_item(results: Path, tmp_path: Path, capsys):
    other = tmp_path / "other" / "results"
    shutil.copytree(results, other)
    path = other / "probe_knowledge/mini/numbers.parquet"
    rows = ANSWERS.read(path)
    rows[0]["correct"] = not rows[0]["correct"]
    ANSWERS.write(path, rows)
    rewrite(other, PROBED, sha256="0" * 64, options={"shots": 3})
    assert main(["diff", str(results), str(other)]) == 1
    said = capsys.readouterr().out
    assert "probe_knowledge.shots: was (not there), is 3" in said
    assert f"{PROBED}: 26 and 26 rows; 1 changed, such as numbers/next/4; in correct" in said
    assert f"{PROBED}: 1 right, then wrong: numbers/next/4" in said
    assert main(["diff", str(results), str(results)]) == 0


def test_a_key_that_became_operational_is_the_same_key(results: Path, tmp_path: Path):
    other = tmp_path / "other" / "results"
    shutil.copytree(results, other)
    rewrite(results, PROBED, options={"shots": 5, "batch_tokens": 8192, "batch_rows": 2})
    rewrite(other, PROBED, options={"shots": 5}, operations={"batch_tokens": 8192, "batch_rows": 4})
    found = dict(compare_runs(read_results(results), read_results(other)))["config"]
    assert found == ["probe_knowledge.batch_rows: was 2, is 4"]


def test_other_code_is_said_alike_everywhere(results: Path, tmp_path: Path):
    other = tmp_path / "other" / "results"
    shutil.copytree(results, other)
    name = "results/label_knowledge/mini/numbers.parquet"
    record = read_results(other).records[name]
    new = {**record["code"], "tuneatlas.new": "0"}
    rewrite(other, name, code=new, libraries=record["libraries"] | {"pyarrow": "1"})
    found = dict(compare_runs(read_results(other), read_results(results)))["code"]
    version = record["libraries"]["pyarrow"]
    assert found == [
        f"library pyarrow was 1, is {version}: in 1 outputs",
        "module tuneatlas.new is no longer used: in 1 outputs",
    ]


def rewrite(results: Path, name: str, **changes: Any) -> None:
    path = results.parent / (name + SUFFIX)
    record = json.loads(path.read_text()) | changes
    path.write_text(dump({k: v for k, v in record.items() if k != "seal"}))


def test_touched_files_are_settled_by_their_content(results: Path):
    assert standing(results) == {}
    for number, path in enumerate(sorted(results.rglob("*"))):
        os.utime(path, ns=(0, 10**18 + number))
    renewed = standing(results)
    assert results / "evaluate_knowledge/mini/numbers/mixed_40/0.parquet" in renewed
    assert standing(results).keys() == renewed.keys(), "asking wrote something"
    settle(renewed)
    assert standing(results) == {}


def test_an_output_of_other_content_is_not_settled(results: Path):
    path = results / "probe_knowledge/mini/numbers.parquet"
    ANSWERS.write(path, ANSWERS.read(path)[1:])
    os.utime(path, ns=(0, time.time_ns()))
    assert results / "label_knowledge/mini/numbers.parquet" not in standing(results)


def test_an_output_dated_ahead_stands_until_an_input_is_edited(results: Path):
    """Whenever that is: the edited file is older than what was made from the one before."""
    ahead = time.time_ns() + 10**13
    labels = results / "label_knowledge/mini/numbers.parquet"
    answers = results / "probe_knowledge/mini/numbers.parquet"
    make_newer([labels], [])
    assert labels.stat().st_mtime_ns < ahead
    os.utime(answers, ns=(0, ahead))
    make_newer([labels], [answers])
    assert labels.stat().st_mtime_ns > ahead
    settle(standing(results))
    assert max(labels.stat().st_mtime_ns, answers.stat().st_mtime_ns) < ahead
    os.utime(labels, ns=(0, ahead))
    ANSWERS.write(answers, ANSWERS.read(answers)[1:])
    assert standing(results)[labels] < answers.stat().st_mtime_ns


@pytest.mark.parametrize("linked", ["results", "results/label_knowledge", "results/finetune/mini"])
def test_results_may_be_linked_elsewhere(results: Path, linked: str, tmp_path: Path):
    """A folder or one within, to another disk."""
    before = read_results(results)
    contents = {name: before.content(name) for name in before.records}
    place = results.parent / linked
    place.rename(tmp_path / "disk")
    place.symlink_to(tmp_path / "disk")
    after = read_results(results)
    assert after.records == before.records
    assert {name: after.content(name) for name in after.records} == contents


def test_a_model_may_be_called_as_a_folder_of_its_results():
    name = "results/probe_knowledge/{}/numbers.parquet"
    assert is_categories(name.format("mini/categories"))
    assert is_categories(name.format("categories/categories"))
    assert not is_categories(name.format("categories"))


def test_a_link_in_circles_is_followed_once_and_told(results: Path):
    (results / "finetune/mini/up").symlink_to(results)
    assert standing(results) == {}
    assert "a link to a folder" in read_results(results).closed["results/finetune/mini/up"]


def test_a_pipe_in_place_of_a_record_keeps_nobody(results: Path):
    os.mkfifo(results / "x.record.json")
    assert "a named pipe" in read_results(results).unreadable["results/x"]


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
        ({"code": {}}, "module tuneatlas.studies.knowledge is now used"),
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
    assert restricted(plan, "nonsense") == []


def test_records_without_parameters_still_tell_a_change_of_seed(results: Path):
    read = read_results(results)
    (job,) = [j for j in jobs(read) if j.step == "label_knowledge"]
    record = dict(read.records[job.outputs[0]])
    del record["params"]
    assert changed_options(job, record) == []
    record["seed"] = 1
    assert [c.key for c in changed_options(job, record)] == ["seed"]


def test_differences_name_the_key_below_which_they_lie():
    found = [str(c) for c in differences({"a": {"b": 1}, "c": 1}, {"a": {"b": 2}, "d": 1}, "s")]
    assert found == [
        "s.a.b: was 1, is 2",
        "s.c: was 1, is (not there)",
        "s.d: was (not there), is 1",
    ]


def test_audit_and_trace_need_no_torch():
    names = ("settling", "reasons", "lineage", "checks", "trace")
    code = "import sys; " + "; ".join(f"import tuneatlas.audit.{n}" for n in names)
    done = subprocess.run(
        [sys.executable, "-c", code + "; print('torch' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"
