"""How fast lost facts come back, beside facts never known: curves over updates, and medians.

A fact is back from an update on if it is answered rightly then and whenever it is asked later, so
that a curve never falls and a lucky guess counts for little. All are wrong before the first update.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tuneatlas.errors import UserError
from tuneatlas.statistics.bootstrap import (
    Floats,
    Interval,
    percentile_interval,
    replicate_weights,
    resample_items,
    resample_seeds,
)
from tuneatlas.statistics.metrics import interval_columns, plain
from tuneatlas.studies.atlas.map import MapOptions
from tuneatlas.studies.atlas.tables import LOST, NEVER, OTHER, RELEARNED, STATED
from tuneatlas.studies.atlas.trainings import (
    Training,
    Treatment,
    bases_of,
    read_trainings,
    sizes_of,
)
from tuneatlas.tables import Row

ASKED = ("setting", "text", "update", "examples", "kind", "id", "correct", "scores")


class Relearned(NamedTuple):
    """One treatment: which facts are back at each update, by text, kind and training.

    ``setting`` is that of the tuned model; ``back`` has shape (updates, facts); ``chance`` is the
    mean share of a guess.
    """

    setting: str
    updates: list[int]
    examples: list[int]
    back: Mapping[tuple[str, str, Training], Floats]
    chance: float


def read_relearned(paths: Sequence[Path]) -> dict[Treatment, Relearned]:
    """From files of trainings (`training_of`); those that follow no fact too."""
    found = read_trainings(paths, RELEARNED, ASKED)
    return {treatment: _relearned(treatment, own) for treatment, own in sorted(found.items())}


def _relearned(treatment: Treatment, rows: Mapping[Training, Sequence[Row]]) -> Relearned:
    back: dict[tuple[str, str, Training], Floats] = {}
    updates: dict[int, int] = {}
    guesses = []
    for training in sorted(rows):
        own = rows[training]
        at = {row["update"]: row["examples"] for row in own}
        if updates and at and at != updates:
            raise UserError(
                f"atlas: {', '.join(treatment)}: {training[0]}, seed {training[1]} was asked at "
                "other updates than the rest; run relearn_facts again"
            )
        updates = updates or dict(sorted(at.items()))
        guesses += [1 / len(row["scores"]) for row in own if row["update"] == 0]
        right = {(r["text"], r["update"], r["id"]): r["correct"] for r in own}
        for text in (STATED, OTHER):
            for kind in (LOST, NEVER):
                ids = sorted({r["id"] for r in own if (r["text"], r["kind"]) == (text, kind)})
                table = np.array([[right[text, u, i] for i in ids] for u in updates], dtype=bool)
                later = np.logical_and.accumulate(table[::-1])[::-1]
                back[text, kind, training] = later.astype(np.float64)
    chance = float(np.mean(guesses)) if guesses else 0.0
    # The same of all trainings: the config allows no other seeds.
    setting = next((row["setting"] for own in rows.values() for row in own), "finetune")
    return Relearned(setting, list(updates), list(updates.values()), back, chance)


class Curve(NamedTuple):
    """Share back by update, averaged over trainings, (updates,); and draws of it."""

    value: Floats
    draws: Floats
    items: int


def relearning(
    found: Mapping[Treatment, Relearned], options: MapOptions, seed: int
) -> dict[str, list[Row]]:
    """Tables ``relearning`` (curves and differences) and ``relearning_times`` (medians)."""
    rng = np.random.default_rng([seed, 6])
    tables: dict[str, list[Row]] = {"relearning": [], "relearning_times": []}
    for (domain, group), own in found.items():
        for text in (STATED, OTHER):
            trainings = {key[2] for key in own.back}
            # One draw of trainings for both kinds, whose difference is theirs.
            weights = _weights(trainings, options.draws, rng)
            several = {
                kind: _curve(own, text, kind, options, weights, rng) for kind in (LOST, NEVER)
            }
            curves = {kind: curve for kind, curve in several.items() if curve}
            sizes = sizes_of(trainings)
            key = {"domain": domain, "group": group, "setting": own.setting, "text": text}
            for kind, curve in curves.items():
                shares = zip(own.updates, own.examples, curve.value, curve.draws.T, strict=True)
                for update, examples, share, draws in shares:
                    tables["relearning"].append(
                        key | {"kind": kind, "update": update, "examples": examples}
                        | sizes | {"items": curve.items, "chance": own.chance}
                        | interval_columns("back", _bounded(share, draws, options, 0.0))
                    )  # fmt: skip
                tables["relearning_times"].append(
                    key | {"kind": kind} | sizes | {"items": curve.items}
                    | interval_columns("median", _median(own.updates, curve, options))
                )  # fmt: skip
            if len(curves) == 2:
                lost, never = curves[LOST], curves[NEVER]
                apart = lost.value - never.value, lost.draws - never.draws
                steps = zip(own.updates, own.examples, apart[0], apart[1].T, strict=True)
                for update, examples, share, draws in steps:
                    tables["relearning"].append(
                        key | {"kind": "difference", "update": update, "examples": examples}
                        | sizes | {"items": lost.items + never.items, "chance": None}
                        | interval_columns("back", _bounded(share, draws, options, -1.0))
                    )  # fmt: skip
    return {name: plain(rows) for name, rows in tables.items()}


def _bounded(value: float, draws: Floats, options: MapOptions, least: float) -> Interval:
    found = percentile_interval(float(value), draws, options.confidence)
    return Interval(found.value, max(found.low, least), min(found.high, 1.0))


def _weights(trainings: Collection[Training], draws: int, rng: np.random.Generator) -> Floats:
    """How often each training, or what of each base model, is in each draw."""
    replicates = len(set(bases_of(trainings)))
    if replicates == 1:
        return resample_seeds(len(trainings), draws, rng)
    return replicate_weights(replicates, draws, rng)


def _curve(
    own: Relearned,
    text: str,
    kind: str,
    options: MapOptions,
    weights: Floats,
    rng: np.random.Generator,
) -> Curve | None:
    """None if a training has no fact of this kind: what it would add is not known."""
    tables = [table for (t, k, _), table in own.back.items() if (t, k) == (text, kind)]
    if not all(table.size for table in tables):
        return None
    each = np.stack([table.mean(axis=1) for table in tables])
    draws = np.stack([resample_items(table, options.draws, rng) for table in tables], axis=1)
    replicates = len(set(bases_of(training for _, _, training in own.back)))
    # As `average_rows`, with one draw of trainings for all updates of a curve, which stays one.
    if replicates == 1:
        shares = np.einsum("dt,dtu->du", weights, draws)
    else:
        of_base = each.reshape(replicates, -1, each.shape[1]).mean(axis=1)
        shares = draws.mean(axis=1) + weights @ of_base
    return Curve(each.mean(axis=0), shares, sum(table.shape[1] for table in tables))


def _median(updates: Sequence[int], curve: Curve, options: MapOptions) -> Interval:
    """The first update by which half are back; infinite, if they are not by the last."""
    at = np.array([*updates, np.inf])

    def first(shares: Floats) -> Floats:
        over = np.concatenate([shares >= 0.5, np.ones((*shares.shape[:-1], 1), bool)], axis=-1)
        return np.asarray(at[over.argmax(axis=-1)], dtype=np.float64)

    tail = (1 - options.confidence) / 2
    low, high = np.quantile(first(curve.draws), [tail, 1 - tail], method="nearest")
    return Interval(float(first(curve.value)), float(low), float(high))
