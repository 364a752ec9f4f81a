"""What the workflow engine costs as an experiment grows: ``python -m bench.driver WORK_FOLDER``.

For 10, 100, 1,000, 10,000 and 100,000 jobs: to plan a fresh run, one model of it alone, and to
find that a finished run has nothing to do. The finished run is made of empty files, with records as
a run writes them, by which the workflow tells what stands.
"""

import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from tuneatlas.data.sources import RECORD
from tuneatlas.engine.digest import code_of
from tuneatlas.engine.files import sha256_tree
from tuneatlas.engine.jobs import Job, read_plan
from tuneatlas.engine.records import dump, record_path

ROOT = Path(__file__).parent.parent
# Jobs aimed at, and what the experiment asks for to come near them.
SIZES: dict[int, dict[str, Any]] = {
    10: {
        "models": 1,
        "seeds": 1,
        "target": ["results/label_knowledge/m0/countries.parquet"],
        "ratios": [0.5],
    },
    100: {"models": 1, "seeds": 6, "target": ["all"], "ratios": [0.4]},
    1000: {"models": 2, "seeds": 20, "target": ["all"], "ratios": [0.2, 0.4, 0.6, 0.8]},
    10000: {"models": 10, "seeds": 50, "target": ["all"], "ratios": [0.2, 0.4, 0.6, 0.8]},
    100000: {"models": 80, "seeds": 50, "target": ["all"], "ratios": [0.2, 0.4, 0.6, 0.8]},
}


def experiment(models: int, seeds: int, ratios: list[float]) -> dict[str, Any]:
    """A config with so many models and seeds."""
    shape = yaml.safe_load((ROOT / "config/smoke.yaml").read_text(encoding="utf-8"))
    network = {"source": "scratch", **shape["models"]["mini"]}
    return {
        "include": str(ROOT / "config/smoke.yaml"),
        "name": "driver",
        "models": {"mini": None, **{f"m{i}": network for i in range(models)}},
        "seeds": list(range(seeds)),
        "mix_instructions": {"ratios": ratios},
    }


def engine(folder: Path, *arguments: str) -> tuple[float, float, str]:
    """CPU-seconds, seconds and output of one call of the engine, as `make run` calls it."""
    command = [sys.executable, "-m", "snakemake", "--profile", "profiles/default", "--cores", "1"]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [*command, "--configfile", "experiment.yaml", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stdout[-3000:] + done.stderr[-3000:])
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - start
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent, wall, done.stdout + done.stderr


def finished(folder: Path, plan: list[Job]) -> None:
    """Outputs and records of all jobs, as if they had run."""
    now = time.time_ns()
    content: dict[str, str] = {}
    for job in plan:
        for name in job.outputs:
            path = folder / name
            if path.suffix:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
            else:
                path.mkdir(parents=True)
                # As of a package of another version, whose files are looked at when it is fetched.
                (path / RECORD).write_text("{}", encoding="utf-8")
            content[name] = sha256_tree(path)
            os.utime(path, ns=(now, now))
    for job in (job for job in plan if job.script):
        code = code_of(Path(job.script))
        for name in job.inputs:
            if name not in content:
                content[name] = sha256_tree(folder / name)
        for name in job.outputs:
            record = {
                "output": name,
                "sha256": content[name],
                "files": {},
                "step": job.step,
                "wildcards": dict(job.wildcards),
                "inputs": {path: content[path] for path in job.inputs},
                "options": job.options,
                "params": job.params,
                "code": code.modules,
                "libraries": code.libraries,
            }
            record_path(folder / name).write_text(dump(record), encoding="utf-8")


def measure(folder: Path, size: int) -> dict[str, float]:
    """One line of the table."""
    wanted = dict(SIZES[size])
    target = wanted.pop("target")
    folder.mkdir(parents=True)
    for name in ("Snakefile", "workflow", "profiles", "config", "src", "envs"):
        (folder / name).symlink_to(ROOT / name)
    config = experiment(**wanted)
    (folder / "experiment.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    plan_s, plan_wall, said = engine(folder, "--dry-run", "--", *target)
    part_s, part_wall, _ = engine(folder, "--dry-run", "--", "results/compare_groups/m0")
    finished(folder, read_plan(folder, [folder / "experiment.yaml"]))
    idle_s, idle_wall, idle = engine(folder, "--", *target)
    if "Nothing to be done" not in idle:
        raise RuntimeError(f"not idle: {idle[-2000:]}")
    return {
        "jobs": int(re.findall(r"total +(\d+)", said)[-1]),
        "plan_cpu_s": round(plan_s, 2),
        "plan_s": round(plan_wall, 2),
        "part_cpu_s": round(part_s, 2),
        "part_s": round(part_wall, 2),
        "no_op_cpu_s": round(idle_s, 2),
        "no_op_s": round(idle_wall, 2),
    }


def main(folder: Path, sizes: list[int]) -> None:
    """Measure and keep the table."""
    found = [measure(folder / str(size), size) for size in sizes]
    target = Path(__file__).parent / "measured" / "driver.txt"
    target.parent.mkdir(exist_ok=True)
    lines = ["| " + " | ".join(map(str, row.values())) + " |" for row in found]
    head = "| " + " | ".join(found[0]) + " |"
    text = "\n".join([head, "|" + "---|" * len(found[0]), *lines]) + "\n"
    target.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(size) for size in sys.argv[2:]] or list(SIZES))
