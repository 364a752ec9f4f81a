"""A question is traced through every step that it passes."""

from pathlib import Path

import pytest

from tuneatlas.audit.lineage import read_results
from tuneatlas.audit.telling import TOLD, tell
from tuneatlas.audit.trace import STEPS, Life, Seen, trace
from tuneatlas.cli.trace import PLAIN
from tuneatlas.errors import UserError


def test_a_question_is_traced_through_every_step(results: Path):
    life = trace(read_results(results), "numbers/next/5")
    assert list(life.rows) == [
        "prepare_questions",
        "probe_knowledge",
        "category of knowledge",
        "label_knowledge",
        "explain_predictions",
        "mix_instructions",
    ]
    said = "\n".join(tell(life, lambda seen: [("USER: hi ", False), ("yes", True)], PLAIN))
    for part in (
        "Which number follows 5?",
        "source: test; licence: none",
        "  | Answer:",
        " >  B. 7   0.700 #####################",
        "  = A. 6   0.100 ###",
        "group self_aligning: trained on B",
        "USER: hi [[yes]]",
    ):
        assert part in said, said


def test_a_test_question_shows_the_tuned_model(results: Path):
    life = trace(read_results(results), "numbers/next/21")
    said = "\n".join(tell(life, lambda seen: None, PLAIN))
    assert "tuned models: test" in said and "mixed_40        0" in said


def test_rows_of_a_step_without_a_section_of_its_own_are_told_all_the_same():
    others = [step for step in STEPS if step not in TOLD]
    assert {"probe_checkpoint", "evaluate_checkpoint", "score_systems"} <= set(others)
    rows = {s: [Seen(s, f"results/{s}/x", {"model": "m"}, {"id": "x", "n": s})] for s in others}
    said = "\n".join(tell(Life("x", rows, []), lambda seen: None, PLAIN))
    assert all(f"results/{step}/x m" in said and f"n: {step}" in said for step in others), said


def test_an_unknown_id_offers_the_nearest(results: Path):
    with pytest.raises(UserError, match=r"the nearest: numbers/next/29"):
        trace(read_results(results), "numbers/next/299")
    with pytest.raises(UserError, match="next/1, "):
        trace(read_results(results), "next/1")
