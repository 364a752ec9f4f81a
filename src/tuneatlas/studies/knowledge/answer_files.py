"""Answers and labels of all replicates of a base model, from the files of each.

Files are ``…/STEP/{model}/{domain}.parquet``, those of tuned models
``…/STEP/{model}/{domain}/{group}/{seed}.parquet``, and released labels
``…/STEP/{model}/labels/{domain}.parquet``.
"""

from collections.abc import Sequence
from pathlib import Path

from tuneatlas.studies.knowledge.paired_answers import COMPARED, Answers, Run
from tuneatlas.tables import ANSWERS, LABELS, Row


def read_answers(base: Sequence[Path], tuned: Sequence[Path]) -> dict[str, Answers]:
    """By replicate, in the order of the files."""
    probed: dict[str, dict[str, list[Row]]] = {}
    for path in base:
        probed.setdefault(path.parts[-2], {})[path.stem] = ANSWERS.read(path, COMPARED)
    runs: dict[str, dict[Run, list[Row]]] = {name: {} for name in probed}
    for path in tuned:
        *_, model, domain, group, file = path.parts
        runs[model][domain, group, int(Path(file).stem)] = ANSWERS.read(path, COMPARED)
    return {name: Answers(probed[name], runs[name]) for name in probed}


def read_labels(labels: Sequence[Path]) -> dict[str, dict[str, list[Row]]]:
    """By replicate and domain."""
    found: dict[str, dict[str, list[Row]]] = {}
    for path in labels:
        model = path.parts[-3] if path.parts[-2] == "labels" else path.parts[-2]
        found.setdefault(model, {})[path.stem] = LABELS.read(path)
    return found
