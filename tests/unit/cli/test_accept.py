"""Accepting a change of code: on record, whole or not at all, and only where code alone differs."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.examples import ROOT
from tests.unit.small_results import make_results
from tuneatlas.audit.checks import run_checks
from tuneatlas.audit.lineage import Results, read_results
from tuneatlas.audit.reasons import reasons
from tuneatlas.cli import accept, audit, main, why
from tuneatlas.engine.accepted import identities
from tuneatlas.engine.digest import code_of
from tuneatlas.engine.jobs import Job
from tuneatlas.engine.record_files import read_record
from tuneatlas.engine.records import dump, record_path
from tuneatlas.tables import ANSWERS

STEP = "probe_knowledge"
PROBED = "results/probe_knowledge/mini/numbers.parquet"
CATEGORIES = "results/probe_knowledge/mini/categories/numbers.parquet"


def plan(results: Results) -> list[Job]:
    """The plan that the records come from."""
    return [
        Job(r["step"], r["wildcards"], tuple(r["inputs"]), (n,), r["options"], r["params"], False)
        for n, r in results.records.items()
    ]


def rewrite(path: Path, **changes: object) -> None:
    record = json.loads(record_path(path).read_text())
    del record["seal"]
    record_path(path).write_text(dump(record | changes))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = tmp_path_factory.mktemp("accept") / "project"
    project.mkdir()
    make_results(project, ROOT)
    return project


@pytest.fixture
def project(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run whose probing was made by other code and another library."""
    folder = Path(shutil.copytree(whole, tmp_path / "project", symlinks=True))
    jobs = plan(read_results(folder / "results"))
    code = code_of(ROOT / f"workflow/scripts/{STEP}.py")
    for name in (PROBED, CATEGORIES):
        modules = {**code.modules, "tuneatlas.tables": "0", "tuneatlas.gone": "1"}
        libraries = {**code.libraries, "pyarrow": "1.0"}
        rewrite(folder / name, code=modules, libraries=libraries)
    for module in (accept, audit, why):
        monkeypatch.setattr(module, "read_plan", lambda root, configs, folder: jobs)
    return folder


def accepts(project: Path, *words: str) -> int:
    return main(["accept", "--root", str(project), "--who", "A. Reader", *words])


def due(project: Path) -> dict[str, list[str]]:
    results = read_results(project / "results")
    return {r.job.step: list(r.own) for r in reasons(plan(results), results)}


def test_what_was_accepted_stands_and_is_told_everywhere(project: Path, capsys):
    assert STEP in due(project)
    made = read_record(record_path(project / PROBED))[0]
    assert accepts(project, STEP, "--why", "only a  message") == 0
    assert due(project) == {}
    record, problem = read_record(record_path(project / PROBED))
    assert record is not None and made is not None and problem == ""
    assert {k: v for k, v in record.items() if k not in ("accepted", "seal")} == {
        k: v for k, v in made.items() if k != "seal"
    }
    assert identities(record)[-1] == code_of(ROOT / f"workflow/scripts/{STEP}.py")
    (accepted,) = record["accepted"]
    assert accepted["modules"]["tuneatlas.gone"] == ["1", None]
    assert (accepted["who"], accepted["why"]) == ("A. Reader", "only a message")
    assert not [f for f in run_checks(read_results(project / "results", ROOT)) if "code" in f.kind]
    for command in (
        ["why", "--root", str(project)],
        ["audit", str(project / "results"), "--root", str(ROOT)],
        ["trace", "numbers/next/21", "--results", str(project / "results")],
    ):
        capsys.readouterr()
        main(command)
        said = capsys.readouterr().out
        assert f"accepted: {STEP}, 2 outputs, by A. Reader, " in said, command
        assert "tuneatlas.tables, pyarrow 1.0 → " in said


def test_accepting_twice_adds_nothing_and_later_changes_are_kept_beside(project: Path, capsys):
    assert accepts(project, STEP, "--why", "first") == 0
    text = record_path(project / PROBED).read_text()
    assert accepts(project, STEP, "--why", "again") == 0
    assert record_path(project / PROBED).read_text() == text
    assert "count as made by the code here already" in capsys.readouterr().out
    record = json.loads(text)
    record["accepted"][0]["libraries"]["pyarrow"][1] = "2.0"
    rewrite(project / PROBED, accepted=record["accepted"])
    assert due(project)[STEP] == [f"library pyarrow was 2.0, is {record_version('pyarrow')}"]
    assert accepts(project, STEP, "--why", "second") == 0
    kept = json.loads(record_path(project / PROBED).read_text())["accepted"]
    assert [one["why"] for one in kept] == ["first", "second"]
    assert due(project) == {}


def record_version(name: str) -> str:
    return code_of(ROOT / f"workflow/scripts/{STEP}.py").libraries[name]


