"""Long loops that are cut off go on where they were, with the same results."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import TEMPLATES, question
from tests.unit.steps import a_step, run_script, shards_by
from tuneatlas.engine.resume import Parts
from tuneatlas.models import likelihoods
from tuneatlas.models.likelihoods import Request, log_likelihoods
from tuneatlas.models.prompts import ExplainTemplate
from tuneatlas.models.save import save_model
from tuneatlas.studies.knowledge import explain as explaining
from tuneatlas.studies.knowledge.explain import explain_predictions
from tuneatlas.tables import LABELS, QUESTIONS


class Cut(Exception):
    """The job was cut off."""


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=False), min_size=1), st.data())
def test_what_is_kept_is_not_made_again(tmp_path_factory, values, data):
    folder = tmp_path_factory.mktemp("parts")
    stop = data.draw(st.integers(0, len(values)))
    first = Parts(folder, every_s=-1)
    for i in range(stop):
        assert first.of(i, lambda i=i: [values[i]]) == [values[i]]
    made = []
    again = Parts(folder, every_s=-1)
    found = [again.of(i, lambda i=i: made.append(i) or [values[i]]) for i in range(len(values))]
    assert found == [[v] for v in values]
    assert made == list(range(stop, len(values)))


def test_a_torn_file_is_never_read(tmp_path: Path):
    (tmp_path / ".partial-other.1@000000001.json").write_text('{"1": ')
    assert Parts(tmp_path).of(1, lambda: "made") == "made"


def test_nothing_is_kept_without_a_folder():
    parts = Parts(every_s=-1)
    assert [parts.of(1, lambda: "a"), parts.of(1, lambda: "b")] == ["a", "b"]


def cut_after(monkeypatch, module, name: str, count: int) -> None:
    real, calls = getattr(module, name), []

    def cut(*args):
        calls.append(1)
        if len(calls) > count:
            raise Cut
        return real(*args)

    monkeypatch.setattr(module, name, cut)


def test_scores_of_a_run_in_pieces_are_those_of_one(tmp_path, model, monkeypatch):
    requests = [Request([5, 6, n % 9 + 3], [n % 50 + 7, 8]) for n in range(40)]
    whole = log_likelihoods(model, requests, 20)
    with monkeypatch.context() as patch, pytest.raises(Cut):
        cut_after(patch, likelihoods, "_score_batch", 2)
        log_likelihoods(model, requests, 20, Parts(tmp_path, every_s=-1))
    assert len(list(tmp_path.iterdir())) == 2
    found = log_likelihoods(model, requests, 20, Parts(tmp_path, every_s=-1))
    assert found.tobytes() == whole.tobytes()


def test_sampled_text_of_a_run_in_pieces_is_that_of_one(tmp_path, model, tokenizer, monkeypatch):
    save_model(tmp_path / "model", model, tokenizer)
    rows = [question(n, split="dev" if n < 2 else "train") for n in range(12)]
    labels = [{"id": r["id"], "group": "self_aligning", "pred": 1} for r in rows[2:]]
    options = {"shots": 1, "batch_rows": 2, "temperature": 1.0, "top_p": 1.0}
    options |= {"max_new_tokens": 6, "dtype": "float32"}

    def explain(parts: Parts | None):
        template = ExplainTemplate.load(TEMPLATES / "explain/urial.yaml")
        questions = {r["id"]: r for r in rows}
        return explain_predictions(
            tmp_path / "model", questions, labels, template, options, bos=True, seed=3, parts=parts
        )

    whole = explain(None)
    with monkeypatch.context() as patch, pytest.raises(Cut):
        cut_after(patch, explaining, "_generate", 3)
        explain(Parts(tmp_path / "parts", every_s=-1))
    torch.manual_seed(99)
    assert explain(Parts(tmp_path / "parts", every_s=-1)) == whole


def test_sampled_text_does_not_depend_on_who_shares_its_batches(tmp_path, model, tokenizer):
    save_model(tmp_path / "model", model, tokenizer)
    rows = [question(n, split="dev" if n < 2 else "train") for n in range(12)]
    labels = [{"id": r["id"], "group": "self_aligning", "pred": 1} for r in rows[2:]]
    QUESTIONS.write(tmp_path / "questions.parquet", rows)
    LABELS.write(
        tmp_path / "labels.parquet",
        [row | {"label": 1, "answer": 0, "correct": False} for row in labels],
    )
    options = {"shots": 1, "batch_rows": 2, "temperature": 1.0, "top_p": 1.0, "batch_tokens": 1}
    options |= {"max_new_tokens": 6, "dtype": "float32", "seeding": "batch"}
    inputs = {"model": tmp_path / "model", "template": TEMPLATES / "explain/urial.yaml"}
    inputs |= {name: tmp_path / f"{name}.parquet" for name in ("questions", "labels")}

    def explained(name: str, **more: object) -> bytes:
        step = a_step(tmp_path, inputs | more, {"explanations": f"{name}.parquet"}, options, name)
        step.name = "explain_predictions"
        run_script("explain_predictions", step, bos=True)
        return step.outputs["explanations"].read_bytes()

    whole = explained("whole")
    for count in (2, 4):
        shards = shards_by("explain_shard", tmp_path, inputs, options, count, bos=True)
        assert explained(f"of-{count}", shards=shards) == whole
