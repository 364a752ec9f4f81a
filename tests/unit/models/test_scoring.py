"""The scorer against one-by-one scoring, and against lm-evaluation-harness."""

import copy
import os

import numpy as np
import pytest
import torch
from accelerate import dispatch_model
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from tests.examples import TEMPLATES, question
from tests.unit.models.reference_scores import one_by_one
from tuneatlas.engine.resume import Parts
from tuneatlas.errors import UserError
from tuneatlas.models.encode import encode_pairs
from tuneatlas.models.likelihoods import Request, log_likelihoods
from tuneatlas.models.lm_head import exact_logits, token_logits
from tuneatlas.models.prompts import QuestionTemplate, continuations, few_shot_prompt
from tuneatlas.models.save import save_model
from tuneatlas.models.scoring import answer_row, score_options, score_prompts
from tuneatlas.studies.knowledge.robust import knowledge_row

QUESTIONS = [question(n, choices=[str(n + 1), "many more", f"{n} and {n}", "x"]) for n in range(25)]


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
    long = Request([5] * 300, [6], "question 'law/7'")
    with pytest.raises(
        UserError, match=r"question 'law/7': its prompt of 301 .* 256 positions; sh"
    ):
        log_likelihoods(model, [Request([5], [6]), long], 4096)
    with pytest.raises(UserError, match=r"256 positions; lower shots \(5 are shown\), shorten"):
        log_likelihoods(model, [long], 4096, shots=5)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_a_score_that_is_not_a_number_names_its_question(number, model, tokenizer):
    """And is kept nowhere: another attempt on another machine may come to a number."""
    letter = tokenizer.convert_tokens_to_ids("z")
    model.get_input_embeddings().weight.data[letter] = number
    asked = ["Which one", "What is xyz", "Who is it"]
    settings = {"scoring": "cloze", "batch_tokens": 4096}
    options, names = [[" a", " b"]] * 3, ["law/1", "law/2", "law/3"]
    kept = Parts()
    for batch in (8, 4096):
        with pytest.raises(
            UserError, match=r"question 'law/2': the model.s score is nan, not a number"
        ):
            score_prompts(
                model,
                tokenizer,
                [0, 0, 0],
                asked,
                options,
                settings | {"batch_tokens": batch},
                bos=True,
                parts=kept,
                names=names,
            )
    with pytest.raises(ValueError, match="no numbers"):
        answer_row(question(1), np.array([number, 1.0, 2.0, 3.0]), "prompt")


def test_options_that_are_the_same_tokens_are_refused(model):
    """For a tokenizer that makes capitals small, and letters that are all the unknown token."""
    words = {"<unk>": 0, "<s>": 1, "</s>": 2, "which": 3, "a": 4, "b": 5}
    backend = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    backend.normalizer, backend.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    small = PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="<unk>", bos_token="<s>", eos_token="</s>"
    )

    def score(options, one_token):
        return score_options(
            model,
            small,
            ["which", "which"],
            [[" a", " b"], options],
            bos=True,
            per_token=False,
            batch_tokens=64,
            one_token=one_token,
            names=["law/1", "law/2"],
        )

    with pytest.raises(UserError, match=r"question 'law/2': options ' a' and ' A' are the same"):
        score([" a", " b", " A"], False)
    with pytest.raises(UserError, match=r"'law/2': scoring: letter .* option ' C' .* unknown tok"):
        score([" a", " C"], True)
    with pytest.raises(UserError, match=r"question 'law/2': its option has no tokens"):
        score([" a", " "], False)


def test_the_last_product_is_in_single_precision():
    """Letters near each other and far from 0 come out equal in bfloat16, and are not."""
    torch.manual_seed(0)
    config = LlamaConfig(vocab_size=96, hidden_size=32, intermediate_size=32, num_hidden_layers=1)
    narrow = LlamaForCausalLM(config).to(torch.bfloat16).eval()
    common = 3 * torch.randn(32)
    narrow.lm_head.weight.data = (common + 0.01 * torch.randn(96, 32)).to(torch.bfloat16)
    hidden = torch.randn(7, 32, dtype=torch.bfloat16) + common.to(torch.bfloat16)
    exact = hidden.double() @ narrow.lm_head.weight.double().T
    with torch.inference_mode():
        rough, found = token_logits(narrow, hidden), exact_logits(narrow, hidden)
    assert (rough.sort(-1).values.diff(dim=-1) == 0).any()
    assert (found.sort(-1).values.diff(dim=-1) > 0).all()
    assert torch.allclose(found.double(), exact, rtol=1e-5)
    assert torch.equal(exact_logits(narrow.float(), hidden.float()), found)


@pytest.mark.parametrize("answer", range(4))
def test_a_tie_is_wrong_wherever_the_right_option_stands(answer):
    row = answer_row(question(1, answer=answer), np.array([1.0, 2.0, 2.0, 2.0]), "prompt")
    assert (row["correct"], row["tied"]) == (False, 2)
    assert row["pred"] in {1, 2, 3} - {answer}
    known = knowledge_row(question(1, answer=answer), [np.array([1.0, 2.0, 2.0, 2.0])] * 2)
    assert (known["right_share"], known["agreement"]) == (0, 0)
    alone = answer_row(question(1, answer=answer), np.eye(4)[answer], "prompt")
    assert (alone["correct"], alone["tied"], alone["pred"]) == (True, 0, answer)


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
