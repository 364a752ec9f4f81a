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

from tuneatlas.audit.lineage import RESULTS, Results
from tuneatlas.audit.reasons import in_order, needs_of, own_reasons, reasons
from tuneatlas.engine.files import (
    FOLDER_MARK,
    clear_partials,
    partial_path,
    readable,
    remove,
    sha256_tree,
    sync,
    write_text,
)
from tuneatlas.engine.jobs import Job
from tuneatlas.engine.record_files import read_record
from tuneatlas.engine.records import dump, record_path

# Pages tell of the folder that they are in.
PAGES = frozenset({"report", "report_map", "report_syntax", "index", "audit"})
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

    What stands here stays, and what was deleted here is taken only where a job needs it.

    Args:
        jobs: of this experiment.
        results: what stands here.
        others: run folders, the one to be preferred first.
    """
    made = {name for job in jobs for name in job.outputs}
    others = list(others)
    if not others or all(results.place(name).exists() for name in made):
        return []
    due = {reason.job for reason in reasons(jobs, results)}
    # What each output holds that stands, or will be taken.
    content: dict[str, str] = {}
    found: list[Offer] = []

    def holds(inputs: dict[str, str]) -> bool:
        return all(_holds(results, content, made, *one) for one in inputs.items())

    for job in in_order(needs_of(jobs)):
        here = {n: results.records[n] for n in job.outputs if n in results.records}
        there = [n for n in job.outputs if results.place(n).exists()]
        if job not in due:
            content |= {n: record["sha256"] for n, record in here.items()}
        elif there:
            # It is due for what it waits for alone, which may come as it was.
            if (
                len(here) == len(there) == len(job.outputs)
                and not any(own_reasons(job, results, frozenset(job.inputs)))
                and all(holds(record["inputs"]) for record in here.values())
            ):
                content |= {n: record["sha256"] for n, record in here.items()}
        elif job.step not in PAGES:
            each = (_offer(job, results, other, holds) for other in others)
            if offer := next(filter(None, each), None):
                content |= {n: record["sha256"] for n, record in offer.records.items()}
                found.append(offer)
    return found


def _holds(
    results: Results, content: dict[str, str], made: set[str], name: str, sha256: str
) -> bool:
    """Whether an input holds what ``sha256`` says, or will by the time that it is wanted."""
    if name in made:
        return content.get(name) == sha256
    there = results.content(name)
    return there is not None and there.is_(sha256)


def _offer(
    job: Job, results: Results, other: Path, holds: Callable[[dict[str, str]], bool]
) -> Offer | None:
    """What another folder has of a job's outputs, if it is what the job would make."""
    records: dict[str, dict[str, Any]] = {}
    for name in job.outputs:
        record, fault = read_record(record_path(other / name))
        if record is None or fault or record["output"] != name or record["step"] != job.step:
            return None
        # It may have been deleted to save space.
        if not (other / name).exists():
            return None
        records[name] = _as_here(record, job, results.root, other)
    # Times say nothing of files in another folder; contents are compared last, as it takes long.
    as_if_here = Results(results.folder, results.root, records)
    if any(own_reasons(job, as_if_here, frozenset(job.inputs))):
        return None
    alike = all(holds(record["inputs"]) for record in records.values())
    return Offer(job, other, records) if alike else None


def _as_here(record: dict[str, Any], job: Job, root: Path, other: Path) -> dict[str, Any]:
    """A record with inputs and settings called by their paths from this folder."""

    def there(path: str) -> str:
        return os.path.normpath(other.resolve() / path)

    def here(path: str) -> str:
        return os.path.normpath(root.resolve() / path)

    places = {here(name): name for name in job.inputs}

    def settings(old: Any, now: Any) -> Any:
        if isinstance(old, dict) and isinstance(now, dict):
            return {key: settings(value, now.get(key)) for key, value in old.items()}
        if isinstance(old, list) and isinstance(now, list) and len(old) == len(now):
            return [settings(*pair) for pair in zip(old, now, strict=True)]
        texts = isinstance(old, str) and isinstance(now, str)
        # Those that are not paths are the same place in no other folder.
        is_moved = texts and not (Path(old).is_absolute() and Path(now).is_absolute())
        return now if is_moved and there(old) == here(now) else old

    moved = {
        "inputs": {
            name if name.startswith(RESULTS) else places.get(there(name), name): sha256
            for name, sha256 in record["inputs"].items()
        },
        "options": settings(record["options"], job.options),
    }
    if "params" in record:
        moved["params"] = settings(record["params"], job.params)
    return {key: moved.get(key, value) for key, value in record.items() if key != "seal"}


def take(offer: Offer, results: Results) -> str:
    """Put an offer into place and note it in ``results``; why not, if that cannot be.

    Each output appears whole or not at all: its record first, as one without its output is not
    taken for one, then its files, which were read, by one rename. What stands is never replaced.
    """
    partials: dict[str, Path] = {}
    try:
        for name, record in offer.records.items():
            place = results.place(name)
            place.parent.mkdir(parents=True, exist_ok=True)
            clear_partials(place)
            partials[name] = partial_path(place)
            _copy(offer.source / name, partials[name])
            if sha256_tree(partials[name]) != record["sha256"]:
                return f"{offer.source / name} is not what its record says"
            sync(partials[name])
            readable(partials[name])
        for name, record in offer.records.items():
            place = results.place(name)
            if place.exists():
                return f"{place} was made meanwhile"
            write_text(record_path(place), dump(record))
            partials[name].rename(place)
            results.renew(name)
        _copy_logs(offer, results.root)
    except OSError as error:
        # Of a folder, all that went wrong is listed: the other experiment makes it anew just now,
        # the disk is full, or files are closed to us.
        why = error.args[0][0][2] if isinstance(error, shutil.Error) else error.strerror
        return f"{offer.source / offer.job.outputs[0]} cannot be taken: {why or error}"
    finally:
        for path in partials.values():
            remove(path)
    return ""


def _copy_logs(offer: Offer, root: Path) -> None:
    for record in offer.records.values():
        name = record.get("log") or ""
        source, place = offer.source / name, root / name
        if name and source.is_file() and not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, place)


def _copy(source: Path, target: Path) -> None:
    """Copy an output; of a folder, large files are hard links where the disk has them.

    Steps replace files and never write into them, so that a link is as good as a copy. Programs, as
    of a Java runtime, stay programs.
    """
    if source.is_dir():
        shutil.copytree(source, target, copy_function=_link)
    else:
        shutil.copy(source, target)


def _link(source: str, target: str) -> None:
    path = Path(source).resolve()
    there = path.stat()
    # The engine dates folders by their marks. Another's files could not be given our permissions.
    if there.st_size >= LINKED_BYTES and path.name != FOLDER_MARK and there.st_uid == os.geteuid():
        try:
            os.link(path, target)
        except OSError:
            # Another disk, or one that knows no links.
            shutil.copy(source, target)
    else:
        shutil.copy(source, target)
