"""Let a model answer questions: the base few-shot (probe), a tuned model in its chat template."""

import logging
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.chat_templates import fit_chat
from tuneatlas.knowledge import pick_demonstrations
from tuneatlas.models import load_model
from tuneatlas.parts import Parts
from tuneatlas.prompts import (
    ChatTemplate,
    QuestionTemplate,
    chat_continuations,
    chat_prompt,
    continuations,
    few_shot_prompt,
)
from tuneatlas.scoring import Floats, answer_row, score_options
from tuneatlas.tables import Row

log = logging.getLogger(__name__)


def probe_base(
    folder: Path,
    questions: Sequence[Row],
    template: QuestionTemplate,
    options: Mapping[str, Any],
    *,
    bos: bool,
    parts: Parts | None = None,
) -> list[Row]:
    """Answers of a base model to a domain's train and test questions, few-shot.

    Demonstrations come from the dev questions of the same role: a related question is shown
    with related demonstrations, as each MMLU subject has its own. ``options`` is the config
    section ``probe_knowledge`` with the ``dtype`` of the model.
    """
    rng = random.Random(options["demonstration_seed"])
    asked = [q for q in questions if q["split"] != "dev"]
    shown = {
        role: pick_demonstrations(
            [q for q in questions if q["split"] == "dev" and q["role"] == role],
            options["shots"],
            rng,
        )
        for role in sorted({q["role"] for q in asked})
    }
    prompts = [few_shot_prompt(template, shown[q["role"]], q) for q in asked]
    model, tokenizer = load_model(folder, dtype=options["dtype"])
    scored = [continuations(template, q) for q in asked]
    return _answer(model, tokenizer, asked, prompts, scored, options, bos, parts)


def evaluate_tuned(
    folder: Path,
    questions: Sequence[Row],
    template: QuestionTemplate,
    chat: ChatTemplate,
    options: Mapping[str, Any],
    *,
    bos: bool,
    parts: Parts | None = None,
) -> list[Row]:
    """Answers of a tuned model to test questions, zero-shot in its chat template.

    ``options`` is the config section ``evaluate_knowledge`` with the ``dtype`` of the model.
    """
    asked = [q for q in questions if q["split"] == "test"]
    model, tokenizer = load_model(folder, dtype=options["dtype"])
    chat = fit_chat(chat, tokenizer)
    prompts = [chat_prompt(chat, template, q) for q in asked]
    scored = [chat_continuations(chat, template, q) for q in asked]
    return _answer(model, tokenizer, asked, prompts, scored, options, bos, parts)


def _answer(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    asked: Sequence[Row],
    prompts: Sequence[str],
    scored: Sequence[Sequence[str]],
    options: Mapping[str, Any],
    bos: bool,
    parts: Parts | None,
) -> list[Row]:
    log.info("%d questions to score", len(asked))
    scores: dict[int, Floats] = {}
    # Questions of the same role have the same demonstrations, which are computed once.
    for role in sorted({q["role"] for q in asked}):
        part = [i for i, q in enumerate(asked) if q["role"] == role]
        found = score_options(
            model,
            tokenizer,
            [prompts[i] for i in part],
            [scored[i] for i in part],
            bos=bos,
            per_token=options["scoring"] == "cloze_normalised",
            batch_tokens=options["batch_tokens"],
            parts=parts.within(role) if parts else None,
        )
        scores |= dict(zip(part, found, strict=True))
    rows = [answer_row(q, scores[i], prompts[i]) for i, q in enumerate(asked)]
    log.info("accuracy %.3f", sum(r["correct"] for r in rows) / max(len(rows), 1))
    return rows
