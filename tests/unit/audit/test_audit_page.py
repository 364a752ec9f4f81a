"""What the audit page is built from: numbers and items, moved and mixed runs, large tables."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from synthetic import make_synthetic

from tuneatlas.audit import query
from tuneatlas.audit.behind import behind, compute, read_items
from tuneatlas.audit.checks import INTEGRITY, run_checks
from tuneatlas.audit.columns import Columns
from tuneatlas.audit.counts import COUNTS, shard_ids
from tuneatlas.audit.lineage import Results, read_results
from tuneatlas.audit.numbers import blocks_of, numbers
from tuneatlas.audit.page.build import build_page
from tuneatlas.audit.page.graph import restricted
from tuneatlas.audit.query import rows_of
from tuneatlas.audit.telling import tell
from tuneatlas.audit.trace import trace
from tuneatlas.cli import main
from tuneatlas.cli.trace import PLAIN
from tuneatlas.engine.records import SUFFIX, dump, record_path
from tuneatlas.errors import UserError
from tuneatlas.studies.syntax.tables import PARSES, SENTENCES
from tuneatlas.tables import DOCUMENTS, QUESTIONS, STAGE_ANSWERS

COUNT = 120
PROBED = "probe_knowledge/mini/facts.parquet"
GAIN = "accuracy/mini/facts/homo/incompatible/0/gain"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return make_synthetic(tmp_path_factory.mktemp("run") / "results", COUNT)


def data(folder: Path, name: str):
    text = (folder / "data" / f"{name}.js").read_text(encoding="utf-8")
    return json.loads(text.split(",", 1)[1].removesuffix(");\n"))


def test_every_number_is_given_again_by_its_items(whole: Results):
    columns, items = Columns(whole), read_items(whole)
    found = list(numbers(whole))
    assert len(found) > 50
    for number in found:
        if number.value is not None:
            again = compute(number, columns, items)
            assert again == pytest.approx(number.value, abs=1.01e-6), number.address


def test_a_number_rests_on_the_items_of_its_scope_alone(whole: Results):
    (gain,) = (n for n in numbers(whole) if n.address == GAIN)
    items = read_items(whole)
    found = behind(gain, Columns(whole), items)
    assert {items.attributes[i]["block"] for i in found} == {"facts/home"}
    assert {items.attributes[i]["split"] for i in found} == {"test"}
    assert all(len(values) == 2 for values in found.values())


def test_trace_of_a_number_lists_its_items(whole: Results, capsys):
    assert main(["trace", "--of", GAIN, "--results", str(whole.folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    said, again = (float(line.split(": ")[1].split()[0]) for line in lines[:2])
    assert said == pytest.approx(again, abs=1e-5)
    listed = [line for line in lines if line.startswith("facts/")]
    assert any(line.startswith(f"{len(listed)} items") for line in lines)


@pytest.mark.parametrize("address", ["accuracy/mini/facts/homo", "acuracy/mini/x", ""])
def test_an_unknown_number_offers_those_like_it(whole: Results, address: str, capsys):
    assert main(["trace", "--of", address, "--results", str(whole.folder)]) == 2
    assert "no number of the report" in capsys.readouterr().err


def test_trace_wants_an_item_or_a_number(whole: Results, capsys):
    assert main(["trace", "--results", str(whole.folder)]) == 2
    assert main(["trace", "x", "--of", GAIN, "--results", str(whole.folder)]) == 2
    assert "either an ID or" in capsys.readouterr().err


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
    assert tested == 4 * sum(i["split"] == "test" for i in read_items(whole).attributes.values())


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


def test_results_that_name_no_roles_had_all_of_other_domains_out_of_the_domain():
    assert blocks_of(["a", "b"], {})("a", "ood") == ("b/home", "b/related")
    assert blocks_of(["a", "b"], {"ood_roles": ["related"]})("a", "ood") == ("b/related",)


def test_a_large_table_is_traced_by_row_groups(tmp_path: Path, whole: Results, monkeypatch):
    """The whole would not fit: what is held at once is a small part of it."""
    moved = tmp_path / "results"
    shutil.copytree(whole.folder, moved)
    path = moved / PROBED
    table = pq.read_table(path)
    with pq.ParquetWriter(path, table.schema) as writer:
        for number in range(40):
            ids = [f"{i}#{number}" for i in table.column("id").to_pylist()]
            prompts = ["x" * 20_000] * len(ids)
            part = table.set_column(0, table.schema.field("id"), [pa.array(ids)])
            place = table.schema.get_field_index("prompt")
            writer.write_table(part.set_column(place, table.schema.field("prompt"), [prompts]))
    results = read_results(moved)
    size = 40 * COUNT * 20_000
    limits = {"memory_limit": f"{size // 2}B", "max_temp_directory_size": "0B"}
    small = dict(query.SETTINGS) | limits
    monkeypatch.setattr(query, "_database", lambda: duckdb.connect(config=small))
    before = pa.default_memory_pool().max_memory()
    some = rows_of(whole, "results/prepare_questions/facts.parquet", "id")[7][0]
    life = trace(results, f"{some}#17")
    assert [seen.step for seen in life.rows["probe_knowledge"]] == ["probe_knowledge"]
    with pytest.raises(UserError, match="the nearest: "):
        trace(results, some[:-1] + "x")
    assert pa.default_memory_pool().max_memory() - before < size / 2


def test_a_sentence_is_traced_to_its_tasks_paraphrases_and_scores(whole: Results):
    """Its pairs and the examples made of it are named in ids of their own."""
    life = trace(whole, "s/1")
    ids = {step: [seen.row["id"] for seen in rows] for step, rows in life.rows.items()}
    assert ids == {
        "prepare_sentences": ["s/1-2", "s/1"],
        "parse_sentences": ["s/1"],
        "build_tasks": ["syntax/s/1#0", "syntax/s/1#7"],
        "evaluate_tasks": ["syntax/s/1#0"],
        "generate_paraphrases": ["s/1-2"],
        "score_paraphrases": ["s/1-2", "s/1-2"],
    }
    assert list(life.rows)[-2:] == ["generate_paraphrases", "score_paraphrases"]
    said = "\n".join(tell(life, lambda seen: None, PLAIN))
    for part in ("tree: (ROOT", "task: tree_forming", "output: Hot, the sun.", "bleu4 41.5"):
        assert part in said, said
    assert list(trace(whole, "s/2").rows) == [step for step in ids if "tasks" not in step]


def test_an_example_that_is_only_trained_on_is_traced_by_its_id(whole: Results):
    (seen,) = trace(whole, "syntax/s/1#7").rows["build_tasks"]
    assert seen.output.endswith("/train.parquet")
    with pytest.raises(UserError, match="the nearest: syntax/s/1#0"):
        trace(whole, "syntax/s/1#8")


def test_a_sentence_without_a_parse_is_missed_in_its_shard(whole: Results, tmp_path: Path):
    moved = tmp_path / "results"
    shutil.copytree(whole.folder, moved)
    name = "parse_sentences/1-of-1.parquet"
    PARSES.write(moved / name, PARSES.read(moved / name)[:1])
    found = run_checks(read_results(moved), INTEGRITY)
    said = [f.why for f in found if (f.kind, f.where) == ("rows", f"results/{name}")]
    assert said == ["1 of 2 sentences of its shard are not in it, such as s/2"]


def test_a_shard_is_asked_for_its_own_sentences(tmp_path: Path):
    """Whatever the groups of rows are that the sentences are written in."""
    rows = [{"id": f"s/{n}", "sentence": "", "source": "", "licence": ""} for n in range(20)]
    table = SENTENCES.build(rows)
    for size in (1, 3, 7, 20):
        pq.write_table(table, tmp_path / "sentences.parquet", row_group_size=size)
        shards = [shard_ids(tmp_path / "sentences.parquet", f"{k}-of-3") for k in (1, 2, 3)]
        assert [len(ids) for ids in shards] == [6, 7, 7]
        assert [i for ids in shards for i in ids] == [row["id"] for row in rows]


def followed(whole: Results, tmp_path: Path, drop: Callable[[dict], bool]) -> list[str]:
    """What the row counts say of a run's answers, of which some rows are dropped."""
    output = "results/evaluate_stages/mini/facts/incompatible/0.answers.parquet"
    folder = tmp_path / "results"
    material = folder / "prepare_restoration/mini"
    rows = pq.read_table(whole.place(output)).to_pylist()
    asked = {row["id"] for row in rows}
    questions = QUESTIONS.read(whole.place("results/prepare_questions/facts.parquet"))
    QUESTIONS.write(material / "questions.parquet", [q for q in questions if q["id"] in asked])
    DOCUMENTS.write(material / "documents.parquet", [])
    kept = [row for row in rows if not drop(row)]
    place = folder / output.removeprefix("results/")
    STAGE_ANSWERS.write(place, kept)
    record = {"output": output, "inputs": {"results/prepare_restoration/mini": ""}, "options": {}}
    return list(COUNTS["evaluate_stages"](Results(folder, tmp_path), record))


