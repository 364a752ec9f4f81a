"""Every start, format and share of pairs side by side, with intervals; and trees to look at."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tuneatlas.statistics.bleu import Counts, bleu, bleu_interval, too_short
from tuneatlas.statistics.bootstrap import Interval
from tuneatlas.statistics.intervals import mean_interval, paired_difference
from tuneatlas.statistics.manipulation import reasons
from tuneatlas.statistics.metrics import of_each, verdict
from tuneatlas.statistics.power import sensitivity
from tuneatlas.studies.syntax.paraphrasing.scores import corpus_counts, retokenised
from tuneatlas.studies.syntax.paraphrasing.single_replicates import of_replicates
from tuneatlas.studies.syntax.paraphrasing.starts import METRIC, baselines
from tuneatlas.studies.syntax.tables import CORPUS
from tuneatlas.studies.syntax.trees.linear import in_own_signs, read_bracket, write_sentence
from tuneatlas.tables import Row


class Run(NamedTuple):
    """What was tuned: start, format, and share of the training pairs in percent."""

    start: str
    format: str
    share: int


# By pair: the value of a metric, or what BLEU-4 of the corpus counts; one mapping per seed, of
# several replicates those of each in turn.
Seeds = list[dict[str, Any]]
# By run, then by metric.
Values = dict[Run, dict[str, Seeds]]


def values_of(
    scored: Iterable[tuple[Run, Sequence[Row], Sequence[Row]]],
    pairs: Mapping[str, Row],
    *,
    retokenise: bool,
) -> Values:
    """What each run has by metric and pair, from its rows of SCORES and of CANDIDATES, by seed.

    Missing values are left out. ``pairs`` are the test rows of PARAPHRASES by id.
    """
    references = {
        i: in_own_signs(write_sentence(read_bracket(row["target"], i))) for i, row in pairs.items()
    }
    values: Values = defaultdict(lambda: defaultdict(list))
    for run, scores, candidates in scored:
        one_seed: dict[str, dict[str, Any]] = defaultdict(dict)
        for row in scores:
            if row["id"] != CORPUS and row["value"] is not None:
                one_seed[row["metric"]][row["id"]] = row["value"]
        texts = [row["sentence"] for row in candidates]
        ids = [row["id"] for row in candidates]
        made = list(map(retokenised, texts)) if retokenise else texts
        counts = corpus_counts(made, [references[i] for i in ids])
        one_seed[METRIC] = dict(zip(ids, counts, strict=True))
        for metric, found in one_seed.items():
            values[run][metric].append(found)
    return values


def subsets_of(pairs: Mapping[str, Row]) -> dict[str, list[str]]:
    """The ids of the pairs of each subset."""
    every = sorted(pairs)
    return {"all": every, **{k: [i for i in every if pairs[i][k]] for k in ("hard", "long")}}


def mean_rows(
    values: Values,
    chosen: Mapping[str, Sequence[str]],
    rng: np.random.Generator,
    bootstrap: Mapping[str, Any],
) -> Iterator[Row]:
    """Each metric over pairs and seeds, which are both resampled; or over pairs and replicates.

    ``bootstrap``: of the intervals, with the number of ``replicates`` where there are several.
    """
    replicates = bootstrap.get("replicates", 1)
    for run, by_metric in values.items():
        for (metric, seeds), (subset, ids) in product(by_metric.items(), chosen.items()):
            table = as_table(seeds, ids)
            if table.size:
                interval = bleu_interval if metric == METRIC else mean_interval
                found = interval(table, rng, **bootstrap)
                each = of_replicates(metric, table, None, replicates)
                yield _row(run, subset, metric, table, found, each)


def difference_rows(
    values: Values,
    chosen: Mapping[str, Sequence[str]],
    rng: np.random.Generator,
    bootstrap: Mapping[str, Any],
    checks: Sequence[Row] = (),
) -> Iterator[Row]:
    """Each start minus each baseline, paired by pair and seed; HELD where it is better for sure.

    Better is more, but for the tree edit distances, of which less is better. ``checks`` are of
    starts, of which nothing is said where they fail.
    """
    replicates = bootstrap.get("replicates", 1)
    for run, by_metric in values.items():
        failed = reasons([c for c in checks if c["group"] == run.start])
        for baseline in baselines(run.start):
            other = values.get(run._replace(start=baseline), {})
            for metric, (subset, ids) in product(by_metric, chosen.items()):
                if metric not in other:
                    continue
                both = [i for i in ids if all(i in s for s in (*by_metric[metric], *other[metric]))]
                first, second = as_table(by_metric[metric], both), as_table(other[metric], both)
                if first.size:
                    found = _difference(metric, first, second, rng, bootstrap)
                    better = -1 if metric.startswith("ted") else 1
                    said = verdict(found.low, found.high, better, failed)
                    seen = sensitivity(found.low, found.high, bootstrap["confidence"])
                    each = of_replicates(metric, first, second, replicates)
                    row = _row(run, subset, metric, first, found, each) | seen._asdict()
                    yield {**row, "baseline": baseline, "verdict": said}


def _difference(
    metric: str,
    first: npt.NDArray[Any],
    second: npt.NDArray[Any],
    rng: np.random.Generator,
    bootstrap: Mapping[str, Any],
) -> Interval:
    if metric == METRIC:
        return bleu_interval(first, rng, **bootstrap, other=second)
    return paired_difference(first, second, rng, **bootstrap)


def _row(
    run: Run,
    subset: str,
    metric: str,
    table: npt.NDArray[Any],
    found: Interval,
    each: Sequence[float],
) -> Row:
    place = {**run._asdict(), "subset": subset, "metric": metric}
    size = {"pairs": table.shape[1], "seeds": table.shape[0] // len(each)}
    size["replicates"] = len(each)
    return {**place, **size, **found._asdict(), **of_each(each)}


def as_table(seeds: Sequence[Mapping[str, Any]], ids: Sequence[str]) -> npt.NDArray[Any]:
    """Values as (seeds, pairs), counts as (seeds, pairs, SIZE): of pairs that all seeds have."""
    kept = [i for i in ids if all(i in seed for seed in seeds)]
    return np.array([[seed[i] for i in kept] for seed in seeds])


def corpus_values(values: Values) -> Iterator[Row]:
    """BLEU-4 of the corpus, of each seed apart: of several replicates those of each in turn."""
    for run, by_metric in values.items():
        found: list[float] = []
        for seed in by_metric[METRIC]:
            counts: Counts = np.array([*seed.values()])
            found.append(float(bleu(counts.sum(axis=0), short=too_short(counts))))
        yield {**run._asdict(), "seeds": found}


def training_tokens(seen: Mapping[tuple[str, str], int], starts: Iterable[str]) -> dict[str, int]:
    """Tokens that each start was trained on beyond T5; a start that has no model is left out.

    ``seen``: those of each model that was trained, by step and start.
    """
    added: dict[str, tuple[tuple[str, str], ...]] = {
        "vanilla": (),
        "plain": (("pretrain_plain", "plain"),),
        "structure": (("pretrain_structure", ""),),
        "syntax": (("pretrain_syntax", "syntax"),),
    }
    found = {}
    for name in dict.fromkeys([*added, *starts]):
        parts = added.get(name, (("pretrain_structure", ""), ("pretrain_syntax", name)))
        if all(part in seen for part in parts):
            found[name] = sum(seen[part] for part in parts)
    return found


def chosen_run(values: Values) -> Run:
    """The run whose outputs are shown: both stages, mostly; first format, most training pairs."""
    first = next(iter(values))
    share = max(run.share for run in values)
    ours = [run for run in values if (run.format, run.share) == (first.format, share)]
    return next((run for run in ours if run.start == "both"), ours[-1])


def choose_examples(
    run: Run,
    values: Values,
    pairs: Mapping[str, Row],
    candidates: Sequence[Row],
    ranks: Sequence[float],
) -> list[Row]:
    """Test pairs with all their trees, at the given ranks from best to worst (0 to 1).

    Ranked by TED-R, then BLEU-4 of the sentence, then id, of a run in the first seed, whose
    ``candidates`` these are.
    """
    ted, bleu4 = values[run]["ted_r"][0], values[run]["bleu4"][0]
    order = sorted(pairs, key=lambda i: (ted[i], -bleu4[i], i))
    written = {row["id"]: row for row in candidates}
    found = []
    for rank in ranks:
        key = order[round(rank * (len(order) - 1))]
        found.append(
            {
                "id": key,
                "rank": rank,
                **run._asdict(),
                **{name: pairs[key][name] for name in ("source", "exemplar", "target")},
                "output": written[key]["tree"],
                "sentence": written[key]["sentence"],
                "reason": written[key]["reason"],
                "ted_r": ted[key],
                "bleu4": bleu4[key],
            }
        )
    return found


def task_means(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Mean score of each pre-training task, or its score of all examples, and how many there are.

    ``rows`` are those of SCORES.
    """
    found: dict[str, list[float]] = defaultdict(list)
    examples: dict[str, int] = defaultdict(int)
    for row in rows:
        examples[row["metric"]] += row["id"] != CORPUS
        if row["value"] is not None:
            found[row["metric"]].append(row["value"])
    return {
        task: {"mean": float(np.mean(values)), "examples": examples[task]}
        for task, values in sorted(found.items())
    }
