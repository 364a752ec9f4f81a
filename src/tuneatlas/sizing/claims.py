"""What the claims of an experiment could tell, before it runs: designs, and what halves them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.replicates import members
from tuneatlas.data.mentions import MENTIONED
from tuneatlas.engine.operations import WHOLE
from tuneatlas.sizing.needs import Study
from tuneatlas.sizing.pilot import Variances
from tuneatlas.sizing.sheet import Line, number
from tuneatlas.statistics.power import (
    FACTORS,
    Design,
    at_best,
    decidable,
    decidable_correlation,
    halved,
    halved_together,
    standard_error_of,
)
from tuneatlas.studies.syntax.paraphrasing.starts import BOTH, CONTROL, VANILLA

# The steps that more of a factor alone has more work for, by study; their hours grow with it.
_MODEL = ("prepare_base", "probe_knowledge", "explain_predictions")
_TUNED = ("finetune", "evaluate_knowledge")
_FOLLOWED = ("finetune_stages", "restore_stages", "evaluate_stages")
_SYNTAX = ("finetune_paraphrase", "generate_paraphrases")
WORK: dict[str, dict[str, tuple[str, ...]]] = {
    "s1": {
        "questions": ("probe_knowledge", "evaluate_knowledge"),
        "seeds": _TUNED,
        "replicates": (*_MODEL, *_TUNED),
        "domains": ("probe_knowledge", "explain_predictions", *_TUNED),
    },
    "s2": {
        "questions": ("evaluate_stages", "evaluate_base"),
        "seeds": (*_FOLLOWED, "restore_base", "evaluate_base"),
        "replicates": (*_MODEL, *_FOLLOWED, "restore_base", "evaluate_base"),
        "domains": _FOLLOWED,
    },
    "s3": {
        "questions": ("generate_paraphrases",),
        "seeds": _SYNTAX,
        "replicates": (
            *("prepare_paraphraser", "pretrain_plain", "pretrain_structure", "pretrain_syntax"),
            *_SYNTAX,
        ),
        "domains": (),
    },
}


@dataclass(frozen=True)
class Power:
    """What a claim could tell: its design, the smallest effect, and what alone would halve it.

    ``effect`` and ``error`` are in the unit of the claim, None where nothing could be seen;
    ``halves``: by factor, how many of it and the further hours, None where no number does, and then
    ``best`` has the smallest effect with ever more of it. ``together``: the same for questions and
    seeds times one number.
    """

    claim: str
    study: str
    unit: str
    design: Design
    error: float | None
    effect: float | None
    halves: Mapping[str, tuple[int, float] | None]
    best: Mapping[str, float] = field(default_factory=dict)
    together: tuple[int, float] | None = None


def powers_of(
    experiment: Experiment, study: Study, lines: Sequence[Line], variances: Variances
) -> Iterator[Power]:
    """The power of every claim that an experiment makes."""
    config = study.config
    if experiment.tuned_domains:
        design = Design(
            questions=away(config, study),
            seeds=len(config["seeds"]),
            replicates=_replicates(config["models"]),
            domains=len(experiment.tuned_domains),
        )
        level = config["compare_groups"]["confidence"]
        text = "S1 (a): Incompatible less Self-aligning"
        yield _power(text, "s1", "points", design, variances, lines, level)
        yield _correlation(experiment, design, lines, level)
    if experiment.staged_domains:
        most = max(members(config["models"]).values(), key=len)
        design = Design(study.followed(most[0]), len(experiment.staged_seeds), len(most))
        level = config["stage_forgetting"]["confidence"]
        text = "S2: share actually forgotten, of one run"
        yield _power(text, "s2", "points", design, variances, lines, level)
    starts = config["finetune_paraphrase"]["starts"]
    if config["paraphrasers"] and BOTH in starts:
        design = Design(
            questions=config["prepare_sentences"]["pairs"]["test"],
            seeds=len(config["finetune_paraphrase"]["seeds"] or config["seeds"]),
            replicates=_replicates(config["paraphrasers"]),
        )
        level = config["compare_paraphrases"]["confidence"]
        text = f"S3: both stages less {CONTROL if CONTROL in starts else VANILLA}"
        yield _power(text, "s3", "BLEU-4", design, variances, lines, level)


def away(config: Mapping[str, Any], study: Study) -> int:
    """Different test questions that claim (a) rests on, away from those tuned on."""
    splits = {"home": "test", "related": "related_test"}
    tuned = [name for name, entry in config["domains"].items() if entry["tune"]]
    blocks = {(name, "related") for name in tuned}
    for one in tuned:
        others = (name for name in config["domains"] if name != one)
        blocks |= {(o, role) for o in others for role in config["compare_groups"]["ood_roles"]}
    if config["compare_groups"]["facts"] != MENTIONED:
        return sum(study.questions(name, splits[role]) for name, role in blocks)
    # What a corpus states is known of built-in facts alone.
    known = [b for b in blocks if config["domains"][b[0]]["source"] == "facts"]
    found = sum(study.questions(name, splits[role]) for name, role in known)
    return round(found * float(config["prepare_corpus"]["mentioned_share"]))


def _replicates(models: Mapping[str, Mapping[str, Any]]) -> int:
    """Replicates of the base model that has most."""
    return max((len(own) for own in members(models).values()), default=1)


def _power(
    claim: str,
    study: str,
    unit: str,
    design: Design,
    variances: Variances,
    lines: Sequence[Line],
    confidence: float,
) -> Power:
    components, hours = variances.components[study], _hours(lines)
    halves: dict[str, tuple[int, float] | None] = {}
    for factor in FACTORS:
        count = halved(components, design, factor, confidence)
        work = sum(hours.get(step, 0.0) for step in WORK[study][factor])
        more = work * (count / getattr(design, factor) - 1) if count else 0.0
        halves[factor] = (count, more) if count else None
    error, _ = standard_error_of(components, design)
    effect = decidable(components, design, confidence)
    best = {f: at_best(components, design, f, confidence) for f in FACTORS}
    times = halved_together(components, design, confidence)
    both = {step for factor in ("questions", "seeds") for step in WORK[study][factor]}
    together = None
    if times is not None:
        together = times, sum(_grown(step, study, times) * hours.get(step, 0.0) for step in both)
    return Power(claim, study, unit, design, error, effect, halves, best, together)


def _hours(lines: Sequence[Line]) -> dict[str, float]:
    """Device-hours of each step, its shards' among them."""
    known = [(line.step, line.need.hours) for line in lines if line.need is not None]
    return {WHOLE.get(step, step): hours for step, hours in known if hours}


