"""The one scorer: log-likelihoods of answer options, for probing and for evaluation."""

import logging
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.engine.resume import Parts
from tuneatlas.errors import UserError
from tuneatlas.models.compatibility import plain_logits, refuse_difference
from tuneatlas.models.encode import Text, encode_alone, encode_pairs
from tuneatlas.models.likelihoods import Floats, Request, log_likelihoods
from tuneatlas.models.option_tokens import option_problem
from tuneatlas.models.prompts import (
    text_of,
)
from tuneatlas.tables import Row

log = logging.getLogger(__name__)


def score_prompts(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    groups: Sequence[Hashable],
    prompts: Sequence[Text],
    options: Sequence[Sequence[Text]],
    settings: Mapping[str, Any],
    *,
    bos: bool | Sequence[bool],
    parts: Parts | None = None,
    names: Sequence[str] = (),
) -> list[Floats]:
    """``score_options`` by ``scoring``, ``option_tokens`` and ``batch_tokens`` of a config section.

    What the prompts of a group begin with is computed once. ``bos``: whether prompts begin with
    the begin token, one for all or one for each. Raises UserError after the first group if this
    module reads the model otherwise than the model's own code does. Scores that others make are
    NaN; where all were made before, nobody asks the model.
    """
    log.info("%d questions to score", len(prompts))
    names = names or [str(number) for number in range(1, len(prompts) + 1)]
    per_token = settings["scoring"] == "cloze_normalised"
    alone = settings.get("option_tokens") == "alone"
    begins = [bos] * len(prompts) if isinstance(bos, bool) else list(bos)
    kinds = list(zip(groups, begins, strict=True))
    scores: dict[int, Floats] = {}
    checked = parts is not None and parts.is_given
    for number, kind in enumerate(dict.fromkeys(kinds)):
        part = [i for i, of in enumerate(kinds) if of == kind]
        found = score_options(
            model,
            tokenizer,
            [prompts[i] for i in part],
            [options[i] for i in part],
            bos=kind[1],
            per_token=per_token,
            alone=alone,
            one_token=settings["scoring"] == "letter",
            batch_tokens=settings["batch_tokens"],
            parts=parts.within(str(number)) if parts else None,
            names=[names[i] for i in part],
            shots=settings.get("shots", 0),
            exact=settings.get("logits") != "model",
        )
        own = next((at for at, of in enumerate(found) if np.isfinite(of).all()), None)
        if own is not None and not checked:
            first = (prompts[part[own]], options[part[own]], found[own])
            refuse_misread(model, tokenizer, *first, bos=kind[1], per_token=per_token, alone=alone)
            checked = True
        scores |= dict(zip(part, found, strict=True))
    return [scores[i] for i in range(len(prompts))]


def score_options(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Text],
    options: Sequence[Sequence[Text]],
    *,
    bos: bool,
    per_token: bool,
    batch_tokens: int,
    alone: bool = False,
    one_token: bool = False,
    parts: Parts | None = None,
    names: Sequence[str] = (),
    shots: int = 0,
    exact: bool = True,
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
        alone: score the last token that an option is by itself (``encode_alone``).
        one_token: refuse options of more than one token, as letters must not be.
        parts: keeps the scores of finished batches.
        names: ids of the questions, by which messages name them; their numbers if none are given.
        shots: demonstrations in each prompt, of which there may be fewer if one is too long.
        exact: logits are made in single precision, whatever the model's number format.

    Returns:
        One array of shape (options,) per prompt, in nats: the summed log-likelihood of the
        option's tokens given the prompt.

    Raises:
        UserError: naming the question whose prompt is too long for the model, two of whose
            options are the same tokens, or one of whose scores is not a number.
    """
    names = names or [str(number) for number in range(1, len(prompts) + 1)]
    requests = _coded(tokenizer, prompts, options, bos, names, alone)
    at = 0
    for name, prompt, several in zip(names, prompts, options, strict=True):
        coded = [request.continuation for request in requests[at : at + len(several)]]
        at += len(several)
        if problem := option_problem(tokenizer, prompt, several, coded, one_token=one_token):
            raise UserError(f"question {name!r}: {problem}")
    scores = log_likelihoods(model, requests, batch_tokens, parts, shots=shots, exact=exact)
    if per_token:
        scores = scores / np.array([len(r.continuation) for r in requests])
    ends = np.cumsum([len(several) for several in options])[:-1]
    return [np.asarray(part) for part in np.split(scores, ends)]


def refuse_misread(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompt: Text,
    options: Sequence[Text],
    scores: Floats,
    *,
    bos: bool,
    per_token: bool,
    alone: bool = False,
) -> None:
    """Raise UserError if one of these ``scores`` is not what the model's own forward pass gives."""
    requests = _coded(tokenizer, [prompt], [options], bos, [""], alone)
    # Few tokens, so that rounding does not add up; two, so that one is read behind another.
    at = min(range(len(requests)), key=lambda i: abs(len(requests[i].continuation) - 2))
    context, continuation, _ = requests[at]
    with torch.inference_mode():
        logits = plain_logits(model, [*context, *continuation[:-1]])[-len(continuation) :]
    chances = torch.log_softmax(logits, dim=-1).cpu()
    plain = chances[range(len(continuation)), continuation].sum()
    ours = scores[at] * (len(continuation) if per_token else 1)
    refuse_difference(model, "options are not scored as alone", plain, torch.tensor(ours))


