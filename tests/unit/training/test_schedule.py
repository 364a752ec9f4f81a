"""Every step of a training is an update, of the rate that its schedule says."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, get_scheduler

from tests.unit.training.recipes import RECIPE, fingerprint, planned, setting
from tuneatlas.training.processes import train
from tuneatlas.training.schedule import COURSES, rate_share, warmup_updates

updates = st.integers(1, 400)


@given(updates, st.integers(0, 500), st.sampled_from(sorted(COURSES)))
def test_no_update_has_rate_0_and_the_rate_rises_to_its_peak_once(count, warmup, course):
    rates = [rate_share(i, count, warmup, course) for i in range(count)]
    assert all(0 < rate <= 1 for rate in rates)
    rise, fall = rates[: warmup + 1], rates[warmup:]
    assert rise == sorted(set(rise))
    assert fall == sorted(fall, reverse=True)
    if warmup < count:
        assert max(rates) == rates[warmup] == 1
    if course != "constant":
        assert fall == sorted(set(fall), reverse=True)


@given(updates, st.integers(0, 50), st.sampled_from(["linear", "cosine"]))
def test_after_the_warm_up_the_rates_are_those_of_transformers(count, warmup, course):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = get_scheduler(course, optimizer, warmup, count).lr_lambdas[0]
    for i in range(warmup, count):
        assert rate_share(i, count, warmup, course) == pytest.approx(theirs(i), abs=1e-12)


@pytest.mark.parametrize(
    ("count", "ratio", "number", "expected"),
    [
        (1, 0.03, None, 1),
        (100, 0.07, None, 7),
        (101, 0.07, None, 8),
        (9, 0.0, None, 0),
        (9, 0.5, 20, 20),
    ],
)
def test_the_length_of_the_warm_up(count, ratio, number, expected):
    assert warmup_updates(count, ratio, number) == expected


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ({"warmup_ratio": 0.1}, 6),
        ({"warmup_ratio": 0.99}, 6),
        ({"warmup_steps": 50, "schedule": "linear"}, 6),
        ({"schedule": "constant", "schedule_stretch": 1.5}, 6),
        ({"lora_rank": 2}, 6),
        ({"weight_decay": 0.0}, 1),
    ],
)
def test_each_step_changes_the_model(tmp_path, tokenizer, changes, steps):
    """The model kept after step n had n updates: it is none of those before it, nor the base."""
    model, tokens, plan = setting(tmp_path, tokenizer)
    recipe = replace(RECIPE, **changes)
    kept = {n: [tmp_path / f"kept/{n}"] for n in range(1, steps + 1)}
    parts = (model, tokens, plan[:steps])
    base = fingerprint(model)
    _, run = planned(parts, tokenizer, tmp_path / "c", recipe, kept=kept)
    history = train(model, run)
    found = [fingerprint(AutoModelForCausalLM.from_pretrained(p)) for (p,) in kept.values()]
    assert len({base, *found}) == steps + 1
    assert found[-1] == fingerprint(model)
    assert [entry["learning_rate"] for entry in history] == [run.rate(i) for i in range(steps)]
