"""Checkpoints tuned elsewhere come out as what they are: changed by so much, or not at all."""

import json
from itertools import product

import numpy as np
import pytest

from tests.examples import PROBE, TEMPLATES, question
from tests.unit.audit.synthetic import _Maker
from tests.unit.config.described import undescribed_columns
from tuneatlas.audit.behind import compute, read_items
from tuneatlas.audit.columns import Columns
from tuneatlas.audit.lineage import read_results
from tuneatlas.audit.numbers import numbers
from tuneatlas.errors import UserError
from tuneatlas.models.asked import load_asked
from tuneatlas.models.given import bring_checkpoint
from tuneatlas.models.prompts import ChatTemplate, QuestionTemplate
from tuneatlas.plots import draw_figures
from tuneatlas.report.checkpoints import checkpoints_part
from tuneatlas.report.context import nothing_tuned
from tuneatlas.report.page import build_report
from tuneatlas.statistics.metrics import write_metrics
from tuneatlas.studies.knowledge import probe
from tuneatlas.studies.knowledge.checkpoint_figures import FIGURES
from tuneatlas.studies.knowledge.checkpoints import (
    CheckpointOptions,
    categories_of,
    compare_checkpoints,
    notes_on,
)
from tuneatlas.studies.knowledge.evaluate import evaluate_tuned
from tuneatlas.studies.knowledge.probe import probe_base, probe_tests
from tuneatlas.tables import ANSWERS, KNOWLEDGE, QUESTIONS

TEMPLATE = QuestionTemplate.load(TEMPLATES / "questions/cloze.yaml")
CHAT = ChatTemplate.load(TEMPLATES / "chat/vicuna.yaml")
OPTIONS = CheckpointOptions(draws=200)


def answers(right, domain="numbers", kinds=1):
    """A row for each of ``right``, which says whether it is answered rightly."""
    return [
        {
            "id": f"{domain}/{n}",
            "domain": domain,
            "relation": f"kind {n % kinds}",
            "split": "test",
            "probs": [0.7, 0.1, 0.1, 0.1] if yes else [0.1, 0.7, 0.1, 0.1],
            "correct": yes,
            "prompt": f"Question {n}",
        }
        for n, yes in enumerate(right)
    ]


def compared(base, few_shot, chat):
    metrics = compare_checkpoints(base, {"mine": few_shot}, {"mine": chat}, OPTIONS, 1)
    assert undescribed_columns("compare_checkpoints", metrics) == []
    told = {"checkpoint": "mine", "run": "mine", "step": None, "chat_template": "own", "notes": []}
    (found,) = checkpoints_part(metrics | {"checkpoints": [told]}, "x").findings
    return metrics, found


def test_a_planted_truth_comes_out_as_what_it_is():
    known, lost = answers([True] * 40), answers([False] * 15 + [True] * 25)
    metrics, said = compared(known, known, lost)
    assert said.headline.startswith("unchanged")
    assert dict(said.answers)["Lost"] == "0 of 40 answers that its base had right."
    assert "37.5 points" in dict(said.answers)["How much is format"]
    (format_row,) = metrics["formats"]
    assert (format_row["change"], format_row["lost"]) == (-0.375, 15)
    assert format_row["p_holm"] < 0.05
    metrics, said = compared(known, lost, lost)
    row = metrics["changes"][0]
    assert said.headline.startswith("knowledge was lost") and (row["lost"], row["gained"]) == (
        15,
        0,
    )
    assert "no sure difference" in dict(said.answers)["How much is format"]
    assert row["change_low"] < row["change"] < row["change_high"] < 0 < row["kl"]
    assert metrics["formats"][0]["change"] == 0 and metrics["formats"][0]["p_holm"] == 1
    metrics, said = compared(lost, known, known)
    assert said.headline.startswith("knowledge was gained")
    assert dict(said.answers)["Gained"].startswith("15 of 15 answers")


def test_a_subject_that_was_lost_is_named():
    known = answers([True] * 60, kinds=3)
    metrics, said = compared(known, answers([n % 3 != 1 for n in range(60)], kinds=3), known)
    assert [row["subject"] for row in metrics["subjects"]] == ["kind 0", "kind 1", "kind 2"]
    assert dict(said.answers)["Lost"].endswith("; for sure in kind 1 (\N{MINUS SIGN}100.0 points).")
    assert compared(answers([True] * 4), *[answers([True] * 4)] * 2)[0]["subjects"] == []


