"""Checkpoints tuned elsewhere beside their base: what was lost, what was gained, what is format.

Each is asked twice: few-shot with the base model's own prompts (what it still knows), and zero-shot
in its chat format (what a user sees). Accuracies, differences and their intervals are fractions of
1, paired by question; KL is in nats.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from tuneatlas.data.overlap import repeated
from tuneatlas.data.scopes import ALL
from tuneatlas.engine.records import record_path
from tuneatlas.errors import UserError
from tuneatlas.statistics.bootstrap import (
    CONFIDENCE,
    DRAWS,
    Floats,
    percentile_interval,
    resample_items,
)
from tuneatlas.statistics.correlation import Ranks, rank_correlation
from tuneatlas.statistics.divergence import EPSILON, kl_divergence
from tuneatlas.statistics.metrics import interval_columns, plain
from tuneatlas.statistics.tests import holm, mcnemar
from tuneatlas.studies.knowledge.paired_answers import by_options
from tuneatlas.tables import ANSWERS, CATEGORIES, Row

FEW_SHOT, CHAT = "few_shot", "chat"
# Columns of table ANSWERS that are compared.
COMPARED = ("id", "domain", "relation", "split", "probs", "correct", "prompt")
ById = Mapping[str, Row]


@dataclass(frozen=True)
class CheckpointOptions:
    """Resamples and level of the intervals, the floor of KL, and the ranks of options that tie."""

    draws: int = DRAWS
    confidence: float = CONFIDENCE
    epsilon: float = EPSILON
    ranks: Ranks = "mean"


def notes_on(
    told: Sequence[Row],
    models: Sequence[Path],
    trained_on: Sequence[Path],
    questions: Sequence[Row],
    overlap: Mapping[str, Any],
) -> list[Row]:
    """The entries of checkpoints with ``notes``; ``overlap``: questions that they were trained on.

    Args:
        told: an entry for each checkpoint, of which ``trained_on`` names its training file.
        models: what was brought of each, in the same order: their records have notes.
        trained_on: where the training files lie, each once, in the order in which they are named.
        questions: QUESTIONS rows, of which the tests are looked for in these files.
        overlap: what counts: ``ngram`` words and ``overlap_share``.
    """
    tests = [row for row in questions if row["split"] == "test"]
    files = dict.fromkeys(entry["trained_on"] for entry in told if entry["trained_on"])
    found = {
        name: len(repeated(tests, path, overlap["ngram"], overlap["overlap_share"]))
        for name, path in zip(files, trained_on, strict=True)
    }
    entries = []
    for entry, model in zip(told, models, strict=True):
        record = json.loads(record_path(model).read_text(encoding="utf-8"))
        notes, file = list(record.get("notes", [])), entry["trained_on"]
        if file:
            said = f"{found[file]:,} of the {len(tests):,} questions asked occur in {file}"
            memory = ": what it gained may be memory" if found[file] else ""
            notes.append(f"{said}, which it was trained on{memory}")
        entries.append({**entry, "notes": notes, "overlap": found.get(file)})
    return entries


def compare_checkpoints(
    base: Sequence[Row],
    few_shot: Mapping[str, Sequence[Row]],
    chat: Mapping[str, Sequence[Row]],
    options: CheckpointOptions,
    seed: int,
    known: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """All numbers as plain tables: ``changes``, ``formats`` and ``pairs``, each by domain.

    ``subjects`` are changes as in the few-shot format, where domains have several subjects.
    ``base`` are ANSWERS rows of the base model; ``few_shot`` and ``chat`` those of each checkpoint
    by its name; ``known`` is the category of what the base knew of each question, if it was asked
    in several ways: ``categories`` are changes by them, few-shot. P-values are corrected (Holm)
    within each table, all domains together and one by one; of ``subjects`` and ``categories``
    within each checkpoint.

    Raises:
        UserError: they are not answers to the same questions, or not to the same prompts.
    """
    rng = np.random.default_rng(seed)
    before = {row["id"]: row for row in base if row["split"] == "test"}
    asked = {FEW_SHOT: _tables(few_shot, before), CHAT: _tables(chat, before)}
    _refuse_other_prompts(before, asked[FEW_SHOT])
    domains = sorted({row["domain"] for row in before.values()})
    scopes = {ALL: sorted(before)} if len(domains) > 1 else {}
    scopes |= {d: sorted(i for i, row in before.items() if row["domain"] == d) for d in domains}
    compare = partial(_compared, options=options, rng=rng)
    changes = [
        {
            "checkpoint": name,
            "format": form,
            "domain": domain,
            **compare(before, table, ids),
            **_agreement(name, before, table, ids, options, rng),
        }
        for name in few_shot
        for form in (FEW_SHOT, CHAT)
        for table in [asked[form][name]]
        for domain, ids in scopes.items()
    ]
    formats = [
        {"checkpoint": n, "domain": d, **compare(asked[FEW_SHOT][n], asked[CHAT][n], ids)}
        for n in few_shot
        for d, ids in scopes.items()
    ]
    pairs = [
        {"first": one, "second": other, "format": form, "domain": d}
        | compare(asked[form][one], asked[form][other], ids)
        for one, other in combinations(few_shot, 2)
        for form in (FEW_SHOT, CHAT)
        for d, ids in scopes.items()
    ]
    tables = {"changes": changes, "formats": formats, "pairs": pairs}
    subjects = _subjects(before)
    # From a generator of its own, as not all have any.
    further = partial(_compared, options=options, rng=np.random.default_rng([seed, 1]))
    by_subject = {
        name: [
            {"checkpoint": name, "domain": domain, "subject": subject}
            | further(before, asked[FEW_SHOT][name], ids)
            for (domain, subject), ids in subjects.items()
        ]
        for name in few_shot
    }
    apart = partial(_compared, options=options, rng=np.random.default_rng([seed, 2]))
    by_category = {
        name: [
            {"checkpoint": name, "category": category} | apart(before, asked[FEW_SHOT][name], ids)
            for category, ids in _categories(before, known or {}).items()
        ]
        for name in few_shot
    }
    whole = ALL if ALL in scopes else domains[0]
    by_part = [
        [row for row in rows if (row["domain"] == whole) is together]
        for rows in tables.values()
        for together in (True, False)
    ]
    for rows in (*by_part, *by_subject.values(), *by_category.values()):
        corrected = holm([row["p"] for row in rows])
        for row, p in zip(rows, corrected, strict=True):
            row["p_holm"] = float(p)
    design = {"domains": domains, "items": len(before), **asdict(options)}
    tables["subjects"] = [row for rows in by_subject.values() for row in rows]
    if known:
        tables["categories"] = [row for rows in by_category.values() for row in rows]
    found: dict[str, Any] = plain(tables)
    return found | {"design": design}


def _subjects(before: ById) -> dict[tuple[str, str], list[str]]:
    """The questions of each subject of those domains that have several."""
    found: dict[tuple[str, str], list[str]] = {}
    for key in sorted(before):
        row = before[key]
        found.setdefault((row["domain"], row["relation"]), []).append(key)
    several = Counter(domain for domain, _ in found)
    return {place: ids for place, ids in sorted(found.items()) if several[place[0]] > 1}


def by_checkpoint(told: Sequence[Row], paths: Sequence[Path]) -> dict[str, list[Row]]:
    """What is compared of the answers of each checkpoint; its tables are in the order of these."""
    names = [entry["checkpoint"] for entry in told]
    return {n: ANSWERS.read(path, COMPARED) for n, path in zip(names, paths, strict=True)}


def categories_of(rows: Iterable[Row]) -> dict[str, str]:
    """The category of each question, from KNOWLEDGE rows; none where it was asked in one way."""
    return {row["id"]: row["category"] for row in rows if row["ways"] > 1}


def _categories(before: ById, known: Mapping[str, str]) -> dict[str, list[str]]:
    """The questions of each category, the best known first."""
    of = {c: sorted(i for i in before if known.get(i) == c) for c in CATEGORIES}
    return {category: ids for category, ids in of.items() if ids}


def _tables(answers: Mapping[str, Sequence[Row]], before: ById) -> dict[str, ById]:
    found: dict[str, ById] = {
        name: {row["id"]: row for row in rows} for name, rows in answers.items()
    }
    for name, table in found.items():
        if differ := sorted(table.keys() ^ before.keys()):
            raise UserError(
                f"checkpoint {name} and its base answer different questions ({len(differ)} differ, "
                f"such as {differ[0]!r}): ask both the same test questions"
            )
    return found


def _refuse_other_prompts(before: ById, tables: Mapping[str, ById]) -> None:
    """What was asked otherwise would show as a change of the model."""
    for name, table in tables.items():
        for key, row in table.items():
            if row["prompt"] != before[key]["prompt"]:
                raise UserError(
                    f"question {key!r}: checkpoint {name} was asked with another prompt than its "
                    "base: run probe_knowledge and probe_checkpoint again"
                )


def _compared(
    one: ById,
    other: ById,
    ids: Sequence[str],
    options: CheckpointOptions,
    rng: np.random.Generator,
) -> Row:
    """Accuracy of ``one`` and ``other``, the change from one to the other, and McNemar's test."""
    right = [
        np.array([table[i]["correct"] for i in ids], dtype=np.float64) for table in (one, other)
    ]
    draws = resample_items(np.stack(right), options.draws, rng)
    values = [float(found.mean()) for found in right]
    level = options.confidence
    intervals = {
        "before": percentile_interval(values[0], draws[:, 0], level),
        "after": percentile_interval(values[1], draws[:, 1], level),
        "change": percentile_interval(values[1] - values[0], draws[:, 1] - draws[:, 0], level),
    }
    test = mcnemar(right[0], right[1])
    row: Row = {"items": len(ids)}
    for name, interval in intervals.items():
        row |= interval_columns(name, interval)
    return row | {"lost": test.lost, "gained": test.gained, "p": test.p}


def _agreement(
    name: str,
    before: ById,
    after: ById,
    ids: Sequence[str],
    options: CheckpointOptions,
    rng: np.random.Generator,
) -> Row:
    """KL from the base model and the correlation of the options' ranks, with intervals."""
    measures: dict[str, Callable[[Floats, Floats], Floats]] = {
        "kl": partial(kl_divergence, epsilon=options.epsilon),
        "consistency": partial(rank_correlation, ranks=options.ranks),
    }
    first, second = ([table[i]["probs"] for i in ids] for table in (before, after))
    said = f"checkpoint {name}"
    each = [by_options(said, ids, first, second, measure) for measure in measures.values()]
    draws = resample_items(np.stack(each), options.draws, rng)
    row: Row = {}
    for column, (key, values) in enumerate(zip(measures, each, strict=True)):
        value = float(values.mean())
        found = percentile_interval(value, draws[:, column], options.confidence)
        row |= interval_columns(key, found)
    return row
