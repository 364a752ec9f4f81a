"""What the report is made of: what was read, what is known of the run, what templates may use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from markupsafe import Markup

from tuneatlas.report.atlas import Atlas
from tuneatlas.report.checkpoints import Checkpoints
from tuneatlas.report.forgetting import Stages
from tuneatlas.report.harness import Tasks
from tuneatlas.report.other_run import OtherRun
from tuneatlas.report.outcomes import Outcomes
from tuneatlas.report.paraphrases import Paraphrases
from tuneatlas.report.reported import Beside
from tuneatlas.report.wording import Claim
from tuneatlas.tables import Row

# The metrics of a comparison, the folder of its figures, and that of its files from the page.
Read = tuple[Mapping[str, Any], Path, str]


class Model(TypedDict):
    """The base model: its name, and a noun phrase that says what it is and its size."""

    name: str
    description: str


class Source(TypedDict):
    """Data, weights or a program of others: name, version, licence, what it was used for."""

    name: str
    version: str
    licence: str
    use: str


class Trained(TypedDict):
    """What one group is trained to answer to a sample question."""

    group: str
    label: int
    explanation: str


class Sample(TypedDict):
    """A training question with the label and explanation of each group that has it."""

    id: str
    domain: str
    question: str
    choices: list[str]
    answer: int
    pred: int
    groups: list[Trained]


class Context(TypedDict):
    """What the metrics do not know of a run. Texts are sentences or phrases without a full stop.

    ``links`` is the folder of metrics.json and figures/ relative to the page; ``notes`` are
    whole sentences on what a reader must keep in mind (a model that is not a base model, …).
    ``reported`` are numbers that others report of the same models and data, if there are any.
    """

    model: Model
    data: str
    host: str
    probe: str
    training: str
    evaluation: str
    command: str
    links: str
    sources: list[Source]
    samples: list[Sample]
    notes: list[str]
    reported: NotRequired[list[Row]]


@dataclass(frozen=True)
class Page:
    """All that the templates may use."""

    metrics: Mapping[str, Any]
    figures: Mapping[str, Markup]
    context: Context
    claims: list[Claim]
    summary: str
    outcomes: Outcomes
    null_control: str
    positive_control: str
    negative_control: str
    other: OtherRun | None = None
    stages: Stages | None = None
    paraphrases: tuple[Paraphrases, ...] = ()
    checkpoints: Checkpoints | None = None
    atlas: Atlas | None = None
    harness: tuple[Tasks, ...] = ()
    reported: Sequence[Beside] = ()
