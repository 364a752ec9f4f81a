"""What experiments of one project share: an output that another has made is taken, not made again.

Where an output is missing here, and one of the same name in another run folder was made from the
same content, with the same settings, code and libraries, a run would make the same bytes. By the
record that stands beside it, that is known before anything runs. What is taken is verified, and
gets a record of its own, which names its inputs as they are called here; so an audit, a rerun and
a copy of the folder know nothing of where it came from, and either folder may be deleted.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneatlas.audit.lineage import RESULTS, Results, benchmark_of
from tuneatlas.audit.reasons import own_reasons
from tuneatlas.engine.files import (
    FOLDER_MARK,
    clear_partials,
    partial_path,
    publish,
    remove,
    sha256_tree,
    write_text,
)
from tuneatlas.engine.jobs import Job
from tuneatlas.engine.record_files import read_record
from tuneatlas.engine.records import dump, record_path

# Pages tell of the folder that they are in.
OWN = frozenset({"report", "index", "audit"})
# Smaller files are copied: no link is worth that an edit of one would be seen in two places.
LINKED_BYTES = 2**20


@dataclass(frozen=True)
class Offer:
    """The outputs of a job as another run folder has them, with the records they get here."""

    job: Job
    source: Path
    records: dict[str, dict[str, Any]]


def offers(jobs: Sequence[Job], results: Results, others: Iterable[Path]) -> list[Offer]:
    """What can be taken from ``others``, folders in which other experiments work.

    Args:
        jobs: of this experiment, each after all that it depends on.
        results: what stands here.
        others: run folders, the one to be preferred first.
    """
    made = {name for job in jobs for name in job.outputs}
    others = list(others)
    # What each output that stands, or will be taken, holds.
    content: dict[str, str] = {}
    found: list[Offer] = []

    def holds(name: str, sha256: str) -> bool:
        if name in made:
            return content.get(name) == sha256
        there = results.content(name)
        return there is not None and there.is_(sha256)

    for job in jobs:
        if job.step in OWN or not job.outputs:
            continue
        if all(n in results.records and results.place(n).exists() for n in job.outputs):
            yet = [n for n in job.inputs if n in made]
            waits = [n for n in yet if n not in content]
            if not waits and not any(own_reasons(job, results)):
                content |= {n: results.records[n]["sha256"] for n in job.outputs}
            continue
        if any(n in results.records or results.place(n).exists() for n in job.outputs):
            continue
        for other in others:
            offer = _offer(job, results, other, holds)
            if offer:
                content |= {n: r["sha256"] for n, r in offer.records.items()}
                found.append(offer)
                break
    return found


def _offer(
    job: Job, results: Results, other: Path, holds: Callable[[str, str], bool]
) -> Offer | None:
    """What another folder has of a job's outputs, if it is what the job would make."""
    records: dict[str, dict[str, Any]] = {}
    for name in job.outputs:
        place = other / name
        if not record_path(place).is_file() or not place.exists():
            return None
        record, fault = read_record(record_path(place))
        if record is None or fault or record["output"] != name:
            return None
        records[name] = _as_here(record, job, results.root, other)
        if not all(holds(i, sha256) for i, sha256 in records[name]["inputs"].items()):
            return None
    # Contents were compared just now, and times say nothing of files in another folder.
    here = Results(results.folder, results.root, records)
    inputs = frozenset(job.inputs)
    return None if any(own_reasons(job, here, inputs)) else Offer(job, other, records)


def _as_here(record: dict[str, Any], job: Job, root: Path, other: Path) -> dict[str, Any]:
    """A record with inputs and settings called by their paths from this folder."""

    def here(path: str) -> str:
        if path.startswith(RESULTS) or Path(path).is_absolute():
            return path
        return os.path.relpath(other.absolute() / path, root.absolute())

    def settings(old: Any, now: Any) -> Any:
        if isinstance(old, dict) and isinstance(now, dict):
            return {key: settings(value, now.get(key)) for key, value in old.items()}
        if isinstance(old, list) and isinstance(now, list) and len(old) == len(now):
            return [settings(*pair) for pair in zip(old, now, strict=True)]
        return now if isinstance(old, str) and old != now and here(old) == now else old

    moved = {
        "inputs": {here(name): sha256 for name, sha256 in record["inputs"].items()},
        "options": settings(record["options"], job.options),
    }
    if "params" in record:
        moved["params"] = settings(record["params"], job.params)
    return {key: moved.get(key, value) for key, value in record.items() if key != "seal"}


def take(offer: Offer, results: Results) -> bool:
    """Put an offer into place and note it in ``results``; False if it is not what it was.

    Each output appears whole or not at all: its record first, as one without its output is not
    taken for one, then its files, which were read, by one rename.
    """
    partials: dict[str, Path] = {}
    try:
        for name, record in offer.records.items():
            place = results.place(name)
            place.parent.mkdir(parents=True, exist_ok=True)
            clear_partials(place)
            partials[name] = partial_path(place)
            try:
                _link(offer.source / name, partials[name])
                if sha256_tree(partials[name]) != record["sha256"]:
                    return False
            except (FileNotFoundError, shutil.Error):
                # The other experiment makes it anew just now.
                return False
        for name, record in offer.records.items():
            place = results.place(name)
            write_text(record_path(place), dump(record))
            publish(partials[name], place)
            results.renew(name)
        _beside(offer, results.root)
        return True
    finally:
        for path in partials.values():
            remove(path)


def _beside(offer: Offer, root: Path) -> None:
    """Copy the log, and what the job cost."""
    for record in offer.records.values():
        for name in (record.get("log") or "", benchmark_of(record)):
            source, place = offer.source / name, root / name
            if name and source.is_file() and not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, place)


def _link(source: Path, target: Path) -> None:
    """A file's copy; of a folder, small files are copied, and large ones are hard links if need be.

    Steps replace files and never write into them, so that a link is as good as a copy.
    """
    if source.is_dir():
        shutil.copytree(source, target, copy_function=_link_file)
    else:
        shutil.copyfile(source, target)


def _link_file(source: str, target: str) -> None:
    path = Path(source)
    # The engine dates folders by its mark.
    if path.name == FOLDER_MARK or path.stat().st_size < LINKED_BYTES:
        shutil.copyfile(source, target)
        return
    try:
        os.link(path.resolve(), target)
    except OSError:
        # Another disk, or one that knows no links.
        shutil.copyfile(source, target)
