"""Ask a tuned model: zero-shot, in the chat template that it was tuned in."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.engine.step import Step
from tuneatlas.engine.resume import Parts
from tuneatlas.engine.scatter import refuse_needless, shared
from tuneatlas.models.asked import load_asked
from tuneatlas.models.chat_templates import fit_chat
from tuneatlas.models.encode import Text, begins
from tuneatlas.models.folder import tell_rounding
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
    rows = shared(step, lambda parts: asked_tests(step, parts, bos=bos))
    ANSWERS.write(step.outputs["answers"], rows)


def asked_tests(step: Step, parts: Parts, *, bos: bool | Mapping[str, bool]) -> list[Row]:
    """The answers that `answer_tests` writes; none where others have a share of ``parts``."""
    questions = [row for path in step.paths("questions") for row in QUESTIONS.read(path)]
    if shard := step.wildcards.get("scatteritem"):
        tests = sum(question["split"] == "test" for question in questions)
        refuse_needless(shard, tests, "questions", "evaluate_knowledge.shards")
    return evaluate_tuned(
        step.path("model"),
        questions,
        QuestionTemplate.load(step.path("template")),
        ChatTemplate.load(step.path("chat")),
        step.options,
        bos=bos,
        parts=parts,
    )


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
    model, tokenizer = load_asked(folder, options["dtype"], parts)
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
    with_bos = [begins(bos, role) for role in roles]
    scores = score_prompts(
        model, tokenizer, roles, prompts, scored, asking, bos=with_bos, parts=parts, names=names
    )
    if parts and parts.is_partial:
        return []
    return answer_rows(asked, scores, prompts, options.get("ties", "wrong"))
