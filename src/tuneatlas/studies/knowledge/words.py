"""Labels in other words: gold ones in the model's own, its own ones in another model's.

What is taught and how it is said go together in the groups: right labels come with reference
explanations, the model's own with its own. Here each stands with the other's words (after Chen et
al. 2025, arXiv 2510.18874: what a model would say itself moves it least).
"""

from collections.abc import Mapping, Sequence
from random import Random

from tuneatlas.engine.step import Step, derive_seed
from tuneatlas.studies.knowledge.mix import OWN
from tuneatlas.tables import Row


def to_explain(labels: Sequence[Row], group: str) -> list[Row]:
    """Rows of a group as `explain_predictions` takes them: its labels, to be explained."""
    return [{**row, "group": OWN, "pred": row["label"]} for row in labels if row["group"] == group]


def in_words(
    questions: Mapping[str, Row], explanations: Mapping[str, str], words: Mapping[str, str]
) -> tuple[dict[str, Row], dict[str, str]]:
    """Questions and own explanations as `mix_instructions` takes them, with ``words`` by id.

    Of a group all questions are explained in them, whatever its labels are.
    """
    said = {
        name: {**row, "explanation": words[name]}
        for name, row in questions.items()
        if name in words
    }
    return {**questions, **said}, {**explanations, **words}


def as_mixed(step: Step) -> Random:
    """The generator that step mix_instructions has for the group of a treatment."""
    by = (step.wildcards[name] for name in ("model", "domain", "seed"))
    return Random(derive_seed(step.base_seed, "mix_instructions", *by))
