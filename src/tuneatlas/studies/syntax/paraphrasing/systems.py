"""Other systems beside the models of a run: their scores, and what ours have more or less."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tuneatlas.engine.step import Step
from tuneatlas.engine.records import record_path
from tuneatlas.statistics.bleu import bleu_interval
from tuneatlas.statistics.intervals import paired_difference
from tuneatlas.statistics.metrics import verdict
from tuneatlas.studies.syntax.paraphrasing.outputs import read_trees, texts_of
from tuneatlas.studies.syntax.paraphrasing.side_by_side import (
    Run,
    Values,
    as_table,
    mean_rows,
    values_of,
)
from tuneatlas.studies.syntax.paraphrasing.starts import METRIC
from tuneatlas.studies.syntax.tables import CANDIDATES, SCORES
from tuneatlas.studies.syntax.trees.parsers import open_parser
from tuneatlas.studies.syntax.trees.parsing import Parsed, need_some, parse_all
from tuneatlas.tables import Row


def found_parses(
    step: Step, generations: Sequence[Row], parsing: Mapping[str, Any]
) -> list[Parsed]:
    """The parses of a system's outputs: those given beside them, or made here."""
    texts, most = texts_of(generations), parsing["max_words"]
    if step.inputs["trees"]:
        return read_trees(step.path("trees"), [row["id"] for row in generations], texts, most)
    parser = open_parser(parsing, {"stanford": step.path("parser"), "java": step.path("java")})
    found = parse_all(parser, texts, most)
    need_some(parser, (parsed.status for parsed in found))
    return found


def compare_systems(
    paths: Sequence[Path],
    ours: Values,
    pairs: Mapping[str, Row],
    chosen: Mapping[str, Sequence[str]],
    options: Mapping[str, Any],
    seed: int,
    replicates: int = 1,
) -> dict[str, Any]:
    """Scores of other systems, and of each of our runs less theirs; nothing where there are none.

    ``odd_outputs`` says of each what is odd about its outputs, as step score_systems counted it.

    Args:
        paths: scores of each system, in folders that bear their names, candidates beside them.
        ours: what our runs have, by metric and pair.
        pairs: the test rows of PARAPHRASES, by id.
        chosen: the ids of each subset.
        options: of the step compare_paraphrases.
        seed: of the bootstrap.
        replicates: of our models; a system is one, beside all of them.
    """
    if not paths:
        return {}
    scored = (
        (Run(path.parent.name, "", 0), SCORES.read(path), CANDIDATES.read(_beside(path)))
        for path in paths
    )
    theirs = values_of(scored, pairs, retokenise=options["retokenise"])
    # A stream of its own: what is said of our runs does not hang on who stands beside them.
    rng = np.random.default_rng([seed, 1])
    bootstrap: dict[str, Any] = {k: options[k] for k in ("draws", "confidence")}
    scores = [_of_system(row) for row in mean_rows(theirs, chosen, rng, bootstrap)]
    return {
        "odd_outputs": {path.parent.name: _odd(path) for path in paths},
        "system_scores": scores,
        "system_differences": list(
            _differences(ours, theirs, chosen, rng, bootstrap | {"replicates": replicates})
        ),
    }


def _odd(path: Path) -> dict[str, Any]:
    record = json.loads(record_path(path).read_text(encoding="utf-8"))
    return dict(record.get("odd", {}))


def _beside(path: Path) -> Path:
    return path.with_name("candidates.parquet")


def _of_system(row: Row) -> Row:
    kept = {name: value for name, value in row.items() if name not in (*Run._fields, "seeds")}
    return {"system": row["start"], **kept}


def _differences(
    ours: Values,
    theirs: Values,
    chosen: Mapping[str, Sequence[str]],
    rng: np.random.Generator,
    bootstrap: Mapping[str, Any],
) -> Iterator[Row]:
    """Each run less each system, paired by pair; a system has one output, under all our seeds."""
    for run, by_metric in ours.items():
        for system, other in theirs.items():
            for metric in (name for name in by_metric if name in other):
                for subset, ids in chosen.items():
                    seeds = (*by_metric[metric], *other[metric])
                    both = [i for i in ids if all(i in seed for seed in seeds)]
                    first, second = as_table(by_metric[metric], both), as_table(other[metric], both)
                    if not first.size:
                        continue
                    second = np.broadcast_to(second, first.shape)
                    if metric == METRIC:
                        found = bleu_interval(first, rng, **bootstrap, other=second)
                    else:
                        found = paired_difference(first, second, rng, **bootstrap)
                    better = -1 if metric.startswith("ted") else 1
                    yield {
                        **run._asdict(),
                        "system": system.start,
                        "subset": subset,
                        "metric": metric,
                        "pairs": len(both),
                        "seeds": len(first),
                        **found._asdict(),
                        "verdict": verdict(found.low, found.high, better),
                    }
