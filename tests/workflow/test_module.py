"""Another workflow uses this one as a module: the same bytes, records and refusals."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.examples import ROOT
from tests.workflow.finished_run import SNAKEMAKE
from tuneatlas.audit.lineage import read_results

SMOKE = str(ROOT / "config/smoke.yaml")
INCLUDING = {"include": SMOKE}
# A workflow with rules, hooks and an `all` of its own.
OTHERS = """
onstart:
    print("theirs")

rule all:
    default_target: True
    input: "mine.txt"

rule mine:
    output: "mine.txt"
    shell: "touch {output}"

"""


def uses(
    folder: Path,
    config: object = INCLUDING,
    *,
    rules: str = "use rule * from tuneatlas as ta_*",
    more: str = "",
) -> Path:
    """A folder with a workflow that uses this one."""
    folder.mkdir(parents=True, exist_ok=True)
    text = f"module tuneatlas:\n    snakefile: {str(ROOT / 'workflow/Snakefile')!r}\n"
    text += f"    config: {config!r}\n" + more
    (folder / "Snakefile").write_text(f"{text}\n{rules}\n{OTHERS}")
    return folder


def run(folder: Path, *words: str, snakefile: str = "Snakefile") -> str:
    command = [SNAKEMAKE, "--cores", "1", "--rerun-triggers", "mtime", "-s", snakefile, *words]
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def jobs(said: str) -> dict[str, int]:
    """The jobs of a dry-run, by rule."""
    table = said.partition("Job stats:")[2].partition("total")[0]
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", table, re.M)}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """The jobs of the experiment where the workflow runs by itself."""
    folder = tmp_path_factory.mktemp("alone")
    words = ("--configfile", SMOKE, "--dry-run", "all")
    return jobs(run(folder, *words, snakefile=str(ROOT / "workflow/Snakefile")))


@pytest.mark.parametrize(
    ("rules", "more", "name"),
    [
        ("use rule * from tuneatlas exclude all", "", "{}"),
        ("use rule * from tuneatlas exclude all as ta_*", '    prefix: "x/atlas"\n', "ta_{}"),
        # One rule is changed by who uses it, beside the others.
        (
            "use rule * from tuneatlas as ta_*\n"
            "use rule report from tuneatlas as ta_report with:\n    priority: 5\n",
            "",
            "ta_{}",
        ),
    ],
    ids=["plain", "prefix", "changed"],
)
def test_a_module_has_the_jobs_of_a_run_alone(
    tmp_path: Path, alone: dict[str, int], rules: str, more: str, name: str
):
    uses(tmp_path, rules=rules, more=more)
    root = "x/atlas/" if more else ""
    pages = [f"{root}results/report/index.html", f"{root}results/audit"]
    said = run(tmp_path, "--dry-run", *pages)
    assert jobs(said) == {name.format(k): n for k, n in alone.items() if k != "all"}, said
    if not more:
        assert jobs(run(tmp_path, "--dry-run")) == {"mine": 1, "all": 1}


def test_two_experiments_stand_side_by_side(tmp_path: Path):
    """Each with its own number of shards, by which the second would otherwise decide for both."""
    syntax = {"include": str(ROOT / "config/syntax-smoke.yaml")}
    other = syntax | {"parse_sentences": {"shards": 5}}
    text = uses(tmp_path, syntax, more='    prefix: "a"\n').joinpath("Snakefile").read_text()
    head, _, _ = text.partition("\nuse rule")
    second = head.replace("module tuneatlas", "module five").replace(repr(syntax), repr(other))
    second = second.replace('"a"', '"b"') + "\nuse rule * from five as five_*\n"
    (tmp_path / "Snakefile").write_text(text + second)
    end = "results/collect_labels/labels.json"
    found = jobs(run(tmp_path, "--dry-run", f"a/{end}", f"b/{end}"))
    assert (found["ta_parse_sentences"], found["five_parse_sentences"]) == (2, 5)


def test_a_module_makes_the_same_bytes_and_records(finished: Path, tmp_path: Path):
    """Under other names of rules and in a folder of its own."""
    uses(tmp_path, more='    prefix: "atlas"\n')
    here = tmp_path / "atlas/results"
    shutil.copytree(finished / "results", here, symlinks=True)
    page, *made = [
        "audit",
        "label_knowledge/mini/elements.parquet",
        "finetune/mini/countries/incompatible/0",
    ]
    for targets in ([page], made):
        for name in targets:
            path = here / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            path.with_name(f"{path.name}.record.json").unlink()
        said = run(tmp_path, *(f"atlas/results/{name}" for name in targets))
        assert "ta_" in said and "(100%) done" in said, said
    records = [read_results(folder).records for folder in (finished / "results", here)]
    for name in made:
        before, after = (known(found[f"results/{name}"]) for found in records)
        assert before == after, name
    # Of the page, all but what it says of times.
    assert records[0]["results/audit"]["inputs"] == records[1]["results/audit"]["inputs"]
    assert (tmp_path / "atlas/logs/finetune").is_dir() and not (tmp_path / "results").exists()


def known(record: dict) -> dict:
    """What a record says but for times, and for where templates lie."""
    left_out = ("wall_s", "cpu_s", "peak_mb", "seal", "inputs")
    rest = {key: value for key, value in record.items() if key not in left_out}
    inputs = {k: v for k, v in record["inputs"].items() if k.startswith("results/")}
    return json.loads(json.dumps(rest)) | {
        "inputs": inputs,
        "templates": sorted(v for k, v in record["inputs"].items() if k not in inputs),
    }


def test_files_of_the_user_lie_under_the_prefix(tmp_path: Path):
    """As paths of the config do where the workflow runs alone in that folder."""
    own = {"source": "file", "path": "mine/facts.tsv", "licence": "CC0-1.0"}
    config = {"include": SMOKE, "domains": {"law": own}}
    uses(tmp_path, config, more='    prefix: "atlas"\n')
    (tmp_path / "atlas/mine").mkdir(parents=True)
    (tmp_path / "atlas/mine/facts.tsv").write_text("question\tanswer\n")
    said = run(tmp_path, "--dry-run", "atlas/results/prepare_questions/law.parquet")
    assert re.search(r"input: .*\batlas/mine/facts.tsv", said), said


def test_what_is_refused_alone_is_refused_of_a_module(tmp_path: Path):
    said = run(uses(tmp_path, {"include": SMOKE, "sedes": [1]}), "--dry-run")
    assert "config of module tuneatlas: sedes: unknown key; did you mean 'seeds'?" in said, said
    # Before the first job, though the main workflow has an `onstart`, and hooks are off.
    uses(tmp_path, {"include": SMOKE, "fetch_source": {"mirror": "gone"}})
    said = run(tmp_path, "ta_all", "--no-hooks")
    assert "fetch_source.mirror: there is no folder gone" in said, said
    assert not (tmp_path / "results").exists()
    # Jobs of others are none of its business.
    assert "(100%) done" in run(tmp_path, "mine.txt")


def test_what_a_module_cannot_do_is_said(tmp_path: Path):
    moved = uses(tmp_path / "a", more='    replace_prefix: {"results/fetch_source": "shared"}\n')
    assert "a folder of its own, with prefix" in run(moved, "--dry-run")
    (tmp_path / "Snakefile").write_text(f"include: {str(ROOT / 'workflow/Snakefile')!r}\n")
    assert "cannot be included in another workflow" in run(tmp_path, "--dry-run")
    within = (
        f"module theirs:\n    snakefile: {str(tmp_path / 'Snakefile')!r}\nuse rule * from theirs"
    )
    (tmp_path / "b").mkdir()
    (tmp_path / "b/Snakefile").write_text(within)
    assert "cannot be included in another workflow" in run(tmp_path / "b", "--dry-run")


def test_the_catalogue_of_workflows_finds_what_it_asks_for():
    """Its standard: snakemake.github.io/snakemake-workflow-catalog, "Adding workflows"."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8").lower()
    assert "snakemake" in readme and "workflow" in readme
    assert (ROOT / "workflow/Snakefile").is_file() and (ROOT / "config/README.md").is_file()
    assert any((ROOT / "workflow/rules").glob("*.smk"))
    text = (ROOT / ".snakemake-workflow-catalog.yml").read_text(encoding="utf-8")
    usage = yaml.safe_load(text)["usage"]
    assert usage.keys() == {"mandatory-flags", "software-stack-deployment", "report"}
    methods = usage["software-stack-deployment"]
    assert methods == {"conda": False, "apptainer": True, "apptainer+conda": False}
    profile = yaml.safe_load((ROOT / "profiles/default/config.yaml").read_text(encoding="utf-8"))
    triggers = " ".join(profile["rerun-triggers"])
    assert usage["mandatory-flags"]["flags"] == f"--rerun-triggers {triggers}"


def test_a_module_lets_no_weights_go_and_bounds_nothing(tmp_path: Path):
    held = {"storage": {"at_most_gb": 100}}
    uses(tmp_path, INCLUDING | {"finetune": {"keep": "until measured"}})
    assert "Error" not in run(tmp_path, "--dry-run", "--quiet")
    uses(tmp_path, INCLUDING | held)
    said = run(tmp_path, "--dry-run")
    assert "storage.at_most_gb: a workflow that uses this one as a module keeps all weights" in said
