"""What the driver costs: python tests/slurm/overhead.py [--jobs 1000] [--minutes 5]

Submits trivial jobs through the profile as it is shipped, held so that all stay pending. Prints
the driver's CPU-seconds per job submitted, and how often it then calls Slurm's commands.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.slurm.sandbox import ask, cluster, until
from tests.workflow.finished_run import ROOT, SNAKEMAKE

SNAKEFILE = """\
rule all:
    input:
        expand("out/{n}", n=range(JOBS)),
    localrule: True


rule one:
    output:
        "out/{n}",
    resources:
        mem_mb=100,
        runtime=5,
    shell:
        "touch {output}"
"""


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and of the children it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(x) for x in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def shims(folder: Path) -> Path:
    """Stand-ins for Slurm's commands that write down each call and pass it on."""
    tools = folder / "tools"
    tools.mkdir()
    for name in ("sbatch", "squeue", "sacct", "sacctmgr", "scontrol", "sinfo", "sshare"):
        path = tools / name
        path.write_text(
            f'#!/bin/sh\necho {name} >>{folder}/calls\nexec {shutil.which(name)} "$@"\n'
        )
        path.chmod(0o755)
    return tools


def calls(folder: Path) -> Counter[str]:
    """Calls so far, by command."""
    path = folder / "calls"
    return Counter(path.read_text().split()) if path.exists() else Counter()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=5)
    options = parser.parse_args()
    if cluster("up").returncode:
        raise SystemExit("no Slurm here")
    folder = Path(tempfile.mkdtemp(prefix="overhead-"))
    profile = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())
    for key in ("groups", "group-components", "set-resources"):
        del profile[key]  # they name the project's own rules
    (folder / "profiles/slurm").mkdir(parents=True)
    (folder / "profiles/slurm/config.yaml").write_text(yaml.safe_dump(profile))
    (folder / "Snakefile").write_text(SNAKEFILE.replace("JOBS", str(options.jobs)))
    command = [SNAKEMAKE, "--profile=profiles/slurm", f"--jobs={options.jobs}"]
    command += ["--default-resources", "slurm_account=lab", "slurm_extra='--hold'"]
    # How fast jobs are handed in is a choice of the profile, and no cost.
    command += ["--max-jobs-per-timespan=1000/1s"]
    env = os.environ | {"PATH": f"{shims(folder)}{os.pathsep}{os.environ['PATH']}"}
    with (folder / "driver.log").open("w") as log:
        driver = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log)
    try:
        began = time.monotonic()
        until(
            lambda: driver.poll() is not None or calls(folder)["sbatch"] >= options.jobs,
            1800,
            f"{options.jobs} submissions",
        )
        if driver.poll() is not None:
            raise SystemExit((folder / "driver.log").read_text()[-2000:])
        spent, took = cpu_seconds(driver.pid), time.monotonic() - began
        print(f"{options.jobs} jobs submitted in {took:.0f} s: {spent:.0f} CPU-s of the driver,")
        print(f"{spent / options.jobs:.3f} CPU-s per job; calls: {dict(calls(folder))}", flush=True)
        at, before, spent = time.monotonic(), calls(folder), cpu_seconds(driver.pid)
        time.sleep(options.minutes * 60)
        minutes = (time.monotonic() - at) / 60
        print(f"then, with {options.jobs} jobs pending, in {minutes:.1f} min:")
        for name, count in sorted((calls(folder) - before).items()):
            print(f"{count / minutes:6.1f} a minute {name}")
        print(f"{(cpu_seconds(driver.pid) - spent) / minutes:.1f} CPU-s of the driver a minute")
    finally:
        driver.kill()
        driver.wait()
        lines = ask("squeue", "-h", "-o", "%A|%Z").splitlines()
        ask("scancel", *(x.split("|")[0] for x in lines if x.split("|")[1] == str(folder)))
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
