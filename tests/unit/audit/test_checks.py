"""Every corruption of a results folder is named; a whole one is not complained about."""

import io
import json
import random
import shutil
import sys
import threading
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.examples import ROOT
from tests.unit.audit.corruptions import CORRUPTIONS
from tuneatlas.audit import lineage
from tuneatlas.audit.checks import CHECKS, INTEGRITY, Finding, run_checks, table_problem
from tuneatlas.audit.lineage import read_contents, read_results, trust_weights
from tuneatlas.cli import main
from tuneatlas.engine.files import FOLDER_MARK, sha256_file
from tuneatlas.engine.records import SUFFIX, dump
from tuneatlas.errors import UserError
from tuneatlas.tables import LABELS


def audit(results: Path) -> list[Finding]:
    # The scripts and templates are those of this project.
    return run_checks(read_results(results, ROOT))


def test_a_whole_folder_has_no_findings(results: Path):
    assert audit(results) == []


def test_twenty_copies_of_whole_runs_raise_no_alarm(whole_results: Path, tmp_path: Path):
    for number in range(20):
        copied = Path(shutil.copytree(whole_results, tmp_path / str(number) / "elsewhere"))
        if number % 2:  # half of them as an interrupted next run leaves them
            (copied / "probe_knowledge" / ".partial-x.parquet").touch()
            (copied / "finetune" / ".0.9a37a004e8a7").mkdir()
        if number % 3 == 0:
            for mark in copied.rglob(FOLDER_MARK):
                mark.unlink()
        assert run_checks(read_results(copied, ROOT)) == []


def test_two_hundred_corruptions_are_found_and_named(whole_results: Path, tmp_path: Path):
    for number in range(200):
        rng = random.Random(number)
        results = Path(shutil.copytree(whole_results, tmp_path / str(number)))
        corrupt = CORRUPTIONS[number % len(CORRUPTIONS)]
        named = corrupt(results, rng)
        found = run_checks(read_results(results, ROOT), INTEGRITY)
        where = {f.where.removesuffix(SUFFIX) for f in found}
        assert set(named) <= where, f"{number} {corrupt.__name__}: {named} not in {where}"
        # Nothing is accused that did not change: findings are on what was corrupted, or on rows
        # that no longer match it.
        assert all(f.where.removesuffix(SUFFIX) in named or f.kind == "rows" for f in found)
        shutil.rmtree(results)


def one(results: Path, kind: str) -> Finding:
    (found,) = [f for f in audit(results) if f.kind == kind]
    return found


def test_a_changed_file_of_a_folder_is_named_with_all_it_taints(results: Path):
    weights = results / "prepare_base/mini/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    found = one(results, "changed")
    assert found.where == "results/prepare_base/mini"
    assert "changed: model.safetensors" in found.why
    tainted = found.taints(read_results(results, ROOT))
    assert len(tainted) == 8
    assert "results/prepare_questions/numbers.parquet" not in tainted


def test_an_output_made_from_an_older_input_is_stale(results: Path):
    """As when one file and its record are copied from another run."""
    name = "label_knowledge/mini/numbers.parquet"
    rows = LABELS.read(results / name)
    LABELS.write(results / name, rows[:-1])
    path = results / (name + SUFFIX)
    record = json.loads(path.read_text())
    record["sha256"] = sha256_file(results / name)
    path.write_text(dump({k: v for k, v in record.items() if k != "seal"}))
    stale = {f.where for f in audit(results) if f.kind == "stale"}
    assert stale == {
        "results/explain_predictions/mini/numbers.parquet",
        "results/mix_instructions/mini/numbers/mixed_40/0.parquet",
        "results/compare_groups/mini",
    }
    assert any(f.kind == "rows" and "self_aligning" in f.why for f in audit(results))


def test_other_code_is_named_by_module(results: Path):
    path = results / ("prepare_base/mini" + SUFFIX)
    record = json.loads(path.read_text())
    record["code"]["tuneatlas.models.build"] = "0" * 16
    record["libraries"]["torch"] = "1.0"
    path.write_text(dump({k: v for k, v in record.items() if k != "seal"}))
    texts = [f.why for f in audit(results) if f.kind == "old code"]
    assert any("tuneatlas.models.build changed: 1 outputs" in t for t in texts)
    assert any("torch was 1.0, is " in t for t in texts)


