"""``docs/plans.md``: what the experiments at full size take, kept in step with them."""

import math
from collections.abc import Sequence
from pathlib import Path

from tuneatlas.config.load import load_config
from tuneatlas.engine.jobs import Job
from tuneatlas.sizing.clusters import at_a_time, checkpoints
from tuneatlas.sizing.clusters import table as on_clusters
from tuneatlas.sizing.estimates import DEVICES, DISK, START_S
from tuneatlas.sizing.events import Cluster
from tuneatlas.sizing.host import LONGEST_MIN
from tuneatlas.sizing.needs import Study
from tuneatlas.sizing.sheet import (
    lines_of,
    refuse_misfits,
    study_of,
    summary,
    table,
)

PAGE = Path("docs/plans.md")
DEVICE = DEVICES["a100-80"]
# What is put on clusters of several sizes too, and hours that a node is left alone, on average.
SIMULATED = ("s1-llama2-70b", "s3-t5-base")
GPUS, CORES, PREEMPTED_H, TIMES = (1, 8, 64, 512), 128, 12, 20
HEAD = f"""\
# What experiments at full size take

Written by `make plans` from `config/own*.yaml`, `config/pythia.yaml` and `config/paper/*.yaml`:
no data, network or GPU is needed, and a test keeps it in step. These are estimates, before a run:
`tuneatlas size FILE` says them for any config and device, `tuneatlas size FILE --compare` puts them
beside what jobs took. What they assume stands in `src/tuneatlas/sizing/`: {DEVICE.share:.0%} of the
peak of an {DEVICE.name}, groups as large as `expected.group` of a domain says, or else as all
training questions (they are found by the probe, and smaller), and the questions that each plan
names. `tuneatlas size` counts a file that is at hand; of one that is not, `expected` in its domain
says the number. What neither it nor a limit says is marked as assumed.

Some are put on clusters of several sizes too, as `tuneatlas simulate FILE` does with any: all
jobs run there as events in time, behind what they wait for, on nodes of eight GPUs, of which each
is left alone in one table, and in the other taken away without a warning, once in {PREEMPTED_H}
hours on average. Assumed are {START_S} s from a job's start to its work, {DISK:g} GiB/s for each
job that reads or writes a model, {CORES} processors for steps without a GPU, as many jobs
submitted at a time as `profiles/slurm` says, limits of time as there; and that what is short
(labels, mixtures, tables) takes no longer than its start. Parsing and making examples take what
was measured ([benchmarks](benchmarks.md)). There one H200 reached 25% (a billion parameters) to
43% (compiled) of the peak on its data sheet, for the {DEVICE.share:.0%} assumed here; larger
networks and several cards are not measured. *In use* is the share of the GPUs' time; *starts*,
*saving* and *again* are GPU-hours for loading models, for checkpoints, and for work done again;
*attempts* those of the job that had most, of which the profile allows `retries` and one.
"""


def full_configs(root: Path) -> list[Path]:
    """The experiments at full size; what they share lies in the folder ``base``."""
    names = ("own", "own-paraphrase", "pythia")
    own = [root / f"config/{name}.yaml" for name in names]
    return [*own, *sorted((root / "config/paper").glob("*.yaml"))]


def page(root: Path) -> str:
    """The page as it should be."""
    return HEAD + "".join(_section(root, path) for path in full_configs(root))


def write_plans(root: Path) -> Path:
    """Write the page; return its path."""
    (root / PAGE).write_text(page(root), encoding="utf-8")
    return root / PAGE


def outdated(root: Path) -> bool:
    """Whether the page is not as it should be."""
    path = root / PAGE
    return not path.is_file() or path.read_text(encoding="utf-8") != page(root)


def _section(root: Path, path: Path) -> str:
    experiment = load_config(path, root=root)
    study = study_of(experiment, root, DEVICE, look=False)
    lines = lines_of(study, [path])
    refuse_misfits(experiment, study, lines)
    text = (
        f"\n## {path.relative_to(root)}\n\n{experiment.description}\n\n"
        f"{summary(study, lines)}\n\n{_cells(table(lines), 2)}\n"
    )
    if path.stem in SIMULATED:
        text += _on_clusters(root, study, [job for line in lines for job in line.jobs])
    return text


def _on_clusters(root: Path, study: Study, jobs: Sequence[Job]) -> str:
    """The same on clusters of several sizes, left alone and not, and how often to save there."""
    text, seconds = "", 3600.0 * PREEMPTED_H
    for every, said in (
        (math.inf, "Left alone"),
        (seconds, f"Each node taken away once in {PREEMPTED_H} h"),
    ):
        clusters = [
            Cluster(gpus, CORES, 8, at_a_time(root), every, longest=60.0 * LONGEST_MIN)
            for gpus in GPUS
        ]
        rows, notes = on_clusters(study, jobs, clusters, TIMES)
        text += f"\n{said}:\n\n{_cells(rows, 0)}\n"
        if math.isinf(every):
            text += "\n" + "\n".join(f"- {note}" for note in notes) + "\n"
    saved = _cells(checkpoints(study, jobs, seconds), 1)
    return f"{text}\nHow often trainings save then, and how often is best:\n\n{saved}\n"


def _cells(rows: Sequence[Sequence[str]], words: int) -> str:
    """Rows as a table of Markdown, of which the first columns are words."""
    cells = ["| " + " | ".join(row) + " |" for row in rows]
    cells.insert(1, "|---" * words + "|--:" * (len(rows[0]) - words) + "|")
    return "\n".join(cells)
