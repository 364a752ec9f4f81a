"""KL over whole answers by drawing agrees with counting them out, and is 0 of a model itself."""

import numpy as np
import pytest
import torch

from tests.examples import TINY
from tuneatlas.errors import UserError
from tuneatlas.models.build import new_llama
from tuneatlas.studies.atlas.divergences import Answer, answer_divergences, draw_answers

PROMPT = [5, 9, 17, 30]


@pytest.fixture(scope="module")
def models(tokenizer):
    """Two of the same shape, with other weights; made sharper, so that they are far apart."""
    pair = [new_llama(tokenizer, TINY, seed=seed).eval() for seed in (1, 2)]
    with torch.no_grad():
        for model in pair:
            model.get_input_embeddings().weight.mul_(8)
    return pair


def next_logs(model, rows: list[list[int]]) -> torch.Tensor:
    with torch.inference_mode():
        return torch.log_softmax(model(torch.tensor(rows)).logits[:, -1].double(), dim=-1)


def counted(base, tuned, end: int) -> float:
    """KL over all answers of two tokens at most: of the first, and of what follows each of them."""
    before, after = (next_logs(model, [PROMPT]) for model in (base, tuned))
    first = (before.exp() * (before - after)).sum()
    going_on = [token for token in range(before.shape[1]) if token != end]
    then, other = (next_logs(m, [[*PROMPT, t] for t in going_on]) for m in (base, tuned))
    each = (then.exp() * (then - other)).sum(dim=-1)
    return float(first + (before[0, going_on].exp() * each).sum())


def test_drawing_agrees_with_counting_out(models, tokenizer):
    base, tuned = models
    several = 400
    [drawn] = draw_answers(
        base, tokenizer, [PROMPT], ["q"], samples=several, longest=2, seed=7
    )  # fmt: skip
    found = answer_divergences(base, tuned, drawn, 4096)
    wanted = counted(base, tuned, tokenizer.eos_token_id)
    error = found.std() / several**0.5
    assert wanted > 10 * error > 0
    assert abs(found.mean() - wanted) < 4 * error
    # Other batches, padded otherwise, give the same.
    assert answer_divergences(base, tuned, drawn, 16) == pytest.approx(found, abs=1e-4)


def test_an_answer_that_ended_adds_nothing_more(models, tokenizer):
    """What is drawn ends with its end token; padding is no part of it."""
    base, _ = models
    prompts = [PROMPT, PROMPT[:2]]
    drawn = draw_answers(base, tokenizer, prompts, ["a", "b"], samples=3, longest=5, seed=1)
    assert [len(several) for several in drawn] == [3, 3]
    for several, prompt in zip(drawn, prompts, strict=True):
        for answer in several:
            assert answer.prompt == prompt
            assert tokenizer.eos_token_id not in answer.tokens[:-1]
            assert 1 <= len(answer.tokens) <= 5
    again = draw_answers(base, tokenizer, prompts, ["a", "b"], samples=3, longest=5, seed=1)
    assert again == drawn
    flat = [answer for several in drawn for answer in several]
    assert np.all(answer_divergences(base, base, flat, 64) == 0)


def test_a_prompt_without_room_is_named(models, tokenizer):
    with pytest.raises(UserError, match="^question 'q': its prompt of 255 tokens and an answer"):
        draw_answers(
            models[0], tokenizer, [[5] * 255], ["question 'q'"], samples=1, longest=9, seed=1
        )
    assert Answer([1], [2]).tokens == [2]
