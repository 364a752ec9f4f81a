"""The chapters of the report and their sections, in the order in which they are read."""

from collections.abc import Callable
from dataclasses import dataclass

from tuneatlas.report.contents import Page


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
                "distance_law",
                "Distance and loss",
                lambda page: page.atlas and page.atlas.metrics.get("distances"),
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
