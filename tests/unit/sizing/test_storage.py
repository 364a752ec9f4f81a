"""What a run holds at its fullest moment, and which trainings wait for room."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneatlas.errors import UserError
from tuneatlas.sizing.storage import Chain, Held, Ledger, goes


def test_a_chain_holds_all_its_weights_and_the_states_of_one_training():
    chain = Chain()
    for one in (Held(10, 5), Held(20, 8), Held(5, 0)):
        chain.add(one)
    assert chain.all == 35 + 8


def test_what_further_trainings_start_from_stays():
    assert goes("finetune", "until measured") and goes("restore_base", "never")
    assert not goes("finetune", "weights") and not goes("pretrain_structure", "never")


@given(
    st.lists(st.floats(0.1, 50), min_size=1, max_size=20),
    st.floats(50, 200),
    st.randoms(use_true_random=False),
)
def test_no_order_of_jobs_holds_more_than_there_is_room_for_or_waits_for_ever(sizes, limit, rng):
    chains = {n: Chain(size, 0) for n, size in enumerate(sizes)}
    ledger, todo = Ledger.of(limit, 0, chains), list(chains)
    while todo:
        begun = [n for n in todo if ledger.admits(n)]
        assert begun and ledger.taken <= limit + 1e-9
        assert all(ledger.admits(n) for n in begun)
        name = rng.choice(begun)
        ledger.end(name)
        todo.remove(name)


def test_a_limit_below_one_chain_is_refused():
    with pytest.raises(UserError, match="30 GB are too few: 20 GB stay, and 11 GB"):
        Ledger.of(30, 20, {"a": Chain(10, 1)})
    assert Ledger.of(42, 20, {n: Chain(10, 1) for n in range(3)}).at_once == 2
