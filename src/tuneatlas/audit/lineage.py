"""A results folder as data: the record of every output, and what each output came from.

Outputs bear the names that the workflow gave them, ``results/<step>/…``, wherever the folder
stands now; other inputs are relative to the project's folder.
"""

import errno
import hashlib
import json
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tuneatlas.engine.files import FOLDER_MARK, digest_files, listed, sha256_file
from tuneatlas.engine.letting_go import is_let_go
from tuneatlas.engine.record_files import read_record
from tuneatlas.engine.records import SUFFIX, record_path
from tuneatlas.engine.run_folders import project_of
from tuneatlas.errors import UserError
from tuneatlas.terminal import one_line

RESULTS = "results/"
METRICS = "metrics.json"
WEIGHTS = (".safetensors", ".gguf")
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@dataclass(frozen=True)
class Content:
    """What a file or folder holds: its digest, and that of each file in a folder.

    ``also`` is the digest with the engine's mark counted in, as older records have it; ``others``
    are what else a folder holds: pipes, broken links, links to folders. ``problem`` says why it
    could not be read, if it could not; it is then nothing that a record means.
    """

    sha256: str
    files: Mapping[str, str]
    also: str
    others: tuple[str, ...] = ()
    problem: str = ""

    def is_(self, sha256: str) -> bool:
        """Whether this is the content that a record means by ``sha256``."""
        return not self.problem and sha256 in (self.sha256, self.also)


@dataclass
class Results:
    """A results folder with all its records, by the output's name.

    ``unreadable`` are records with what is wrong with them, ``unsealed`` those of ``records`` that
    have no seal; ``closed`` are folders that cannot be looked into, and why; ``elsewhere`` models
    whose weights were not copied with the rest (see `trust_weights`), ``renewed`` files
    whose content counts whatever their times say, as they were made since (see `renew`).
    """

    folder: Path
    root: Path
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    unsealed: dict[str, str] = field(default_factory=dict)
    closed: dict[str, str] = field(default_factory=dict)
    elsewhere: set[str] = field(default_factory=set)
    renewed: set[str] = field(default_factory=set)
    _contents: dict[str, Content | None] = field(default_factory=dict)

    @property
    def project(self) -> Path:
        """The folder of the workflow, which may be above that of the run."""
        return project_of(self.root)

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
        if name not in self._contents and name in self.let_go:
            # What it was is on record, and it is made again from what made it.
            self._contents[name] = _recorded(self.records[name])
        if name not in self._contents:
            there = _look(self.place(name))
            digests = {file: _digest(file) for file in there.files} if there else {}
            self._contents[name] = _content(there, digests) if there else None
        return self._contents[name]

    def renew(self, name: str) -> None:
        """Read the record of an output that was made just now, and take it for what it says."""
        record, _ = read_record(record_path(self.place(name)))
        self.forget(name)
        if record is not None and record["output"] == name:
            self.records[name] = record
            self._contents[name] = _recorded(record)

    def forget(self, name: str) -> None:
        """Know no longer what an output holds, which was made anew: its users cannot stand."""
        self.renewed.add(name)
        self.records.pop(name, None)
        self._contents[name] = None

    def digest(self) -> str:
        """One hex SHA-256 over all records: kept elsewhere, it shows any later change of one."""
        texts = {name: json.dumps(record) for name, record in sorted(self.records.items())}
        return digest_files({n: hashlib.sha256(t.encode()).hexdigest() for n, t in texts.items()})

    @cached_property
    def let_go(self) -> dict[str, dict[str, Any]]:
        """The records of weights that went when all that reads them stood."""
        return {n: r for n, r in self.records.items() if is_let_go(r, self.place(n))}

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
        return sorted(reached(names, lambda name: self.users.get(name, ())))

    def upstream(self, name: str) -> list[str]:
        """All that the output ``name`` was made from, directly or not."""
        return sorted(reached([name], lambda n: self.records.get(n, {}).get("inputs", ())))

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


def _recorded(record: Mapping[str, Any]) -> Content:
    """What a record says that its output holds."""
    return Content(record["sha256"], record.get("files") or {}, record["sha256"])


def reached(starts: Iterable[str], following: Callable[[str], Iterable[str]]) -> set[str]:
    """All that follows on any of ``starts``, directly or not."""
    todo, found = list(starts), set[str]()
    while todo:
        new = set(following(todo.pop())) - found
        found |= new
        todo += new
    return found


def is_categories(output: str) -> bool:
    """Whether an output of ``probe_knowledge`` is the table of categories of knowledge."""
    # Below the folder of a model, which may bear that name, too.
    parts = output.removeprefix(RESULTS).split("/")
    return parts[0] == "probe_knowledge" and parts[2:3] == ["categories"]


def is_labels(output: str) -> bool:
    """Whether an output has the groups of questions: by the probe, or as the authors released."""
    parts = output.removeprefix(RESULTS).split("/")
    return parts[0] == "label_knowledge" or (parts[0], parts[2:3]) == ("read_groups", ["labels"])


@dataclass(frozen=True)
class _There:
    """What stands at a path: the files to read, what else, and why it cannot be looked into."""

    path: Path
    files: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    problem: str = ""


def _look(path: Path) -> _There | None:
    try:
        if path.is_file():
            return _There(path, [path])
        if path.is_dir():
            return _There(path, *listed(path))
        return _There(path, others=[path]) if path.exists() or path.is_symlink() else None
    except OSError as error:
        return _There(path, problem=_reason(error))


