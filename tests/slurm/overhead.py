"""What the driver costs: python tests/slurm/overhead.py [--jobs 1000] [--minutes 3]

Submits trivial jobs through the profile as it is shipped, to a sandbox whose nodes take none, so
that all stay pending. Prints the driver's CPU-seconds per job submitted, and the calls per minute
that the controller then gets, as it counts them itself (sdiag).
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / part) for part in ("slurm", "workflow", "")]

from finished_run import ROOT, SNAKEMAKE  # noqa: E402
from sandbox import ask, cluster, until  # noqa: E402

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
NODES = "c1,g1,g2"


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and of the children it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(x) for x in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def calls() -> dict[str, int]:
    """Calls by kind that the controller has had since its counters were set to zero."""
    found = re.findall(r"^\s+(\w+)\s+\(\s*\d+\) count:(\d+)", ask("sdiag"), re.MULTILINE)
    return {name: int(count) for name, count in found}


def pending() -> int:
    """Jobs that wait."""
    return len(ask("squeue", "-h", "-t", "PD", "-o", "%A").split())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=3)
    options = parser.parse_args()
    if cluster("up").returncode:
        raise SystemExit("no Slurm here")
    folder = Path(tempfile.mkdtemp(prefix="overhead-"))
    shutil.copytree(ROOT / "profiles", folder / "profiles")
    (folder / "Snakefile").write_text(SNAKEFILE.replace("JOBS", str(options.jobs)))
    ask("scontrol", "update", f"nodename={NODES}", "state=drain", "reason=overhead")
    command = [SNAKEMAKE, "--profile=profiles/slurm", f"--jobs={options.jobs}"]
    # How fast jobs are handed in is a choice of the profile, and no cost.
    command += ["--max-jobs-per-timespan=1000/1s", "--groups", "--group-components"]
    with (folder / "driver.log").open("w") as log:
        driver = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
    try:
        began = time.monotonic()
        until(lambda: driver.poll() is not None or pending() >= options.jobs, 1800, "jobs")
        if driver.poll() is not None:
            raise SystemExit((folder / "driver.log").read_text()[-2000:])
        spent, took = cpu_seconds(driver.pid), time.monotonic() - began
        print(f"{options.jobs} jobs submitted in {took:.0f} s: {spent:.0f} CPU-s of the driver,")
        print(f"{spent / options.jobs:.3f} CPU-s per job")
        time.sleep(60)  # the first polls come faster
        ask("sdiag", "--reset")
        at, before = time.monotonic(), cpu_seconds(driver.pid)
        time.sleep(options.minutes * 60)
        minutes = (time.monotonic() - at) / 60
        # The nodes and the accounting call too; the driver's are these.
        mine = {n: c for n, c in calls().items() if "JOB" in n or "BATCH" in n or "DIAG" not in n}
        print(f"then, with {pending()} jobs pending, in {minutes:.1f} min:")
        for name, count in sorted(mine.items()):
            print(f"{count / minutes:6.1f} a minute {name}")
        print(f"{(cpu_seconds(driver.pid) - before) / minutes:.1f} CPU-s of the driver a minute")
    finally:
        driver.kill()
        ask("scancel", "--user=root")
        ask("scontrol", "update", f"nodename={NODES}", "state=resume")
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