def _coded(
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Text],
    options: Sequence[Sequence[Text]],
    bos: bool,
    names: Sequence[str],
    alone: bool,
) -> list[Request]:
    """Each prompt with each of its options as tokens."""
    pairs = [
        (prompt, option)
        for prompt, several in zip(prompts, options, strict=True)
        for option in several
    ]
    owners = [
        f"question {name!r}" for name, several in zip(names, options, strict=True) for _ in several
    ]
    coded = (encode_alone if alone else encode_pairs)(tokenizer, pairs, bos)
    return [Request(*both, owner) for both, owner in zip(coded, owners, strict=True)]


def softmax(scores: Floats) -> Floats:
    """Probabilities of the options, shape (options,)."""
    weights = np.exp(scores - scores.max())
    return np.asarray(weights / weights.sum())


def best_options(scores: Floats) -> list[int]:
    """The options with the highest score; several if they tie. None is better for its place."""
    if not np.isfinite(scores).all():
        raise ValueError(f"scores that are no numbers: {scores.tolist()}")
    return [int(at) for at in np.flatnonzero(scores == scores.max())]


def answer_row(
    question: Mapping[str, Any], scores: Floats, prompt: Text, ties: str = "wrong"
) -> dict[str, Any]:
    """A row of the answers table for one question.

    A model that gives several options the highest score has not told the right one from the
    others: its answer counts as wrong, and is the first of those that are. With ``ties`` of
    ``first`` it is the first of all, as in Ren et al. 2024.
    """
    probs = softmax(scores)
    answer, best = question["answer"], best_options(scores)
    pred = best[0]
    if ties == "wrong":
        pred = next((at for at in best if at != answer), answer)
    keep = ("id", "domain", "relation", "role", "split", "answer")
    return {
        **{key: question[key] for key in keep},
        "scores": scores.tolist(),
        "probs": probs.tolist(),
        "pred": pred,
        "correct": pred == answer,
        "tied": len(best) - 1,
        "gold_prob": float(probs[answer]),
        "pred_prob": float(probs[pred]),
        "prompt": text_of(prompt),
    }


def answer_rows(
    asked: Sequence[Row],
    scores: Sequence[Floats],
    prompts: Sequence[Text],
    ties: str = "wrong",
) -> list[Row]:
    """Rows of ANSWERS of the questions asked, in their order; ties and accuracy are logged."""
    rows = [answer_row(q, s, p, ties) for q, s, p in zip(asked, scores, prompts, strict=True)]
    if tied := sum(row["tied"] > 0 for row in rows):
        how = "count as wrong" if ties == "wrong" else "go to the first option"
        log.warning("%d of %d answers are ties, which %s", tied, len(rows), how)
    log.info("accuracy %.3f", sum(r["correct"] for r in rows) / max(len(rows), 1))
    return rows
