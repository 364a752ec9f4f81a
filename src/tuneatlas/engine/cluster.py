"""What keeps a Slurm cluster from running an experiment, told before the first submission."""

import logging
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from tuneatlas.engine.gpus import gpus_in
from tuneatlas.errors import UserError

log = logging.getLogger(__name__)

PROFILE = "profiles/slurm/config.yaml"
# Resource of a job: option of sbatch, as the executor passes it. (It would add --ntasks-per-gpu
# where a job on several nodes does not say tasks_per_gpu: 0.)
OPTIONS = {
    "slurm_account": "--account",
    "slurm_partition": "--partition",
    "constraint": "--constraint",
    "qos": "--qos",
    "cluster": "--clusters",
    "mem_mb": "--mem",
    "mem_mb_per_cpu": "--mem-per-cpu",
    "runtime": "--time",
    "gpu": "--gpus",
    "gres": "--gres",
    "nodes": "--nodes",
    "tasks": "--ntasks",
    "tasks_per_node": "--ntasks-per-node",
    "cpus_per_task": "--cpus-per-task",
}
# What Slurm's words mean to somebody who asks for resources.
UNAVAILABLE = "Requested node configuration is not available"
MEANING = {
    UNAVAILABLE: ("no node of this partition has so many GPUs or processors, or so much memory"),
    "Invalid partition name specified": "there is no such partition; sinfo lists them",
    "Invalid account": "you have no such account here; sacctmgr show assoc user=$USER lists yours",
    "Invalid qos": "say qos: NAME, one that your account may use: "
    "sacctmgr show assoc user=$USER format=account,qos lists them",
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

    def words(self, site: Sequence[str] = ()) -> tuple[str, ...]:
        """How sbatch is asked, in the executor's order, of which the last word on a thing counts.

        For the resources, with the options of the ``site``, and as ``slurm_extra`` says.
        """
        chosen = {name: self.resources.get(name) for name in OPTIONS}
        if chosen["mem_mb_per_cpu"]:
            del chosen["mem_mb"]
        if (model := self.resources.get("gpu_model")) and chosen["gpu"]:
            chosen["gpu"] = f"{model}:{chosen['gpu']}"
        flags = [f"{OPTIONS[n]}={v}" for n, v in chosen.items() if v not in (None, "", 0)]
        extra = str(self.resources.get("slurm_extra") or "")
        try:
            return (*flags, *site, *shlex.split(extra))
        except ValueError as error:
            raise UserError(
                f"{self.step}: slurm_extra {extra!r} is no line of options: {error}; see {PROFILE}"
            ) from error


def value_of(words: Sequence[str], option: str, short: str = "") -> str:
    """What the last of ``words`` about an option says, in any of Slurm's ways; empty if none."""
    value = ""
    for word, following in pairwise([*words, ""]):
        if word in (f"--{option}", short):
            value = following
        elif word.startswith(f"--{option}="):
            value = word.partition("=")[2]
        elif short and word.startswith(short):
            value = word.removeprefix(short)
    return value


def check_cluster(requests: Iterable[Request], root: Path, site: Sequence[str] = ()) -> None:
    """Raise one UserError with all that would keep jobs in the queue or make them fail at once.

    Each distinct set of resources is put to the controller once, as a question: nothing is
    submitted. The idle nodes are asked whether they see the project's folder.

    Args:
        requests: what the jobs ask for.
        root: the folder that they work in.
        site: options that the executor adds to every submission, such as ``--qos=long``.
    """
    if shutil.which("sbatch") is None:
        raise UserError(
            "there is no sbatch on PATH: start this on a login node of the cluster (or load its "
            "Slurm module); to run on this machine, leave out --profile profiles/slurm"
        )
    found = list(requests)
    problems = [*_unsubmittable(root), *_refused(found, site), *_short_limits(found)]
    if not problems:
        by_partition: dict[str, Request] = {}
        for request in found:
            # Of several by preference each by itself: no job has nodes of two.
            for name in str(request.resources.get("slurm_partition") or "").split(","):
                by_partition.setdefault(name, request)
        for partition, request in sorted(by_partition.items()):
            problems += _blind_nodes(partition, request, root, site)
    if problems:
        raise UserError(
            "the cluster cannot run this as it is asked to:\n  " + "\n  ".join(problems)
        )


def site_options(settings: object) -> list[str]:
    """What settings of the executor (``slurm-qos`` of a profile) add to every submission."""
    values = {name: getattr(settings, name, None) for name in ("qos", "reservation")}
    return [f"--{name}={value}" for name, value in values.items() if value]


def _unsubmittable(root: Path) -> Iterator[str]:
    """Signs of the folder's path that the executor hands to two shells, of which one reads them."""
    if found := sorted(set("$`\\") & set(str(root.absolute()))):
        yield (
            f"jobs cannot be submitted from {root.absolute()}: move the project to a folder "
            f"without {' '.join(found)} in its path"
        )


def _refused(requests: Iterable[Request], site: Sequence[str]) -> Iterator[str]:
    steps: dict[tuple[str, ...], set[str]] = {}
    for request in requests:
        steps.setdefault(request.words(site), set()).add(request.step)
    refusals: dict[str, tuple[set[str], str]] = {}
    for words, names in steps.items():
        command = ["sbatch", "--test-only", *words, "--wrap=true"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            said = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
            reason = said[0].removeprefix("allocation failure: ")
            if UNAVAILABLE in reason and _configured(words):
                continue  # such nodes are away just now, and jobs wait for them
            refusals.setdefault(reason, (set(), shlex.join(words)))[0].update(names)
    for reason, (names, asked) in refusals.items():
        meaning = next((f" ({m})" for key, m in MEANING.items() if key in reason), "")
        which = ", ".join(sorted(names))
        yield f"{which}: {reason}{meaning}; asked for was, say, {asked}: see {PROFILE}"


def _configured(words: Sequence[str]) -> bool:
    """Whether some node has what one node is to give, be it up or down."""
    partition, memory_mb = value_of(words, "partition", "-p"), _number(value_of(words, "mem"))
    gpus = gpus_in(f"gpu:{value_of(words, 'gpus', '-G') or 0}") or gpus_in(value_of(words, "gres"))
    processors = _number(value_of(words, "cpus-per-task", "-c"))
    here = [f"--partition={partition}"] if partition else []
    listing = ["sinfo", "--noheader", "--Node", "--format=%c %m %G", *here]
    done = subprocess.run(listing, capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        cpus, memory, gres = line.split(maxsplit=2)
        room = int(memory.rstrip("+")) >= memory_mb
        threads = int(cpus.rstrip("+")) >= processors
        if room and threads and gpus_in(gres) >= gpus and not value_of(words, "constraint", "-C"):
            return True
    return False


def _number(text: str) -> int:
    """A number of MiB or processors; 0 for what is told in another way, as in ``slurm_extra``."""
    return int(text) if text.isdigit() else 0


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


def _hosts(names: str) -> set[str]:
    """The hosts that Slurm means by names such as ``n[1-3],n7``."""
    if "[" not in names:
        return set(filter(None, names.split(",")))
    listing = ["scontrol", "show", "hostnames", names]
    done = subprocess.run(listing, capture_output=True, text=True, check=False)
    return set(done.stdout.split())


def _blind_nodes(
    partition: str, request: Request, root: Path, site: Sequence[str]
) -> Iterator[str]:
    """The idle nodes of a partition that do not see the project's folder, asked as for a job."""
    wanted = [f"--partition={partition}"] if partition else []
    listing = ["sinfo", "--noheader", "--Node", "--states=idle", "--format=%N", *wanted]
    done = subprocess.run(listing, capture_output=True, text=True, check=False)
    words = request.words(site)
    left_out = _hosts(value_of(words, "exclude", "-x"))
    nodes = sorted(set(done.stdout.split()) - left_out)[:MOST_NODES]
    if not nodes:
        log.info("no idle node in %s to try the project's folder on", partition or "the cluster")
        return
    seen = root / "Snakefile" if (root / "Snakefile").is_file() else root
    mark = shlex.quote(str(seen.absolute()))
    look = f'[ -r {mark} ] && echo "sees $SLURMD_NODENAME" || echo "blind $SLURMD_NODENAME"'
    command = ["srun", f"--nodes={len(nodes)}", f"--ntasks={len(nodes)}", "--chdir=/", "--quiet"]
    command += [f"--nodelist={','.join(nodes)}", f"--immediate={ANSWER_S}", "--time=1", "--mem=50"]
    may = {"account": "-A", "qos": "-q", "reservation": ""}
    allowed = [
        f"--{name}={v}" for name, short in may.items() if (v := value_of(words, name, short))
    ]
    command += [*wanted, *allowed, "sh", "-c", look]
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
