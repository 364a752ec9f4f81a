"""Weights that are let go once what reads them stands: the folder goes, its record says so.

A record that says it was let go is that of an output which is rightly not there. Made again, the
output gets a new record.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tuneatlas.engine.files import PARTIAL, remove, write_text
from tuneatlas.engine.record_files import read_record
from tuneatlas.engine.records import dump, record_path


def is_there(output: Path) -> bool:
    """Whether a folder is there to be let go, or was left half removed by a run that was killed."""
    return output.is_dir() or _going(output).exists()


def let_go(output: Path, keep: str) -> bool:
    """Remove a folder of weights and note that in its record; False if nothing says what it was.

    Killed at any instant, it can be done again: the record is written first, and the folder is gone
    for everybody before the first of its files is.
    """
    path = record_path(output)
    record, problem = read_record(path)
    if record is None or problem or output.is_symlink():
        return False
    if output.is_dir():
        if not record.get("let_go"):
            rest = {key: value for key, value in record.items() if key != "seal"}
            when = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
            written = path.stat()
            write_text(path, dump({**rest, "let_go": {"when": when, "keep": keep}}))
            # What was deleted is as old as its record.
            os.utime(path, ns=(written.st_atime_ns, written.st_mtime_ns))
        remove(_going(output))
        output.rename(_going(output))
    remove(_going(output))
    return True


def _going(output: Path) -> Path:
    return output.with_name(f"{PARTIAL}let-go@{output.name}")


def are_measured(
    weights: Iterable[Path], readers: Iterable[Path], name: Callable[[Path], str] = str
) -> bool:
    """Whether the outputs ``readers`` stand, and were made from just these ``weights``.

    One that was itself let go counts as standing. ``name`` gives what records call a file.
    """
    digests: dict[str, str] = {}
    for path in weights:
        record, _ = read_record(record_path(path))
        if record is None:
            return False
        digests[name(path)] = record["sha256"]
    return all(_is_made_from(path, digests) for path in readers)


def _is_made_from(output: Path, digests: Mapping[str, str]) -> bool:
    record, _ = read_record(record_path(output))
    if record is None or not (output.exists() or record.get("let_go")):
        return False
    read = record["inputs"].keys() & digests.keys()
    return bool(read) and all(record["inputs"][name] == digests[name] for name in read)


def is_let_go(record: Mapping[str, Any], output: Path) -> bool:
    """Whether an output is rightly not there."""
    return bool(record.get("let_go")) and not output.exists()


def fate(record: Mapping[str, Any]) -> str:
    """What became of an output that was let go, in words."""
    said = record["let_go"]
    return f"let go {said['when']} (keep: {said['keep']}); its SHA-256 was {record['sha256']}"