def _digest(path: Path) -> str | OSError:
    try:
        return sha256_file(path)
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise UserError(
                "audit: this machine lets no more files be open; lower --jobs, or raise ulimit -n"
            ) from error
        return error


def _content(there: _There, digests: Mapping[Path, str | OSError]) -> Content:
    """What a file or folder holds, by the digests of its files."""
    found: dict[Path, str] = {}
    for path in there.files:
        digest = digests[path]
        if isinstance(digest, OSError):
            inner = f"{path.relative_to(there.path).as_posix()}: " if path != there.path else ""
            return Content("", {}, "", problem=inner + _reason(digest))
        found[path] = digest
    if there.problem:
        return Content("", {}, "", problem=there.problem)
    if there.path in found:
        return Content(found[there.path], {}, found[there.path])
    files = {file.relative_to(there.path).as_posix(): sha for file, sha in found.items()}
    marked = sorted((Path(name), sha) for name, sha in [*files.items(), (FOLDER_MARK, EMPTY)])
    also = digest_files({path.as_posix(): sha for path, sha in marked})
    others = tuple(path.relative_to(there.path).as_posix() for path in there.others)
    return Content(digest_files(files), files, also, others)


def _reason(error: OSError) -> str:
    return f"it cannot be read: {error.strerror or error}"


def read_contents(results: Results, jobs: int, every_s: float = 10.0) -> None:
    """Read every output and input, ``jobs`` files at a time; what is long says how far it is."""
    names = dict.fromkeys([*results.records, *results.users])
    found = {name: there for name in names if (there := _look(results.place(name)))}
    files = {path: _size(path) for there in found.values() for path in there.files}
    pool = ThreadPoolExecutor(jobs)
    try:
        # The largest first, so that none of them is waited for alone at the end.
        order = sorted(files, key=lambda path: -files[path])
        futures = {pool.submit(_digest, path): path for path in order}
        total, waiting = sum(files.values()), set(futures)
        while waiting:
            _, waiting = wait(waiting, every_s)
            if waiting:
                done = total - sum(files[futures[future]] for future in waiting)
                print(f"read {done / 1e9:.1f} of {total / 1e9:.1f} GB", file=sys.stderr)
        digests = {path: future.result() for future, path in futures.items()}
    finally:
        pool.shutdown(cancel_futures=True)
    results._contents |= dict.fromkeys(name for name in names if name not in results.let_go)
    for name, there in found.items():
        results._contents[name] = _content(there, digests)


def _size(path: Path) -> int:
    # A file that went meanwhile is told by what reads it.
    return path.stat().st_size if path.is_file() else 0


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
            results._contents[name] = _recorded(record)


def holds_records(folder: Path) -> bool:
    """Whether a folder has the record of any output; it need not be there."""
    return folder.is_dir() and any(path.name.endswith(SUFFIX) for path, _ in _paths(folder))


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
    for path, problem in _paths(folder):
        name = found.name(path)
        if problem:
            found.closed[name] = problem
        if not name.endswith(SUFFIX):
            continue
        name = name.removesuffix(SUFFIX)
        record, problem = read_record(path)
        if record is None:
            found.unreadable[name] = problem
        elif record["output"] != name:
            found.unreadable[name] = f"it is the record of {record['output']}"
        else:
            found.records[name] = record
            if problem:
                found.unsealed[name] = problem
    if not found.records and not found.unreadable:
        raise UserError(f"{folder}: holds no *{SUFFIX}: it is not the results of this workflow")
    return found


def read_metrics(results: Results, name: str) -> dict[str, Any]:
    """The metrics in an output's folder; UserError if the folder is not what its step wrote.

    What was altered may have any form, so that it is not made sense of.
    """
    path, content = results.place(name) / METRICS, results.content(name)
    if content is None or not content.is_(results.records[name]["sha256"]) or not path.is_file():
        raise UserError(f"{path}: gone, or not what the step wrote; run tuneatlas audit")
    metrics: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return metrics


def left_out(results: Results) -> str:
    """A line on records that cannot be read, for commands that go on without them."""
    names = sorted(results.unreadable)
    if not names:
        return ""
    text = f"{results.folder}: {len(names)} records are damaged and left out, such as that of "
    return one_line(f"{text}{names[0]}; run tuneatlas audit") + "\n"


def _paths(folder: Path) -> Iterator[tuple[Path, str]]:
    """As `walk`; an output that has a record is whole."""
    return walk(folder, lambda path: os.path.lexists(record_path(path)))


def walk(folder: Path, whole: Callable[[Path], bool]) -> Iterator[tuple[Path, str]]:
    """Every path in a folder, in order, with why it cannot be looked into if it cannot.

    Those that are ``whole`` are not looked into. Links to folders are followed, each folder once.
    """
    seen, todo = {folder.resolve()}, [folder]
    while todo:
        here = todo.pop()
        try:
            inner = sorted(here.iterdir())
            inside = [p for p in inner if p.is_dir() and not p.name.endswith(SUFFIX)]
        except OSError as error:
            yield here, f"its files cannot be listed: {error.strerror or error}"
            continue
        yield from ((path, "") for path in inner)
        for path in reversed(inside):
            if whole(path):
                continue
            if (place := path.resolve()) in seen or folder.resolve().is_relative_to(place):
                yield path, "it is a link to a folder that is read elsewhere"
            else:
                seen.add(place)
                todo.append(path)