def test_results_without_the_project_are_audited_but_for_the_code(results: Path, tmp_path, capsys):
    alone = results.rename(tmp_path / "results")
    assert main(["audit", str(alone)]) == 0
    assert "code not compared" in capsys.readouterr().out


class Terminal(io.StringIO):
    """Lets files be read on only when something was said."""

    def __init__(self) -> None:
        super().__init__()
        self.said = threading.Event()

    def write(self, text: str) -> int:
        self.said.set()
        return super().write(text)


def test_a_long_audit_says_how_far_it_is(results: Path, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    read = read_results(results, ROOT)

    def slow(path: Path) -> str:
        assert terminal.said.wait(60)
        return sha256_file(path)

    monkeypatch.setattr(lineage, "sha256_file", slow)
    read_contents(read, 2, every_s=0.05)
    assert terminal.getvalue().startswith("read 0.0 of 0.0 GB\n")
    assert run_checks(read) == []


@pytest.mark.parametrize("jobs", [1, 7])
def test_files_read_together_give_the_same_findings_in_the_same_order(
    results: Path, jobs: int, capsys
):
    for number in (0, 1, 4, 5, 6, 8):
        CORRUPTIONS[number](results, random.Random(number))
    one, other = read_results(results, ROOT), read_results(results, ROOT)
    read_contents(one, jobs)
    found = run_checks(one)
    assert len(found) > 5 and found == run_checks(other)
    assert capsys.readouterr().err == ""


def test_at_least_one_file_is_read_at_a_time(results: Path, capsys):
    assert main(["audit", str(results), "--jobs", "0"]) == 2
    assert "--jobs 0" in capsys.readouterr().err


BASE, TUNED = "prepare_base/mini", "finetune/mini/numbers/mixed_40/0"


def test_results_copied_without_weights_are_verified_but_for_these(results: Path, capsys):
    (results / BASE / "model.safetensors").unlink()
    shutil.rmtree(results / TUNED)
    arguments = ["audit", str(results), "--root", str(ROOT)]
    assert main(arguments) == 1
    capsys.readouterr()
    assert main([*arguments, "--without-weights"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].endswith(f"the weights of results/{TUNED} results/{BASE})")
    assert said[1].startswith("8 outputs verified")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (f"{BASE}/config.json", ("changed", f"results/{BASE}")),
        (f"{BASE}/notes.txt", ("changed", f"results/{BASE}")),
        (f"{TUNED}/model.safetensors", ("changed", f"results/{TUNED}")),
        (f"{BASE}{SUFFIX}", ("stale", f"results/{TUNED}")),
        ("explain_predictions/mini/numbers.parquet", ("missing output", "results/explain_pre")),
    ],
)
def test_what_is_copied_is_verified_without_the_weights(results: Path, change: str, found):
    (results / BASE / "model.safetensors").unlink()
    path = results / change
    if path.name.endswith(SUFFIX):  # the base model that was made anew since
        record = {k: v for k, v in json.loads(path.read_text()).items() if k != "seal"}
        path.write_text(dump(record | {"sha256": "0" * 64}))
    elif path.suffix == ".parquet":
        path.unlink()
    else:
        path.write_text("other")
    read = read_results(results, ROOT)
    trust_weights(read)
    assert any(f.kind == found[0] and f.where.startswith(found[1]) for f in run_checks(read))


def test_the_exit_code_says_whether_anything_was_found(results: Path, capsys):
    arguments = ["audit", str(results), "--root", str(ROOT)]
    assert main(arguments) == 0
    assert "10 outputs verified" in capsys.readouterr().out
    (results / "foreign.txt").touch()
    assert main([*arguments, "--json"]) == 1
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["kind"], found["where"]) == ("no record", "results/foreign.txt")


def test_a_folder_that_is_no_results_folder_is_refused(tmp_path: Path):
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(UserError, match="results folder|not the results"):
            read_results(folder)


def test_a_table_of_another_version_is_named(tmp_path: Path, results: Path):
    path = results / "label_knowledge/mini/numbers.parquet"
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({"table": "labels9"}), tmp_path / "t.parquet")
    assert "'labels9', which this version does not know" in table_problem(tmp_path / "t.parquet")
    assert table_problem(path) == ""
    assert len(CHECKS) > len(INTEGRITY)
