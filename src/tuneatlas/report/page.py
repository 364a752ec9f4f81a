"""Build the report page from metrics, figures and a description of what was run."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NotRequired, TypedDict
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from tuneatlas.data.groups import group_name
from tuneatlas.data.licences import duties
from tuneatlas.errors import UserError
from tuneatlas.report import wording
from tuneatlas.report.atlas import Atlas, atlas_part
from tuneatlas.report.checkpoints import Checkpoints, checkpoints_part
from tuneatlas.report.forgetting import Stages, stages_part
from tuneatlas.report.harness import Tasks, tasks_parts
from tuneatlas.report.other_run import OtherRun, beside
from tuneatlas.report.outcomes import Outcomes, outcomes
from tuneatlas.report.paraphrases import Paraphrases, paraphrases_part
from tuneatlas.report.reported import Beside, beside_reported
from tuneatlas.studies.syntax.paraphrasing.starts import SUBSETS, start_name
from tuneatlas.tables import Row
from tuneatlas.theme import BASE_STYLE

# Colours of the figures, and the page's name for each: the page gives them a dark variant.
FIGURE_COLOURS = {
    "#ffffff": "--paper",
    "#1b2430": "--ink",
    "#5b6675": "--muted",
    "#d5dae1": "--rule",
    "#0072b2": "--blue",
    "#d55e00": "--orange",
    "#009e73": "--green",
    "#b0568f": "--purple",
    "#56a5d8": "--sky",
    "#b98900": "--gold",
}


# The table of numbers that each figure draws.
FIGURE_NUMBERS = {
    "accuracy_by_group": "accuracy",
    "mixture_curve": "accuracy",
    "consistency": "points",
    "base_knowledge": "base_knowledge",
    "checkpoint_changes": "checkpoint_changes",
    "checkpoint_stage_curves": "measures",
    "checkpoint_restoration_curves": "measures",
    "checkpoint_question_flow": "fates",
    "stage_curves": "measures",
    "restoration_curves": "measures",
    "question_flow": "fates",
    "paraphrase_scores": "paraphrase_scores",
    "interpolation": "interpolation",
    "distance_law": "distances",
    "relearning": "relearning",
    "battery": "battery",
    "recovery": "recovery",
    "weight_changes": "weight_changes",
    "similarity": "similarity",
    "inside": "inside",
}
AUDIT_PAGE = "../audit/index.html"


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
    claims: list[wording.Claim]
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


@dataclass(frozen=True)
class Section:
    """A part of the page: its template is ``sections/{name}.html.jinja``."""

    name: str
    title: str
    has_content: Callable[[Page], object]


@dataclass(frozen=True)
class Study:
    """A chapter of the page: a question, and the sections that answer it."""

    name: str
    title: str
    sections: tuple[Section, ...]


STUDIES = (
    Study(
        "checkpoints",
        "What did the tuning do?",
        (
            Section("checkpoint_changes", "Lost and gained", lambda page: page.checkpoints),
            Section("checkpoint_formats", "Knowledge or format", lambda page: page.checkpoints),
            Section(
                "checkpoint_subjects",
                "Subject by subject",
                lambda page: page.checkpoints and page.checkpoints.metrics["subjects"],
            ),
            Section(
                "checkpoint_categories",
                "What the base knew",
                lambda page: page.checkpoints and page.checkpoints.metrics.get("categories"),
            ),
            Section(
                "checkpoint_restoration",
                "Gone, or out of reach",
                lambda page: page.checkpoints and page.checkpoints.stages,
            ),
            Section(
                "checkpoint_pairs",
                "One checkpoint and another",
                lambda page: page.checkpoints and page.checkpoints.metrics["pairs"],
            ),
        ),
    ),
    Study(
        "knowledge",
        "Learning or self-aligning?",
        (
            Section("method", "Method", lambda page: page.metrics["accuracy"]),
            Section(
                "base_knowledge",
                "Base knowledge",
                lambda page: page.metrics["base_knowledge"],
            ),
            Section("group_sizes", "Groups", lambda page: page.metrics["group_sizes"]),
            Section("samples", "Samples", lambda page: page.context["samples"]),
            Section("accuracy", "Accuracy", lambda page: page.metrics["accuracy"]),
            Section("mixtures", "Mixtures", lambda page: "mixture_curve" in page.figures),
            Section(
                "consistency",
                "Consistency",
                lambda page: "consistency" in page.figures,
            ),
            Section("checks", "Checks", lambda page: page.metrics["checks"]),
            Section("other_run", "Beside another run", lambda page: page.other),
        ),
    ),
    Study(
        "forgetting",
        "Forgotten, or only shifted?",
        (
            Section("stage_method", "Method", lambda page: page.stages),
            Section("stage_curves", "Along the tuning", lambda page: page.stages),
            Section("transitions", "Transitions", lambda page: page.stages),
            Section("fates", "Questions", lambda page: page.stages),
            Section("stage_checks", "Checks", lambda page: page.stages),
            Section("restoration", "Along the restoration", lambda page: page.stages),
        ),
    ),
    Study(
        "atlas",
        "What did tuning do to the weights?",
        (
            Section("interpolation", "Between base and tuned", lambda page: page.atlas),
            Section(
                "distance_law", "Distance and loss", lambda page: page.atlas and page.atlas.law
            ),
            Section("relearning", "Relearning", lambda page: page.atlas and page.atlas.relearnt),
            Section(
                "battery",
                "Asked in other ways",
                lambda page: page.atlas and page.atlas.recovered,
            ),
            Section(
                "changes",
                "Where it changed",
                lambda page: page.atlas and page.atlas.changed,
            ),
            Section(
                "inside",
                "Read from inside",
                lambda page: page.atlas and page.atlas.inside,
            ),
            Section("rewards", "Rewards", lambda page: page.atlas and page.atlas.rewarded),
        ),
    ),
    Study(
        "harness",
        "What do other benchmarks say?",
        (
            Section("harness_scores", "Scores", lambda page: page.harness),
            Section(
                "harness_changes",
                "Changes",
                lambda page: any(part.metrics["changes"] for part in page.harness),
            ),
        ),
    ),
    Study(
        "syntax",
        "What do trees teach?",
        (
            Section("paraphrase_method", "Method", lambda page: page.paraphrases),
            Section("paraphrase_scores", "Scores", lambda page: page.paraphrases),
            Section(
                "paraphrase_ablations",
                "Ablations",
                lambda page: any(part.ablations for part in page.paraphrases),
            ),
            Section("paraphrase_trees", "Trees", lambda page: page.paraphrases),
            Section("paraphrase_tasks", "Pre-training tasks", lambda page: page.paraphrases),
        ),
    ),
)
CLOSING = (
    Section("reported", "Beside the papers", lambda page: page.reported),
    Section("sources", "Sources and licences", lambda page: page.context["sources"]),
    Section("reproduce", "Reproduce", lambda page: page.context["command"]),
)


def build_report(
    metrics: Mapping[str, Any],
    figures: Path,
    context: Context,
    forgetting: Read | None = None,
    syntax: Sequence[Read] = (),
    other: tuple[str, Mapping[str, Any]] | None = None,
    checkpoints: Read | None = None,
    restored: Read | None = None,
    atlas: Read | None = None,
    harness: Sequence[Read] = (),
) -> str:
    """The whole page as HTML: no script, no network, equal bytes for equal input.

    ``metrics`` is ``Comparison.metrics()`` or the metrics.json made of it; ``figures`` the
    folder of the SVG files, of which the page embeds those that are there. ``forgetting`` is
    the same for the study of forgetting, and the folder of its files relative to the page;
    ``syntax`` the same for each encoder-decoder of the syntax study; ``other`` is the folder, and
    are the metrics, of another run to stand beside this one; ``checkpoints`` and
    ``restored`` are as ``forgetting``, for checkpoints tuned elsewhere: beside their base, and what
    comes back; ``atlas`` for the atlas; ``harness`` for the tasks of lm-evaluation-harness, of each
    replicate.
    """
    missing = sorted(Context.__required_keys__ - context.keys())
    if missing:
        raise UserError(f"report: the context lacks {', '.join(missing)}")
    claims = wording.claims(metrics)
    stages = stages_part(forgetting[0], forgetting[2]) if forgetting else None
    paraphrases = paraphrases_parts(syntax)
    folders = [figures, *(part[1] for part in (forgetting, checkpoints, restored, atlas) if part)]
    page = Page(
        metrics=metrics,
        figures={name: svg for folder in folders for name, svg in svg_figures(folder).items()},
        context=context,
        claims=claims,
        summary=wording.summary(claims),
        outcomes=outcomes(claims, stages, paraphrases),
        null_control=wording.null_summary(metrics),
        positive_control=wording.positive_summary(metrics),
        negative_control=wording.negative_summary(metrics),
        other=beside(metrics, *other) if other else None,
        stages=stages,
        paraphrases=paraphrases,
        checkpoints=_checkpoints(checkpoints, restored),
        atlas=atlas_part(atlas[0], atlas[2]) if atlas else None,
        harness=tasks_parts(harness),
        reported=beside_reported(
            context.get("reported", ()),
            metrics,
            {links.rsplit("/", 1)[-1]: found for found, _, links in syntax},
        ),
    )
    return rendered("page.html.jinja", page, STUDIES)


def paraphrases_parts(syntax: Sequence[Read]) -> tuple[Paraphrases, ...]:
    """The part of the page on each encoder-decoder of the syntax study."""
    return tuple(
        paraphrases_part(found, links, svg_figures(folder, f"{number}-"))
        for number, (found, folder, links) in enumerate(syntax)
    )


def rendered(template: str, page: Any, studies: Sequence[Study]) -> str:
    """A page as HTML, without empty lines: of ``studies`` the sections that have content.

    ``page`` is a dataclass with all that they ask for. The whole name of ``template`` stands where
    it is chosen, so that an edit of it makes that page anew.
    """
    parts = [(s, [part for part in s.sections if part.has_content(page)]) for s in studies]
    shown = [(study, sections) for study, sections in parts if sections]
    closing = [section for section in CLOSING if section.has_content(page)]
    found = page_environment().get_template(template)
    html = found.render(page=page, studies=shown, closing=closing, **vars(page))
    return "\n".join(line.rstrip() for line in html.splitlines() if line.strip()) + "\n"


def _checkpoints(found: Read | None, restored: Read | None) -> Checkpoints | None:
    back = (restored[0], restored[2]) if restored else None
    return checkpoints_part(found[0], found[2], back) if found else None


def svg_figures(folder: Path, prefix: str = "") -> dict[str, Markup]:
    """The SVG files of a folder as elements of a page, by name; ``prefix`` tells ids apart."""
    return {path.stem: inline_svg(path, prefix) for path in sorted(folder.glob("*.svg"))}


def inline_svg(path: Path, prefix: str = "") -> Markup:
    """An SVG file as an element of the page: own ids, colours by name, no fixed size."""
    text = path.read_text(encoding="utf-8")
    svg = text[text.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{prefix}{path.stem}-", svg)
    for colour, name in FIGURE_COLOURS.items():
        svg = svg.replace(colour, f"var({name})")
    head, body = svg.split(">", 1)
    head = re.sub(r' (width|height)="[^"]*"', "", head)
    return Markup(f'{head} aria-hidden="true" focusable="false">{body}')


def behind(text: str, *address: object) -> Markup:
    """``text`` as a link to the items that a number is made of; a dash stays a dash."""
    if text == wording.NONE:
        return Markup.escape(text)
    place = quote("/".join(map(str, address)))
    return Markup('<a class="behind" href="{}#of={}">{}</a>').format(AUDIT_PAGE, place, text)


def page_environment() -> Environment:
    """The templates of the report, with all that they may call."""
    environment = Environment(
        loader=PackageLoader("tuneatlas.report"),
        autoescape=select_autoescape(enabled_extensions=("html.jinja",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["base_style"] = Markup(BASE_STYLE)
    environment.filters |= {
        "behind": behind,
        "duties": duties,
        "subset_name": SUBSETS.__getitem__,
        "percent": wording.percent,
        "points": wording.points,
        "signed": wording.signed,
        "number": wording.number,
        "group_name": group_name,
        "scope_name": lambda scope: wording.SCOPE_NAMES[scope],
        "listed": wording.listed,
        "start_name": start_name,
        "letter": lambda index: "ABCDEFGHIJ"[index],
    }
    environment.globals |= {
        "counted": wording.counted,
        "points": wording.points,
        "bleu": partial(wording.signed, decimals=1),
        "FIGURE_NUMBERS": FIGURE_NUMBERS,
    }
    return environment
