"""A results folder as data: the record of every output, and what each output came from.

Outputs bear the names that the workflow gave them, ``results/<step>/…``, wherever the folder
stands now; other inputs are relative to the project's folder.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tuneatlas.errors import UserError
from tuneatlas.files import FOLDER_MARK, digest_files, files_in, regular, sha256_file, walk
from tuneatlas.records import SUFFIX, is_sealed

RESULTS = "results/"
REQUIRED = ("output", "sha256", "step", "wildcards", "inputs", "options", "code", "libraries")
WEIGHTS = (".safetensors", ".gguf")
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@dataclass(frozen=True)
class Content:
    """What a file or folder holds: its digest, and that of each file in a folder.

    ``also`` is the digest with the engine's mark counted in, as older records have it.
    """

    sha256: str
    files: Mapping[str, str]
    also: str

    def is_(self, sha256: str) -> bool:
        """Whether this is the content that a record means by ``sha256``."""
        return sha256 in (self.sha256, self.also)


@dataclass
class Results:
    """A results folder with all its records, by the output's name.

    ``elsewhere`` are models whose weights were not copied with the rest (see `trust_weights`).
    """

    folder: Path
    root: Path
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    elsewhere: set[str] = field(default_factory=set)
    _contents: dict[str, Content | None] = field(default_factory=dict)

    def place(self, name: str) -> Path:
        """Where the file called ``name`` in the records stands."""
        if name.startswith(RESULTS):
            return self.folder / name.removeprefix(RESULTS)
        return self.root / name

    def name(self, path: Path) -> str:
        """What the records call the file at ``path``, which is in the folder."""
        return RESULTS + path.relative_to(self.folder).as_posix()

    def content(self, name: str) -> Content | None:
        """What the file or folder holds now, read once; None if it is not there."""
        if name not in self._contents:
            path = self.place(name)
            digests = {file: sha256_file(file) for file in _files(path)}
            self._contents[name] = content_of(path, digests) if path.exists() else None
        return self._contents[name]

    @cached_property
    def users(self) -> dict[str, list[str]]:
        """The outputs made from each file."""
        found = defaultdict(list)
        for output, record in self.records.items():
            for name in record["inputs"]:
                found[name].append(output)
        return dict(found)

    def downstream(self, names: Iterable[str]) -> list[str]:
        """All outputs made from any of ``names``, directly or not."""
        todo, found = list(names), set[str]()
        while todo:
            new = set(self.users.get(todo.pop(), ())) - found
            found |= new
            todo += new
        return sorted(found)

    def upstream(self, name: str) -> list[str]:
        """All that the output ``name`` was made from, directly or not."""
        todo, found = [name], set[str]()
        while todo:
            record = self.records.get(todo.pop())
            new = set(record["inputs"] if record else ()) - found
            found |= new
            todo += new
        return sorted(found)

    @cached_property
    def _by_step(self) -> dict[str, dict[str, dict[str, Any]]]:
        found: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        for name, record in self.records.items():
            found[record["step"]][name] = record
        return dict(found)

    def of_step(self, step: str) -> Mapping[str, dict[str, Any]]:
        """The records of one step."""
        return self._by_step.get(step, {})

    def probes(self) -> dict[str, dict[str, Any]]:
        """The records of the base models' answers, without the categories made of them."""
        found = self.of_step("probe_knowledge")
        return {name: r for name, r in found.items() if not is_categories(name)}


def benchmark_of(record: Mapping[str, Any]) -> str:
    """Where the engine wrote what a job cost: named as its log; empty if that is not known."""
    log = Path(str(record.get("log") or ""))
    return Path("benchmarks", *log.with_suffix(".tsv").parts[1:]).as_posix() if log.name else ""


def is_categories(output: str) -> bool:
    """Whether an output of ``probe_knowledge`` is the table of categories of knowledge."""
    # Below the folder of a model, which may bear that name, too.
    parts = output.removeprefix(RESULTS).split("/")
    return parts[0] == "probe_knowledge" and parts[2:3] == ["categories"]


