"""What the battery found of questions that seem lost, in plain words."""

from collections.abc import Mapping, Sequence
from typing import Any

from tuneatlas.data.mentions import UNMENTIONED
from tuneatlas.report.forgetting import SCOPE_PLACES
from tuneatlas.report.treatments import Found, treatment_name
from tuneatlas.report.wording import counted, level_of, number, percent
from tuneatlas.tables import Row


def recovered(metrics: Mapping[str, Any]) -> list[Found]:
    """A sentence for each scope of each treatment; none where the battery was not asked."""
    rows: Sequence[Row] = metrics.get("recovery", ())
    found: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        if row["facts"] != UNMENTIONED or metrics["design"]["facts"] == UNMENTIONED:
            own = (r for r in rows if r["facts"] == UNMENTIONED and _alike(r, row))
            treatment = (row["domain"], row["group"], row["setting"])
            text = _text(row, next(own, None), level_of(metrics))
            found.setdefault(treatment, []).append(text)
    return [Found(treatment_name(*name), sentences) for name, sentences in found.items()]


def _alike(one: Row, other: Row) -> bool:
    return all(one[name] == other[name] for name in ("domain", "group", "setting", "scope"))


def _text(row: Row, never_stated: Row | None, level: str) -> str:
    place = SCOPE_PLACES[row["scope"]]
    text = f"{place[0].upper()}{place[1:]}, "
    if not row["lost"]:
        return f"{text}no question seems lost."
    text += (
        f"{counted(row['lost'], 'answer')} of {counted(row['items'], 'question')} seem lost: "
        f"{_share(row, 'reached')} are reached by most other prompts ({level} intervals)"
    )
    if row["reached_known"] is not None:
        text += f", {_share(row, 'reached_known')} less what luck gives"
    text += f"; the base model finds {_share(row, 'base_reached')} of them so"
    if never_stated is not None and never_stated["reached"] is not None:
        text += (
            f". Of {counted(never_stated['lost'], 'answer')} lost on facts never stated, "
            f"{_share(never_stated, 'reached')} are reached"
        )
    if row["again"]:
        text += (
            f". Of {row['again']:,} asked again after restoration, {_share(row, 'back')} are back, "
            f"{_share(row, 'neither')} neither reached nor back"
        )
    if row["agreement"] is not None:
        ends = (number(row[f"agreement_{end}"]) for end in ("low", "high"))
        text += f"; the two agree with φ = {number(row['agreement'])} ({' to '.join(ends)})"
    return f"{text}."


def _share(row: Row, name: str) -> str:
    return f"{percent(row[name])} ({percent(row[f'{name}_low'])} to {percent(row[f'{name}_high'])})"
