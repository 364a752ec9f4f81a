"""The comparison of all runs as files: metrics, tables and figures, from what each run scored."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tuneatlas.engine.files import write_text
from tuneatlas.models.folder import SUMMARY
from tuneatlas.statistics.metrics import write_table
from tuneatlas.studies.syntax.paraphrasing.figures import draw_paraphrase_figures
from tuneatlas.studies.syntax.paraphrasing.side_by_side import (
    Run,
    choose_examples,
    chosen_run,
    corpus_values,
    difference_rows,
    mean_rows,
    subsets_of,
    task_means,
    training_tokens,
    values_of,
)
from tuneatlas.studies.syntax.paraphrasing.single_replicates import (
    by_replicate,
    mean_of_tasks,
    refuse_uneven,
)
from tuneatlas.studies.syntax.paraphrasing.systems import compare_systems
from tuneatlas.studies.syntax.paraphrasing.testable import task_checks
from tuneatlas.studies.syntax.tables import CANDIDATES, SCORES
from tuneatlas.studies.syntax.trees.parsing import parse_counts
from tuneatlas.tables import Row

# Where in the path of a table of scores its replicate is named, from the end.
OF_SCORES = 6


def compare_runs(
    pairs: Mapping[str, Row],
    parses: Iterable[Mapping[str, Any]],
    files: Mapping[str, Sequence[Path]],
    options: Mapping[str, Any],
    seed: int,
) -> dict[str, Any]:
    """What is written as metrics.json: means, differences, the claim, examples.

    Args:
        pairs: the test rows of PARAPHRASES, by id.
        parses: rows of PARSES.
        files: ``scores`` and ``candidates`` of each run, whose paths end in
            paraphraser/start/format/share/seed/NAME.parquet; ``models`` pre-trained; scores of
            ``tasks`` and of other ``systems``. Several paraphrasers are replicates of one.
        options: of the step; ``oracles`` are formats shown the tree of the reference in tests,
            and ``choose`` is the split by which epochs were chosen; ``one_start`` says that all
            replicates start from the same weights.
        seed: of the bootstrap.
    """
    scores_of = by_replicate(files["scores"], OF_SCORES)
    refuse_uneven(scores_of, OF_SCORES)
    scored = _scored(path for own in scores_of.values() for path in own)
    values = values_of(scored, pairs, retokenise=options["retokenise"])
    chosen = subsets_of(pairs)
    rng = np.random.default_rng(seed)
    bootstrap = {"draws": options["draws"], "confidence": options["confidence"]}
    bootstrap["replicates"] = len(scores_of)
    scores = list(mean_rows(values, chosen, rng, bootstrap))
    tasks = _tasks(files["tasks"])
    checks = list(task_checks(tasks, options["tasks_solved"]))
    differences = list(difference_rows(values, chosen, rng, bootstrap, checks))
    corpus = list(corpus_values(values))
    starts = list(dict.fromkeys(run.start for run in values))
    shown = chosen_run(values)
    path = next(path for path in files["candidates"] if run_of(path) == shown)
    design = {
        "starts": starts,
        "formats": list(dict.fromkeys(run.format for run in values)),
        "shares": list(dict.fromkeys(run.share for run in values)),
        "seeds": len(corpus[0]["seeds"]) // len(scores_of),
        "replicates": list(scores_of),
        "one_start": options.get("one_start", False),
        "pairs": {name: len(ids) for name, ids in chosen.items()},
        "confidence": options["confidence"],
        "oracles": options["oracles"],
        "choose": options["choose"],
        "without": options["without"],
        **count_outputs(files["candidates"]),
    }
    return {
        "design": design,
        "scores": scores,
        "differences": differences,
        "corpus_bleu4": corpus,
        "parses": parse_counts(parses),
        "tokens": training_tokens(_seen(files["models"]), starts),
        "tasks": tasks,
        "checks": checks,
        "examples": choose_examples(
            shown, values, pairs, CANDIDATES.read(path), options["examples"]
        ),
        **compare_systems(files["systems"], values, pairs, chosen, options, seed, len(scores_of)),
    }


def write_comparison(metrics: Mapping[str, Any], folder: Path) -> None:
    """Write ``metrics.json``, its tables and its figures to a new folder."""
    folder.mkdir(parents=True)
    systems = [name for name in ("system_scores", "system_differences") if name in metrics]
    for name in ("scores", "differences", *systems):
        write_table(folder / name, metrics[name])
    write_text(folder / "metrics.json", json.dumps(metrics, indent=1) + "\n")
    draw_paraphrase_figures(metrics, folder / "figures")


def run_of(path: Path) -> Run:
    """The run that a path under ``score_paraphrases`` belongs to."""
    start, kind, share = path.parts[-5:-2]
    return Run(start, kind, int(share))


def _tasks(paths: Iterable[Path]) -> dict[str, dict[str, dict[str, float]]]:
    """By start, the means of its tasks; over replicates, whose files are …/{replicate}/{start}."""
    found: dict[str, list[dict[str, dict[str, float]]]] = {}
    for path in paths:
        found.setdefault(path.stem, []).append(task_means(SCORES.read(path)))
    return {start: mean_of_tasks(each) for start, each in found.items()}


def _scored(paths: Iterable[Path]) -> Iterator[tuple[Run, list[Row], list[Row]]]:
    for path in paths:
        beside = path.with_name("candidates.parquet")
        yield run_of(path), SCORES.read(path), CANDIDATES.read(beside)


def count_outputs(paths: Iterable[Path]) -> dict[str, int]:
    """Paraphrases written by all models, and how many of them have no tree."""
    found = [
        row["tree"] is None for path in paths for row in CANDIDATES.stream(path, columns=("tree",))
    ]
    return {"outputs": len(found), "without_tree": sum(found)}


def _seen(models: Sequence[Path]) -> dict[tuple[str, str], int]:
    """Tokens that models were trained on, by step and start (stage 1 has none).

    Of several replicates their mean, as each draws examples of its own.
    """
    found: dict[tuple[str, str], list[int]] = {}
    for folder in models:
        step, start = folder.parts[-3], folder.name
        if step not in ("pretrain_plain", "pretrain_syntax"):
            step, start = folder.parts[-2], ""
        if (folder / SUMMARY).is_file():
            summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
            found.setdefault((step, start), []).append(summary["tokens_seen"])
    return {key: round(sum(each) / len(each)) for key, each in found.items()}
