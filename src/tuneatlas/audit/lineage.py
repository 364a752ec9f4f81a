"""A results folder as data: the record of every output, and what each output came from.

Outputs bear the names that the workflow gave them, ``results/<step>/…``, wherever the folder
stands now; other inputs are relative to the project's folder.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tuneatlas.errors import UserError
from tuneatlas.files import FOLDER_MARK, digest_files, sha256_file, sha256_files
from tuneatlas.records import SUFFIX, is_sealed

RESULTS = "results/"
REQUIRED = ("output", "sha256", "step", "wildcards", "inputs", "options", "code", "libraries")
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
    """A results folder with all its records, by the output's name."""

    folder: Path
    root: Path
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
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
            self._contents[name] = content_of(path) if path.exists() else None
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

    def of_step(self, step: str) -> dict[str, dict[str, Any]]:
        """The records of one step."""
        return {name: r for name, r in self.records.items() if r["step"] == step}

    def probes(self) -> dict[str, dict[str, Any]]:
        """The records of the base models' answers, without the categories made of them."""
        found = self.of_step("probe_knowledge")
        return {name: r for name, r in found.items() if not is_categories(name)}


def is_categories(output: str) -> bool:
    """Whether an output of ``probe_knowledge`` is the table of categories of knowledge."""
    return output.startswith("results/probe_knowledge/") and "/categories/" in output


def content_of(path: Path) -> Content:
    """Digest a file or folder."""
    if path.is_file():
        digest = sha256_file(path)
        return Content(digest, {}, digest)
    files = sha256_files(path)
    marked = sorted((Path(name), sha) for name, sha in [*files.items(), (FOLDER_MARK, EMPTY)])
    also = digest_files({path.as_posix(): sha for path, sha in marked})
    return Content(digest_files(files), files, also)


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
    for path in sorted(folder.rglob("*" + SUFFIX)):
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
        text = path.read_text(encoding="utf-8")
        record = json.loads(text)
    except (OSError, ValueError) as error:
        return {}, f"it cannot be read: {error}"
    if not isinstance(record, dict) or not all(
        isinstance(record.get(key), str if key in ("output", "sha256", "step") else dict)
        for key in REQUIRED
    ):
        return {}, "it is not a record, or a part of it is missing"
    if not is_sealed(text, record):
        return {}, "it was edited after it was written"
    return record, ""
