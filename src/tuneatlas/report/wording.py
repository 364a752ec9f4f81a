"""Numbers and verdicts in plain words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuneatlas.data.groups import group_name
from tuneatlas.data.scopes import ALL, AWAY, POOLED
from tuneatlas.statistics.metrics import FAILED, HELD, NOT_TESTABLE, UNDECIDED
from tuneatlas.studies.knowledge.claims import (
    CONSISTENCY_TRACKS,
    CONTEXTUALISED_BETTER,
    DIFFERENCES,
    INCOMPATIBLE_WORSE,
    Difference,
)
from tuneatlas.tables import Row

MINUS = "\N{MINUS SIGN}"
NONE = "\N{EN DASH}"
# How a sentence on what was found ends, by the verdict on the claim.
ENDINGS = {
    HELD: ".",
    FAILED: ": the opposite of the claim.",
    UNDECIDED: ", but the interval includes zero: these runs cannot tell.",
    NOT_TESTABLE: ", but what the claim presupposes is not so here.",
}
SCOPE_NAMES = {"homo": "HOMO", "id": "ID", "ood": "OOD", POOLED: "ID and OOD", ALL: "all three"}


def percent(value: float | None) -> str:
    """A fraction as a percentage: 0.6556 is 65.6%."""
    return NONE if value is None else f"{round(100 * value, 1) + 0.0:.1f}%".replace("-", MINUS)


def points(value: float | None) -> str:
    """A difference of fractions in percentage points, with its sign."""
    return NONE if value is None else signed(100 * value, 1)


def signed(value: float | None, decimals: int = 2) -> str:
    """A number with its sign; the minus is a real minus, and zero has no sign."""
    if value is None:
        return NONE
    text = f"{value:+.{decimals}f}"
    return text[1:] if float(text) == 0 else text.replace("-", MINUS)


def number(value: float | None, decimals: int = 2) -> str:
    """A plain number, or a dash where there is none."""
    return NONE if value is None else f"{value:,.{decimals}f}".replace("-", MINUS)


def listed(words: Sequence[object]) -> str:
    """``a, b and c``."""
    names = [str(word) for word in words]
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else ""


def counted(count: int, noun: str) -> str:
    """``1 seed``, ``1,200 seeds``."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def level_of(metrics: Mapping[str, Any]) -> str:
    """The level of a run's intervals: ``95%``."""
    return f"{100 * metrics['design']['confidence']:g}%"


def how_sure(verdict: str, row: Row, shown: str | None, what: str = "effects") -> str:
    """What stands beside a verdict: the smallest effect that a run like this one can see.

    ``shown`` is that effect with its unit, None where there is none; ``row`` has the interval, and
    the reason why a claim is not testable.
    """
    if verdict == NOT_TESTABLE:
        return f"Not testable here: {row['reason']}."
    if shown is None and row["low"] == row["high"]:
        return "Nothing varied here."
    if shown is None:
        return f"{what.capitalize()} of no size could be seen here."
    if verdict == UNDECIDED:
        return f"Undecided: {what} under {shown} could not be seen here."
    return f"{what.capitalize()} from {shown} on are decided here in 4 of 5 cases."


def null_summary(metrics: Mapping[str, Any]) -> str:
    """The null control in words: how often two seeds were told apart as two groups would be."""
    verdicts = [row["verdict"] for row in metrics["null_control"]]
    nominal = 100 * (1 - metrics["design"]["confidence"])
    decided = len(verdicts) - verdicts.count(UNDECIDED)
    return (
        "Null control: two trainings that differ in the seed alone, compared as if they were two "
        f"groups in claim 1. Of {counted(len(verdicts), 'comparison')}, "
        f"{verdicts.count(HELD)} held and {decided} were decided either way; {nominal / 2:g}% and "
        f"{nominal:g}% would be by chance, if trainings did not differ by their seed. Where more "
        "are, single trainings say little, and the claims rest on several seeds for that reason."
    )


def positive_summary(metrics: Mapping[str, Any]) -> str:
    """The positive control in words; empty where it was not trained."""
    rows = metrics["positive_control"]
    if not rows:
        return ""
    found = [row for row in rows if row["verdict"] == HELD]
    text = (
        "Positive control: trained on wrong answers drawn at random, models are to be worse than "
        f"Harmonious away from the tuned questions. That is seen in {len(found)} of "
        f"{counted(len(rows), 'domain')} ({listed([points(row['value']) for row in rows])} points)."
    )
    if len(found) < len(rows):
        text += " Where it is not seen, an undecided claim says nothing."
    return text


