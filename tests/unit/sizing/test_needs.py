"""How much jobs are charged for follows what they do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.examples import ROOT, question
from tuneatlas.config.load import load_config
from tuneatlas.engine.jobs import Job
from tuneatlas.sizing.counts import Counts
from tuneatlas.sizing.estimates import DEVICES
from tuneatlas.sizing.needs import PASSES, QUESTION, Study
from tuneatlas.sizing.sheet import study_of
from tuneatlas.studies.forgetting.prepare import pick_questions

NUMBERS = st.integers(0, 30)


def study(home: int, related: int, most: int, source: str = "file", made: str = "scratch") -> Study:
    """Of one model and one domain."""
    config = {
        "models": {"m": {"source": made}},
        "domains": {"numbers": {"source": source}},
        "prepare_corpus": {"mentioned_share": 0.5},
        "prepare_restoration": {"questions": most, "stated_only": True},
        "finetune_stages": {"steps": []},
        "restore_stages": {"curve": [50]},
    }
    counts = Counts({"test": home, "related_test": related, "train": 100}, frozenset())
    return Study(config, {}, DEVICES["cpu"], ROOT, {"numbers": counts})


@given(NUMBERS, NUMBERS, st.integers(1, 40))
def test_as_many_are_followed_as_the_study_picks(home: int, related: int, most: int):
    roles = ["home"] * home + ["related"] * related
    rows = [question(n, split="test", role=role) for n, role in enumerate(roles)]
    assert study(home, related, most).followed("m") == len(pick_questions(rows, {}, most, "0"))


@pytest.mark.parametrize(
    ("source", "made", "number"),
    [("facts", "scratch", 15), ("facts", "hub", 30), ("file", "scratch", 30)],
)
def test_what_a_corpus_states_is_known_of_its_own_model_and_facts(source, made, number):
    assert study(10, 20, 100, source, made).followed("m") == number


def test_of_mini_as_many_are_followed_as_it_says():
    experiment = load_config(ROOT / "config/config.yaml", root=ROOT)
    mini = study_of(experiment, ROOT, DEVICES["cpu"], look=False)
    shares = (0.6 * (40 + 290), 0.6 * (40 + 230), 0.6 * (40 + 40))
    assert mini.followed("mini-0") == sum(min(180, round(share)) for share in shares)


def test_no_more_is_charged_than_there_is_to_ask():
    """As where all is asked, and nobody counts how much that is."""
    options = {"conversations": 0, "heldout_bytes": 0}
    job = Job("evaluate_base", {"model": "m"}, (), (), options, {}, due=True)
    models = 1 + 2  # the base, and both points of its restoration
    assert PASSES[job.step](job, study(10, 20, 1_000_000)) == models * 30 * QUESTION
