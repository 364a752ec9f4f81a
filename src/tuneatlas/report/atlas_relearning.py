"""What relearning says, in plain words."""

from collections.abc import Mapping, Sequence
from typing import Any

from tuneatlas.data.groups import arm_name
from tuneatlas.report.wording import counted, level_of, percent, points
from tuneatlas.studies.atlas.tables import LOST, NEVER
from tuneatlas.tables import Row

TEXTS = {"stated": "On text that states the facts", "other": "On other text"}


def relearning_sentences(metrics: Mapping[str, Any]) -> list[str]:
    """One of each treatment and text that has facts of both kinds."""
    rows: dict[tuple[str, str, str], list[Row]] = {}
    for row in metrics.get("relearning", ()):
        rows.setdefault((row["group"], row["domain"], row["text"]), []).append(row)
    times = {
        (row["group"], row["domain"], row["text"], row["kind"]): row
        for row in metrics.get("relearning_times", ())
    }
    return [
        _sentence(key, own, [times[*key, kind] for kind in (LOST, NEVER)], level_of(metrics))
        for key, own in rows.items()
        if any(row["kind"] == "difference" for row in own)
    ]


def _sentence(
    key: tuple[str, str, str], rows: Sequence[Row], times: Sequence[Row], level: str
) -> str:
    group, domain, text = key
    last = {row["kind"]: row for row in rows}
    lost, never, apart = (last[kind] for kind in (LOST, NEVER, "difference"))
    halves = " and ".join(_half(row) for row in times)
    return (
        f"{arm_name(domain, group)}. {TEXTS[text]}, {counted(lost['update'], 'update')} and "
        f"{counted(lost['examples'], 'text')}: {percent(lost['back'])} of {lost['items']} lost "
        f"facts are back and {percent(never['back'])} of {never['items']} never known are there, "
        f"{points(apart['back'])} points apart ({level} interval {points(apart['back_low'])} to "
        f"{points(apart['back_high'])}). {halves}."
    )


def _half(row: Row) -> str:
    kind = {LOST: "Half of those lost are back", NEVER: "half of those never known are there"}
    if row["median"] is None:
        return f"{kind[row['kind']]} by none of them"
    ends = (row["median_low"], row["median_high"])
    low, high = ("none" if end is None else f"{end:g}" for end in ends)
    return f"{kind[row['kind']]} by update {row['median']:g} ({low} to {high})"