def negative_summary(metrics: Mapping[str, Any]) -> str:
    """The negative control in words; empty where the claims are about all facts."""
    rows = metrics.get("negative_control", ())
    if not rows:
        return ""
    level = f"{100 * metrics['design']['confidence']:g}%"
    told = [
        f"{points(row['value'])} points ({level} interval {points(row['low'])} to "
        f"{points(row['high'])}; n = {counted(row['items'], 'question')}, of which the base model "
        f"has {100 * row['base']:.1f}%)"
        for row in rows
    ]
    return (
        "Negative control: claims are about facts that the corpus states. On the others, away from "
        f"the tuned questions, there is nothing to lose: {'; '.join(told)}."
    )


# Title and statement of each claim that one group is more accurate than another.
STATED = {
    INCOMPATIBLE_WORSE: (
        "New facts hurt more than the model\N{RIGHT SINGLE QUOTATION MARK}s own mistakes",
        "Away from the tuned questions, training on answers the base model did not know "
        "(Incompatible) is worse than training on its own wrong answers to the same questions "
        "(Self-aligning).",
    ),
    CONTEXTUALISED_BETTER: (
        "New facts hurt less where their context is given",
        "Away from the tuned questions, training on answers the base model did not know "
        "with what they rest on before each question (Contextualised) is better than training on "
        "the same questions without it (Incompatible). All are asked without a context.",
    ),
}


@dataclass(frozen=True)
class Claim:
    """A claim, what this run says of it, how sure that is, and the rows behind it."""

    title: str
    statement: str
    verdict: str
    finding: str
    evidence: str
    reason: str
    tally: str
    rows: list[Row]
    format: Callable[[float | None], str]
    unit: str
    # What all rows are drawn on, in the unit of the rows.
    scale: "Scale"


@dataclass(frozen=True)
class Scale:
    """The ends of a line that values are drawn on."""

    low: float
    high: float

    @classmethod
    def around(cls, values: Sequence[float], least: float) -> "Scale":
        """From the smallest of ``values`` and zero to the largest, with room for ``least``."""
        ends = [*values, 0.0]
        margin = 0.05 * max(least, max(values, default=0.0) - min(values, default=0.0))
        return cls(min(ends) - margin, max(ends) + margin)

    def place(self, value: float) -> float:
        """Where a value lies on the line, in percent of its length."""
        inside = min(max(value, self.low), self.high)
        return round(100 * (inside - self.low) / (self.high - self.low), 2)


def claims(metrics: Mapping[str, Any]) -> list[Claim]:
    """The claims of the study that this run has numbers for."""
    differences = {difference.claim: difference for difference in DIFFERENCES}
    found = []
    for name in (INCOMPATIBLE_WORSE, CONSISTENCY_TRACKS, CONTEXTUALISED_BETTER):
        rows = [row for row in metrics["claims"] if row["claim"] == name]
        headline = next((row for row in rows if row["headline"]), None)
        if headline is None:
            continue
        level = level_of(metrics)
        if name in differences:
            found.append(_difference(differences[name], headline, rows, level))
        else:
            found.append(_consistency_tracks(headline, rows, level))
    return found


def summary(found: Sequence[Claim]) -> str:
    """The verdicts in one sentence."""
    verdicts = [claim.verdict for claim in found]
    words = {
        HELD: "held",
        FAILED: "did not hold",
        UNDECIDED: "is undecided",
        NOT_TESTABLE: "is not testable",
    }
    if not found:
        return "This run has no groups to compare: no claim was put to the test."
    if len(found) == 2 and len(set(verdicts)) == 1:
        both = words[verdicts[0]].replace("is ", "are ")
        return f"Both claims of the study {both} here."
    parts = [f"claim {place} {words[word]}" for place, word in enumerate(verdicts, 1)]
    return f"Here, {listed(parts)}."


