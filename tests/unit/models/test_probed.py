"""A model is asked again what its base was: questions that it was not asked are refused."""

import pytest

from tests.examples import PROBE, TEMPLATES, question
from tuneatlas.errors import UserError
from tuneatlas.models.load import load_model
from tuneatlas.models.probed import ask_again, read_prompts
from tuneatlas.models.prompts import QuestionTemplate
from tuneatlas.studies.knowledge.probe import probe_base
from tuneatlas.tables import ANSWERS

TEMPLATE = QuestionTemplate.load(TEMPLATES / "questions/cloze.yaml")
ROLES = ("home", "related")


def test_who_is_asked_again_answers_as_before(tmp_path, base):
    """Whether prompts begin with the begin token is then as it was, by role."""
    rows = [question(n, split="dev", role=r, id=f"{r}/{n}") for n in range(2) for r in ROLES]
    rows += [question(10 + n, split="test", role=ROLES[n % 2]) for n in range(6)]
    bos = {"home": True, "related": False}
    before = probe_base(base, rows, TEMPLATE, PROBE, bos=bos, splits=["test"]).answers
    ANSWERS.write(tmp_path / "answers.parquet", before)
    asked = rows[-5:]
    prompts = read_prompts([tmp_path / "answers.parquet"], asked, "atlas")
    assert list(prompts) == [row["id"] for row in asked]
    model, tokenizer = load_model(base, dtype="float32")
    again = ask_again(model, tokenizer, asked, prompts, TEMPLATE, PROBE, bos=bos)
    for row, was in zip(again, before[1:], strict=True):
        assert row == {name: was[name] for name in row}
    with pytest.raises(UserError, match=r"^atlas: .*not probed on question 'new' .and 1 more"):
        read_prompts(
            [tmp_path / "answers.parquet"], [*asked, *[question(1, id="new")] * 2], "atlas"
        )
