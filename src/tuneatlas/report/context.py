"""What the report says of a run that its metrics do not know: model, data, method, samples."""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from tuneatlas.config.replicates import members
from tuneatlas.data.duplicates import telling
from tuneatlas.engine.records import record_path
from tuneatlas.models.folder import SUMMARY, parameter_count
from tuneatlas.report.contents import Context, Sample
from tuneatlas.report.knowledge_notes import knowledge_notes
from tuneatlas.report.reported import reported_for
from tuneatlas.report.sources import used_sources
from tuneatlas.report.wording import counted, listed
from tuneatlas.sizing.counts import count_questions
from tuneatlas.studies.knowledge.compare import Comparison
from tuneatlas.tables import Row

SCORED = {
    "letter": "by the probability of each option's letter",
    "cloze": "by the likelihood of each option's text",
    "cloze_normalised": "by the likelihood of each option's text per token",
}
TESTS = ("related_test",)
# What a group's label and explanation are; harmonious questions are not samples of a conflict.
CONTRASTED = ("incompatible", "self_aligning")


def run_context(
    config: Mapping[str, Any],
    model: str,
    *,
    folders: Sequence[Path],
    questions: Mapping[str, Sequence[Row]],
    labels: Mapping[str, Sequence[Row]],
    explanations: Mapping[str, Sequence[Row]],
    command: str,
    repeated: Mapping[str, Mapping[str, int]] | None = None,
    quirks: Mapping[str, Mapping[str, Mapping[str, int]]] | None = None,
) -> Context:
    """The context of a model's page.

    Args:
        config: the resolved experiment.
        model: name of the base model in it, or of the family of its replicates.
        folders: the base model, or each replicate, whose first the samples are of.
        questions: QUESTIONS rows by domain.
        labels: LABELS rows by tuned domain.
        explanations: EXPLANATIONS rows by tuned domain.
        command: what runs this experiment.
        repeated: counts of questions that occur more than once, by domain, where there are any.
        quirks: what is odd in released files, by domain and file, where questions are such.
    """
    probe, tuning, asked = (
        config[name] for name in ("probe_knowledge", "finetune", "evaluate_knowledge")
    )
    counts = [len(rows) for rows in questions.values()]
    names = members(config["models"]).get(model, [model])
    first = names[0]
    told = _describe(config["models"][first], folders[0])
    if len(names) > 1:
        seeds = [config["models"][name]["replicates"][0] for name in names]
        told = f"{told} in {len(names)} replicates (pre-training seeds {listed(seeds)}),"
    return {
        "model": {"name": model, "description": told},
        "data": f"{sum(counts):,} {_kind(questions)} questions in {counted(len(counts), 'domain')}",
        "host": f"{platform.system()} {platform.machine()}",
        "probe": f"in context, after {probe['shots']} demonstrations, {SCORED[probe['scoring']]}",
        "training": f"{tuning['epochs']} epochs in the template {tuning['chat_template']}, batches "
        f"of {tuning['batch']} {tuning['batch_unit']}, learning rate {tuning['learning_rate']:g}, "
        "loss on the assistant's tokens only",
        "evaluation": f"without demonstrations, in the template {asked['chat_template']}, "
        f"{SCORED[asked['scoring']]}",
        "command": command,
        "links": f"../compare_groups/{model}",
        "sources": used_sources(config, names, folders, questions),
        "samples": [
            sample
            for domain, rows in sorted(labels.items())
            for sample in _samples(
                questions[domain], rows, explanations[domain], config["report"]["examples"]
            )
        ],
        "notes": [
            *notes_on(repeated or {}),
            *(knowledge_notes(config, first, explanations, quirks or {}) if labels else ()),
            *sampled_notes(config),
            *_of_first(names),
        ],
        "reported": reported_for(config, first),
    }


