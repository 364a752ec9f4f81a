"""Ask a model what its base was asked: few-shot, with the very prompts of the probe."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.errors import UserError
from tuneatlas.models.encode import begins
from tuneatlas.models.prompts import QuestionTemplate, continuations
from tuneatlas.models.scoring import answer_row, score_prompts
from tuneatlas.tables import ANSWERS, STAGE, STAGE_ANSWERS, Row

PROMPTED = ("id", "prompt")
# What identifies a model is for its asker to add.
ANSWERED = [column.name for column in STAGE_ANSWERS.columns[len(STAGE) :]]


def read_prompts(answers: Sequence[Path], questions: Sequence[Row], step: str) -> dict[str, str]:
    """The prompt that the base model was asked each of ``questions`` with, by id.

    Args:
        answers: files of the probe, with answers to other questions too.
        questions: rows of QUESTIONS.
        step: of the config, which asks again.

    Raises:
        UserError: the base model was not asked one of them.
    """
    wanted = {row["id"] for row in questions}
    probed = (row for path in answers for row in ANSWERS.stream(path, columns=PROMPTED))
    found = {row["id"]: row["prompt"] for row in probed if row["id"] in wanted}
    if missing := [row["id"] for row in questions if row["id"] not in found]:
        raise UserError(
            f"{step}: the base model was not probed on question '{missing[0]}' (and "
            f"{len(missing) - 1} more); run probe_knowledge again"
        )
    return found


def ask_again(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    questions: Sequence[Row],
    prompts: Mapping[str, str],
    template: QuestionTemplate,
    options: Mapping[str, Any],
    *,
    bos: bool | Mapping[str, bool],
) -> list[Row]:
    """Answers of a model in memory to ``questions``, with the columns ``ANSWERED``.

    ``prompts`` are by id; ``options``: how the probe scores, and ``batch_tokens``; ``bos``: whether
    prompts begin with the begin token, for all questions or by role.
    """
    asked = [prompts[row["id"]] for row in questions]
    scores = score_prompts(
        model,
        tokenizer,
        [(row["domain"], row["role"], row["topic"]) for row in questions],
        asked,
        [continuations(template, row) for row in questions],
        options,
        bos=[begins(bos, row["role"]) for row in questions],
        names=[row["id"] for row in questions],
    )
    ties = options.get("ties", "wrong")
    found = (answer_row(*each, ties) for each in zip(questions, scores, asked, strict=True))
    return [{name: row[name] for name in ANSWERED} for row in found]
