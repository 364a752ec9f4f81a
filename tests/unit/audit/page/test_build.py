"""What the audit page is built from: whole, moved and mixed runs, and older ones."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.unit.audit.synthetic import COUNT, PROBED, make_synthetic
from tuneatlas.audit.behind import read_items
from tuneatlas.audit.checks import INTEGRITY, run_checks
from tuneatlas.audit.columns import rows_of
from tuneatlas.audit.lineage import Results, read_results
from tuneatlas.audit.page.build import build_page
from tuneatlas.audit.page.graph import restricted
from tuneatlas.engine.records import SUFFIX, record_path
from tuneatlas.errors import UserError


def data(folder: Path, name: str):
    text = (folder / "data" / f"{name}.js").read_text(encoding="utf-8")
    return json.loads(text.split(",", 1)[1].removesuffix(");\n"))


def test_a_moved_run_makes_the_same_page(whole: Results, tmp_path: Path):
    moved = tmp_path / "elsewhere" / "run"
    shutil.copytree(whole.folder, moved)
    build_page(whole, tmp_path / "one")
    build_page(read_results(moved), tmp_path / "other")
    names = sorted(p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*.js"))
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_the_page_holds_every_item_once_and_nothing_but_what_it_rests_on(
    whole: Results, tmp_path: Path
):
    build_page(restricted(whole, ["results/compare_groups/mini"]), tmp_path / "page")
    overview = data(tmp_path / "page", "overview")
    assert overview["items"] == COUNT
    steps = {node["step"] for node in overview["graph"]}
    assert "compare_groups" in steps and "parse_sentences" not in steps
    lives = [
        life
        for path in sorted((tmp_path / "page" / "data").glob("items-*.js"))
        for life in data(tmp_path / "page", path.stem)
    ]
    assert len({life["id"] for life in lives}) == len(lives) == COUNT
    tested = sum(len(life["rows"].get("evaluate_knowledge", [])) for life in lives)
    tunings = len(list(whole.folder.glob("evaluate_knowledge/*/*/*/*.parquet")))
    assert tunings == 6  # three groups, two seeds
    assert tested == tunings * sum(
        i["split"] == "test" for i in read_items(whole).attributes.values()
    )


def test_a_table_of_an_older_version_is_told_in_one_message(whole: Results, tmp_path: Path):
    moved = tmp_path / "results"
    shutil.copytree(whole.folder, moved)
    table = pq.read_table(moved / PROBED)
    pq.write_table(table.drop_columns(["probs"]), moved / PROBED)
    old = read_results(moved)
    with pytest.raises(UserError, match=r"probe_knowledge.*run tuneatlas audit"):
        rows_of(old, f"results/{PROBED}", "id", "probs")
    kinds = {(f.kind, f.where) for f in run_checks(old, INTEGRITY)}
    assert ("broken table", f"results/{PROBED}") in kinds
    assert ("changed", f"results/{PROBED}") in kinds


@pytest.mark.parametrize("with_table", [False, True])
def test_parts_of_another_run_are_named(whole: Results, tmp_path: Path, with_table: bool):
    other = make_synthetic(tmp_path / "other" / "results", COUNT, seed=1)
    mixed = tmp_path / "results"
    shutil.copytree(whole.folder, mixed)
    shutil.copy(record_path(other.folder / PROBED), record_path(mixed / PROBED))
    if with_table:
        shutil.copy(other.folder / PROBED, mixed / PROBED)
    found = {(f.kind, f.where) for f in run_checks(read_results(mixed), INTEGRITY)}
    if with_table:
        # The table is what its record says, but neither its source nor its users are of its run.
        assert ("stale", f"results/{PROBED}") in found
        assert ("stale", "results/label_knowledge/mini/facts.parquet") in found
    else:
        assert ("changed", f"results/{PROBED}") in found


def test_an_older_record_is_read(whole: Results, tmp_path: Path):
    """Records once had no list of files, no parameters, no seal, no host."""
    moved = tmp_path / "results"
    shutil.copytree(whole.folder, moved)
    for path in moved.rglob("*" + SUFFIX):
        record = json.loads(path.read_text())
        for key in ("files", "params", "seal", "host", "log", "wall_s", "cpu_s", "peak_mb"):
            record.pop(key, None)
        path.write_text(json.dumps(record))
    old = read_results(moved)
    found = run_checks(old, INTEGRITY)
    unsealed = [f for f in found if "no seal" in f.why]
    assert {f.where.removesuffix(SUFFIX) for f in unsealed} == set(old.records)
    assert [f for f in found if f not in unsealed] == run_checks(whole, INTEGRITY)
    assert build_page(old, tmp_path / "page")["items"] == COUNT + 4
