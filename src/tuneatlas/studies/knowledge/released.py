"""The authors' own groups of a model in place of its probe, labels and explanations."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tuneatlas.data.self_aligning import LABELLED, read_groups, refuse_unknown
from tuneatlas.models.prompts import ExplainTemplate
from tuneatlas.studies.knowledge.explain import explain_prompt, kept_text
from tuneatlas.tables import Row


class ReleasedGroups(NamedTuple):
    """Rows of tables LABELS and EXPLANATIONS, and counts for the record."""

    labels: list[Row]
    explanations: list[Row]
    counts: dict[str, Any]


def take_groups(
    folder: Path,
    model: str,
    domain: str,
    questions: Mapping[str, Row],
    template: ExplainTemplate,
) -> ReleasedGroups:
    """Labels and explanations of the released groups of a model, in the order of their files.

    Args:
        folder: the folder of the authors' data.
        model: name of a model in it.
        domain: a domain, whose question rows by id are ``questions``.
        template: how they asked for explanations, by which prompts and ends are told.

    Raises:
        UserError: naming file and line of a row that is unsound or no question of the domain.
    """
    groups = read_groups(folder, model, domain)
    refuse_unknown(groups, questions, domain)
    labels: list[Row] = []
    explanations: list[Row] = []
    for group in LABELLED:
        for record in groups[group].records:
            values = record.values
            name = f"{domain}/{values['id']}"
            kept = {key: values[key] for key in ("answer", "pred", "correct")}
            labels.append({"id": name, "group": group, "label": values["output"], **kept})
            if group != "self_aligning":
                continue
            written = values.get("model_exp_gen") or ""
            explanations.append(
                {
                    "id": name,
                    "pred": values["pred"],
                    "explanation": values["model_exp"],
                    "finish": "fence" if kept_text(template, written)[1] else "length",
                    "prompt": explain_prompt(template, [], questions[name], values["pred"]),
                }
            )
    return ReleasedGroups(labels, explanations, {"released": f"{folder}/group/{model}/{domain}"})
