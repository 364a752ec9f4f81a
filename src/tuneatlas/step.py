"""The frame every step runs in: whole outputs, a log, a seed, and a record of what was done.

A script opens ``step(snakemake)``, reads ``inputs``, writes ``outputs`` (hidden files beside
the real ones), and on a clean end the outputs are renamed into place, each with a sidecar
``<output>.record.json``. On an error nothing is left behind but the log.
"""

import errno
import hashlib
import json
import logging
import platform
import random
import resource
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from tuneatlas.digest import code_of
from tuneatlas.errors import UserError
from tuneatlas.files import (
    clear_partials,
    digest_files,
    partial_path,
    publish,
    remove,
    sha256_files,
    sha256_tree,
    write_text,
)
from tuneatlas.parts import Parts
from tuneatlas.records import dump, record_path
from tuneatlas.sections import joined, operations_of, split

T = TypeVar("T")
log = logging.getLogger("tuneatlas")


class Job(Protocol):
    """The part of the workflow engine's job object that a step uses."""

    rule: str
    input: Any
    output: Any
    params: Any
    wildcards: Any
    threads: int
    log: Any
    config: Any


@dataclass
class Step:
    """What a script works with. Outputs are written at ``outputs[name]`` and published later."""

    name: str
    wildcards: dict[str, str]
    inputs: dict[str, Any]
    outputs: dict[str, Path]
    options: dict[str, Any]
    threads: int
    base_seed: int
    seed: int
    checkpoints: Path
    info: dict[str, Any] = field(default_factory=dict)

    def path(self, name: str) -> Path:
        """The one input file called ``name``."""
        return Path(self.inputs[name])

    def paths(self, name: str) -> list[Path]:
        """All input files called ``name``."""
        value = self.inputs[name]
        return [Path(value)] if isinstance(value, str) else [Path(p) for p in value]

    def parts(self) -> Parts:
        """Where a loop over many batches keeps what it has done; goes when the outputs stand."""
        return Parts(self.checkpoints / "parts")

    def rng(self, *context: object) -> random.Random:
        """A generator of its own for ``context``, derived from the step's seed."""
        return random.Random(derive_seed(self.seed, *context))

    def shared_rng(self, *wildcards: str) -> random.Random:
        """A generator that is the same in all jobs of the step that agree in ``wildcards``."""
        chosen = [self.wildcards[name] for name in wildcards]
        return random.Random(derive_seed(self.base_seed, self.name, *chosen))


