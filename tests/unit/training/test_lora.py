"""Low-rank adapters: few weights are trained, plain models come out."""

from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForCausalLM, MixtralConfig

from tests.unit.training.recipes import (
    RECIPE,
    apart,
    fingerprint,
    go_back,
    planned,
    setting,
    weights_of,
)
from tuneatlas.errors import UserError
from tuneatlas.training.processes import train

LORA = replace(RECIPE, lora_rank=4, lora_alpha=8, lora_dropout=0.0, learning_rate=1e-2)


def tuned(folder, tokenizer, recipe=LORA, **more):
    model, run = planned(setting(folder, tokenizer), tokenizer, folder / "c", recipe, **more)
    return model, train(model, run)


def test_what_is_added_is_of_low_rank_and_merged(tmp_path, tokenizer):
    before, _, steps = setting(tmp_path / "before", tokenizer)
    kept = {len(steps): [tmp_path / "kept"]}
    model, history = tuned(tmp_path, tokenizer, kept=kept)
    assert history[-1]["loss"] < history[0]["loss"]
    weights, old = weights_of(model), weights_of(before)
    assert list(weights) == list(old) and list(model.state_dict()) == list(before.state_dict())
    for name, value in weights.items():
        added = value - old[name]
        if "proj" in name:
            assert added.any() and torch.linalg.matrix_rank(added, rtol=1e-4) <= 4, name
        else:
            assert not added.any(), name
    assert all(p.requires_grad for p in model.parameters())
    # What is kept on the way is a plain model too.
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "kept")
    assert fingerprint(plain) == fingerprint(model)


def test_it_begins_where_full_tuning_begins(tmp_path, tokenizer):
    _, low = tuned(tmp_path / "low", tokenizer)
    _, full = tuned(tmp_path / "full", tokenizer, RECIPE)
    assert low[0]["loss"] == pytest.approx(full[0]["loss"], rel=1e-6)


def test_a_run_goes_on_as_if_it_had_not_stopped(tmp_path, tokenizer):
    recipe = replace(LORA, lora_dropout=0.1, checkpoint_steps=7, keep_checkpoints=9)
    whole, history = tuned(tmp_path, tokenizer, recipe)
    go_back(tmp_path / "c", 7)
    again, found = tuned(tmp_path, tokenizer, recipe)
    assert [e["loss"] for e in found] == [e["loss"] for e in history]
    assert fingerprint(again) == fingerprint(whole)


def test_recomputing_activations_changes_no_weight(tmp_path, tokenizer):
    plain, _ = tuned(tmp_path / "a", tokenizer)
    less, _ = tuned(tmp_path / "b", tokenizer, replace(LORA, gradient_checkpointing=True))
    assert apart(plain, less) < 1e-5


def test_two_processes_train_as_one(tmp_path, tokenizer, on_processors):
    one, alone = tuned(tmp_path / "a", tokenizer)
    two, shared = tuned(tmp_path / "b", tokenizer, replace(LORA, processes=2, rows_per_device=1))
    assert [e["loss"] for e in shared] == pytest.approx([e["loss"] for e in alone], rel=1e-4)
    assert apart(one, two) < 1e-4


@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_adapters_that_would_not_be_written_are_refused(tmp_path, tokenizer, dropout):
    """Of Mixtral's experts: trained, but missing in the models that are kept on the way."""
    values = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1}
    values |= {"num_attention_heads": 4, "num_key_value_heads": 2, "num_local_experts": 2}
    mixtral = AutoModelForCausalLM.from_config(MixtralConfig(vocab_size=400, **values))
    _, tokens, steps = setting(tmp_path, tokenizer)
    recipe = replace(LORA, lora_dropout=dropout)
    model, run = planned((mixtral, tokens, steps), tokenizer, tmp_path / "c", recipe)
    with pytest.raises(UserError, match="lora_rank: a mixtral model holds its experts"):
        train(model, run)
