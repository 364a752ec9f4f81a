"""Questions are dealt to groups by what the probe answered, as the authors dealt them."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.examples import ROOT
from tests.unit.studies.fake_answers import probed
from tuneatlas.studies.knowledge.label import label_questions

# Probes of Mistral-7B by the authors of the study; not ours to ship.
PROBES = ROOT.parent / "shared" / "data" / "mistral7b-probes"


@given(st.lists(st.booleans(), max_size=40), st.integers(0, 99))
def test_groups(outcomes, seed):
    rows = label_questions(probed(outcomes), harmonious_size="match", rng=random.Random(seed))
    by = {g: [r for r in rows if r["group"] == g] for g in ("harmonious", "incompatible")}
    own = [r for r in rows if r["group"] == "self_aligning"]
    assert [r["id"] for r in by["incompatible"]] == [r["id"] for r in own]
    assert len(own) == outcomes.count(False)
    assert len(by["harmonious"]) == min(outcomes.count(True), outcomes.count(False))
    assert all(r["label"] == r["answer"] == r["pred"] for r in by["harmonious"])
    assert all(r["label"] == r["answer"] != r["pred"] for r in by["incompatible"])
    assert all(r["label"] == r["pred"] != r["answer"] for r in own)


@pytest.mark.skipif(not PROBES.is_dir(), reason=f"the authors' probes are not at {PROBES}")
@pytest.mark.parametrize("domain", ["engineering", "history"])
def test_same_groups_and_labels_as_the_authors(domain: str):
    theirs = {
        group: {
            row["id"]: row
            for row in map(json.loads, (PROBES / f"{domain}.{group}.jsonl").open(encoding="utf-8"))
        }
        for group in ("harmonious", "incompatible", "self_aligning")
    }
    answers = [
        {key: row[key] for key in ("id", "answer", "pred", "correct")}
        for group in ("harmonious", "incompatible")
        for row in theirs[group].values()
    ]
    for row in theirs["incompatible"].values():
        # The recorded prediction is what the recorded probabilities say.
        assert row["pred"] == max(range(4), key=lambda i, p=row["probs"]: p[i])
    random.Random(0).shuffle(answers)
    rows = label_questions(answers, harmonious_size="match", rng=random.Random(0))
    ours = {g: {r["id"]: r["label"] for r in rows if r["group"] == g} for g in theirs}
    assert ours == {g: {i: r["output"] for i, r in rows.items()} for g, rows in theirs.items()}
