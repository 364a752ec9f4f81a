"""Sharing a step's loops: over jobs (shards), and over processes of a job, each with its GPUs.

What is shared are whole batches of the step's one plan, as a batch of other questions has other
roundings. So whatever the number of jobs and processes, all batches are those of one job, and the
step, which puts together what was made of them, writes the same bytes.
"""

import ctypes
import json
import logging
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping
from functools import partial
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, TypeVar

from tuneatlas.engine.step import Step, derive_seed, may_pass
from tuneatlas.engine import gpus
from tuneatlas.engine.accepted import changes_since
from tuneatlas.engine.files import write_text
from tuneatlas.engine.jobs import code_in
from tuneatlas.engine.operations import BATCHES, WHOLE
from tuneatlas.engine.record_files import read_record
from tuneatlas.engine.records import record_path
from tuneatlas.engine.resume import Made, Parts, Share, read_made
from tuneatlas.errors import TransientError, UserError

T = TypeVar("T")
log = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1


def shared(step: Step, work: Callable[[Parts], T]) -> T:
    """What ``work`` makes of the parts of its loops; jobs or processes may have shared them.

    ``work`` is called in each process that has a share, where what it returns counts for nothing,
    and at the end with all parts given. Where nobody shares them, it is called once.
    """
    if step.inputs.get("shards"):
        paths = step.paths("shards")
        batches = agreed(paths)
        step.options |= batches
        step.operations |= batches
        return work(Parts(given=read_shards(paths)))
    if step.options.get("processes", 1) == 1:
        return work(step.parts())
    return work(Parts(given=_made_in_processes(step, None, work)))


def make_shard(step: Step, work: Callable[[Parts], object]) -> None:
    """Make the shard of a step's parts that is this job's, and write it to ``parts``."""
    number, count = map(int, step.wildcards["scatteritem"].split("-of-"))
    made = _made_in_processes(step, Share(number, count), work)
    total = sum(map(len, made.values()))
    log.info("shard %d of %d: %d batches", number, count, total)
    write_text(step.outputs["parts"], json.dumps(made, sort_keys=True))
    step.info = {"batches": total}


def seed_of(step: Step) -> int:
    """The seed of the step that this one is a shard of, or its own."""
    whole = {k: v for k, v in step.wildcards.items() if k != "scatteritem"}
    name = WHOLE.get(step.name, step.name)
    return derive_seed(step.base_seed, name, *sorted(whole.items()))


def refuse_needless(shards: str, items: int, what: str, key: str) -> None:
    """Raise UserError if more jobs share ``items`` than there are; ``key`` is the config's."""
    count = int(shards.partition("-of-")[2])
    if count > items:
        raise UserError(f"{key}: {count} jobs cannot share {items} {what}: lower {key}")


def read_shards(paths: list[Path]) -> Made:
    """What all shards made; UserError names one that is damaged, or what two of them hold."""
    found: dict[str, dict[str, object]] = {}
    for path in paths:
        try:
            made = json.loads(path.read_text(encoding="utf-8"))
            for loop, parts in made.items():
                found.setdefault(loop, {}).update(parts)
        except (ValueError, AttributeError, TypeError) as error:
            raise UserError(
                f"{path} is damaged: delete it with its record, and run again"
            ) from error
    return found


def agreed(paths: list[Path]) -> dict[str, Any]:
    """The sizes of batches that all shards were made with; UserError if shards disagree.

    In what they were made of, by which settings, code and libraries, or with which batches.
    """
    first: dict[str, Any] | None = None
    for path in paths:
        record, fault = read_record(record_path(path))
        if record is None:
            raise UserError(f"{record_path(path)}: {fault}; delete {path}, and run again")
        first = first or record
        if differ := _difference(first, record):
            raise UserError(
                f"{paths[0]} and {path} were made with different {differ}, so that they are no "
                f"shards of one whole: delete {path.parent}, and run again"
            )
    own = first["operations"] if first else {}
    return {key: value for key, value in own.items() if key in BATCHES}


def _difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """In what two shards were made differently, in words."""
    changes = [text for _, text in changes_since(one, code_in(other))]
    # What was accepted of either is accepted.
    if changes and any(changes_since(other, code_in(one))):
        return f"code ({'; '.join(changes)})"
    batches = [{k: v for k, v in r["operations"].items() if k in BATCHES} for r in (one, other)]
    kinds = ("inputs", "options", "params")
    for first, second in [*((one[kind], other[kind]) for kind in kinds), batches]:
        if differ := sorted(k for k in {*first, *second} if first.get(k) != second.get(k)):
            return f"inputs or settings ({', '.join(differ)})"
    return ""


def _made_in_processes(step: Step, share: Share | None, work: Callable[[Parts], object]) -> Made:
    """What came of one's share of the parts, from as many processes as the config says."""
    folder, count = step.checkpoints / "parts", step.options.get("processes", 1)

    def make(own: Share) -> None:
        parts = Parts(folder, share=own)
        try:
            work(parts)
        finally:
            parts.save()

    if count == 1:
        make(share or Share(1, 1))
    else:
        each = [Share(number, count) for number in range(1, count + 1)]
        shares = [Share(share.number, share.count, own) if share else own for own in each]
        threads = max(1, step.threads // count)
        in_processes([partial(make, own) for own in shares], threads)
    return read_made(folder)


def in_processes(works: list[Callable[[], None]], threads: int) -> None:
    """Run each of ``works`` in a copy of this process, with its part of the GPUs; wait for all.

    What one of them raises is raised here, once the others were ended.
    """
    devices = gpus.dealt(len(works))
    # Copies, so that what is shared need not be packed and libraries are loaded once.
    context = multiprocessing.get_context("fork")
    running: dict[Connection, Any] = {}
    for work, own in zip(works, devices, strict=True):
        here, there = context.Pipe(duplex=False)
        child = context.Process(target=_run, args=(work, own, threads, there, os.getpid()))
        child.start()
        there.close()
        running[here] = child
    try:
        while running:
            # A pipe ends with its process; what it holds is read first, or it may never end.
            ended = wait([*running])
            for here in [one for one in running if one in ended]:
                raised, child = _received(here), running.pop(here)
                child.join()
                if child.exitcode:
                    raise raised or _failure(child.exitcode)
    finally:
        for child in running.values():
            child.kill()
            child.join()


def _received(here: Connection) -> Exception | None:
    """What a process raised and told; None if it ended without a word, or in the middle of one."""
    try:
        raised: Exception = here.recv()
    except (EOFError, OSError):
        return None
    return raised


def _failure(code: int) -> Exception:
    if code < 0:
        name = signal.Signals(-code).name
        return TransientError(
            f"one of the processes was ended by {name}, perhaps for want of memory: what was done "
            "is kept; lower processes, or give the job more memory"
        )
    return RuntimeError(f"one of the processes ended with code {code}; the reason is above")


def _run(
    work: Callable[[], None], own: str | None, threads: int, there: Connection, parent: int
) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
    if own is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = own
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(threads)
    try:
        work()
    except (UserError, OSError, RuntimeError) as error:
        if isinstance(error, UserError):
            # What it came of does not pass the pipe.
            there.send((TransientError if may_pass(error) else UserError)(str(error)))
        elif isinstance(error, OSError):
            there.send(OSError(error.errno, error.strerror or str(error), error.filename))
        elif gpus.is_full(error):
            there.send(error)
        else:
            raise
        sys.exit(1)