@pytest.mark.parametrize(
    ("drop", "said"),
    [
        (lambda row: False, []),
        (lambda row: row["restored"] == 100, ["stages step 4: no rows of the model restored 100%"]),
        (lambda row: row["restored"] == 0 and row["pred"] == 2, ["stages step 4, restored 0%: "]),
    ],
)
def test_rows_of_the_forgetting_study_are_counted(whole, tmp_path, drop, said: list[str]):
    found = followed(whole, tmp_path, drop)
    assert len(found) == len(said)
    assert all(text.startswith(start) for text, start in zip(found, said, strict=True))


def rows_findings(results: Results) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for finding in run_checks(results, INTEGRITY):
        if finding.kind == "rows":
            found.setdefault(finding.where, []).append(finding.why)
    return found


@pytest.mark.parametrize(
    ("step", "change", "why"),
    [
        ("mix_instructions", {"wildcards": {}}, "its record says group ''"),
        ("mix_instructions", {"wildcards": {"group": "mixed_x"}}, "says group 'mixed_x'"),
        ("parse_sentences", {"wildcards": {"scatteritem": "1of2"}}, "says scatteritem '1of2'"),
        ("evaluate_stages", {"options": {"conversations": "all"}}, "says conversations 'all'"),
        ("parse_sentences", {"inputs": {}}, ""),
        ("label_knowledge", {"options": {"harmonious_size": [1]}}, ""),
    ],
)
def test_a_record_that_does_not_say_what_its_rows_are_is_named(
    whole: Results, tmp_path: Path, step: str, change: dict, why: str
):
    moved = tmp_path / "results"
    shutil.copytree(whole.folder, moved)
    name = next(iter(whole.of_step(step)), f"results/{PROBED}")
    path = record_path(moved / name.removeprefix("results/"))
    record = {k: v for k, v in json.loads(path.read_text()).items() if k != "seal"}
    path.write_text(dump(record | {"step": step} | change))
    found = rows_findings(read_results(moved)).get(name, [])
    assert all("\n" not in text for text in found)
    assert any(why in text for text in found) or not why


