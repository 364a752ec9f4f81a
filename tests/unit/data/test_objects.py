"""What lies in an object store comes to lie here, whole, and again only when it has changed."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Barrier

import pytest

from tests.unit.config.config_files import GOOD
from tuneatlas.config.load import load_config
from tuneatlas.config.objects import Object, objects_of, outermost
from tuneatlas.config.preflight import left_open, preflight
from tuneatlas.data.objects import bring, place_of
from tuneatlas.errors import UserError


@dataclass
class InMemory:
    """A stored file, or a folder of some, as the engine's plugins have it."""

    files: dict[str, bytes]
    time: float = 1e9
    query: str = "s3://lab/x"
    brought: int = 0
    place: Path = field(default_factory=Path)

    def exists(self) -> bool:
        return bool(self.files)

    def mtime(self) -> float:
        return self.time

    def size(self) -> int:
        return sum(map(len, self.files.values()))

    def set_local_path(self, path: Path) -> None:
        self.place = path

    def retrieve_object(self) -> None:
        self.brought += 1
        for name, content in self.files.items():
            path = self.place / name if name else self.place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


@pytest.mark.parametrize("names", [("",), ("config.json", "sub/weights")])
def test_an_object_is_brought_once_and_again_when_it_changes(tmp_path, names):
    stored = InMemory({name: b"one" for name in names})
    path = tmp_path / "data/s3/lab/x"
    assert bring(stored, path) and not bring(stored, path)
    assert stored.brought == 1
    # Another of the same size, at another time; then one of another size, at the same.
    for content, then in ((b"two", 2e9), (b"three", 2e9)):
        stored.files, stored.time = dict.fromkeys(names, content), then
        assert bring(stored, path)
        assert {(path / n).read_bytes() if n else path.read_bytes() for n in names} == {content}
    # What was in a folder there, and is not any more, goes here too.
    if len(names) > 1:
        del stored.files[names[1]]
        assert bring(stored, path) and [p.name for p in path.iterdir()] == [names[0]]
    assert sorted(p.name for p in path.parent.iterdir()) == [".x.brought", "x"]
    # As what was made of an older one in the meantime is older than what is brought now.
    assert abs(path.stat().st_mtime - time.time()) < 60 or path.is_dir()
    assert all(abs(p.stat().st_mtime - time.time()) < 60 for p in path.rglob("*"))


def test_of_two_runs_one_brings_an_object(tmp_path):
    path, both = tmp_path / "x", Barrier(2)

    class Slow(InMemory):
        def exists(self) -> bool:
            both.wait(10)
            return True

    stored = [Slow({"": b"one", "a": b"two"}) for _ in range(2)]
    for one in stored:
        one.files = {"a": b"one", "b": b"two"}
    with ThreadPoolExecutor() as pool:
        told = list(pool.map(lambda one: bring(one, path), stored))
    assert sorted(told) == [False, True] and sum(one.brought for one in stored) == 1


def test_a_note_that_is_damaged_says_nothing(tmp_path):
    stored, path = InMemory({"": b"one"}), tmp_path / "x"
    bring(stored, path)
    (tmp_path / ".x.brought").write_text("{")
    assert bring(stored, path) and not bring(stored, path)


def test_what_lies_in_another_object_is_brought_with_it():
    found = [
        Object(("a",), f"s3://lab/{name}", f"data/s3/lab/{name}")
        for name in ("run/checkpoint-5", "run", "run", "running", "other/run")
    ]
    assert [one.address for one in outermost(found)] == [
        "s3://lab/run", "s3://lab/running", "s3://lab/other/run"
    ]  # fmt: skip


def test_what_was_changed_here_is_brought_again(tmp_path):
    stored, path = InMemory({"": b"one"}), tmp_path / "x"
    bring(stored, path)
    path.write_bytes(b"own")
    assert bring(stored, path) and path.read_bytes() == b"one"


def test_what_is_not_there_or_changes_meanwhile_is_said(tmp_path):
    with pytest.raises(UserError, match="s3://lab/x: there is no such object"):
        bring(InMemory({}), tmp_path / "x")

    class Growing(InMemory):
        def retrieve_object(self) -> None:
            super().retrieve_object()
            os.truncate(self.place, 1)

    with pytest.raises(UserError, match="changed while it was brought"):
        bring(Growing({"": b"one"}), tmp_path / "x")
    assert [path.name for path in tmp_path.iterdir()] == [".x.brought"]


def test_places():
    assert place_of("s3://lab/a//b/") == "data/s3/lab/a/b"
    for wrong in (
        "s3://lab",
        "s3://lab/",
        "s3:///a",
        "s3://lab/../a",
        "s3://../a",
        "s3://lab/a-{step}",
    ):
        with pytest.raises(ValueError, match="expected s3://BUCKET/KEY"):
            place_of(wrong)


def test_paths_of_a_config_may_be_objects(tmp_path):
    file = tmp_path / "run.yaml"
    entry = "{source: file, path: s3://lab/law.jsonl, licence: MIT}"
    text = GOOD.replace("{source: facts}", entry, 1)
    assert text != GOOD
    file.write_text(f"{text}description: s3://nothing\ncompare_groups: {{ood_roles: [home]}}\n")
    experiment = load_config(file, base="../..")
    (found,) = objects_of(experiment)
    assert found.address == "s3://lab/law.jsonl" and found.key[-1] == "path"
    assert found.path == "../../data/s3/lab/law.jsonl"
    # Not here yet, it is left to the run; once here it is looked at.
    folder = tmp_path / "runs/own"
    folder.mkdir(parents=True)
    assert any("s3://lab/law.jsonl" in said for said in left_open(experiment, folder))
    preflight(experiment, folder)
    place = tmp_path / "data/s3/lab/law.jsonl"
    place.parent.mkdir(parents=True)
    place.write_text("no question")
    with pytest.raises(UserError, match=r"law\.jsonl, line 1"):
        preflight(experiment, folder)
    file.write_text(text.replace("s3://lab/law.jsonl", "s3://lab"))
    with pytest.raises(UserError, match=r"path: s3://lab: expected s3://BUCKET/KEY"):
        load_config(file)