def content_of(path: Path, digests: Mapping[Path, str]) -> Content:
    """What a file or folder holds, by the digests of its files."""
    if path in digests:
        return Content(digests[path], {}, digests[path])
    files = {file.relative_to(path).as_posix(): sha for file, sha in digests.items()}
    marked = sorted((Path(name), sha) for name, sha in [*files.items(), (FOLDER_MARK, EMPTY)])
    also = digest_files({path.as_posix(): sha for path, sha in marked})
    return Content(digest_files(files), files, also)


def read_contents(results: Results, jobs: int, every_s: float = 10.0) -> None:
    """Read every output and input, ``jobs`` files at a time; what is long says how far it is."""
    names = dict.fromkeys([*results.records, *results.users])
    places = {name: path for name in names if (path := results.place(name)).exists()}
    listed = {name: _files(path) for name, path in places.items()}
    files = {p: p.stat().st_size for paths in listed.values() for p in paths}
    pool = ThreadPoolExecutor(jobs)
    try:
        # The largest first, so that none of them is waited for alone at the end.
        order = sorted(files, key=lambda path: -files[path])
        futures = {pool.submit(sha256_file, path): path for path in order}
        total, waiting = sum(files.values()), set(futures)
        while waiting:
            _, waiting = wait(waiting, every_s)
            if waiting:
                done = total - sum(files[futures[future]] for future in waiting)
                print(f"read {done / 1e9:.1f} of {total / 1e9:.1f} GB", file=sys.stderr)
        digests = {path: future.result() for future, path in futures.items()}
    finally:
        pool.shutdown(cancel_futures=True)
    results._contents |= dict.fromkeys(names)
    for name, path in places.items():
        results._contents[name] = content_of(path, {p: digests[p] for p in listed[name]})


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else files_in(path)


def trust_weights(results: Results) -> None:
    """Take models whose weights are not here for what their records say; note their names.

    What else there is of such a model must be what was written.
    """
    for name, record in results.records.items():
        recorded = record.get("files") or {}
        weights = {f for f in recorded if f.endswith(WEIGHTS)}
        content = results.content(name)
        here: Mapping[str, str] = content.files if content else {}
        if weights - here.keys() and here.items() <= recorded.items():
            results.elsewhere.add(name)
            results._contents[name] = Content(record["sha256"], recorded, record["sha256"])


def read_results(folder: Path, root: Path | None = None) -> Results:
    """Read all records of a results folder; damaged ones are kept apart, with what is wrong.

    Args:
        folder: the results folder.
        root: the project's folder (default: the one that holds ``folder``).

    Raises:
        UserError: there is no such folder, or it holds no record.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder; name a results folder")
    found = Results(folder, folder.absolute().parent if root is None else root)
    for path in sorted(path for path in walk(folder) if path.name.endswith(SUFFIX)):
        name = found.name(path).removesuffix(SUFFIX)
        record, problem = _read(path)
        if not problem and record["output"] != name:
            problem = f"it is the record of {record['output']}"
        if problem:
            found.unreadable[name] = problem
        else:
            found.records[name] = record
    if not found.records and not found.unreadable:
        raise UserError(f"{folder}: holds no *{SUFFIX}: it is not the results of this workflow")
    return found


def _read(path: Path) -> tuple[dict[str, Any], str]:
    """A record, and what is wrong with it if anything is."""
    try:
        text = regular(path).read_text(encoding="utf-8")
        record = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        return {}, f"it cannot be read: {error}"
    if not isinstance(record, dict) or not all(
        isinstance(record.get(key), str if key in ("output", "sha256", "step") else dict)
        for key in REQUIRED
    ):
        return {}, "it is not a record, or a part of it is missing"
    if not is_sealed(text, record):
        return {}, "it was edited after it was written"
    return record, ""
