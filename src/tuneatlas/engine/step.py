"""The frame every step runs in: whole outputs, a log, a seed, and a record of what was done.

A script opens ``step(snakemake)``, reads ``inputs``, writes ``outputs`` (hidden files beside
the real ones), and on a clean end the outputs are renamed into place, each with a sidecar
``<output>.record.json``. On an error nothing is left behind but the log and, if another attempt
would end alike, a note beside it that spares that attempt the work.
"""

import errno
import gc
import hashlib
import json
import logging
import os
import platform
import random
import resource
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from tuneatlas.engine import gpus, processor, warm
from tuneatlas.engine.digest import Code, code_of
from tuneatlas.engine.files import (
    clear_partials,
    digest_files,
    partial_path,
    publish,
    remove,
    sha256_files,
    sha256_tree,
    write_text,
)
from tuneatlas.engine.operations import (
    PLACEMENT,
    SAVING,
    UNCOUNTED,
    joined,
    operations_of,
    section_of,
    split,
)
from tuneatlas.engine.placing import place
from tuneatlas.engine.records import dump, record_path
from tuneatlas.engine.resume import Parts
from tuneatlas.errors import TransientError, UserError
from tuneatlas.terminal import visible

# Before a script imports what takes long: it may go on in a process that has it loaded.
warm.hand_over()

T = TypeVar("T")
# New objects after which garbage is looked for while a step works: seldom, as it makes little.
GARBAGE = 50_000
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
    resources: Any
    scriptdir: Any


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
    # The project's folder, which templates lie in; paths of the config are relative to where a
    # step works.
    project: Path = Path()
    operations: dict[str, Any] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)
    # What the record of one output alone says, by the output's name.
    own: dict[str, dict[str, Any]] = field(default_factory=dict)

    def path(self, name: str) -> Path:
        """The one input file called ``name``, also of what may be none or several."""
        (found,) = self.paths(name)
        return found

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
    gc.set_threshold(GARBAGE)
    place(job)
    outputs = {name: Path(path) for name, path in job.output.items()}
    wildcards = {str(k): str(v) for k, v in job.wildcards.items()}
    options = dict(job.params.get("options") or {})
    # Not among the parameters, which the engine compares: they remake nothing.
    operations = operations_of((job.config or {}).get("operations", {}), job.rule, wildcards)
    base_seed = int(job.params.get("seed", 0))
    first = next(iter(outputs.values()))
    _start_log(Path(str(job.log)), " ".join([job.rule, *wildcards.values()]))
    failure = Path(str(job.log)).with_suffix(".failed")
    situation = _situation(job, operations)
    _refuse_in_vain(failure, situation, int(job.resources.get("attempt", 1)))
    inputs = _digests(job)
    this = Step(
        name=job.rule,
        wildcards=wildcards,
        inputs={k: v if isinstance(v, str) else list(v) for k, v in job.input.items()},
        outputs={name: partial_path(path) for name, path in outputs.items()},
        options=joined(options, operations),
        threads=job.threads,
        base_seed=base_seed,
        seed=derive_seed(base_seed, job.rule, *sorted(wildcards.items())),
        checkpoints=first.with_name(f".{first.name}.{_identity(job, operations, inputs)}"),
        project=_script(job).parent.parent.parent,
        operations=operations,
    )
    started = time.perf_counter()
    try:
        for path in outputs.values():
            path.parent.mkdir(parents=True, exist_ok=True)
            clear_partials(path)
        log.info("start")
        gpus.refuse_lacking(this.options)
        _seed_generators(this.seed)
        yield this
        for name, path in outputs.items():
            if not this.outputs[name].exists():
                raise UserError(f"step {this.name} ended without writing its output {path}")
        records = {
            name: _record(this, job, name, outputs[name], inputs, started) for name in outputs
        }
        for name, path in outputs.items():
            publish(this.outputs[name], path)
            write_text(record_path(path), records[name])
        remove(this.checkpoints)
        log.info("done in %.1f s", time.perf_counter() - started)
    except (UserError, OSError, RuntimeError) as error:
        message = _explain(error, this)
        if message is None:
            raise
        if not may_pass(error):
            write_text(failure, json.dumps({"situation": situation, "message": message}))
        log.error("%s", message)
        sys.exit(1)
    finally:
        for path in this.outputs.values():
            remove(path)


def _seed_generators(seed: int) -> None:
    """Seed what libraries draw from by default, torch anew in each process.

    Steps seed each draw themselves. One that is forgotten is the same in every run all the same.
    """
    random.seed(seed)
    numpy: Any = sys.modules.get("numpy")
    torch: Any = sys.modules.get("torch")
    if numpy:
        numpy.random.seed(seed % 2**32)
    if torch:
        # Not torch.manual_seed, which loads the compiler.
        torch.default_generator.manual_seed(seed)


def _digests(job: Job) -> dict[str, str]:
    """Digests of the inputs: once, before the work, as a model's folder takes long to read."""
    try:
        return {str(path): sha256_tree(Path(path)) for path in job.input}
    except OSError as error:
        log.error("%s: this input cannot be read: %s", error.filename, error.strerror)
        sys.exit(1)


def _identity(job: Job, operations: Mapping[str, Any], inputs: Mapping[str, str]) -> str:
    """A digest of all that saved progress depends on: new settings never go on from old ones."""
    options = joined(job.params.get("options") or {}, operations)
    lasting, _ = split(options, SAVING | PLACEMENT)
    uncounted = UNCOUNTED.get(job.rule, set())
    params = {k: v for k, v in _further_params(job).items() if k not in uncounted}
    return _digest(list(inputs.values()), lasting, params, _code(job).digest)


