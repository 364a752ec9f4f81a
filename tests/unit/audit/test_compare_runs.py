"""Two runs beside each other, down to the item."""

import shutil
from pathlib import Path

from tests.unit.small_results import PROBED, rewrite
from tuneatlas.audit.compare_runs import compare_runs
from tuneatlas.audit.lineage import read_results
from tuneatlas.cli import main
from tuneatlas.tables import ANSWERS


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
