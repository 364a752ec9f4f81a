"""What was found of checkpoints tuned elsewhere, in plain words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuneatlas.report.wording import counted, level_of, number, percent, points
from tuneatlas.tables import Row

# Corrected p-values below this decide.
LEVEL = 0.05
# The row of all domains, if there are several.
ALL = "all"
FORMATS = {"few_shot": "as the base was asked", "chat": "in its chat format"}


@dataclass(frozen=True)
class Checkpoints:
    """The part of the page on given checkpoints; ``links`` is the folder of its files."""

    metrics: Mapping[str, Any]
    links: str
    summary: str
    findings: list[tuple[str, str]]
    names: Mapping[str, str]


def checkpoints_part(metrics: Mapping[str, Any], links: str) -> Checkpoints:
    """The part of the page, from the metrics.json of step ``compare_checkpoints``."""
    findings = [(e["checkpoint"], _finding(metrics, e)) for e in metrics["checkpoints"]]
    first, sentence = findings[0]
    rest = len(findings) - 1
    more = f" {counted(rest, 'more checkpoint')} below." if rest else ""
    summary = f"{first}: {sentence.split('. ')[0]}.{more}"
    return Checkpoints(metrics, links, summary, findings, FORMATS)


def _whole(rows: list[Row]) -> Row:
    """The row over all domains."""
    return next((row for row in rows if row["domain"] == ALL), rows[0])


def _finding(metrics: Mapping[str, Any], entry: Row) -> str:
    """What was lost and gained, how much of it is format, and how sure that is."""
    name, level = entry["checkpoint"], level_of(metrics)
    own = [row for row in metrics["changes"] if row["checkpoint"] == name]
    few, chat = (_whole([r for r in own if r["format"] == form]) for form in FORMATS)
    form = _whole([row for row in metrics["formats"] if row["checkpoint"] == name])
    parts = [_change(few, level)]
    turned = f"{counted(few['lost'], 'answer')} turned wrong and {few['gained']} turned right"
    parts.append(f"{turned} of {counted(few['items'], 'question')} (p = {_p(few)})")
    if form["p_holm"] < LEVEL:
        parts.append(
            f"In its chat format ({entry['chat_template']}) it answers {percent(chat['after'])}: "
            f"{points(form['change'])} points ({points(form['change_low'])} to "
            f"{points(form['change_high'])}, p = {_p(form)}) are of how it is asked, not of what "
            "it knows"
        )
    else:
        parts.append(
            f"In its chat format ({entry['chat_template']}) it answers {percent(chat['after'])}, "
            f"no sure difference (p = {_p(form)})"
        )
    several = [r for r in own if r["format"] == "few_shot" and r["domain"] != ALL]
    sure = [r for r in several if r["p_holm"] < LEVEL and len(several) > 1]
    for word, chosen in (
        ("Lost", [r for r in sure if r["change"] < 0]),
        ("Gained", [r for r in sure if r["change"] > 0]),
    ):
        if chosen:
            listed = ", ".join(f"{r['domain']} ({points(r['change'])})" for r in chosen)
            parts.append(f"{word} by domain, in points: {listed}")
    parts += [f"Note: {note}" for note in entry["notes"]]
    return ". ".join(parts) + "."


def _change(row: Row, level: str) -> str:
    between = (
        f"{percent(row['before'])} to {percent(row['after'])} ({points(row['change'])} points, "
        f"{level} interval {points(row['change_low'])} to {points(row['change_high'])})"
    )
    if not row["lost"] and not row["gained"] and row["kl"] < 1e-6:
        right = percent(row["before"])
        return f"unchanged: every question is answered as by its base, {right} right"
    if row["p_holm"] >= LEVEL:
        return f"no sure loss or gain: asked as its base was, accuracy went from {between}"
    word = "lost" if row["change"] < 0 else "gained"
    return f"knowledge was {word}: asked as its base was, accuracy went from {between}"


def _p(row: Row) -> str:
    return number(row["p_holm"], 4)
