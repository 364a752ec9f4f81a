"""What keeps a Kubernetes cluster from running an experiment, told before the first submission."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from tuneatlas.engine.cluster import Request
from tuneatlas.errors import UserError

PROFILE = "profiles/kubernetes/config.yaml"


def check_pods(requests: Iterable[Request], root: Path, mounted: Iterable[Path]) -> None:
    """Raise one UserError with all that would keep pods from working.

    Args:
        requests: what the jobs ask for.
        root: the folder that they work in.
        mounted: the folders in which pods have the volumes of the profile.
    """
    problems = [*_not_mounted(root.absolute(), list(mounted)), *_without_gpus(list(requests))]
    if problems:
        raise UserError("the pods cannot run this as it is asked to:\n  " + "\n  ".join(problems))


def _not_mounted(root: Path, mounted: Iterable[Path]) -> Iterator[str]:
    if not any(root.is_relative_to(folder) for folder in mounted):
        yield (
            f"no volume is mounted over {root}, where the project is: name a claim that all nodes "
            f"may write to, as kubernetes-persistent-volumes: [CLAIM:FOLDER] in {PROFILE}, with "
            "the folder that it has on this machine"
        )


def _without_gpus(requests: Iterable[Request]) -> Iterator[str]:
    on_gpus = [one for one in requests if one.resources.get("gpu") or one.resources.get("gres")]
    for step in sorted({one.step for one in on_gpus if one.resources.get("nodes", 1) > 1}):
        yield f"{step}: a pod is on one node: set nodes to 1, or run this on Slurm"
    # Of neither the executor says anything before it submits the first such job.
    if any(one.resources.get("scale", 1) for one in on_gpus):
        yield f"GPUs are given by limits alone: say scale: 0 in default-resources of {PROFILE}"
    if not all(one.resources.get("gpu_manufacturer") for one in on_gpus):
        yield f"say gpu_manufacturer: \"'nvidia'\" in default-resources of {PROFILE}"
