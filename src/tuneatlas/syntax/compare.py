"""Every start, format and share of pairs side by side, with intervals over the test pairs."""

import csv
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tuneatlas.statistics import percentile_interval, resample_items
from tuneatlas.step import Step
from tuneatlas.syntax.scores import CORPUS
from tuneatlas.syntax.tables import PARAPHRASES, SCORES, TASKS

SUBSETS = ("all", "hard")
# Start that the others are compared with.
BASELINE = "vanilla"

Values = dict[str, dict[str, float]]
Run = tuple[str, str, int]


def compare_paraphrases(step: Step) -> dict[str, Any]:
    """Write ``metrics.json`` and ``scores.csv``: means, and differences to the vanilla start."""
    hard = {row["id"] for row in PARAPHRASES.read(step.path("paraphrases")) if row["hard"]}
    runs: dict[Run, list[Values]] = defaultdict(list)
    together: dict[Run, list[float]] = defaultdict(list)
    for path in step.paths("scores"):
        start, kind, percent = path.parts[-4:-1]
        found = SCORES.read(path)
        runs[start, kind, int(percent)].append(by_metric(found))
        together[start, kind, int(percent)] += [r["value"] for r in found if r["id"] == CORPUS]
    rng = np.random.default_rng(step.seed)
    rows = []
    for (start, kind, share), seeds in runs.items():
        baseline = runs.get((BASELINE, kind, share))
        for metric in seeds[0]:
            for subset in SUBSETS:
                chosen = hard if subset == "hard" else None
                summary = summarise(seeds, baseline, metric, chosen, step.options, rng)
                if summary:
                    place = {"start": start, "format": kind, "share": share, "subset": subset}
                    rows.append({**place, "metric": metric, **summary})
    tasks = {path.stem: task_means(SCORES.read(path)) for path in step.paths("tasks")}
    folder = step.outputs["folder"]
    folder.mkdir(parents=True)
    write_rows(folder / "scores.csv", rows)
    bleu = [
        {"start": start, "format": kind, "share": share, "seeds": values}
        for (start, kind, share), values in together.items()
    ]
    metrics = {"paraphrases": rows, "corpus_bleu4": bleu, "tasks": tasks}
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    examples = sum(len(TASKS.read(path)) for path in step.paths("heldout"))
    return {"runs": len(runs), "seeds": len(next(iter(runs.values()))), "held_out": examples}


def by_metric(rows: Sequence[Mapping[str, Any]]) -> Values:
    """Metric to pair id to value; missing values and those of all pairs together are left out."""
    found: Values = defaultdict(dict)
    for row in rows:
        if row["value"] is not None and row["id"] != CORPUS:
            found[row["metric"]][row["id"]] = row["value"]
    return found


def summarise(
    seeds: Sequence[Values],
    baseline: Sequence[Values] | None,
    metric: str,
    chosen: set[str] | None,
    options: Mapping[str, Any],
    rng: np.random.Generator,
) -> dict[str, Any] | None:
    """Mean over pairs and seeds, and its difference to the baseline, resampling the pairs.

    The baseline's pairs are resampled together with the run's. None if there is no pair.
    """
    items = sorted(i for i in seeds[0][metric] if chosen is None or i in chosen)
    if not items:
        return None
    table = [np.mean([[seed[metric][i] for i in items] for seed in seeds], axis=0)]
    if baseline:
        table.append(np.mean([[seed[metric][i] for i in items] for seed in baseline], axis=0))
    draws = resample_items(np.array(table), options["draws"], rng)
    mean = float(table[0].mean())
    interval = percentile_interval(mean, draws[:, 0], options["confidence"])
    found: dict[str, Any] = {"pairs": len(items), **interval._asdict()}
    if baseline:
        gain = mean - float(table[1].mean())
        spread = percentile_interval(gain, draws[:, 0] - draws[:, 1], options["confidence"])
        found |= {f"gain_{name}": value for name, value in spread._asdict().items()}
    return found


def task_means(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Mean score and number of examples of each pre-training task."""
    found = by_metric(rows)
    return {
        task: {"mean": float(np.mean(list(values.values()))), "examples": len(values)}
        for task, values in sorted(found.items())
    }


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """A CSV file of rows whose columns are those of all of them."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