@pytest.mark.parametrize(
    "word", [PROBED, PROBED + ".record.json", "*/mini/numbers.parquet", "./" + PROBED]
)
def test_some_outputs_alone_may_be_accepted(project: Path, word: str):
    rewrite(project / CATEGORIES, step=STEP)
    assert accepts(project, STEP, word, "--why", "these") == 0
    assert "accepted" in json.loads(record_path(project / PROBED).read_text())


def test_a_folder_names_the_outputs_in_it(project: Path):
    assert accepts(project, STEP, "results/probe_knowledge/mini/categories/", "--why", "x") == 0
    assert "accepted" not in json.loads(record_path(project / PROBED).read_text())
    assert "accepted" in json.loads(record_path(project / CATEGORIES).read_text())
    assert STEP in due(project)


def edit_bytes(project: Path) -> None:
    ANSWERS.write(project / PROBED, ANSWERS.read(project / PROBED)[1:])


def edit_input(project: Path) -> None:
    path = project / "results/prepare_base/mini/config.json"
    path.write_text("{}")
    os.utime(path, ns=(0, 0))


def edit_record(project: Path) -> None:
    path = record_path(project / PROBED)
    path.write_text(path.read_text().replace('"x86_64"', '"x86_65"').replace(": 42", ": 43"))


def be_running(project: Path) -> None:
    (project / ".snakemake/locks").mkdir(parents=True)
    (project / ".snakemake/locks/0.input.lock").touch()


@pytest.mark.parametrize(
    ("words", "edit", "said"),
    [
        (["probe_knowlege", "--why", "x"], None, "no such step; did you mean probe_knowledge?"),
        (["", "--why", "x"], None, "name the step"),
        ([STEP, "--why", " "], None, "--why (WHY of make) is empty"),
        ([STEP, "results/nothing", "--why", "x"], None, "no output of probe_knowledge"),
        ([STEP, "--why", "x"], edit_bytes, "not what the step wrote"),
        ([STEP, "--why", "x"], edit_record, "its record is damaged"),
        ([STEP, "--why", "x"], edit_input, "input results/prepare_base/mini has other content"),
        (
            [STEP, "--why", "x"],
            lambda project: rewrite(project / PROBED, options={"shots": 3}),
            "config probe_knowledge.shots: was 3, is",
        ),
        ([STEP, "--why", "x"], lambda p: rewrite(p / PROBED, inputs={}), "is new"),
        ([STEP, "--why", "x"], be_running, "a run is at work here"),
    ],
)
def test_what_cannot_be_accepted_is_refused_and_nothing_is_written(
    project: Path, words: list[str], edit: Callable[[Path], None] | None, said: str, capsys
):
    if edit:
        edit(project)
    before = {p: p.read_bytes() for p in project.rglob("*.record.json")}
    assert accepts(project, *words) == 2
    assert said in capsys.readouterr().err
    assert {p: p.read_bytes() for p in project.rglob("*.record.json")} == before


def test_what_was_deleted_to_save_space_can_be_accepted(project: Path):
    (project / PROBED).unlink()
    assert STEP in due(project)
    assert accepts(project, STEP, "--why", "x") == 0
    assert due(project) == {}


def test_killed_at_any_instant_each_record_is_whole(project: Path, monkeypatch):
    """Before each call of the system in turn; what is left is done by accepting again."""
    for instant in range(100):
        child = os.fork()
        if child == 0:
            monkeypatch.setattr(accept, "accept", die_after(instant, accept.accept))
            os._exit(accepts(project, STEP, "--why", "x"))
        _, status = os.waitpid(child, 0)
        kept = []
        for name in (PROBED, CATEGORIES):
            record, problem = read_record(record_path(project / name))
            assert record is not None and problem == "", (instant, name)
            kept.append(len(record.get("accepted", ())))
        assert set(kept) <= {0, 1}
        if os.waitstatus_to_exitcode(status) == 0:
            break
        assert os.waitstatus_to_exitcode(status) == 9
    assert kept == [1, 1] and instant > 5
    assert due(project) == {}


def die_after(calls: int, function: Callable) -> Callable:
    """The function, from which on the process lives for so many calls of the system."""
    left = calls

    def count(event: str, arguments: object) -> None:
        nonlocal left
        if event.startswith("os.") or event == "open":
            left -= 1
            if left < 0:
                os._exit(9)

    def call(*arguments: object, **options: object) -> object:
        sys.addaudithook(count)
        return function(*arguments, **options)

    return call


def test_records_that_cannot_be_written_are_named(project: Path, monkeypatch, capsys):
    def refuse(path: Path, text: str) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(accept, "write_text", refuse)
    assert accepts(project, STEP, "--why", "x") == 2
    assert "cannot be written: Permission denied; 0 of 2 records were" in capsys.readouterr().err
