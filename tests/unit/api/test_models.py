"""A model in memory answers as its folder does in a step."""

from pathlib import Path

import pandas as pd
import pytest
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tests.examples import TEMPLATES, question
from tests.unit.api.doctests import run_examples
from tuneatlas.api import models
from tuneatlas.api.models import BUILT_IN, evaluate, label, probe
from tuneatlas.errors import UserError
from tuneatlas.models.prompts import ChatTemplate, QuestionTemplate
from tuneatlas.studies.knowledge.evaluate import evaluate_tuned
from tuneatlas.studies.knowledge.probe import probe_base
from tuneatlas.tables import ANSWERS, QUESTIONS

ROWS = [question(n, split="dev" if n < 3 else "test") for n in range(9)]
CHAT = TEMPLATES / "chat/vicuna.yaml"
OPTIONS = {
    "scoring": "cloze",
    "option_tokens": "joined",
    "logits": "single",
    "ties": "wrong",
    "batch_tokens": 4096,
    "dtype": "float32",
}


def test_examples(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase):
    assert run_examples(models, model=model, tokenizer=tokenizer) >= 8


@pytest.mark.parametrize("name", BUILT_IN)
def test_templates_that_are_built_in_are_those_of_the_config(name: str):
    file = QuestionTemplate.load(TEMPLATES / f"questions/{name}.yaml")
    assert QuestionTemplate(**BUILT_IN[name]) == file


def test_a_probe_is_that_of_the_step(
    base: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
):
    template = QuestionTemplate.load(TEMPLATES / "questions/cloze.yaml")
    asking = {"shots": 2, "demonstration_seed": 42, "draws": 2, "rotations": 2, **OPTIONS}
    own = probe_base(base, ROWS, template, asking, bos=True)
    model.train()
    found = probe(model, tokenizer, ROWS, shots=2, scoring="cloze", draws=2, rotations=2, bos=True)
    assert model.training, "the model is left as it was"
    ANSWERS.build(found[[column.name for column in ANSWERS.columns]].to_dict("records"))
    assert found["scores"].tolist() == [row["scores"] for row in own.answers]
    assert found["category"].tolist() == [row["category"] for row in own.knowledge]
    assert found["prompt"].tolist() == [row["prompt"] for row in own.answers]


def test_an_answer_in_a_chat_is_that_of_the_step(
    base: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
):
    template = QuestionTemplate.load(TEMPLATES / "questions/cloze.yaml")
    own = evaluate_tuned(base, ROWS, template, ChatTemplate.load(CHAT), OPTIONS, bos=False)
    found = evaluate(model, tokenizer, ROWS, chat=CHAT, scoring="cloze", bos=False)
    assert found["scores"].tolist() == [row["scores"] for row in own]


def test_questions_may_be_a_file_a_table_or_mappings(
    tmp_path: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
):
    plain = [{name: row[name] for name in ("question", "choices", "answer")} for row in ROWS]
    lines = "\n".join(pd.Series(row).to_json() for row in plain)
    (tmp_path / "mine.jsonl").write_text(lines + "\n")
    QUESTIONS.write(tmp_path / "whole.parquet", ROWS)
    given = [plain, pd.DataFrame(plain), tmp_path / "mine.jsonl"]
    scores = [probe(model, tokenizer, g, shots=0, scoring="cloze")["scores"] for g in given]
    assert scores[0].tolist() == scores[1].tolist() == scores[2].tolist()
    # A run's own table keeps its ids and splits.
    whole = pd.read_parquet(tmp_path / "whole.parquet")
    found = probe(model, tokenizer, whole, shots=3, scoring="cloze")
    assert found["id"].tolist() == [row["id"] for row in ROWS if row["split"] == "test"]


@pytest.mark.parametrize(
    ("questions", "more", "message"),
    [
        (ROWS[:5], {"shots": 4}, "shots=4, but 3 of 5 questions have the split 'dev'"),
        ([], {}, "no questions"),
        ([{"question": "a?", "choices": ["b", "b"], "answer": 0}], {}, "question 1: option 'b'"),
        ([{"question": "a?", "choices": ["b", "c"]}], {}, "question 1: no 'answer'"),
        (ROWS, {"scoring": "best"}, "letter, cloze or cloze_normalised"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, questions, more, message: str
):
    with pytest.raises(UserError, match=message):
        probe(model, tokenizer, questions, **{"shots": 0, **more})


def test_labels_need_the_columns_of_answers():
    with pytest.raises(UserError, match="lack column 'pred_prob'"):
        label(pd.DataFrame({"id": ["a"], "answer": [0], "pred": [0], "correct": [True]}))