def _difference(difference: Difference, headline: Row, rows: list[Row], level: str) -> Claim:
    """A claim that one of two groups has a higher accuracy than the other."""
    groups = (difference.first, difference.second)
    title, statement = STATED[difference.claim]
    ends = [row[end] for row in rows for end in ("low", "high")]
    first, second = map(group_name, groups)
    return Claim(
        title=title,
        statement=statement,
        verdict=headline["verdict"],
        finding=f"{first} scored {_apart(headline['value'])} "
        f"{second}: {percent(headline[groups[0]])} against "
        f"{percent(headline[groups[1]])}, where the base model had "
        f"{percent(headline['base'])}{ENDINGS[headline['verdict']]}",
        evidence=f"Difference {points(headline['value'])} points, {level} interval "
        f"{points(headline['low'])} to {points(headline['high'])}; n = "
        f"{counted(headline['items'], 'question')}, {counted(headline['seeds'], 'seed')}, "
        f"{counted(headline['domains'], 'tuned domain')}. {replicated(headline, points)}",
        reason=how_sure(headline["verdict"], headline, in_points(headline["decidable"])),
        tally=_tally([r for r in rows if r["domain"] != ALL and r["scope"] in AWAY]),
        rows=[r for r in rows if r["domain"] != ALL and r["scope"] != POOLED]
        + [r for r in rows if r["headline"]],
        format=points,
        unit="points",
        scale=Scale.around(ends, 0.02),
    )


def _consistency_tracks(headline: Row, rows: list[Row], level: str) -> Claim:
    value = headline["value"]
    if value is None:
        finding = "The correlation is not defined: consistency or accuracy did not vary."
    else:
        direction = "higher" if value > 0 else "lower"
        finding = (
            "Tuned models that kept more of the base model\N{RIGHT SINGLE QUOTATION MARK}s ranking "
            f"of the options had {direction} accuracy{ENDINGS[headline['verdict']]}"
        )
    return Claim(
        title="Keeping what the model knows goes with doing well",
        statement="Across mixtures, the more consistent a tuned model stays with the base model, "
        "the more accurate it is, at equal accuracy of the base model.",
        verdict=headline["verdict"],
        finding=finding,
        evidence=f"Partial Spearman correlation {signed(value)}, {level} interval "
        f"{signed(headline['low'])} to {signed(headline['high'])}; n = "
        f"{counted(headline['clusters'], 'tuned setting')} ({headline['points']:,} points over "
        f"{counted(headline['seeds'], 'seed')} and {counted(len(rows) - 1, 'test set')}, "
        f"not counted as independent), permutation p = {number(headline['p'], 4)}. "
        f"{replicated(headline, signed)}",
        reason=how_sure(
            headline["verdict"],
            headline,
            None if headline["decidable"] is None else number(headline["decidable"]),
            "correlations",
        ),
        tally=_tally([row for row in rows if not row["headline"]]),
        rows=rows,
        format=signed,
        unit="correlation",
        scale=Scale(-1.0, 1.0),
    )


def _apart(value: float) -> str:
    """How far one accuracy is from another: 1.2 points lower than."""
    if points(value) == points(0.0):
        return "the same as"
    return f"{abs(100 * value):.1f} points {'lower' if value < 0 else 'higher'} than"


def replicated(
    row: Row, told: Callable[[float | None], str], of: str = "the base model", last: str = ""
) -> str:
    """With how many replicates of the base model a number was found, and what it is in each.

    ``of`` is what there are replicates of; ``last``, what is said at the end where there are.
    """
    if row["replicates"] == 1:
        return "One base model: it holds for this model."
    each = listed([told(value) for value in row["per_replicate"]])
    return (
        f"Found with {row['replicates']} replicates of {of}, which the interval "
        f"covers; one by one: {each}.{last}"
    )


def in_points(value: float | None) -> str | None:
    """A size in percentage points with its unit, without a sign."""
    return None if value is None else f"{100 * value:.1f} points"


def _tally(rows: list[Row]) -> str:
    """How the parts of a claim came out, one by one."""
    verdicts = [row["verdict"] for row in rows]
    parts = [
        f"{v} in {verdicts.count(v)}"
        for v in (HELD, UNDECIDED, FAILED, NOT_TESTABLE)
        if v in verdicts
    ]
    return f"One by one: {', '.join(parts)} of {len(rows)} comparisons." if rows else ""
