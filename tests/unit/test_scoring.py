"""The scorer against one-by-one scoring, and against lm-evaluation-harness."""

import copy
import os

import numpy as np
import pytest
import torch
from accelerate import dispatch_model
from conftest import TEMPLATES, question

from tuneatlas.errors import UserError
from tuneatlas.likelihoods import Request, log_likelihoods
from tuneatlas.models import save_model
from tuneatlas.prompts import QuestionTemplate, continuations, few_shot_prompt
from tuneatlas.scoring import answer_row, score_options, score_prompts
from tuneatlas.tokens import encode_pairs

QUESTIONS = [question(n, choices=[str(n + 1), "many more", f"{n} and {n}", "x"]) for n in range(25)]


def one_by_one(model, request: Request) -> float:
    ids = torch.tensor([request.context + request.continuation])
    with torch.inference_mode():
        log_probs = torch.log_softmax(model(ids).logits[0].float(), dim=-1)
    first = len(request.context) - 1
    return float(sum(log_probs[first + i, t] for i, t in enumerate(request.continuation)))


def prompts(name: str) -> tuple[list[str], list[list[str]]]:
    template = QuestionTemplate.load(TEMPLATES / "questions" / f"{name}.yaml")
    shown = [question(n) for n in (90, 91)]
    asked = [few_shot_prompt(template, shown, q) for q in QUESTIONS]
    return asked, [continuations(template, q) for q in QUESTIONS]


@pytest.mark.parametrize("name", ["letter", "cloze"])
@pytest.mark.parametrize("batch_tokens", [64, 100_000])
@pytest.mark.parametrize("bos", [True, False])
def test_equals_one_by_one_scoring(name, batch_tokens, bos, model, tokenizer):
    model.config.max_position_embeddings = 1024
    asked, options = prompts(name)
    scores = score_options(
        model, tokenizer, asked, options, bos=bos, per_token=False, batch_tokens=batch_tokens
    )
    for prompt, several, found in zip(asked, options, scores, strict=True):
        coded = encode_pairs(tokenizer, [(prompt, o) for o in several], bos)
        requests = [Request(*pair) for pair in coded]
        assert found == pytest.approx([one_by_one(model, r) for r in requests], abs=1e-4)


def test_prompts_of_any_groups_keep_their_order(model, tokenizer):
    asked, options = prompts("cloze")
    settings = {"scoring": "cloze_normalised", "batch_tokens": 256}
    groups = [n % 3 for n in range(len(asked))]
    found = score_prompts(model, tokenizer, groups, asked, options, settings, bos=True)
    alone = score_options(
        model, tokenizer, asked, options, bos=True, per_token=True, batch_tokens=256
    )
    np.testing.assert_allclose(found, alone, atol=1e-5)
    assert score_prompts(model, tokenizer, [], [], [], settings, bos=True) == []


def test_a_letter_of_more_than_one_token_is_refused(model, tokenizer):
    def score(options):
        return score_options(
            model,
            tokenizer,
            ["1+"] * 2,
            [["2", "3"], options],
            bos=True,
            per_token=False,
            batch_tokens=64,
            one_token=True,
        )

    assert len(score(["2", "3"])) == 2
    with pytest.raises(UserError, match=r"scoring: letter .* option '23' after '1\+' is 2 t"):
        score(["2", "23"])


def test_per_token_divides_by_length(model, tokenizer):
    model.config.max_position_embeddings = 1024
    asked, options = prompts("cloze")
    whole, each = (
        score_options(model, tokenizer, asked, options, bos=True, per_token=p, batch_tokens=4096)
        for p in (False, True)
    )
    for prompt, several, a, b in zip(asked, options, whole, each, strict=True):
        coded = encode_pairs(tokenizer, [(prompt, o) for o in several], True)
        counts = [len(continuation) for _, continuation in coded]
        assert b == pytest.approx(a / np.array(counts))


def test_rows_without_a_common_prefix(model):
    requests = [Request([5], [6, 7]), Request([8, 9, 10], [11]), Request([8, 9, 10], [12, 13])]
    found = log_likelihoods(model, requests, 4096)
    assert found == pytest.approx([one_by_one(model, r) for r in requests], abs=1e-4)


def test_a_model_spread_over_devices_scores_the_same(model):
    """By the hooks that several GPUs need (``models.NAME.devices``), here all on one processor."""
    requests = [Request([8, 9, 10], [11, 12]), Request([8, 9, 10], [12]), Request([8, 7], [6, 5])]
    plain = log_likelihoods(model, requests, 4096)
    layers = {f"model.layers.{at}": "cpu" for at in range(model.config.num_hidden_layers)}
    others = ("model.embed_tokens", "model.norm", "model.rotary_emb", "lm_head")
    spread = dispatch_model(
        copy.deepcopy(model), layers | dict.fromkeys(others, "cpu"), force_hooks=True
    )
    assert all(hasattr(layer, "_hf_hook") for layer in spread.model.layers)
    assert log_likelihoods(spread, requests, 4096) == pytest.approx(plain, abs=1e-6)


def test_a_prompt_too_long_for_the_model_is_refused(model):
    with pytest.raises(UserError, match="256 positions"):
        log_likelihoods(model, [Request([5] * 300, [6])], 4096)


def test_answer_row_keeps_what_the_model_believes():
    row = answer_row(question(1, answer=2), np.log([0.1, 0.2, 0.3, 0.4]), "prompt")
    assert (row["pred"], row["correct"]) == (3, False)
    assert row["gold_prob"] == pytest.approx(0.3)
    assert sum(row["probs"]) == pytest.approx(1)


@pytest.mark.parametrize("name", ["letter", "cloze"])
def test_equals_lm_evaluation_harness(name, model, tokenizer, tmp_path):
    """Per-option log-likelihoods within 1e-3 of the peer's, and the same accuracy."""
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    model.config.max_position_embeddings = 1024
    save_model(tmp_path, model, tokenizer)
    peer = HFLM(str(tmp_path), device="cpu", batch_size=8, dtype="float32", add_bos_token=True)
    asked, options = prompts(name)
    wanted = [
        Instance("loglikelihood", {}, (prompt, option), 0)
        for prompt, several in zip(asked, options, strict=True)
        for option in several
    ]
    theirs = np.array([r[0] for r in peer.loglikelihood(wanted, disable_tqdm=True)])
    ours = score_options(
        model, tokenizer, asked, options, bos=True, per_token=False, batch_tokens=4096
    )
    assert np.concatenate(ours) == pytest.approx(theirs, abs=1e-3)
    right = [q["answer"] for q in QUESTIONS]
    assert [int(s.argmax()) for s in ours] == theirs.reshape(-1, 4).argmax(1).tolist()
    assert len(right) == len(ours)