def test_changes_are_told_by_what_the_base_knew_where_it_was_asked_in_several_ways():
    base = answers([True] * 40 + [False] * 40)
    tuned = answers([n > 9 for n in range(40)] + [n > 35 for n in range(40)])
    rows = [
        {"id": row["id"], "ways": 4, "category": "HighlyKnown" if row["correct"] else "Unknown"}
        for row in base
    ]
    asked = ({"mine": tuned}, {"mine": tuned}, OPTIONS, 1)
    metrics = compare_checkpoints(base, *asked, categories_of(rows))
    assert undescribed_columns("compare_checkpoints", metrics) == []
    known, unknown = metrics.pop("categories")
    assert (known["category"], known["items"], known["lost"]) == ("HighlyKnown", 40, 10)
    assert (unknown["category"], unknown["gained"], unknown["change"]) == ("Unknown", 4, 0.1)
    assert known["change_low"] <= known["change"] == -0.25 <= known["change_high"]
    # Asked in one way, nothing is told of them, and no other number moves.
    once = categories_of(row | {"ways": 1} for row in rows)
    assert compare_checkpoints(base, *asked, once) == metrics


@pytest.mark.parametrize(
    ("confidence", "said"), [(0.95, "no sure loss or gain"), (0.9, "knowledge was lost")]
)
def test_what_is_sure_follows_the_level_of_the_intervals(confidence, said):
    """Six answers lost: p = 2 / 2^6, and twice that corrected for both formats."""
    known, lost = answers([True] * 40), answers([False] * 6 + [True] * 34)
    options = CheckpointOptions(draws=200, confidence=confidence)
    metrics = compare_checkpoints(known, {"mine": lost}, {"mine": known}, options, 1)
    told = {"checkpoint": "mine", "run": "mine", "step": None, "chat_template": "own", "notes": []}
    (found,) = checkpoints_part(metrics | {"checkpoints": [told]}, "x").findings
    assert metrics["changes"][0]["p_holm"] == 0.0625 and found.headline.startswith(said)


def test_options_that_cannot_be_compared_are_named():
    base = answers([True, False])
    for probs, said in (([1.0, 0.0, 0.0, 0.0], "KL is infinite"), ([0.5, 0.5], "do not match")):
        other = [base[0], base[1] | {"probs": probs}]
        options = CheckpointOptions(draws=20, epsilon=0.0)
        with pytest.raises(UserError, match=rf"checkpoint mine, question 'numbers/1'.*{said}"):
            compare_checkpoints(base, {"mine": other}, {"mine": base}, options, 1)


def test_domains_are_told_apart_and_together():
    base = answers([True] * 10) + answers([False] * 10, "letters")
    metrics, _ = compared(base, base, base)
    assert [row["domain"] for row in metrics["formats"]] == ["all", "letters", "numbers"]
    assert metrics["pairs"] == []


def test_every_number_of_checkpoints_is_of_its_questions_again(tmp_path):
    """Beside the base, in both formats, by subject, and of any two; categories are no answers."""
    made, rng = _Maker(tmp_path), np.random.default_rng(5)
    each = ({"id": f"numbers/{n}", "relation": f"kind {n % 2}"} for n in range(30))
    questions = [question(n, split="test", **own) for n, own in enumerate(each)]
    asked = made.table(QUESTIONS, "prepare_questions/numbers.parquet", questions, {})
    rest = {"role": "home", "answer": 0, "scores": [0.0], "pred": 0, "tied": 0}
    rest |= {"gold_prob": 0.5, "pred_prob": 0.5}

    def answered(place, **wildcards):
        rows = answers(rng.random(30) < 0.6, kinds=2)
        return rows, made.table(
            ANSWERS, place, [row | rest for row in rows], {"model": "mini"} | wildcards, asked
        )

    base, probed = answered("probe_knowledge/mini/numbers.parquet", domain="numbers")
    rows = [{"id": row["id"], "ways": 2, "category": "Unknown"} for row in base]
    known = [row | {"right_share": 0, "agreement": 1, "gold_prob": 0.1} for row in rows]
    place = "probe_knowledge/mini/categories/numbers.parquet"
    inputs = [probed, made.table(KNOWLEDGE, place, known, {"model": "mini", "domain": "numbers"})]
    found = {"probe_checkpoint": {}, "evaluate_checkpoint": {}}
    for step, name in product(found, ("one", "two/5")):
        found[step][name], output = answered(f"{step}/mini/{name}.parquet", checkpoint=name)
        inputs.append(output)
    metrics = compare_checkpoints(base, *found.values(), OPTIONS, 1, categories_of(known))
    write_metrics(metrics, tmp_path / "compare_checkpoints/mini")
    made.record("compare_checkpoints/mini", {"model": "mini"}, *inputs)
    results = read_results(tmp_path)
    columns, items = Columns(results), read_items(results)
    told = {number.address: number for number in numbers(results)}
    # Two checkpoints in two formats, and as many formats, pairs of formats and subjects.
    assert len(told) == 4 * 5 + 2 * 3 + 2 * 3 + 4 * 3
    for number in told.values():
        assert compute(number, columns, items) == pytest.approx(number.value, abs=1.01e-6)


def test_what_was_asked_otherwise_is_refused():
    base = answers([True, False])
    with pytest.raises(UserError, match="answer different questions"):
        compared(base, base[:1], base)
    with pytest.raises(UserError, match="another prompt"):
        compared(base, [row | {"prompt": "else"} for row in base], base)