def _grown(step: str, study: str, times: int) -> int:
    """How much more work a step has where questions and seeds are both so many times as many."""
    factors = sum(step in WORK[study][factor] for factor in ("questions", "seeds"))
    return int(times**factors) - 1


def _correlation(
    experiment: Experiment, design: Design, lines: Sequence[Line], confidence: float
) -> Power:
    """Of claim (b), which counts tuned settings: a domain's mixtures, and both pure groups."""
    each = 2 + len(experiment.mix_instructions.ratios)
    effect = decidable_correlation(design.domains * each, confidence=confidence)
    halves: dict[str, tuple[int, float] | None] = dict.fromkeys(FACTORS)
    if effect is not None:
        # The ends of the search are as those of the other claims.
        for count in range(design.domains + 1, design.domains * FACTORS["domains"] + 1):
            found = decidable_correlation(count * each, confidence=confidence)
            if found is not None and found <= effect / 2:
                hours = _hours(lines)
                work = sum(hours.get(step, 0.0) for step in WORK["s1"]["domains"])
                halves["domains"] = (count, work * (count / design.domains - 1))
                break
    text = "S1 (b): consistency tracks accuracy"
    return Power(text, "s1", "correlation", design, None, effect, halves)


HEADINGS = ("claim", "unit", *FACTORS, "std. error", "smallest effect")
HALVING = ("halved by, alone", "", *FACTORS, "questions and seeds")


def table(powers: Sequence[Power]) -> list[tuple[str, ...]]:
    """A line per claim as text, headings first: its design and the smallest effect."""
    rows = [HEADINGS]
    for p in powers:
        counts = (f"{getattr(p.design, factor):,}" for factor in FACTORS)
        rows.append((p.claim, p.unit, *counts, _shown(p.error, p.unit), _shown(p.effect, p.unit)))
    return rows


def halving_table(powers: Sequence[Power], hours: str) -> list[tuple[str, ...]]:
    """A line per claim: how many of each factor alone halve its smallest effect, at which cost."""
    rows: list[tuple[str, ...]] = [HALVING]
    for p in powers:
        cells = [
            f"{found[0]:,} (+{number(found[1])} {hours})" if found else _cannot(p, factor)
            for factor, found in p.halves.items()
        ]
        both = (
            f"{p.together[0]} times (+{number(p.together[1])} {hours})" if p.together else "cannot"
        )
        rows.append((p.claim, "", *cells, both))
    return rows


def _cannot(p: Power, factor: str) -> str:
    """That no number of a factor halves the effect; and how far ever more of it would get."""
    if p.effect is None or p.best.get(factor, p.effect) > 0.99 * p.effect:
        return "cannot"
    return f"cannot: to {_shown(p.best[factor], p.unit)}"


def _shown(value: float | None, unit: str) -> str:
    if value is None:
        return "none" if unit == "correlation" else "-"
    return f"{100 * value:.1f}" if unit == "points" else f"{value:.2f}"
