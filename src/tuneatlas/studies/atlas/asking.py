"""Ask a model in memory what its base was asked: few-shot, with the very prompts of the probe."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.engine.step import Step
from tuneatlas.errors import UserError
from tuneatlas.models.prompts import QuestionTemplate, continuations
from tuneatlas.models.scoring import answer_row, score_prompts
from tuneatlas.tables import ANSWERS, QUESTIONS, STAGE, STAGE_ANSWERS, Row

PROMPTED = ("id", "prompt")
# What identifies a model is for its asker to add.
ANSWERED = [column.name for column in STAGE_ANSWERS.columns[len(STAGE) :]]


@dataclass(frozen=True)
class Questions:
    """Test questions with the prompts of the probe; ``bos`` as in `probe_base`."""

    rows: Sequence[Row]
    prompts: Mapping[str, str]
    template: QuestionTemplate
    bos: bool | Mapping[str, bool]

    def __post_init__(self) -> None:
        """Refuse questions that the base model was not asked."""
        if missing := [row["id"] for row in self.rows if row["id"] not in self.prompts]:
            raise UserError(
                f"atlas: the base model was not probed on question '{missing[0]}' (and "
                f"{len(missing) - 1} more); run probe_knowledge again"
            )


def load_questions(step: Step, bos: bool | Mapping[str, bool]) -> Questions:
    """Those of a step: inputs ``questions``, ``answers`` (of the probe) and ``template``."""
    rows = [r for p in step.paths("questions") for r in QUESTIONS.read(p) if r["split"] == "test"]
    asked = {row["id"] for row in rows}
    probed = (r for p in step.paths("answers") for r in ANSWERS.stream(p, columns=PROMPTED))
    return Questions(
        rows,
        {row["id"]: row["prompt"] for row in probed if row["id"] in asked},
        QuestionTemplate.load(step.path("template")),
        bos,
    )


def ask(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    asked: Questions,
    options: Mapping[str, Any],
) -> Iterator[Row]:
    """Answers to every question, with the columns ``ANSWERED``.

    ``options``: how the probe scores, and ``batch_tokens``.
    """
    rows = asked.rows
    prompts = [asked.prompts[row["id"]] for row in rows]
    kinds = [(row["domain"], row["role"], row["topic"]) for row in rows]
    begins = [asked.bos if isinstance(asked.bos, bool) else asked.bos[r["role"]] for r in rows]
    scores = score_prompts(
        model,
        tokenizer,
        kinds,
        prompts,
        [continuations(asked.template, row) for row in rows],
        options,
        bos=begins,
        names=[row["id"] for row in rows],
    )
    for row, score, prompt in zip(rows, scores, prompts, strict=True):
        found = answer_row(row, score, prompt, options.get("ties", "wrong"))
        yield {name: found[name] for name in ANSWERED}