def test_a_fault_of_the_audit_itself_is_no_finding(whole: Results, monkeypatch):
    def faulty(results: Results, record: dict):
        yield {}[record["step"]]

    monkeypatch.setitem(COUNTS, "probe_knowledge", faulty)
    with pytest.raises(KeyError):
        run_checks(whole, INTEGRITY)


@pytest.mark.parametrize("step", ["prepare_questions", "label_knowledge", "evaluate_stages"])
@pytest.mark.parametrize("damage", ["cut", "other type", "without", "gone"])
def test_rows_of_a_damaged_table_are_not_counted(
    whole: Results, tmp_path: Path, step: str, damage: str
):
    """Not of it, and not of what was made from it: that it is damaged is said once."""
    moved, name = tmp_path / "results", next(iter(whole.of_step(step)))
    shutil.copytree(whole.folder, moved)
    path = moved / name.removeprefix("results/")
    table = pq.read_table(path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-9])
    elif damage == "gone":
        path.unlink()
    elif damage == "without":
        pq.write_table(table.drop_columns(["id"]), path)
    else:
        pq.write_table(table.set_column(0, table.column_names[0], [[None] * len(table)]), path)
    found = read_results(moved)
    kinds = {f.kind for f in run_checks(found, INTEGRITY) if f.where == name}
    assert kinds & {"broken table", "missing output"}
    assert rows_findings(found).items() <= rows_findings(whole).items()
