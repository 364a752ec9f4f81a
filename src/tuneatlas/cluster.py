"""What keeps a Slurm cluster from running an experiment, told before the first submission."""

import logging
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneatlas.errors import UserError
from tuneatlas.gpus import gpus_in

log = logging.getLogger(__name__)

PROFILE = "profiles/slurm/config.yaml"
# Resource of a job: option of sbatch, as the executor passes it. (It would add --ntasks-per-gpu
# where a job on several nodes does not say tasks_per_gpu: 0.)
OPTIONS = {
    "slurm_account": "--account",
    "slurm_partition": "--partition",
    "constraint": "--constraint",
    "qos": "--qos",
    "mem_mb": "--mem",
    "runtime": "--time",
    "gpu": "--gpus",
    "gres": "--gres",
    "nodes": "--nodes",
    "tasks": "--ntasks",
    "cpus_per_task": "--cpus-per-task",
}
# What Slurm's words mean to somebody who asks for resources.
UNAVAILABLE = "Requested node configuration is not available"
MEANING = {
    UNAVAILABLE: ("no node of this partition has so many GPUs or processors, or so much memory"),
    "Invalid partition name specified": "there is no such partition; sinfo lists them",
    "Invalid account": "you have no such account here; sacctmgr show assoc user=$USER lists yours",
    "Requested time limit is invalid": "the partition allows less time; sinfo says how much",
    "Invalid feature specification": "no node has this feature; sinfo -o %f lists them",
}
# Nodes that are tried at once for the project's folder, and how long one may take to answer.
MOST_NODES, ANSWER_S = 64, 20


@dataclass(frozen=True)
class Request:
    """A job's step, its resources by name, and its options."""

    step: str
    resources: Mapping[str, Any]
    options: Mapping[str, Any] | None = None

    @property
    def flags(self) -> tuple[str, ...]:
        """How sbatch is asked for the resources."""
        chosen = {name: self.resources.get(name) for name in OPTIONS}
        return tuple(f"{OPTIONS[n]}={v}" for n, v in chosen.items() if v not in (None, "", 0))


def check_cluster(requests: Iterable[Request], root: Path) -> None:
    """Raise one UserError with all that would keep jobs in the queue or make them fail at once.

    Each distinct set of resources is put to the controller once, as a question: nothing is
    submitted. The idle nodes are asked whether they see the project's folder.
    """
    if shutil.which("sbatch") is None:
        raise UserError(
            "there is no sbatch on PATH: start this on a login node of the cluster (or load its "
            "Slurm module); to run on this machine, leave out --profile profiles/slurm"
        )
    found = list(requests)
    problems = [*_refused(found), *_short_limits(found)]
    if not problems:
        for partition in sorted({str(r.resources.get("slurm_partition", "")) for r in found}):
            problems += _blind_nodes(partition, found, root)
    if problems:
        raise UserError(
            "the cluster cannot run this as it is asked to:\n  " + "\n  ".join(problems)
        )


def _refused(requests: Iterable[Request]) -> Iterator[str]:
    steps: dict[tuple[str, ...], set[str]] = {}
    for request in requests:
        steps.setdefault(request.flags, set()).add(request.step)
    refusals: dict[str, tuple[set[str], str]] = {}
    for flags, names in steps.items():
        command = ["sbatch", "--test-only", *flags, "--wrap=true"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            said = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
            reason = said[0].removeprefix("allocation failure: ")
            if UNAVAILABLE in reason and _configured(flags):
                continue  # such nodes are away just now, and jobs wait for them
            refusals.setdefault(reason, (set(), " ".join(flags)))[0].update(names)
    for reason, (names, asked) in refusals.items():
        meaning = next((f" ({m})" for key, m in MEANING.items() if key in reason), "")
        which = ", ".join(sorted(names))
        yield f"{which}: {reason}{meaning}; asked for was, say, {asked}: see {PROFILE}"


def _configured(flags: Iterable[str]) -> bool:
    """Whether some node has what one node is to give, be it up or down."""
    asked = dict(flag.removeprefix("--").split("=", 1) for flag in flags)
    gpus = int(asked.get("gpus", 0)) or gpus_in(asked.get("gres", ""))
    here = [f"--partition={asked['partition']}"] if "partition" in asked else []
    listing = ["sinfo", "--noheader", "--Node", "--format=%c %m %G", *here]
    done = subprocess.run(listing, capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        cpus, memory, gres = line.split(maxsplit=2)
        room = int(memory.rstrip("+")) >= int(asked.get("mem", 0))
        threads = int(cpus.rstrip("+")) >= int(asked.get("cpus-per-task", 1))
        if room and threads and gpus_in(gres) >= gpus and "constraint" not in asked:
            return True
    return False


def _short_limits(requests: Iterable[Request]) -> Iterator[str]:
    said = set()
    for request in requests:
        options = request.options or {}
        training = options.get("training") or options
        every, limit = training.get("checkpoint_minutes"), request.resources.get("runtime")
        if every is None or not limit or training.get("checkpoint_steps") or request.step in said:
            continue
        if limit <= every:
            said.add(request.step)
            yield (
                f"{request.step}: its time limit of {limit} min is no longer than the {every:g} "
                "min between two checkpoints, so a job that is cut off may never get further; "
                f"raise runtime in {PROFILE}, or lower checkpoint_minutes"
            )


def _blind_nodes(partition: str, requests: Iterable[Request], root: Path) -> Iterator[str]:
    """The idle nodes of a partition that do not see the project's folder."""
    accounts = {str(r.resources.get("slurm_account") or "") for r in requests}
    wanted = [f"--partition={partition}"] if partition else []
    listing = ["sinfo", "--noheader", "--Node", "--states=idle", "--format=%N", *wanted]
    done = subprocess.run(listing, capture_output=True, text=True, check=False)
    nodes = sorted(set(done.stdout.split()))[:MOST_NODES]
    if not nodes:
        log.info("no idle node in %s to try the project's folder on", partition or "the cluster")
        return
    mark = (root / "Snakefile").absolute()
    look = f'[ -r "{mark}" ] && echo "sees $SLURMD_NODENAME" || echo "blind $SLURMD_NODENAME"'
    command = ["srun", f"--nodes={len(nodes)}", f"--ntasks={len(nodes)}", "--chdir=/", "--quiet"]
    command += [f"--nodelist={','.join(nodes)}", f"--immediate={ANSWER_S}", "--time=1", "--mem=50"]
    command += [*wanted, *(f"--account={a}" for a in sorted(accounts)[:1] if a), "sh", "-c", look]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=2 * ANSWER_S, cwd="/"
        )
    except subprocess.TimeoutExpired:
        log.info("nodes %s did not answer in time", ",".join(nodes))
        return
    blind = sorted(x.split()[1] for x in done.stdout.splitlines() if x.startswith("blind "))
    if blind:
        yield (
            f"node {', '.join(blind)} of partition {partition or '(default)'} does not see "
            f"{root.absolute()}: put the project on storage that all nodes share, or leave the "
            f"node out with slurm_extra: \"'--exclude={','.join(blind)}'\" in {PROFILE}"
        )
