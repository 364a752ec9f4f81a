"""How far a tuned model is from its base: KL(base || tuned) over options and over whole answers.

Over options it is counted out; over whole answers it is an expectation over those that the base
model gives, drawn from it at temperature 1. Of an answer drawn, the divergences of all next tokens
are added up, which has the same expectation as the difference of its log-likelihoods and varies
far less (Amini et al. 2025, arXiv 2504.10637).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.errors import UserError
from tuneatlas.models.likelihoods import LOGITS, Floats
from tuneatlas.models.lm_head import exact_logits
from tuneatlas.models.load import embedding_rows
from tuneatlas.models.positions import most_positions
from tuneatlas.studies.atlas.drawing import draw

# Prompts answered at a time. Not an option: of other batches other answers are drawn.
TOGETHER = 32


class Answer(NamedTuple):
    """An answer drawn from a model: the tokens of the prompt, and its own, with the end token."""

    prompt: list[int]
    tokens: list[int]


def draw_answers(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[list[int]],
    names: Sequence[str],
    *,
    samples: int,
    longest: int,
    seed: int,
) -> list[list[Answer]]:
    """``samples`` answers of ``longest`` tokens at most to each prompt, at temperature 1.

    Raises:
        UserError: a prompt of those ``names`` leaves too little room in the model.
    """
    limit = most_positions(model.config)
    for prompt, name in zip(prompts, names, strict=True):
        if limit is not None and len(prompt) + longest > limit:
            raise UserError(
                f"{name}: its prompt of {len(prompt)} tokens and an answer of {longest} do not fit "
                f"the model's {limit} positions; lower atlas.answer_tokens"
            )
    order = sorted(range(len(prompts)), key=lambda n: (len(prompts[n]), n))
    found: dict[int, list[Answer]] = {}
    for start in range(0, len(order), TOGETHER):
        chunk = order[start : start + TOGETHER]
        with torch.random.fork_rng():
            torch.manual_seed(seed + start)
            written = draw(
                model,
                tokenizer,
                [prompts[n] for n in chunk],
                samples,
                longest,
                [names[n] for n in chunk],
            )
        for place, n in enumerate(chunk):
            own = written[place * samples : (place + 1) * samples]
            found[n] = [Answer(prompts[n], tokens) for tokens in own]
    return [found[n] for n in range(len(prompts))]


def answer_divergences(
    base: PreTrainedModel,
    tuned: PreTrainedModel,
    answers: Sequence[Answer],
    batch_tokens: int,
) -> Floats:
    """Summed KL(base || tuned) of all next tokens of each answer, in nats, shape (answers,)."""
    sums = torch.zeros(len(answers), dtype=torch.float64)
    for batch in _batches(answers, batch_tokens, embedding_rows(base)):
        own = [answers[n] for n in batch]
        rows = [[*answer.prompt, *answer.tokens] for answer in own]
        width = max(map(len, rows))
        ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
        seen = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        # What stands before each token of an answer says how it is foretold.
        lines = torch.tensor([n for n, answer in enumerate(own) for _ in answer.tokens])
        points = torch.tensor(
            [len(a.prompt) - 1 + place for a in own for place in range(len(a.tokens))]
        )
        with torch.inference_mode():
            before, after = (
                torch.log_softmax(_logits(model, ids, seen, lines, points), dim=-1).double().cpu()
                for model in (base, tuned)
            )
        each = (before.exp() * (before - after)).sum(dim=-1)
        sums.index_add_(0, torch.tensor(batch)[lines], each)
    return np.asarray(np.maximum(sums.numpy(), 0.0), dtype=np.float64)


def _logits(
    model: PreTrainedModel,
    ids: torch.Tensor,
    seen: torch.Tensor,
    lines: torch.Tensor,
    points: torch.Tensor,
) -> torch.Tensor:
    hidden = model.base_model(
        ids.to(model.device), attention_mask=seen.to(model.device), use_cache=False
    ).last_hidden_state
    return exact_logits(model, hidden[lines, points])


def _batches(answers: Sequence[Answer], batch_tokens: int, vocabulary: int) -> Iterator[list[int]]:
    """Answers of like length together, within the tokens and the logits held at a time."""
    order = sorted(range(len(answers)), key=lambda n: -len(answers[n].prompt + answers[n].tokens))
    batch: list[int] = []
    written = 0
    for n in order:
        first = answers[batch[0]] if batch else answers[n]
        width = len(first.prompt) + len(first.tokens)
        tokens = len(answers[n].tokens)
        if batch and (
            width * (len(batch) + 1) > batch_tokens or (written + tokens) * vocabulary > LOGITS
        ):
            yield batch
            batch, written = [], 0
        batch.append(n)
        written += tokens
    if batch:
        yield batch


def by_prompt(
    values: Floats, answers: Sequence[Sequence[Any]], of: Callable[[Floats], float]
) -> list[float]:
    """``of`` the values of each prompt's answers, which stand in a row."""
    ends = np.cumsum([len(several) for several in answers])[:-1]
    return [float(of(part)) for part in np.split(values, ends)]
