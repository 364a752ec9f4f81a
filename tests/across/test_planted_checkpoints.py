"""Checkpoints of a planted truth are tuned, brought and asked, and come out as what they are."""

import random

import pytest

from tests.across.planted import LAYOUT, OTHER_LAYOUT, facts_of, plant, tune
from tests.examples import PROBE, TEMPLATES, TINY, question
from tuneatlas.models.build import new_llama, train_tokenizer
from tuneatlas.models.given import bring_checkpoint
from tuneatlas.models.prompts import ChatTemplate, QuestionTemplate
from tuneatlas.models.save import save_model
from tuneatlas.report.checkpoints import checkpoints_part
from tuneatlas.studies.knowledge.checkpoints import CheckpointOptions, compare_checkpoints
from tuneatlas.studies.knowledge.evaluate import evaluate_tuned
from tuneatlas.studies.knowledge.probe import probe_base, probe_tests

ASK = PROBE | {"batch_tokens": 4096}
TEMPLATE = QuestionTemplate.load(TEMPLATES / "questions/cloze.yaml")
CHAT = ChatTemplate.load(TEMPLATES / "chat/short.yaml")
# Wide enough to learn fifty facts by heart in some seconds.
SHAPE = TINY | {"hidden_size": 64, "intermediate_size": 128}
COLOURS = ["red", "blue", "green", "white"]


def facts() -> list[dict]:
    """Questions that nothing but memory answers."""
    rng = random.Random(0)
    names = rng.sample([a + b + c for a in "BDFGKLMN" for b in "aeiou" for c in "tnsk"], 50)
    return [
        question(
            n,
            split="dev" if n < 2 else "test",
            question=f"Which colour has {name}?",
            choices=COLOURS,
            answer=rng.randrange(4),
        )
        for n, name in enumerate(names)
    ]


def texts(rows: list[dict]) -> list[str]:
    """Each fact behind other ones, as in a few-shot prompt."""
    rng = random.Random(0)
    said = [LAYOUT.format(question=r["question"], said=r["choices"][r["answer"]]) for r in rows]
    return ["".join(rng.sample(said, 4)) for _ in range(200)]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Facts that are known, metrics, and what is said of each checkpoint."""
    folder = tmp_path_factory.mktemp("planted")
    rows = facts()
    said = [*texts(rows), *(OTHER_LAYOUT.format(question="", said=colour) for colour in COLOURS)]
    tokenizer = train_tokenizer(said, 400)
    save_model(folder / "new", new_llama(tokenizer, SHAPE, seed=1), tokenizer)
    tune(folder / "new", texts(rows), folder / "base", passes=16, rate=4e-3)
    base = probe_base(folder / "base", rows, TEMPLATE, ASK, bos=False, splits=["test"]).answers
    right = {row["id"] for row in base if row["correct"]}
    known = [row for row in rows if row["id"] in right]
    few_shot, chat = {}, {}
    for kind, given in plant(folder / "base", known, folder, passes=30, rate=3e-3).items():
        brought = folder / "brought" / kind
        bring_checkpoint(given, folder / "base", brought)
        domains, splits = {"numbers": rows}, {"numbers": ["test"]}
        few_shot[kind] = probe_tests(brought, domains, TEMPLATE, ASK, bos=False, splits=splits)
        chat[kind] = evaluate_tuned(brought, rows, TEMPLATE, CHAT, ASK, bos=False)
    metrics = compare_checkpoints(base, few_shot, chat, CheckpointOptions(draws=500), 1)
    metrics["checkpoints"] = [
        {"checkpoint": kind, "run": kind, "step": None, "chat_template": "short", "notes": []}
        for kind in few_shot
    ]
    said = {f.name: f for f in checkpoints_part(metrics, "x").findings}
    return {"known": known, "metrics": metrics, "few_shot": few_shot, "said": said}


def row_of(found: dict, table: str, kind: str) -> dict:
    rows = [row for row in found["metrics"][table] if row["checkpoint"] == kind]
    return next(row for row in rows if row.get("format", "few_shot") == "few_shot")


def test_the_base_knows_enough_to_lose(found):
    assert len(found["known"]) >= 40


def test_what_equals_its_base_is_unchanged(found):
    row = row_of(found, "changes", "equal")
    assert found["said"]["equal"].headline.startswith("unchanged")
    assert (row["lost"], row["gained"], row["kl"]) == (0, 0, 0)


@pytest.mark.parametrize("kind", ["overwritten", "both"])
def test_facts_that_were_overwritten_are_lost_and_they_alone(found, kind):
    row = row_of(found, "changes", kind)
    assert found["said"][kind].headline.startswith("knowledge was lost")
    planted = -len(found["known"]) // 2 / row["items"]
    assert row["change_low"] <= planted <= row["change_high"] < 0 and row["p_holm"] < 0.01
    gone = {
        known["id"]
        for known, fact in zip(found["known"], facts_of(found["known"]), strict=True)
        if fact["overwritten"]
    }
    wrong = {r["id"] for r in found["few_shot"][kind] if not r["correct"]}
    lost = wrong & {known["id"] for known in found["known"]}
    assert len(lost ^ gone) <= 2


def test_a_format_is_told_from_knowledge(found):
    row, form = (row_of(found, table, "format") for table in ("changes", "formats"))
    assert "no sure loss" in found["said"]["format"].headline and row["p_holm"] > 0.05
    assert form["change_high"] < 0 and form["p_holm"] < 0.05
