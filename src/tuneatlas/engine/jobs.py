"""The jobs of an experiment as it is configured now, and how they differ from the records."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuneatlas.engine.step import derive_seed
from tuneatlas.engine.digest import Code
from tuneatlas.engine.operations import UNCOUNTED, section_of, split
from tuneatlas.errors import UserError


@dataclass(frozen=True, eq=False)
class Job:
    """A job of the experiment; ``due`` if the workflow engine would run it now."""

    step: str
    wildcards: Mapping[str, str]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    options: Mapping[str, Any]
    params: Mapping[str, Any]
    due: bool
    resources: Mapping[str, Any] = field(default_factory=dict)
    # Empty for a step that is no script, whose code is not known here.
    script: str = ""
    log: str = ""

    @property
    def gpu(self) -> bool:
        """Whether it uses a GPU."""
        return bool(self.resources.get("gpu") or self.resources.get("gres"))

    def __str__(self) -> str:
        return " ".join([self.step, *self.wildcards.values()])


@dataclass(frozen=True)
class Change:
    """A key that has another value now than when an output was made."""

    key: str
    old: Any
    new: Any

    def __str__(self) -> str:
        return f"{self.key}: was {_shown(self.old)}, is {_shown(self.new)}"


def read_plan(root: Path, configs: list[Path], folder: Path | None = None) -> list[Job]:
    """Ask the workflow in ``root`` for all jobs of an experiment; about three seconds.

    Args:
        root: the project's folder.
        configs: the experiment.
        folder: the one that it works in (default: the project's).
    """
    script = root / "workflow" / "plan.py"
    if not script.is_file():
        raise UserError(f"{root}: holds no workflow/plan.py; run this in the project's folder")
    command = [sys.executable, "workflow/plan.py", *(str(c.absolute()) for c in configs)]
    if folder and folder.absolute() != root.absolute():
        command += ["--directory", str(folder.absolute())]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        start = next((i for i, x in enumerate(lines) if ".yaml" in x), len(lines) - 1)
        raise UserError("the experiment cannot be planned: " + "\n".join(lines[start:]))
    return [_job(data) for data in json.loads(done.stdout)]


def described(job: Any, step: str, name: Callable[[Any], str] = str) -> dict[str, Any]:
    """What a job of the workflow engine makes, of what, and how, as plain data for a `Job`.

    Args:
        job: the engine's.
        step: the step that it is, whatever its rule is called.
        name: gives what records call a file.
    """
    params = {name: value for name, value in job.params.items() if name != "code"}
    rule = job.rule
    folder = rule.basedir and rule.basedir.get_path_or_uri(secret_free=True)
    return {
        "step": step,
        "wildcards": dict(job.wildcards.items()),
        "inputs": [name(path) for path in job.input],
        "outputs": [name(path) for path in job.output],
        "options": params.pop("options", None) or {},
        "params": params,
        "script": os.path.normpath(Path(folder, rule.script)) if rule.script else "",
        "log": name(job.log[0]) if job.log else "",
    }


def planned(job: Any, step: str, name: Callable[[Any], str] = str) -> Job:
    """A job of the workflow engine in this process, as `read_plan` gives it."""
    data = {**described(job, step, name), "due": True}
    return _job(json.loads(json.dumps(data, default=str)))


def _job(data: dict[str, Any]) -> Job:
    return Job(**{**data, "inputs": tuple(data["inputs"]), "outputs": tuple(data["outputs"])})


def changed_options(job: Job, record: Mapping[str, Any]) -> list[Change]:
    """What the config says otherwise now than when an output of the job was made."""
    section = section_of(job.step, job.wildcards)
    # Records may be from before a key was operational.
    recorded, _ = split(record["options"], section=section)
    found = list(differences(recorded, job.options, section))
    if "params" in record:
        # The seed has its own name everywhere; other parameters are a step's own.
        for key in sorted({*record["params"], *job.params} - UNCOUNTED.get(job.step, set())):
            old, new = record["params"].get(key), job.params.get(key)
            prefix = key if key == "seed" else f"{job.step}: {key}"
            found += differences(old, new, prefix)
    elif "seed" in job.params and "seed" in record:
        seed = derive_seed(int(job.params["seed"]), job.step, *sorted(job.wildcards.items()))
        if seed != record["seed"]:
            found.append(Change("seed", "another", job.params["seed"]))
    return found


def differences(old: Any, new: Any, key: str) -> Iterator[Change]:
    """The keys below ``key`` whose values differ."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in [*old, *(n for n in new if n not in old)]:
            below = f"{key}.{name}" if key else str(name)
            yield from differences(old.get(name, MISSING), new.get(name, MISSING), below)
    elif old != new:
        yield Change(key, old, new)


MISSING = "(not there)"


def code_in(record: Mapping[str, Any]) -> Code:
    """The code that an output was made by, as its record has it."""
    return Code(record["code"], record["libraries"])


def code_changes(old: Code, new: Code) -> Iterator[tuple[str, str]]:
    """What is another module or library in ``new`` than in ``old``: which of the two, and how."""
    kinds = (("module", old.modules, new.modules), ("library", old.libraries, new.libraries))
    for kind, before, after in kinds:
        for name in sorted(before.keys() | after.keys()):
            was, is_ = before.get(name), after.get(name)
            if was is None or is_ is None:
                yield kind, f"{name} is {'now' if was is None else 'no longer'} used"
            elif was != is_:
                yield kind, f"{name} " + ("changed" if kind == "module" else f"was {was}, is {is_}")


def _shown(value: Any) -> str:
    text = value if value == MISSING else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:77] + "…"
