"""Every start, format and share of pairs side by side, with intervals; and trees to look at."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tuneatlas.engine.files import write_text
from tuneatlas.engine.step import Step
from tuneatlas.models.folder import SUMMARY
from tuneatlas.statistics.bootstrap import Interval
from tuneatlas.statistics.intervals import mean_interval, paired_difference
from tuneatlas.statistics.metrics import FAILED, HELD, UNDECIDED, table_csv
from tuneatlas.studies.syntax.paraphrasing.figures import draw_paraphrase_figures
from tuneatlas.studies.syntax.paraphrasing.starts import CONTROL, METRIC, VANILLA
from tuneatlas.studies.syntax.tables import CANDIDATES, CORPUS, PARSES, SCORES, paraphrases
from tuneatlas.studies.syntax.trees.parsing import parse_counts
from tuneatlas.tables import Row

# What a start adds to T5: step and start of the models trained for it.
ADDED = {
    "vanilla": (),
    "plain": (("pretrain_plain", "plain"),),
    "structure": (("pretrain_structure", ""),),
    "syntax": (("pretrain_syntax", "syntax"),),
    "both": (("pretrain_structure", ""), ("pretrain_syntax", "both")),
}


class Run(NamedTuple):
    """What was tuned: start, format, and share of the training pairs in percent."""

    start: str
    format: str
    share: int


# By run, then by metric: pair id to value, one mapping per seed.
Values = dict[Run, dict[str, list[dict[str, float]]]]


def compare_paraphrases(step: Step) -> dict[str, Any]:
    """Write ``metrics.json``, tables and figures: means, differences, the claim, examples."""
    pairs = {row["id"]: row for row in paraphrases(step.path("paraphrases"), "test")}
    values, together = read_scores(step.paths("scores"))
    chosen = {"all": sorted(pairs), "hard": sorted(i for i, r in pairs.items() if r["hard"])}
    rng = np.random.default_rng(step.seed)
    bootstrap = {"draws": step.options["draws"], "confidence": step.options["confidence"]}
    scores = list(mean_rows(values, chosen, rng, bootstrap))
    differences = list(difference_rows(values, chosen, rng, bootstrap))
    metrics: dict[str, Any] = {
        "design": {
            "starts": list(dict.fromkeys(run.start for run in values)),
            "formats": list(dict.fromkeys(run.format for run in values)),
            "shares": list(dict.fromkeys(run.share for run in values)),
            "seeds": len(next(iter(together.values()))),
            "pairs": {name: len(ids) for name, ids in chosen.items()},
            "confidence": step.options["confidence"],
            **count_outputs(step.paths("candidates")),
        },
        "scores": scores,
        "differences": differences,
        "corpus_bleu4": [{**run._asdict(), "seeds": found} for run, found in together.items()],
        "parses": parse_counts(
            row
            for path in step.paths("parses")
            for row in PARSES.stream(path, columns=("status", "reason"))
        ),
        "tokens": training_tokens(step.paths("models")),
        "tasks": {p.stem: task_means(SCORES.read(p)) for p in step.paths("tasks")},
        "examples": choose_examples(step, values, pairs, step.options["examples"]),
    }
    folder = step.outputs["folder"]
    folder.mkdir(parents=True)
    write_text(folder / "scores.csv", table_csv(scores))
    write_text(folder / "differences.csv", table_csv(differences))
    write_text(folder / "metrics.json", json.dumps(metrics, indent=1) + "\n")
    draw_paraphrase_figures(metrics, folder / "figures")
    return {"runs": len(values), "seeds": metrics["design"]["seeds"]}


def read_scores(paths: Iterable[Path]) -> tuple[Values, dict[Run, list[float]]]:
    """Scores of each pair by run and metric, and corpus BLEU-4 by run; a list over seeds in each.

    Missing values are left out. A path ends in start/format/share/seed/scores.parquet.
    """
    values: Values = defaultdict(lambda: defaultdict(list))
    together: dict[Run, list[float]] = defaultdict(list)
    for path in paths:
        run = run_of(path)
        one_seed: dict[str, dict[str, float]] = defaultdict(dict)
        for row in SCORES.read(path):
            if row["id"] == CORPUS:
                together[run].append(row["value"])
            elif row["value"] is not None:
                one_seed[row["metric"]][row["id"]] = row["value"]
        for metric, found in one_seed.items():
            values[run][metric].append(found)
    return values, together


def count_outputs(paths: Iterable[Path]) -> dict[str, int]:
    """Paraphrases written by all models, and how many of them have no tree."""
    found = [
        row["tree"] is None for path in paths for row in CANDIDATES.stream(path, columns=("tree",))
    ]
    return {"outputs": len(found), "without_tree": sum(found)}


def run_of(path: Path) -> Run:
    """The run that a path under ``score_paraphrases`` belongs to."""
    start, kind, share = path.parts[-5:-2]
    return Run(start, kind, int(share))


def mean_rows(
    values: Values,
    chosen: Mapping[str, Sequence[str]],
    rng: np.random.Generator,
    bootstrap: Mapping[str, Any],
) -> Iterator[Row]:
    """Mean of each metric over pairs and seeds, which are both resampled."""
    for run, by_metric in values.items():
        for (metric, seeds), (subset, ids) in product(by_metric.items(), chosen.items()):
            table = as_table(seeds, ids)
            if table.size:
                found = mean_interval(table, rng, **bootstrap)
                yield _row(run, subset, metric, table, found)


def difference_rows(
    values: Values,
    chosen: Mapping[str, Sequence[str]],
    rng: np.random.Generator,
    bootstrap: Mapping[str, Any],
) -> Iterator[Row]:
    """Each start minus each baseline, paired by pair and seed; HELD where it is better for sure.

    Better is more, but for the tree edit distances, of which less is better.
    """
    for run, by_metric in values.items():
        for baseline in (VANILLA, CONTROL):
            other = values.get(run._replace(start=baseline), {})
            if run.start == baseline or (run.start == VANILLA and baseline == CONTROL):
                continue
            for metric, (subset, ids) in product(by_metric, chosen.items()):
                if metric not in other:
                    continue
                both = [i for i in ids if all(i in s for s in (*by_metric[metric], *other[metric]))]
                first, second = as_table(by_metric[metric], both), as_table(other[metric], both)
                if first.size:
                    found = paired_difference(first, second, rng, **bootstrap)
                    verdict = judge(found, less_is_better=metric.startswith("ted"))
                    row = _row(run, subset, metric, first, found)
                    yield {**row, "baseline": baseline, "verdict": verdict}


def _row(run: Run, subset: str, metric: str, table: npt.NDArray[Any], found: Interval) -> Row:
    place = {**run._asdict(), "subset": subset, "metric": metric}
    return {**place, "pairs": table.shape[1], "seeds": table.shape[0], **found._asdict()}


def judge(difference: Interval, less_is_better: bool = False) -> str:
    """Held: the whole interval is on the better side of zero; failed: on the other."""
    low, high = difference.low, difference.high
    if less_is_better:
        low, high = -high, -low
    return HELD if low > 0 else FAILED if high < 0 else UNDECIDED


def as_table(seeds: Sequence[Mapping[str, float]], ids: Sequence[str]) -> npt.NDArray[np.float64]:
    """Values as (seeds, pairs), of the pairs that have one in every seed."""
    kept = [i for i in ids if all(i in seed for seed in seeds)]
    return np.array([[seed[i] for i in kept] for seed in seeds], dtype=np.float64)


def training_tokens(models: Sequence[Path]) -> dict[str, int]:
    """Tokens that each start was trained on beyond T5; a start that has no model is left out."""
    seen = {}
    for folder in models:
        step, start = folder.parts[-3], folder.name
        if step not in ("pretrain_plain", "pretrain_syntax"):
            step, start = folder.parts[-2], ""
        if (folder / SUMMARY).is_file():
            summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
            seen[step, start] = summary["tokens_seen"]
    return {
        name: sum(seen[part] for part in parts)
        for name, parts in ADDED.items()
        if all(part in seen for part in parts)
    }


def choose_examples(
    step: Step,
    values: Values,
    pairs: Mapping[str, Row],
    ranks: Sequence[float],
) -> list[Row]:
    """Test pairs with all their trees, at the given ranks from best to worst (0 to 1).

    Ranked by TED-R, then BLEU-4, then id, of the last start named (both stages, mostly) in the
    first format, with the most training pairs, in the first seed.
    """
    first = next(iter(values))
    share = max(run.share for run in values)
    run = next(r for r in reversed(values) if (r.format, r.share) == (first.format, share))
    distances = next(name for name in values[run] if name.startswith("ted_r"))
    ted, bleu = values[run][distances][0], values[run][METRIC][0]
    order = sorted(pairs, key=lambda i: (ted[i], -bleu[i], i))
    path = next(p for p in step.paths("candidates") if run_of(p) == run)
    written = {row["id"]: row for row in CANDIDATES.read(path)}
    found = []
    for rank in ranks:
        key = order[round(rank * (len(order) - 1))]
        found.append(
            {
                "id": key,
                "rank": rank,
                **run._asdict(),
                **{name: pairs[key][name] for name in ("source", "template", "target")},
                "output": written[key]["tree"],
                "sentence": written[key]["sentence"],
                "reason": written[key]["reason"],
                distances: ted[key],
                METRIC: bleu[key],
            }
        )
    return found


def task_means(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Mean score and number of examples of each pre-training task."""
    found: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if row["value"] is not None:
            found[row["metric"]].append(row["value"])
    return {
        task: {"mean": float(np.mean(values)), "examples": len(values)}
        for task, values in sorted(found.items())
    }
