"""How much jobs are charged for follows what they do."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.examples import ROOT, question
from tuneatlas.config.load import load_config
from tuneatlas.config.models.knowledge import Finetune
from tuneatlas.config.models.treatments import Treatment
from tuneatlas.engine.jobs import Job
from tuneatlas.models.shapes import shape_of
from tuneatlas.sizing.counts import Counts
from tuneatlas.sizing.estimates import DEVICES, Need, folder_size, start_hours
from tuneatlas.sizing.needs import PASSES, QUESTION, Study, need_of
from tuneatlas.sizing.sheet import study_of
from tuneatlas.studies.forgetting.prepare import pick_questions

NUMBERS = st.integers(0, 30)
SIZES = {"vocab_size": 400, "hidden_size": 32, "intermediate_size": 64, "layers": 2}
SIZES |= {"heads": 2, "kv_heads": 2, "max_length": 64}


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


@given(st.integers(2, 50), st.integers(1, 8))
def test_shards_and_processes_are_charged_for_the_work_of_one_job_and_their_starts(
    shards: int, processes: int
):
    shape = shape_of({"source": "scratch", **SIZES}, ROOT)
    of_one = study(10, 20, 100)
    whole = replace(of_one, shapes={"m": shape})
    options = {"draws": 1, "rotations": 1, "batch_tokens": 64, "shards": 1}

    def need(step: str, **more: int) -> Need:
        wildcards = {"model": "m", "domain": "numbers"}
        found = need_of(Job(step, wildcards, (), (), options | more, {}, due=True), whole)
        assert found is not None
        return found

    alone, start = need("probe_knowledge"), start_hours(shape, 1, 1)
    shared = need("probe_shard", shards=shards, processes=processes)
    each = shared.hours - start_hours(shape, processes, processes)
    assert shards * each == pytest.approx(alone.hours - start)
    assert shared.devices == processes * alone.devices and shared.memory == alone.memory
    assert need("probe_knowledge", shards=shards) == Need()


def test_no_more_is_charged_than_there_is_to_ask():
    """As where all is asked, and nobody counts how much that is."""
    options = {"conversations": 0, "heldout_bytes": 0}
    job = Job("evaluate_base", {"model": "m"}, (), (), options, {}, due=True)
    models = 1 + 2  # the base, and both points of its restoration
    assert PASSES[job.step](job, study(10, 20, 1_000_000)) == models * 30 * QUESTION


def test_rewards_are_charged_for_the_replies_that_are_drawn_and_trained_on():
    shape = shape_of({"source": "scratch", **SIZES}, ROOT)
    of_one = study(10, 20, 100)
    config = {**of_one.config, "mix_instructions": {"general": {"path": None}}}
    whole = replace(of_one, shapes={"m": shape}, config=config)
    wildcards = {"model": "m", "domain": "numbers", "group": "arm", "seed": "0"}
    outputs = ("results/arm/0", "results/arm/0.replies.parquet")

    def need(step: str = "reinforce_treatment", **stated: object) -> Need:
        entry = Treatment(of="harmonious", reward="answer", **stated).model_dump()
        treatment = entry if step == "reinforce_treatment" else {}
        options = {**Finetune(batch=4).model_dump(), "treatment": treatment}
        found = need_of(Job(step, wildcards, (), outputs, options, {}, due=True), whole)
        assert found is not None
        return found

    given, few = need("finetune_treatment"), need(beta=0.0)
    many, twice = need(beta=0.0, generations=16), need(beta=0.0, updates_per_batch=2)
    # One of the outputs is a model.
    assert few.kept == given.kept == folder_size(shape)
    assert given.hours < few.hours < many.hours
    assert given.memory < few.memory
    assert need(beta=0.1).memory - few.memory == pytest.approx(folder_size(shape))
    assert (few.steps, twice.steps) == (given.steps, 2 * given.steps)
    assert few.hours < twice.hours


@pytest.mark.parametrize(("domain", "models"), [("numbers", 1 + 1 + 2), ("given", 1 + 3)])
def test_distances_are_charged_for_each_model_of_a_training(domain: str, models: int):
    """The base, the tuned one and two kept steps; of a checkpoint its own three."""
    of_one = study(10, 20, 100)
    along = {"base": "m", "path": "x/{step}", "steps": [1, 2, 3]}
    more = {
        "stage_forgetting": {"groups": ["harmonious"]},
        "finetune_stages": {"steps": [1, 2]},
        "checkpoints": {"mine": along},
    }
    whole = replace(of_one, config={**of_one.config, **more})
    options = {"prompts": 1, "samples": 0, "answer_tokens": 0}
    wildcards = {"model": "m", "domain": domain, "group": "mine", "seed": "0"}
    job = Job("measure_distance", wildcards, (), (), options, {}, due=True)
    assert PASSES[job.step](job, whole) == models * 30 * QUESTION