def derive_seed(seed: int, *context: object) -> int:
    """A 63-bit seed that depends on ``seed`` and every item of ``context``, and nothing else."""
    text = json.dumps([seed, *map(str, context)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


@contextmanager
def step(job: Job) -> Iterator[Step]:
    """Run one step; see the module's docstring.

    ``job.params`` may hold ``options`` (the step's slice of the config) and ``seed``. The
    step's own seed is derived from it, the step's name and the wildcards. A step that may be
    interrupted keeps its progress in ``checkpoints``, which goes when the output stands.
    """
    outputs = {name: Path(path) for name, path in job.output.items()}
    wildcards = {str(k): str(v) for k, v in job.wildcards.items()}
    options = dict(job.params.get("options") or {})
    # Not among the parameters, which the engine compares: they change no result.
    operations = operations_of((job.config or {}).get("operations", {}), job.rule, wildcards)
    base_seed = int(job.params.get("seed", 0))
    first = next(iter(outputs.values()))
    # Once, before the work: a model's folder takes long to read.
    inputs = {str(path): sha256_tree(Path(path)) for path in job.input}
    this = Step(
        name=job.rule,
        wildcards=wildcards,
        inputs={k: v if isinstance(v, str) else list(v) for k, v in job.input.items()},
        outputs={name: partial_path(path) for name, path in outputs.items()},
        options=joined(options, operations),
        threads=job.threads,
        base_seed=base_seed,
        seed=derive_seed(base_seed, job.rule, *sorted(wildcards.items())),
        checkpoints=first.with_name(f".{first.name}.{_identity(job, inputs.values())}"),
    )
    _start_log(Path(str(job.log)), this)
    started = time.perf_counter()
    try:
        for path in outputs.values():
            path.parent.mkdir(parents=True, exist_ok=True)
            clear_partials(path)
        log.info("start")
        yield this
        for name, path in outputs.items():
            if not this.outputs[name].exists():
                raise UserError(f"step {this.name} ended without writing its output {path}")
        records = {name: _record(this, job, outputs[name], inputs, started) for name in outputs}
        for name, path in outputs.items():
            publish(this.outputs[name], path)
            write_text(record_path(path), records[name])
        remove(this.checkpoints)
        log.info("done in %.1f s", time.perf_counter() - started)
    except (UserError, OSError) as error:
        message = str(error) if isinstance(error, UserError) else _explain(error, this)
        if message is None:
            raise
        log.error("%s", message)
        sys.exit(1)
    finally:
        for path in this.outputs.values():
            remove(path)


# Options that say where a model is trained, not how: a run goes on when they change.
PLACEMENT = {"processes", "nodes", "rows_per_device"}


def _identity(job: Job, inputs: Iterable[str]) -> str:
    """A digest of all a job depends on, so that new settings never resume old checkpoints."""
    chosen, _ = split(job.params.get("options") or {}, PLACEMENT)
    options = json.dumps(chosen, sort_keys=True, default=str)
    seed, script = job.params.get("seed"), code_of(_script_of(job)).digest
    text = json.dumps([list(inputs), options, seed, script])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def progress(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """Yield ``items``, logging how far along the loop is about every ten seconds."""
    started = last = time.perf_counter()
    for number, item in enumerate(items):
        yield item
        now = time.perf_counter()
        if now - last > 10:
            left = (now - started) / (number + 1) * (total - number - 1)
            log.info("%s: %d of %d, %.0f s left", what, number + 1, total, left)
            last = now


def _record(this: Step, job: Job, output: Path, inputs: Mapping[str, str], started: float) -> str:
    code = code_of(_script_of(job))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    partial = partial_path(output)
    files = sha256_files(partial) if partial.is_dir() else {}
    record = {
        "output": str(output),
        "sha256": digest_files(files) if files else sha256_tree(partial),
        "files": files,
        "step": this.name,
        "wildcards": this.wildcards,
        "inputs": dict(inputs),
        "options": dict(job.params.get("options") or {}),
        "params": _further_params(job),
        "seed": this.seed,
        "code": dict(sorted(code.modules.items())),
        "libraries": dict(sorted(code.libraries.items())),
        "host": {
            "machine": platform.machine(),
            "system": platform.system(),
            "threads": job.threads,
        },
        "python": platform.python_version(),
        "log": str(job.log),
        "wall_s": round(time.perf_counter() - started, 3),
        "cpu_s": round(usage.ru_utime + usage.ru_stime + children.ru_utime + children.ru_stime, 3),
        "peak_mb": max(usage.ru_maxrss, children.ru_maxrss) // 1024,
        **this.info,
    }
    return dump(record)


def _further_params(job: Job) -> dict[str, Any]:
    """What else the rule passes: options and code have their own places in the record."""
    own = {"options", "code", "script"}
    found = {str(k): v for k, v in job.params.items() if k not in own}
    return dict(json.loads(json.dumps(found, default=str)))


def _script_of(job: Job) -> Path:
    return Path(str(job.params.get("script") or f"workflow/scripts/{job.rule}.py"))


def _explain(error: OSError, this: Step) -> str | None:
    """A message for the OS errors a user can mend; None for the others."""
    where = error.filename or next(iter(this.outputs.values())).parent
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{where}: the disk is full; free some space and run again: nothing was half-written"
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return f"{where}: cannot write here; make the folder writable or run in another folder"
    return None


def _start_log(path: Path, this: Step) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = logging.FileHandler(path, mode="w", encoding="utf-8")
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    terminal = logging.StreamHandler(sys.stderr)
    which = " ".join([this.name, *this.wildcards.values()])
    terminal.setFormatter(logging.Formatter(f"{which}: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[file, terminal], force=True)
    # Chatty libraries say the same line for every job.
    for name in ("httpx", "transformers", "accelerate", "torch", "filelock", "matplotlib"):
        logging.getLogger(name).setLevel(logging.WARNING)
    sys.excepthook = _log_uncaught


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    logging.getLogger("tuneatlas").critical("a fault in tuneatlas", exc_info=(kind, error, trace))
