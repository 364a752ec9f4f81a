"""Let content, not time, say what is new: touched or copied files must not rebuild anything.

The workflow engine runs a job again when an input is newer than an output. Where a record
shows that the newer input holds what the output was made from, the output is marked as
written now.
"""

import os
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from tuneatlas.audit.lineage import Results, benchmark_of, read_results
from tuneatlas.audit.reasons import written
from tuneatlas.errors import UserError
from tuneatlas.files import FOLDER_MARK
from tuneatlas.records import SUFFIX


def settle(folder: Path) -> list[str]:
    """Renew the time of outputs whose newer inputs are unchanged; return their names.

    A file is read only if it is newer than what was made from it.
    """
    if not any(folder.rglob("*" + SUFFIX)):
        return []
    results = read_results(folder)
    renewed = []
    for name in _in_order(results):
        record = results.records[name]
        if not results.place(name).exists():
            continue
        carriers = _carriers(results, record)
        oldest = min(path.stat().st_mtime_ns for path in carriers)
        places = {i: results.place(i) for i in record["inputs"]}
        newer = [i for i, path in places.items() if path.exists() and written(path) > oldest]
        if newer and all(_same(results, i, record["inputs"][i]) for i in newer):
            # Another user's results are left as they are: the engine then goes by time.
            with suppress(PermissionError):
                for path in carriers:
                    os.utime(path)
                renewed.append(name)
    return renewed


def _carriers(results: Results, record: dict[str, Any]) -> list[Path]:
    """The files whose time the engine compares: the output or its mark, and the benchmark."""
    output = results.place(record["output"])
    mark = output / FOLDER_MARK
    benchmark = results.root / benchmark_of(record)
    return [mark if mark.exists() else output, *([benchmark] if benchmark.is_file() else [])]


def _same(results: Results, name: str, sha256: str) -> bool:
    content = results.content(name)
    return content is not None and content.is_(sha256)


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
