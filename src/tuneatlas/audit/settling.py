"""Let content, not time, say what is new: touched or copied files must not rebuild anything.

The workflow engine runs a job again when an input is newer than an output. Where a record
shows that the newer input holds what the output was made from, the output counts as written
now. One that is dated ahead (of a machine whose clock was) would hide that an input was edited
since, so that its inputs are read, too.
"""

import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from tuneatlas.audit.lineage import Results, holds_records, read_results
from tuneatlas.audit.reasons import written
from tuneatlas.engine.files import FOLDER_MARK
from tuneatlas.engine.records import record_path
from tuneatlas.errors import UserError


def known(folder: Path, asked: bool = True) -> Results:
    """The records of a results folder, which need not be there; none if they are not asked for."""
    root = folder.parent
    return read_results(folder, root) if asked and holds_records(folder) else Results(folder, root)


def standing(results: Results) -> dict[Path, int]:
    """When outputs count as written, in nanoseconds, where that is not when they were.

    By what the engine compares: an output's file, folder or link. Nothing is written; an
    input is read only where times leave open whether it changed.
    """
    now = time.time_ns()
    times: dict[Path, int] = {}

    def when(path: Path) -> int:
        return times.get(path) or written(path)

    for name in _in_order(results):
        record = results.records[name]
        output = results.place(name)
        places = {i: results.place(i) for i in record["inputs"]}
        inputs = {i: when(path) for i, path in places.items() if path.exists() or path in times}
        if not output.exists():
            # The engine takes what was deleted for as old as what was made from it.
            if inputs:
                times[output] = max(inputs.values())
            continue
        made = _made(output)
        ahead = made > now
        asked = [i for i, at in inputs.items() if ahead or at > made]
        if not asked:
            continue
        if changed := [i for i in asked if not _same(results, i, record["inputs"][i])]:
            if ahead:
                times[output] = min(inputs[i] for i in changed) - TICK
        else:
            newest = max(inputs.values())
            times[output] = newest + TICK if newest > now else now
    return {path: at for path, at in times.items() if path.exists()}


# The engine compares times as floats, which tell a millisecond.
TICK = 10**6


def settle(times: Mapping[Path, int]) -> None:
    """Write the times of ``standing`` to the files, so that inputs need not be read again."""
    for path, at in times.items():
        # Of another user, or where nothing may be written: they are told anew each time.
        with suppress(OSError):
            _date(path, at)


def settle_job(outputs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Date outputs after inputs that came out as before; of one that was deleted, its record."""
    dated = [path if path.exists() else record_path(path) for path in outputs]
    with suppress(OSError):
        make_newer(dated, inputs)


def make_newer(outputs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Give new outputs a time that is not before that of any input; of some it is ahead."""
    newest = max((written(path) for path in inputs if path.exists()), default=0)
    for path in outputs:
        if path.exists() and newest >= _made(path):
            _date(path, newest + TICK)


def _made(path: Path) -> int:
    """When an output was made: a link to one is an output of its own."""
    return path.lstat().st_mtime_ns if path.is_symlink() else written(path)


def _date(path: Path, at: int) -> None:
    mark = path / FOLDER_MARK
    carrier = mark if mark.is_file() and not path.is_symlink() else path
    os.utime(carrier, ns=(at, at), follow_symlinks=False)


def _same(results: Results, name: str, sha256: str) -> bool:
    content = results.content(name)
    if content is None:
        return name in results.records and results.records[name]["sha256"] == sha256
    return content.is_(sha256)


def _in_order(results: Results) -> list[str]:
    """Outputs after all that they were made from."""
    made_from = {
        name: [i for i in record["inputs"] if i in results.records]
        for name, record in results.records.items()
    }
    try:
        return list(TopologicalSorter(made_from).static_order())
    except CycleError as error:
        names = ", ".join(dict.fromkeys(error.args[1]))
        raise UserError(
            f"{results.root}: each of {names} is recorded as made from the next; a record was "
            "edited: delete these outputs with their records and run again"
        ) from error