def _situation(job: Job, operations: Mapping[str, Any]) -> str:
    """A digest of all that a job's end depends on, but by the times of inputs: it must be quick."""
    times = [Path(path).stat().st_mtime_ns for path in job.input]
    options = joined(job.params.get("options") or {}, operations)
    return _digest(times, options, _further_params(job), _code(job).digest)


def _digest(*parts: object) -> str:
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _refuse_in_vain(failure: Path, situation: str, attempt: int) -> None:
    """End at once if the attempt before failed and would again; a new run always tries."""
    if attempt > 1 and failure.is_file():
        # A note that is damaged, as by a disk that filled up, says nothing.
        with suppress(OSError, ValueError):
            match json.loads(failure.read_text(encoding="utf-8")):
                case {"situation": before, "message": str(said)} if before == situation:
                    log.error("%s (attempt %d: nothing changed, not tried)", said, attempt)
                    sys.exit(1)
    remove(failure)


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


def _record(
    this: Step, job: Job, name: str, output: Path, inputs: Mapping[str, str], started: float
) -> str:
    code = _code(job)
    wall_s = time.perf_counter() - started
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
        "operations": this.operations,
        "params": _further_params(job),
        "seed": this.seed,
        "code": dict(sorted(code.modules.items())),
        "libraries": dict(sorted(code.libraries.items())),
        "host": {
            "machine": platform.machine(),
            "system": platform.system(),
            "threads": job.threads,
            "instructions": processor.in_force(code.libraries),
        },
        "python": platform.python_version(),
        "log": str(job.log),
        "wall_s": round(wall_s, 3),
        "cpu_s": round(usage.ru_utime + usage.ru_stime + children.ru_utime + children.ru_stime, 3),
        "peak_mb": max(usage.ru_maxrss, children.ru_maxrss) // 1024,
        **gpus.used(job.resources, wall_s),
        **this.info,
        **this.own.get(name, {}),
    }
    return dump(record)


def _further_params(job: Job) -> dict[str, Any]:
    """What else the rule passes: options and code have their own places in the record."""
    own = {"options", "code", "script"}
    found = {str(k): v for k, v in job.params.items() if k not in own}
    return dict(json.loads(json.dumps(found, default=str)))


def _code(job: Job) -> Code:
    return code_of(_script(job))


def _script(job: Job) -> Path:
    """The script that runs, beside the workflow's rules wherever the workflow works."""
    found = job.params.get("script") or Path(job.scriptdir, f"{job.rule}.py")
    # The engine names the folder from that of the rules: workflow/rules/../scripts.
    return Path(os.path.normpath(found))


def may_pass(error: BaseException | None) -> bool:
    """Whether a network, node, process or disk may be behind an error, whatever it was told as."""
    while error is not None and not isinstance(error, TransientError | OSError):
        error = error.__cause__ or error.__context__
    return error is not None


def _explain(error: Exception, this: Step) -> str | None:
    """A message for what a user can mend; None for other errors."""
    if isinstance(error, UserError):
        return str(error)
    if gpus.is_full(error):
        remedies = [*_remedies(this), "choose a larger GPU"]
        return f"a GPU has too little memory for this: {'; or '.join(remedies)}"
    if not isinstance(error, OSError):
        return None
    where = error.filename or next(iter(this.outputs.values())).parent
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{where}: the disk is full; free some space and run again: nothing was half-written"
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return f"{where}: cannot write here; make the folder writable or run in another folder"
    return None


# What to do with a key where a GPU's memory is too small, and the value that leaves nothing to do.
REMEDIES: dict[str, tuple[str, object]] = {
    "batch_tokens": ("lower", 1),
    "batch_rows": ("lower", 1),
    "rows_per_device": ("lower", 1),
    "gradient_checkpointing": ("turn on", True),
    "processes": ("raise", 0),
    "deepspeed": ("choose another of config/deepspeed as", ""),
}


def _remedies(this: Step) -> Iterator[str]:
    """The config keys that would help, and how."""
    section = section_of(this.name, this.wildcards)
    training = this.options.get("training")
    if training:
        section += ".training"
    options = training or this.options
    for key, (what, spent) in REMEDIES.items():
        # Processes divide the memory only where DeepSpeed does; adapters go without it.
        # Those that ask a model hold it each.
        other = {"processes": not options.get("deepspeed"), "deepspeed": options.get("lora_rank")}
        if key in options and options[key] != spent and not other.get(key):
            yield f"{what} {section}.{key} (now {json.dumps(options[key])})"
    if "rows_per_device" not in options and "model" in this.wildcards:
        yield f"raise models.{this.wildcards['model']}.devices"


def _start_log(path: Path, which: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = logging.FileHandler(path, mode="w", encoding="utf-8")
    file.setFormatter(_Visible("%(asctime)s %(levelname)s %(name)s %(message)s"))
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setFormatter(_Visible(f"{which.replace('%', '%%')}: %(message)s"))
    # Libraries tell of their own affairs, some the same line for every job.
    logging.basicConfig(level=logging.WARNING, handlers=[file, terminal], force=True)
    log.setLevel(logging.INFO)
    sys.excepthook = _log_uncaught


class _Visible(logging.Formatter):
    """Log lines with what would steer a terminal shown: they quote data, and errors of others."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    logging.getLogger("tuneatlas").critical("a fault in tuneatlas", exc_info=(kind, error, trace))
