"""A finished run as pandas tables: every row, with the job that it comes from."""

from pathlib import Path

import pytest

from tests.unit.api.doctests import run_examples
from tuneatlas.api import runs
from tuneatlas.api.runs import open_run
from tuneatlas.errors import UserError
from tuneatlas.tables import ANSWERS, LABELS


def test_examples(whole_results: Path):
    assert run_examples(runs, results=whole_results) > 5


def test_a_table_has_every_row_and_the_job_that_each_comes_from(whole_results: Path):
    table = open_run(whole_results).table("evaluate_knowledge")
    rows = ANSWERS.read(whole_results / "evaluate_knowledge/mini/numbers/mixed_40/0.parquet")
    assert table["id"].tolist() == [row["id"] for row in rows]
    assert [list(scores) for scores in table["scores"]] == [row["scores"] for row in rows]
    # The domain tuned on is another thing than that of a question.
    assert list(table.columns[:4]) == ["model", "run_domain", "group", "seed"]
    assert set(table["seed"]) == {0} and set(table["group"]) == {"mixed_40"}
    assert table.attrs["columns"]["gold_prob"]["unit"] == "1"


def test_every_table_can_be_read(whole_results: Path):
    run = open_run(whole_results)
    for step, kind, _, rows in run.tables().itertuples(index=False):
        assert len(run.table(step, kind)) == rows


def test_a_folder_that_was_moved_is_the_same_run(results: Path):
    moved = results.rename(results.with_name("elsewhere"))
    labels = LABELS.read(moved / "label_knowledge/mini/numbers.parquet")
    table = open_run(moved).table("label_knowledge")
    assert table["label"].tolist() == [row["label"] for row in labels]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("probe", None, {}), "no tables of step 'probe'; there are those of evaluate_knowledge"),
        (("probe_knowledge", None, {}), "several tables: say kind='answers' or 'knowledge'"),
        (("label_knowledge", "answers", {}), "writes no table 'answers', but labels"),
        (("label_knowledge", None, {"model": "maxi"}), "no job with model='maxi'; of it are mini"),
        (("label_knowledge", None, {"seed": 1}), "no job with seed=1; jobs have model, domain"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(whole_results: Path, asked, message: str):
    step, kind, wildcards = asked
    with pytest.raises(UserError, match=message):
        open_run(whole_results).table(step, kind, **wildcards)


def test_a_damaged_table_is_named(results: Path):
    path = results / "label_knowledge/mini/numbers.parquet"
    run = open_run(results)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match=r"numbers\.parquet: cannot be read"):
        run.table("label_knowledge")
    with pytest.raises(UserError, match=r"numbers\.parquet: cannot be read"):
        open_run(results)


def test_metrics_that_were_altered_are_refused(results: Path):
    path = results / "compare_groups/mini/metrics.json"
    path.write_text(path.read_text().replace("0.5", "0.9"))
    with pytest.raises(UserError, match="not what the step wrote"):
        open_run(results).metrics("compare_groups", "mini")
    with pytest.raises(UserError, match="there are: .*compare_groups/mini"):
        open_run(results).numbers("compare_groups", "maxi", "accuracy")


def test_what_is_no_run_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match="not the results of this workflow"):
        open_run(tmp_path)
