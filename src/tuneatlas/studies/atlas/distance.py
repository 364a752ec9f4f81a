"""How far tuning took a model from its base on what it was tuned on, and what it lost elsewhere."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.engine.step import Step, derive_seed, progress
from tuneatlas.errors import UserError
from tuneatlas.models.chat_templates import fit_chat
from tuneatlas.models.checkpoints import load_checkpoint
from tuneatlas.models.encode import begins, encode_segments
from tuneatlas.models.folder import SUMMARY
from tuneatlas.models.given import layout_of
from tuneatlas.models.likelihoods import Floats
from tuneatlas.models.probed import ask_again, read_prompts
from tuneatlas.models.prompts import (
    ChatTemplate,
    QuestionTemplate,
    Segment,
    chat_continuations,
    render,
    user_text,
)
from tuneatlas.models.scoring import score_prompts, softmax
from tuneatlas.statistics.divergence import kl_divergence
from tuneatlas.studies.atlas.divergences import Answer, answer_divergences, by_prompt, draw_answers
from tuneatlas.studies.atlas.tables import DISTANCES
from tuneatlas.tables import CONVERSATIONS, QUESTIONS, STAGE_ANSWERS, Row

Model = tuple[PreTrainedModel, PreTrainedTokenizerBase]


def measure_distance(
    step: Step,
    *,
    bos: bool | Mapping[str, bool],
    tuned_bos: Mapping[str, bool | Mapping[str, bool]],
    given_at: Sequence[int],
) -> None:
    """Measure the ``finetuned`` model of a step and those of its ``stages``, where there are.

    Distances are on prompts of the ``conversations`` tuned on, or, of a checkpoint tuned elsewhere,
    which has none, on the questions asked; in the chat template of each setting (``chat``,
    ``stages_chat``). Questions are asked as the base was. ``bos`` is as in `probe_base`,
    ``tuned_bos`` whether conversations begin with the begin token, by setting; ``given_at`` the
    steps of a checkpoint's models, 0 where none is said.
    """
    options = step.options
    rows = [row for path in step.paths("questions") for row in QUESTIONS.read(path)]
    asked = [row for row in rows if row["split"] == "test"]
    prompts = read_prompts(step.paths("answers"), asked, "atlas")
    template = QuestionTemplate.load(step.path("template"))
    choices = {row["id"]: row for row in rows}
    form = QuestionTemplate.load(step.path("instruction"))
    told = prompts_of(step.paths("conversations"), choices, asked, form, options["home"])
    chosen = Random(step.seed).sample(told, min(options["prompts"], len(told)))
    base = load_checkpoint(step.path("base"), dtype=options["dtype"])
    chats = dict(zip(("finetune", "stages"), ("chat", "stages_chat"), strict=True))
    seed = derive_seed(step.base_seed, "answers", *sorted(step.wildcards.items()))
    models = [("base", 0, step.path("base"))]
    models += [("finetune", steps_of(path), path) for path in step.paths("finetuned")]
    stages = step.paths("stages")
    kept_at = given_at or [int(path.name) for path in stages]
    models += [("stages", *own) for own in zip(kept_at, stages, strict=True)]
    layout = layout_of(models[0][2], models[-1][2])
    ground = {
        setting: Ground(
            base, chosen, choices, form, fit_chat(ChatTemplate.load(step.path(chat)), layout),
            [begins(tuned_bos[setting], choices[row["id"]]["role"]) for row in chosen],
            options, seed,
        )
        for setting, chat in chats.items()
    }  # fmt: skip
    parts = step.parts()
    answers: list[Row] = []
    distances: list[Row] = []
    for number, (setting, steps, folder) in enumerate(
        progress(models, len(models), "models measured")
    ):

        def measure(setting: str = setting, folder: Path = folder) -> tuple[list[Row], list[Row]]:
            model = base if setting == "base" else load_checkpoint(folder, dtype=options["dtype"])
            found = ask_again(*model, asked, prompts, template, options, bos=bos)
            return found, [] if setting == "base" else ground[setting].distances(model)

        found, far = parts.of(number, measure)
        key = {"setting": setting, "step": steps}
        answers += [key | {"restored": 0} | row for row in found]
        distances += [key | row for row in far]
    STAGE_ANSWERS.write(step.outputs["asked"], answers)
    DISTANCES.write(step.outputs["distances"], distances)


def prompts_of(
    tuned_on: Sequence[Path],
    questions: Mapping[str, Row],
    asked: Sequence[Row],
    form: QuestionTemplate,
    home: str | None,
) -> list[Row]:
    """Conversations tuned on, each of a question; where there are none, what is ``asked``.

    Of these, questions of the domain ``home`` alone if that is known, as a user puts them.
    """
    if tuned_on:
        rows = [row for path in tuned_on for row in CONVERSATIONS.read(path)]
        # Instructions of any kind, which may be mixed in, have no options.
        return [row for row in rows if row["id"] in questions]
    found = [
        {"id": row["id"], "messages": [{"role": "user", "content": user_text(form, row)}]}
        for row in asked
        if home in (None, row["domain"])
    ]
    if not found:
        raise UserError(
            f"atlas: no question of domain {home} is asked, so that there is no prompt to measure "
            "the distance on: raise its limits, or leave out the checkpoint's domain"
        )
    return found


def steps_of(folder: Path) -> int:
    """Steps that a tuned model was trained for."""
    try:
        return int(json.loads((folder / SUMMARY).read_text(encoding="utf-8"))["steps"])
    except (OSError, ValueError, KeyError):
        raise UserError(
            f"{folder} does not say how long it was trained; delete it and run again"
        ) from None


@dataclass
class Ground:
    """What a base model says on prompts tuned on: the ground that distances are measured from.

    ``options`` is the section ``atlas`` with the ``dtype`` of the model, and how logits are made;
    ``bos``, whether each of them begins with the begin token.
    """

    base: Model
    conversations: Sequence[Row]
    questions: Mapping[str, Row]
    template: QuestionTemplate
    chat: ChatTemplate
    bos: Sequence[bool]
    options: Mapping[str, Any]
    seed: int

    def distances(self, tuned: Model) -> list[Row]:
        """Rows of DISTANCES, less the columns for the model."""
        drawn = [answer for several in self._answers for answer in several]
        whole = answer_divergences(self.base[0], tuned[0], drawn, self.options["batch_tokens"])
        each = by_prompt(whole, self._answers, np.mean)
        sizes = by_prompt(np.array([len(a.tokens) for a in drawn]), self._answers, np.mean)
        names = [row["id"] for row in self.conversations]
        scores = zip(self._base_scores, self._scores(tuned), strict=True)
        apart = [kl_divergence([softmax(a)], [softmax(b)])[0] for a, b in scores]
        return [
            {"id": name, "options": max(float(near), 0.0), "answers": far, "tokens": size}
            for name, near, far, size in zip(names, apart, each, sizes, strict=True)
        ]

    @cached_property
    def _prompts(self) -> list[Segment]:
        return [
            render(self.chat, row["messages"][: _first_reply(row["messages"])], "")[0]
            for row in self.conversations
        ]

    @cached_property
    def _answers(self) -> list[list[Answer]]:
        pairs = zip(self._prompts, self.bos, strict=True)
        coded = [encode_segments(self.base[1], [prompt], bos).tokens for prompt, bos in pairs]
        return draw_answers(
            *self.base,
            coded,
            [f"question {row['id']!r}" for row in self.conversations],
            samples=self.options["samples"],
            longest=self.options["answer_tokens"],
            seed=self.seed,
        )

    @cached_property
    def _base_scores(self) -> list[Floats]:
        return self._scores(self.base)

    def _scores(self, model: Model) -> list[Floats]:
        """Log-likelihoods of the options of each question, as replies begin."""
        names = [row["id"] for row in self.conversations]
        return score_prompts(
            *model,
            [""] * len(names),
            self._prompts,
            [chat_continuations(self.chat, self.template, self.questions[name]) for name in names],
            {**self.options, "scoring": "cloze"},
            bos=self.bos,
            names=names,
        )


def _first_reply(messages: Sequence[Mapping[str, str]]) -> int:
    """Where the first reply stands, or would."""
    replies = (n for n, message in enumerate(messages) if message["role"] == "assistant")
    return next(replies, len(messages))