def sampled_notes(config: Mapping[str, Any]) -> list[str]:
    """Of which published sets only a part is asked of checkpoints, and the key that takes all."""
    found = []
    for name, domain in config["domains"].items() if config["checkpoints"] else ():
        if domain["source"] == "benchmark":
            whole = domain | {"limits": domain["limits"] | dict.fromkeys(TESTS)}
            there = count_questions(name, whole, None).numbers
            for split in TESTS:
                if (limit := domain["limits"][split]) is not None and limit < there[split]:
                    found.append(
                        f"Sampled: {limit:,} of the {there[split]:,} test questions of {name} are "
                        f"asked; domains.{name}.limits.{split}: null takes all."
                    )
    return found


def _of_first(names: Sequence[str]) -> list[str]:
    """What is told of one replicate alone."""
    if len(names) == 1:
        return []
    return [
        f"Samples, and what is said of the model\u2019s own explanations, are those of {names[0]}; "
        "all other numbers are means over replicates."
    ]


def notes_on(repeated: Mapping[str, Mapping[str, int]]) -> list[str]:
    """What is said of questions that occur more than once; their counts by domain."""
    ends = {True: "they are left out but once.", False: "they are left in, and may show memory."}
    return [
        f"Of the questions on {domain}, {', '.join(telling(counts))}; {ends['drop' in counts]}"
        for domain, counts in sorted(repeated.items())
        if counts
    ]


def read_counts(questions: Path, name: str) -> dict[str, Any]:
    """What the record of a table of questions counts under a name, such as ``duplicates``."""
    record = json.loads(record_path(questions).read_text(encoding="utf-8"))
    counts: dict[str, Any] = record.get(name, {})
    return counts


def read_comparison(folder: Path) -> tuple[dict[str, Any], Path, str]:
    """The metrics, figures and link (from a page) of a folder that compares runs."""
    metrics: dict[str, Any] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return metrics, folder / "figures", f"../{folder.parent.name}/{folder.name}"


def nothing_tuned(confidence: float) -> dict[str, Any]:
    """The metrics of a comparison where no model was tuned here."""
    names = ("seeds", "replicates", "tuned_domains", "groups")
    design = {"runs": 0, **{name: [] for name in names}, "confidence": confidence}
    return {**{table.name: [] for table in fields(Comparison)}, "design": design}


def _describe(options: Mapping[str, Any], folder: Path) -> str:
    size = f"{parameter_count(folder) / 1e6:.1f} million parameters"
    kind = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"]
    if options["source"] == "scratch":
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        return (
            f"A {kind.capitalize()}-architecture model of {size}, pre-trained from scratch on "
            f"{summary['tokens'] / 1e6:.1f} million tokens of verbalised facts and prose,"
        )
    origin = options.get("id") or options.get("path") or options.get("package")
    return f"{origin}, a {kind} model of {size},"


def _kind(questions: Mapping[str, Sequence[Row]]) -> str:
    numbers = {len(row["choices"]) for rows in questions.values() for row in rows}
    return "four-choice" if numbers == {4} else "multiple-choice"


def _samples(
    questions: Sequence[Row], labels: Sequence[Row], explanations: Sequence[Row], count: int
) -> list[Sample]:
    """The first ``count`` questions on which the model and the label disagree."""
    by_id = {q["id"]: q for q in questions}
    own = {e["id"]: e["explanation"] for e in explanations}
    rows = {(r["id"], r["group"]): r for r in labels if r["group"] in CONTRASTED}
    chosen = sorted({key for key, _ in rows})[:count]
    return [
        {
            "id": key,
            "domain": by_id[key]["domain"],
            "question": by_id[key]["question"],
            "choices": by_id[key]["choices"],
            "answer": by_id[key]["answer"],
            "pred": rows[key, "incompatible"]["pred"],
            "groups": [
                {
                    "group": group,
                    "label": rows[key, group]["label"],
                    "explanation": own[key]
                    if group == "self_aligning"
                    else by_id[key]["explanation"],
                }
                for group in CONTRASTED
            ],
        }
        for key in chosen
    ]
