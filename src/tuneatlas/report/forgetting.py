"""What the forgetting study found, in plain words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuneatlas.data.groups import group_name
from tuneatlas.report.wording import (
    Scale,
    counted,
    how_sure,
    in_points,
    level_of,
    listed,
    percent,
    points,
    signed,
)
from tuneatlas.statistics.manipulation import reasons
from tuneatlas.statistics.metrics import FAILED, HELD, NOT_TESTABLE, UNDECIDED
from tuneatlas.studies.forgetting.fates import ACTUAL, NONE, PSEUDO, UNCLEAR
from tuneatlas.studies.forgetting.study import BASE
from tuneatlas.tables import Row

STAGE_NAMES = {
    NONE: "no loss",
    PSEUDO: "pseudo-forgetting",
    ACTUAL: "actual forgetting",
    UNCLEAR: "loss, kind unclear",
}
SCOPE_PLACES = {
    "homo": "at home (HOMO)",
    "id": "in related questions (ID)",
    "ood": "out of the domain (OOD)",
}


@dataclass(frozen=True)
class RunFinding:
    """What was seen of one run: its stages step by step, the transition, and both by scope."""

    name: str
    verdict: str
    sentence: str
    reason: str
    scopes: str
    steps: list[Row]


@dataclass(frozen=True)
class Stages:
    """The part of the page that is about forgetting; ``links`` is the folder of its files."""

    metrics: Mapping[str, Any]
    links: str
    runs: list[RunFinding]
    verdict: str
    summary: str
    control: str
    overlap: str
    corrections: str
    scale: Scale


def stages_part(metrics: Mapping[str, Any], links: str) -> Stages:
    """The part of the page, from the metrics.json of step ``stage_forgetting``."""
    level = level_of(metrics)
    names = dict.fromkeys((row["domain"], row["group"]) for row in metrics["stages"])
    runs = [_run(metrics, *name, level) for name in names]
    verdicts = {run.verdict for run in runs}
    verdict = verdicts.pop() if len(verdicts) == 1 else UNDECIDED
    ends = [row[end] for run in runs for row in run.steps for end in ("low", "high")]
    return Stages(
        metrics=metrics,
        links=links,
        runs=runs,
        verdict=verdict,
        summary=_summary(metrics, level),
        control=control_text(metrics, level),
        overlap=overlap_text(metrics["overlap"]),
        corrections=corrections_text(metrics),
        scale=Scale.around(ends, 0.02),
    )


def _run(metrics: Mapping[str, Any], domain: str, group: str, level: str) -> RunFinding:
    def own(table: str, **wanted: Any) -> list[Row]:
        wanted |= {"domain": domain, "group": group}
        return [r for r in metrics[table] if all(r[k] == v for k, v in wanted.items())]

    stages = own("stages", setting="stages")
    changes = own("tests", setting="stages", comparison="base to restored")
    steps = [
        row | {"stage": STAGE_NAMES[stage["stage"]], "per_seed": stage["per_seed"]}
        for row, stage in zip(changes, stages, strict=True)
    ]
    # The step that sees least.
    widest = max(changes, key=lambda row: row["decidable"] or 0.0)
    whole, *single = own("transitions", reference=BASE)
    pseudo = [row["step"] for row in stages if row["stage"] == PSEUDO]
    verdict = UNDECIDED
    failed = reasons(metrics["checks"])
    if failed:
        verdict = NOT_TESTABLE
    elif whole["seen"]:
        verdict = HELD if any(step < whole["step"] for step in pseudo) else FAILED
    return RunFinding(
        name=f"{group_name(group)}, {domain}" if domain else group,
        verdict=verdict,
        reason=how_sure(
            verdict,
            {**widest, "reason": "; ".join(failed)},
            in_points(widest["decidable"]),
            "losses at one step",
        ),
        sentence=f"{_pseudo_text(pseudo)} "
        f"{_transition_text(whole, single, _interval_of(level, metrics['design']))}",
        scopes=_scopes_text(own("scoped_transitions", reference=BASE, seed="all")),
        steps=steps,
    )


def _pseudo_text(steps: Sequence[int]) -> str:
    if not steps:
        return "At no step was a loss seen that restoration brings back whole."
    which = f"step {steps[0]}" if len(steps) == 1 else f"steps {listed(steps)}"
    return f"Pseudo-forgetting at {which}: lost after tuning, back after restoration."


def _interval_of(level: str, design: Mapping[str, Any]) -> str:
    """What an interval is, and of which models: with one base model it holds for this one."""
    if len(design["replicates"]) > 1:
        return f"{level} interval over replicates"
    if len(design["seeds"]) > 1:
        return f"{level} interval for this base model"
    return f"{level} interval for this one training of this base model"


def _transition_text(whole: Row, single: Sequence[Row], interval: str) -> str:
    if not whole["seen"]:
        text = "No transition seen: at no step is the restored model below the base model"
        early = whole["earliest"]
        bound = (
            f"a loss of the margin cannot be ruled out from step {early} on"
            if early is not None
            else "a loss of the margin is ruled out at every step"
        )
        return f"{text} (corrected p {whole['p_corrected']:.2g}); {bound}."
    if whole["latest"] is None:
        range_text = f"{interval}: step {whole['earliest']} or later, or not within the run"
    elif whole["earliest"] == whole["latest"]:
        range_text = f"{interval}: no other of the steps kept"
    else:
        range_text = f"{interval}: step {whole['earliest']} to {whole['latest']}"
    seeds = [f"step {row['step']}" if row["seen"] else "none" for row in single]
    each = _one_by_one(any(":" in row["seed"] for row in single))
    lasting = "and at all later steps" if whole["lasts"] else "but not at all later steps"
    return (
        f"Actual forgetting from step {whole['step']} on, {lasting} ({range_text}; corrected p "
        f"{whole['p_corrected']:.2g}; {each}: {listed(seeds)})."
    )


def _scopes_text(rows: Sequence[Row]) -> str:
    """Where forgetting is actual, scope by scope: gains in one can hide losses in another."""
    seen = [
        f"{SCOPE_PLACES[row['scope']]} from step {row['step']} on" for row in rows if row["seen"]
    ]
    rest = [SCOPE_PLACES[row["scope"]] for row in rows if not row["seen"]]
    if not seen:
        return "In no scope by itself is actual forgetting seen." if rest else ""
    text = f"Scope by scope, forgetting is actual {listed(seen)}"
    return f"{text}; none is seen {listed(rest)}." if rest else f"{text}."


def _summary(metrics: Mapping[str, Any], level: str) -> str:
    design = metrics["design"]
    return (
        f"{counted(design['items'], 'question')}, {counted(len(design['seeds']), 'seed')}, "
        f"{_bases(design)}, "
        f"{level} intervals, tests corrected along each run (Holm), not over runs; margin "
        f"{100 * design['margin']:g} points."
    )


def _bases(design: Mapping[str, Any]) -> str:
    """With how many base models it was found."""
    if len(design["replicates"]) < 2:
        return "one base model, for which it holds"
    return f"{len(design['replicates'])} replicates of the base model, which intervals cover"


def _one_by_one(replicated: bool) -> str:
    """How trainings are told apart: by their seed alone, or by replicate and seed."""
    return "training by training" if replicated else "seed by seed"


def control_text(metrics: Mapping[str, Any], level: str) -> str:
    """What restoration does to the base model itself, and what that means."""
    row = next(r for r in metrics["control"] if r["measure"] == "accuracy")
    bits = next((r for r in metrics["control"] if r["measure"] == "heldout_bits"), None)
    replicates = metrics["design"].get("replicates", ())
    other = f"held-out text by {signed(bits['value'], 3)} bits per byte and " if bits else ""
    # The verdict on noise that follows is accuracy's alone, so accuracy stands last.
    text = (
        f"Restoring the base model itself changes {other}its accuracy by "
        f"{points(row['value'])} points ({level} interval {points(row['low'])} to "
        f"{points(row['high'])}, p {row['p']:.2g}; {_one_by_one(len(replicates) > 1)} "
        f"{listed([points(v) for v in row['per_seed']])})"
    )
    if row["within_noise"]:
        return f"{text}: within its noise."
    if row["value"] > 0:
        return (
            f"{text}. Restoration teaches by itself: what comes back is partly new, and actual "
            "forgetting may be underrated here; the comparison with the restored base model is "
            "the fairer one."
        )
    return (
        f"{text}. Restoration costs knowledge by itself: part of what looks forgotten was lost in "
        "restoration, so a transition against the base model may be an artefact; the comparison "
        "with the restored base model is the fairer one."
    )


def corrections_text(metrics: Mapping[str, Any]) -> str:
    """What p-values are corrected over, and what would be left if it were over all runs."""
    kept = {
        table: [
            sum(r[name] for r in metrics["corrections"] if r["table"] == table)
            for name in ("below_corrected", "below_over_runs", "tests")
        ]
        for table in ("tests", "scoped_tests")
    }
    over = metrics["design"]["corrected_over"]
    level = 1 - metrics["design"]["confidence"]
    said = [
        f"{kept[table][0]} of {counted(kept[table][2], 'test')} {name} are below {level:.2g} "
        f"({kept[table][1]} if corrected over all runs too)"
        for table, name in (("tests", "over all questions"), ("scoped_tests", "by scope"))
        if kept[table][2]
    ]
    return (
        f"Holm corrects over a family, {over['tests']}; by scope, {over['scoped_tests']}. "
        f"Different runs, comparisons and settings are not corrected for: {listed(said)}."
    )


def overlap_text(overlap: Mapping[str, Any]) -> str:
    """How far the restoration text overlapped with the questions, and what was done."""
    dropped = 1 - overlap["restore_characters"] / max(overlap["restore_characters_read"], 1)
    return (
        f"From the restoration text {percent(dropped)} were left out: passages that repeat a "
        f"question with its answer or state its fact. In the {overlap['restore_documents']:,} "
        f"documents left, {overlap['overlapping_questions']} of {overlap['questions']} "
        f"questions ({percent(overlap['overlapping_share'])}) occur, the limit being "
        f"{percent(overlap['limit'])}."
    )
