"""What was found of checkpoints tuned elsewhere, in plain words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuneatlas.data.scopes import ALL
from tuneatlas.report.forgetting import Stages, stages_part
from tuneatlas.report.wording import counted, level_of, listed, number, percent, points
from tuneatlas.statistics.manipulation import reasons
from tuneatlas.statistics.power import sensitivity
from tuneatlas.studies.forgetting.fates import ACTUAL, NONE, PSEUDO, UNCLEAR
from tuneatlas.tables import Row

FORMATS = {"few_shot": "as the base was asked", "chat": "in its chat format"}
# What a stage says of what was lost.
STAGES = {
    NONE: "On these questions there is no sure loss to bring back",
    PSEUDO: "What was lost is out of reach, not gone (pseudo-forgetting)",
    ACTUAL: "Knowledge is gone (actual forgetting)",
    UNCLEAR: "Whether what was lost is gone or only out of reach cannot be told here",
}


@dataclass(frozen=True)
class Finding:
    """Of one checkpoint: its name, a sentence, and in words what a reader asks, question first.

    ``told``: its tags and the seed of its tuning, where the config says some.
    """

    name: str
    told: str
    headline: str
    answers: list[tuple[str, str]]
    notes: list[str]


@dataclass(frozen=True)
class Checkpoints:
    """The part of the page on given checkpoints; ``links`` is the folder of its files.

    ``stages``: what became of them in restoration, if any was restored.
    """

    metrics: Mapping[str, Any]
    links: str
    summary: str
    findings: list[Finding]
    names: Mapping[str, str]
    stages: Stages | None


def checkpoints_part(
    metrics: Mapping[str, Any], links: str, restored: tuple[Mapping[str, Any], str] | None = None
) -> Checkpoints:
    """The part of the page, from the metrics.json of step ``compare_checkpoints``.

    ``restored``: that of step ``stage_checkpoints``, and the folder of its files.
    """
    back = restored[0] if restored else None
    findings = [_finding(metrics, entry, back) for entry in metrics["checkpoints"]]
    first, *rest = findings
    more = f" {counted(len(rest), 'more checkpoint')} below." if rest else ""
    summary = f"{first.name}: {first.headline}{more}"
    stages = stages_part(*restored) if restored else None
    return Checkpoints(metrics, links, summary, findings, FORMATS, stages)


def _whole(rows: Sequence[Row]) -> Row:
    """The row over all domains."""
    return next((row for row in rows if row["domain"] == ALL), rows[0])


def _finding(metrics: Mapping[str, Any], entry: Row, back: Mapping[str, Any] | None) -> Finding:
    name = entry["checkpoint"]
    own = [row for row in metrics["changes"] if row["checkpoint"] == name]
    asked = {form: [r for r in own if r["format"] == form] for form in FORMATS}
    few, chat = map(_whole, asked.values())
    form = _whole([row for row in metrics["formats"] if row["checkpoint"] == name])
    right = round(few["before"] * few["items"])
    # Corrected p-values up to this decide.
    alpha = 1 - metrics["design"]["confidence"]
    sure = [r for r in asked["few_shot"] if r is not few and r["p_holm"] <= alpha]
    sure += [r for r in metrics["subjects"] if r["checkpoint"] == name and r["p_holm"] <= alpha]
    lost = f"{few['lost']} of {counted(right, 'answer')} that its base had right"
    gained = f"{few['gained']} of {counted(few['items'] - right, 'answer')} that its base had wrong"
    seed = entry.get("seed")
    told = [*entry.get("tags", ()), *([f"tuned with seed {seed}"] if seed is not None else ())]
    return Finding(
        name,
        ", ".join(told),
        f"{_headline(few, level_of(metrics), alpha)}.",
        [
            ("Lost", f"{lost}{_where([r for r in sure if r['change'] < 0])}."),
            ("Gained", f"{gained}{_where([r for r in sure if r['change'] > 0])}."),
            ("How much is format", _format_text(form, chat, entry["chat_template"], alpha)),
            ("How much comes back", comes_back(entry, back)),
            ("How sure", _sure(metrics, few)),
        ],
        list(entry["notes"]),
    )


def _headline(row: Row, level: str, alpha: float) -> str:
    between = (
        f"{percent(row['before'])} to {percent(row['after'])} ({points(row['change'])} points, "
        f"{level} interval {points(row['change_low'])} to {points(row['change_high'])})"
    )
    if not row["lost"] and not row["gained"] and row["kl"] < 1e-6:
        right = percent(row["before"])
        return f"unchanged: every question is answered as by its base, {right} right"
    if row["p_holm"] > alpha:
        return f"no sure loss or gain: asked as its base was, accuracy went from {between}"
    word = "lost" if row["change"] < 0 else "gained"
    return f"knowledge was {word}: asked as its base was, accuracy went from {between}"


def _where(rows: Sequence[Row]) -> str:
    """The domains and subjects of which a change is sure."""
    if not rows:
        return ""
    shown = [f"{r.get('subject', r['domain'])} ({points(r['change'])} points)" for r in rows]
    return f"; for sure in {listed(shown)}"


def _format_text(form: Row, chat: Row, template: str, alpha: float) -> str:
    answered = f"In its chat format ({template}) it answers {percent(chat['after'])}"
    if form["p_holm"] > alpha:
        return f"{answered}, no sure difference from how its base was asked ({_p(form['p_holm'])})."
    return (
        f"{answered}: {points(form['change'])} points ({points(form['change_low'])} to "
        f"{points(form['change_high'])}, {_p(form['p_holm'])}) are of how it is asked, not of "
        "what it knows."
    )


def comes_back(entry: Row, back: Mapping[str, Any] | None) -> str:
    """What restoration brings back of what a checkpoint lost."""

    def own(table: str, **wanted: Any) -> list[Row]:
        wanted |= {"group": entry["run"], "step": entry["step"] or 0, "setting": "stages"}
        rows = back[table] if back else []
        return [r for r in rows if all(r[k] == v for k, v in wanted.items())]

    fates = {row["fate"]: row for row in own("fates")}
    if back is None or not fates:
        return (
            "Not tried: restoration needs a text like that of pre-training (prepare_restoration) "
            "and restore: true."
        )
    if failed := reasons(back["checks"]):
        return f"Cannot be told here: {'; '.join(failed)}."
    pseudo, actual = fates["pseudo_forgotten"], fates["actually_forgotten"]
    (restored,) = own("tests", comparison="base to restored")
    level = level_of(back)
    again = (
        f"Of {counted(pseudo['n'], 'question')} asked again after restoration "
        f"({back['design']['tokens']:,} tokens), "
    )
    if lost := pseudo["value"] + actual["value"]:
        text = (
            f"{again}its base knew and tuning lost {percent(lost)}: {percent(pseudo['value'])} "
            f"({percent(pseudo['low'])} to {percent(pseudo['high'])}) came back and "
            f"{percent(actual['value'])} ({percent(actual['low'])} to {percent(actual['high'])}) "
            "did not"
        )
        if pseudo["known_value"] is not None:
            text += (
                f"; without lucky guesses {percent(pseudo['known_value'])} and "
                f"{percent(actual['known_value'])}"
            )
    else:
        text = f"{again}tuning lost none that its base knew"
    text = f"{STAGES[own('stages')[0]['stage']]}. {text}"
    return (
        f"{text}. Restored, it is {points(restored['value'])} points from its base ({level} "
        f"interval {points(restored['low'])} to {points(restored['high'])}, "
        f"{_p(restored['p_corrected'])})."
    )


def _sure(metrics: Mapping[str, Any], row: Row) -> str:
    """The interval and test of the whole change, and what so many questions could show."""
    confidence = metrics["design"]["confidence"]
    looks = sum(other["domain"] == row["domain"] for other in metrics["changes"])
    seen = sensitivity(row["change_low"], row["change_high"], confidence).decidable
    text = (
        f"{counted(row['items'], 'question')}: {points(row['change_low'])} to "
        f"{points(row['change_high'])} points with {level_of(metrics)} confidence, "
        f"{_p(row['p_holm'])} after correction for {counted(looks, 'comparison')}"
    )
    if seen is not None:
        text += f"; a change of {100 * seen:.1f} points would be decided in 4 of 5 cases"
    return f"{text}. One tuning: another with the same data may differ."


def _p(value: float) -> str:
    """A p-value, of which none is 0."""
    return f"p = {number(value, 4)}" if value >= 0.00005 else "p < 0.0001"
