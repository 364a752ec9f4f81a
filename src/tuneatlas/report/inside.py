"""What the atlas found inside models: where they changed, what can be read there; in words."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tuneatlas.report.treatments import Found, treatment_name
from tuneatlas.report.wording import counted, level_of, listed, number, percent
from tuneatlas.tables import Row

KINDS = {
    "kept": "kept",
    "shifted": "reached by another prompt",
    "lost": "lost",
    "unknown": "that the base has wrong",
}


def changed(metrics: Mapping[str, Any]) -> list[Found]:
    """Of each treatment: where its weights moved most, and what became least alike."""
    found = []
    for treatment, rows in _by_treatment(metrics.get("weight_changes", ())):
        most, least = (pick(rows, key=_moved) for pick in (max, min))
        level = level_of(metrics)
        sentences = [
            f"Weights moved most in {_layer(most)}, by {_share(most, 'relative_change')} of their "
            f"norm, and least in {_layer(least)}, by {_share(least, 'relative_change')} ({level} "
            "intervals)."
        ]
        alike = dict(_by_treatment(metrics.get("similarity", ()))).get(treatment, ())
        if last := [row for row in alike if row["layer"] == max(r["layer"] for r in alike)]:
            told = [
                f"{_bounds(row, 'similarity')} of {counted(row['asked'], 'answer')} "
                f"{KINDS[row['kind']]}"
                for row in last
            ]
            sentences.append(
                f"What its last layer makes of questions is like the base's by a linear CKA of "
                f"{listed(told)}."
            )
        found.append(Found(treatment_name(*treatment), sentences))
    return found


def inside(metrics: Mapping[str, Any]) -> list[Found]:
    """Of each treatment: what the probe has right in the layer where it does best on the base."""
    found = []
    for treatment, rows in _by_treatment(metrics.get("inside", ())):
        kept = [row for row in rows if (row["states"], row["kind"]) == ("base", "kept")]
        if not kept:
            continue
        best = max(kept, key=lambda row: float(row["selectivity"]))
        sentences = [
            f"Trained in {_layer(best)}, where it is most selective, on the base model's states of "
            f"kept questions, the probe has {_share(best, 'right')} of others of them right; its "
            f"control task {_share(best, 'control')} ({level_of(metrics)} intervals)."
        ]
        for states in ("base", "tuned"):
            told = [
                f"{_share(row, 'right')} of {counted(row['asked'], 'answer')} {KINDS[row['kind']]}"
                for row in rows
                if (row["states"], row["layer"]) == (states, best["layer"])
            ]
            sentences.append(f"In the {states} model's states it has right {listed(told)}.")
        if best["selectivity_low"] <= 0:
            sentences.append(
                "It is not surely more right than its control task, so that what it finds says "
                "little of what is known."
            )
        sentences.append(f"By chance it would be {percent(best['chance'])}.")
        found.append(Found(treatment_name(*treatment), sentences))
    return found


def _by_treatment(rows: Sequence[Row]) -> Iterator[tuple[tuple[str, str, str], list[Row]]]:
    found: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["domain"], row["group"], row["setting"]), []).append(row)
    yield from found.items()


def _moved(row: Row) -> float:
    return float(row["relative_change"])


def _layer(row: Row) -> str:
    return f"layer {row['layer']}"


def _share(row: Row, name: str) -> str:
    return f"{percent(row[name])} ({percent(row[f'{name}_low'])} to {percent(row[f'{name}_high'])})"


def _bounds(row: Row, name: str) -> str:
    low, high = (number(row[f"{name}_{end}"], 3) for end in ("low", "high"))
    return f"{number(row[name], 3)} ({low} to {high})"
