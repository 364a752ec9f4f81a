"""The first screen: what was found and how sure, then what could not be told and why."""

from collections.abc import Sequence
from dataclasses import dataclass

from tuneatlas.report.forgetting import Stages
from tuneatlas.report.paraphrases import Paraphrases
from tuneatlas.report.wording import Claim
from tuneatlas.statistics.metrics import FAILED, HELD


@dataclass(frozen=True)
class Outcome:
    """A claim in a few sentences: what came out, and how sure that is or why it cannot be told.

    ``place`` is where the page says more.
    """

    verdict: str
    title: str
    place: str
    finding: str
    evidence: str
    reason: str


@dataclass(frozen=True)
class Outcomes:
    """All claims of a run, by whether they were decided."""

    found: list[Outcome]
    left: list[Outcome]


def outcomes(
    claims: Sequence[Claim], stages: Stages | None, paraphrases: Sequence[Paraphrases]
) -> Outcomes:
    """The claims of all studies, in their order."""
    told = [
        Outcome(c.verdict, c.title, f"claim-{n}", c.finding, c.evidence, c.reason)
        for n, c in enumerate(claims, 1)
    ]
    for run in stages.runs if stages else ():
        title = f"What is lost first comes back ({run.name})"
        told.append(Outcome(run.verdict, title, "claim-stages", run.sentence, "", run.reason))
    for part in paraphrases:
        title = "Learning trees first helps to paraphrase"
        place = f"claim-syntax-{part.name}"
        told.append(Outcome(part.verdict, title, place, part.finding, part.evidence, part.reason))
    decided = (HELD, FAILED)
    return Outcomes(
        found=[one for one in told if one.verdict in decided],
        left=[one for one in told if one.verdict not in decided],
    )