def test_a_model_of_ours_brought_back_gives_every_number_of_the_inside_path(
    tmp_path, base, monkeypatch
):
    rows = [question(n, split="dev") for n in range(3)]
    rows += [question(n, split="train") for n in range(10, 14)]
    rows += [question(n, split="test") for n in range(20, 28)]
    rows += [
        question(n, role="related", split=split, id=f"r/{n}", topic="other")
        for n, split in [(40, "dev"), (41, "dev"), (42, "test"), (43, "test")]
    ]
    bring_checkpoint(base, base, tmp_path / "brought")
    inside = evaluate_tuned(base, rows, TEMPLATE, CHAT, PROBE, bos=True)
    assert evaluate_tuned(tmp_path / "brought", rows, TEMPLATE, CHAT, PROBE, bos=True) == inside
    probed = probe_base(base, rows, TEMPLATE, PROBE, bos=True).answers
    found = probe_tests(
        tmp_path / "brought",
        {"numbers": rows},
        TEMPLATE,
        PROBE,
        bos=True,
        splits={"numbers": ["train", "test"]},
    )
    tests = [row for row in probed if row["split"] == "test"]
    domains = {"numbers": rows, "again": rows}
    splits = {domain: ["test"] for domain in domains}
    opened = []
    monkeypatch.setattr(
        probe, "load_asked", lambda *a, **o: opened.append(a) or load_asked(*a, **o)
    )
    several = probe_tests(base, domains, TEMPLATE, PROBE, bos=True, splits=splits)
    assert len(opened) == 1 and len(several) == 2 * len(tests)
    assert [row["prompt"] for row in found] == [row["prompt"] for row in tests]
    assert np.allclose([r["scores"] for r in found], [r["scores"] for r in tests], atol=1e-5)
    metrics, said = compared(probed, found, inside)
    assert "unchanged" in said.headline and metrics["changes"][0]["kl"] < 1e-6


def test_questions_that_were_trained_on_are_counted_and_told(tmp_path):
    rows = [question(n, split="test") for n in range(4)]
    (tmp_path / "train.txt").write_text(f"{rows[2]['question']} 3\n")
    (tmp_path / "m.record.json").write_text(json.dumps({"notes": ["an adapter"]}))
    (tmp_path / "other.txt").write_text("Something else.\n")
    named = (("a", "train.txt"), ("b", None), ("c", "other.txt"))
    told = [{"checkpoint": name, "trained_on": file} for name, file in named]
    files = [tmp_path / "train.txt", tmp_path / "other.txt"]
    overlap = {"ngram": 8, "overlap_share": 0.7}
    found = notes_on(told, [tmp_path / "m"] * 3, files, rows, overlap)
    assert [entry["overlap"] for entry in found] == [1, None, 0]
    assert found[0]["notes"][1].startswith("1 of the 4 questions asked occur in train.txt")
    assert "may be memory" in found[0]["notes"][1] and "memory" not in found[2]["notes"][1]
    assert found[1]["notes"] == ["an adapter"]


CONTEXT = {
    "model": {"name": "small", "description": "A model"},
    **dict.fromkeys(("data", "host", "probe", "training", "evaluation", "command", "links"), ""),
    **{name: [] for name in ("sources", "samples", "notes")},
}


def test_a_page_of_checkpoints_alone_begins_with_what_was_lost(tmp_path):
    known = answers([True] * 60, kinds=2) + answers([True] * 20, "letters")
    lost = answers([n > 20 for n in range(60)], kinds=2) + answers([True] * 20, "letters")
    told = {"checkpoint": "mine", "run": "mine", "step": None, "chat_template": "own"}
    metrics = compare_checkpoints(known, {"mine": lost}, {"mine": lost}, OPTIONS, 1)
    told |= {"tags": ["dpo", "second try"], "seed": 0}
    metrics["checkpoints"] = [told | {"notes": ["an adapter"]}]
    draw_figures(metrics, tmp_path, FIGURES)
    page = build_report(
        nothing_tuned(0.95), tmp_path, CONTEXT, checkpoints=(metrics, tmp_path, "c")
    )
    first = page[page.index('id="findings"') : page.index('<article class="study"')]
    asked = ("Lost", "Gained", "How much is format", "How much comes back", "How sure")
    assert [first.index(f"<dt>{text}</dt>") for text in asked] == sorted(
        first.index(f"<dt>{text}</dt>") for text in asked
    )
    assert "mine <small>dpo, second try, tuned with seed 0</small></h2>" in first
    assert "Knowledge was lost" in first and "for sure in numbers" in first
    assert "was fine-tuned on" not in first and "Subject by subject" in page


def test_no_p_value_is_told_as_nought():
    known, lost = answers([True] * 40), answers([False] * 30 + [True] * 10)
    _, said = compared(known, lost, lost)
    assert "p < 0.0001 after correction" in dict(said.answers)["How sure"]
    assert "(p = 1.0000)" in dict(said.answers)["How much is format"]
