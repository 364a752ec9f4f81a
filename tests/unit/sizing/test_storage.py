"""What a run holds at its fullest moment, and which trainings wait for room."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.examples import ROOT
from tuneatlas.engine.jobs import Job
from tuneatlas.errors import UserError
from tuneatlas.models.shapes import Shape
from tuneatlas.sizing.estimates import DEVICES
from tuneatlas.sizing.needs import Study
from tuneatlas.sizing.sheet import Line, fullest
from tuneatlas.sizing.storage import Ledger, goes, held_of


def test_what_further_trainings_start_from_stays():
    assert goes("finetune", "until measured") and goes("restore_base", "never")
    assert not goes("finetune", "weights") and not goes("pretrain_structure", "never")


@given(
    st.lists(st.floats(0.1, 50), min_size=1, max_size=20),
    st.floats(50, 200),
    st.randoms(use_true_random=False),
)
def test_no_order_of_jobs_holds_more_than_there_is_room_for_or_waits_for_ever(sizes, limit, rng):
    chains = dict(enumerate(sizes))
    ledger, todo, left = Ledger(limit, 0, chains), list(chains), 0.0
    while todo:
        begun = [n for n in todo if ledger.admits(n)]
        # Beyond it goes one alone at most, after what could not be let go.
        assert begun and (len(begun) == 1 or ledger.taken + left <= limit + 1e-9)
        assert left or ledger.taken <= limit + 1e-9
        assert all(ledger.admits(n) for n in begun)
        name = rng.choice(begun)
        stays = rng.choice([0, 0, 0, chains[name] / 2])
        ledger.end(name, stays)
        left += stays
        todo.remove(name)


def test_a_limit_below_one_chain_is_refused():
    with pytest.raises(UserError, match="30 GB are too few: 20 GB stay, and 11 GB"):
        Ledger(30, 20, {"a": 11})
    ledger = Ledger(42, 20, dict.fromkeys("abc", 11))
    assert [*map(ledger.admits, "abc")] == [True, True, False]


@pytest.mark.parametrize("limit", [None, 1000])
def test_what_trains_at_a_time_is_held_at_a_time(limit: int | None):
    """Both tunings of a training set and seed, and their states; of what stays, any number."""
    shape = Shape(parameters=10**9, layers=1, hidden=1, vocab=1)
    config = {"storage": {"at_most_gb": limit}}
    study = Study(config, {"m": shape}, DEVICES["a100-80"], ROOT, {})
    training = {"learning_rate": 1.0, "lora_rank": None, "precision": "fp32", "deepspeed": None}
    training |= {"keep_checkpoints": 1, "processes": 1}
    one = held_of(training, shape, 1)
    assert one.weights > 0 and one.states > 0

    def job(step: str, keep: str, seed: str) -> Job:
        wildcards = {"model": "m", "seed": seed}
        return Job(step, wildcards, (), ("o",), training | {"keep": keep}, {}, due=True)

    going = [job(step, "never", "0") for step in ("finetune", "finetune_stages")]
    staying = [job("finetune", "weights", seed) for seed in "12"]
    line = Line("finetune", "m", (*going, *staying), None)
    stays, most = fullest(study, [line])
    assert stays == pytest.approx(2 * one.weights)
    together = 2 if limit else 1
    assert most == pytest.approx(stays + together * one.states + 2 * one.all)
