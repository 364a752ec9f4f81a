"""The one scorer: log-likelihoods of answer options, for probing and for evaluation."""

import logging
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.errors import UserError
from tuneatlas.fitness import plain_logits, refuse_difference
from tuneatlas.likelihoods import Floats, Request, log_likelihoods
from tuneatlas.parts import Parts
from tuneatlas.tokens import encode_pairs

log = logging.getLogger(__name__)


def score_prompts(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    groups: Sequence[Hashable],
    prompts: Sequence[str],
    options: Sequence[Sequence[str]],
    settings: Mapping[str, Any],
    *,
    bos: bool,
    parts: Parts | None = None,
) -> list[Floats]:
    """``score_options`` by the ``scoring`` and ``batch_tokens`` of a config section.

    What the prompts of a group begin with is computed once. Raises UserError after the first
    group if this module reads the model otherwise than the model's own code does.
    """
    log.info("%d questions to score", len(prompts))
    per_token = settings["scoring"] == "cloze_normalised"
    scores: dict[int, Floats] = {}
    for number, group in enumerate(dict.fromkeys(groups)):
        part = [i for i, of in enumerate(groups) if of == group]
        found = score_options(
            model,
            tokenizer,
            [prompts[i] for i in part],
            [options[i] for i in part],
            bos=bos,
            per_token=per_token,
            one_token=settings["scoring"] == "letter",
            batch_tokens=settings["batch_tokens"],
            parts=parts.within(str(number)) if parts else None,
        )
        if not scores:
            first = (prompts[part[0]], options[part[0]], found[0])
            refuse_misread(model, tokenizer, *first, bos=bos, per_token=per_token)
        scores |= dict(zip(part, found, strict=True))
    return [scores[i] for i in range(len(prompts))]


def score_options(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    options: Sequence[Sequence[str]],
    *,
    bos: bool,
    per_token: bool,
    batch_tokens: int,
    one_token: bool = False,
    parts: Parts | None = None,
) -> list[Floats]:
    """Score each option of each prompt.

    Args:
        model: a causal language model, in evaluation mode.
        tokenizer: its tokenizer.
        prompts: one context per question.
        options: the continuations of each prompt.
        bos: whether the context begins with the beginning-of-sequence token.
        per_token: divide each log-likelihood by its number of tokens.
        batch_tokens: most tokens in one forward pass, padding included.
        one_token: refuse options of more than one token, as letters must not be.
        parts: keeps the scores of finished batches.

    Returns:
        One array of shape (options,) per prompt, in nats: the summed log-likelihood of the
        option's tokens given the prompt.
    """
    pairs, requests = _coded(tokenizer, prompts, options, bos)
    if one_token:
        _refuse_long(pairs, requests)
    scores = log_likelihoods(model, requests, batch_tokens, parts)
    if per_token:
        scores = scores / np.array([len(r.continuation) for r in requests])
    ends = np.cumsum([len(several) for several in options])[:-1]
    return [np.asarray(part) for part in np.split(scores, ends)]


def refuse_misread(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompt: str,
    options: Sequence[str],
    scores: Floats,
    *,
    bos: bool,
    per_token: bool,
) -> None:
    """Raise UserError if one of these ``scores`` is not what the model's own forward pass gives."""
    _, requests = _coded(tokenizer, [prompt], [options], bos)
    # Few tokens, so that rounding does not add up; two, so that one is read behind another.
    at = min(range(len(requests)), key=lambda i: abs(len(requests[i].continuation) - 2))
    context, continuation = requests[at]
    with torch.inference_mode():
        logits = plain_logits(model, [*context, *continuation[:-1]])[-len(continuation) :]
    chances = torch.log_softmax(logits, dim=-1).cpu()
    plain = chances[range(len(continuation)), continuation].sum()
    ours = scores[at] * (len(continuation) if per_token else 1)
    refuse_difference(model, "options are not scored as alone", plain, torch.tensor(ours))


def _coded(
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    options: Sequence[Sequence[str]],
    bos: bool,
) -> tuple[list[tuple[str, str]], list[Request]]:
    """Each prompt with each of its options: as text and as tokens."""
    pairs = [
        (prompt, option)
        for prompt, several in zip(prompts, options, strict=True)
        for option in several
    ]
    return pairs, [Request(*coded) for coded in encode_pairs(tokenizer, pairs, bos)]


def _refuse_long(pairs: Sequence[tuple[str, str]], requests: Sequence[Request]) -> None:
    """Raise UserError for the first option of more than one token."""
    for (prompt, option), (_, continuation) in zip(pairs, requests, strict=True):
        if len(continuation) != 1:
            raise UserError(
                f"scoring: letter cannot be used: option {option!r} after {prompt[-12:]!r} is "
                f"{len(continuation)} tokens; set scoring and question_template of "
                "probe_knowledge and evaluate_knowledge to cloze"
            )


def softmax(scores: Floats) -> Floats:
    """Probabilities of the options, shape (options,)."""
    weights = np.exp(scores - scores.max())
    return np.asarray(weights / weights.sum())


def answer_row(question: Mapping[str, Any], scores: Floats, prompt: str) -> dict[str, Any]:
    """A row of the answers table for one question."""
    probs = softmax(scores)
    pred = int(np.argmax(scores))
    keep = ("id", "domain", "relation", "role", "split", "answer")
    return {
        **{key: question[key] for key in keep},
        "scores": scores.tolist(),
        "probs": probs.tolist(),
        "pred": pred,
        "correct": pred == question["answer"],
        "gold_prob": float(probs[question["answer"]]),
        "pred_prob": float(probs[pred]),
        "prompt": prompt,
    }
