"""Ask a tuned model: zero-shot, in the chat template that it was tuned in."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.engine.step import Step
from tuneatlas.engine.resume import Parts
from tuneatlas.models.chat_templates import fit_chat
from tuneatlas.models.encode import Text
from tuneatlas.models.folder import tell_rounding
from tuneatlas.models.load import load_model
from tuneatlas.models.prompts import (
    ChatTemplate,
    QuestionTemplate,
    chat_continuations,
    chat_prompt,
    continuations,
)
from tuneatlas.models.scoring import answer_rows, score_prompts
from tuneatlas.tables import ANSWERS, QUESTIONS, Row


def answer_tests(step: Step, *, bos: bool | Mapping[str, bool]) -> None:
    """Ask the tuned ``model`` of a step the test ``questions`` of all domains; write ``answers``.

    ``bos`` and the options are as in `evaluate_tuned`.
    """
    rows = evaluate_tuned(
        step.path("model"),
        [row for path in step.paths("questions") for row in QUESTIONS.read(path)],
        QuestionTemplate.load(step.path("template")),
        ChatTemplate.load(step.path("chat")),
        step.options,
        bos=bos,
        parts=step.parts(),
    )
    ANSWERS.write(step.outputs["answers"], rows)


def evaluate_tuned(
    folder: Path,
    questions: Sequence[Row],
    template: QuestionTemplate,
    chat: ChatTemplate,
    options: Mapping[str, Any],
    *,
    bos: bool | Mapping[str, bool],
    parts: Parts | None = None,
) -> list[Row]:
    """Answers of a tuned model to test questions, zero-shot in its chat template.

    ``options`` is the config section ``evaluate_knowledge`` with the ``dtype`` of tuned models;
    ``bos``: whether prompts begin with the begin token, for all questions or by role.
    """
    tell_rounding(folder, options["dtype"])
    model, tokenizer = load_model(folder, dtype=options["dtype"])
    return ask_tuned(model, tokenizer, questions, template, chat, options, bos=bos, parts=parts)


def ask_tuned(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    questions: Sequence[Row],
    template: QuestionTemplate,
    chat: ChatTemplate,
    options: Mapping[str, Any],
    *,
    bos: bool | Mapping[str, bool],
    parts: Parts | None = None,
) -> list[Row]:
    """As `evaluate_tuned`, of a model in memory, in evaluation mode."""
    asked = [q for q in questions if q["split"] == "test"]
    chat = fit_chat(chat, tokenizer)
    alone = options.get("option_tokens") == "alone"
    prompts = [chat_prompt(chat, template, q, lead=alone) for q in asked]
    scored: list[list[Text]] = [
        [*continuations(template, q)] if alone else [*chat_continuations(chat, template, q)]
        for q in asked
    ]
    roles = [q["role"] for q in asked]
    asking = {**options, "shots": 0}
    names = [q["id"] for q in asked]
    begins = [bos if isinstance(bos, bool) else bos[role] for role in roles]
    scores = score_prompts(
        model, tokenizer, roles, prompts, scored, asking, bos=begins, parts=parts, names=names
    )
    return answer_rows(asked, scores, prompts, options.get("ties", "wrong"))
