"""lm-evaluation-harness as an evaluation step: offline, on a task file and a model made here."""

import copy
import json

import numpy as np
import pytest

from tests.examples import TEMPLATES, question
from tuneatlas.errors import UserError
from tuneatlas.models.harness import evaluate_harness
from tuneatlas.models.harness_items import HARNESS_ITEMS, item_rows
from tuneatlas.models.harness_model import HarnessModel
from tuneatlas.models.prompts import QuestionTemplate, continuations, few_shot_prompt
from tuneatlas.models.save import save_model
from tuneatlas.models.scoring import score_options

OPTIONS = {
    "tasks": ["numbers"],
    "shots": 0,
    "limit": None,
    "chat": False,
    "batch_rows": 4,
    "dtype": "float32",
}
TASK = """\
task: numbers
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{prompt}}}}"
doc_to_choice: choices
doc_to_target: answer
target_delimiter: " "
metric_list: [{{metric: acc}}]
"""


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")


def test_its_accuracy_is_ours(tmp_path, model, tokenizer, offline):
    model.config.max_position_embeddings = 1024
    save_model(tmp_path / "model", model, tokenizer)
    cloze = QuestionTemplate.load(TEMPLATES / "questions/cloze.yaml")
    asked = [question(n, answer=n % 4) for n in range(12)]
    prompts = [few_shot_prompt(cloze, [], q) for q in asked]
    rows = [{**q, "prompt": p} for q, p in zip(asked, prompts, strict=True)]
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/numbers.yaml").write_text(TASK.format(data=tmp_path / "data.jsonl"))
    options = OPTIONS | {"include_path": str(tmp_path / "tasks")}
    found, items = evaluate_harness(tmp_path / "model", options, bos=True)
    scores = score_options(
        model,
        tokenizer,
        prompts,
        [continuations(cloze, q) for q in asked],
        bos=True,
        per_token=False,
        batch_tokens=4096,
    )
    right = sum(int(s.argmax()) == q["answer"] for s, q in zip(scores, asked, strict=True))
    assert found["results"]["numbers"]["acc,none"] == pytest.approx(right / len(asked))
    assert found["items"]["numbers"]["effective"] == 12
    # Item by item, with the standard error that the library gives.
    HARNESS_ITEMS.build(items)
    chosen = [int(np.argmax(row["scores"])) for row in items]
    assert [row["value"] for row in items] == [float(n % 4 == c) for n, c in enumerate(chosen)]
    assert [row["prompt"] for row in items] == prompts
    for row, own in zip(items, scores, strict=True):
        assert row["scores"] == pytest.approx(own.tolist(), abs=1e-4)
    error = np.std([row["value"] for row in items], ddof=1) / len(items) ** 0.5
    assert found["results"]["numbers"]["acc_stderr,none"] == pytest.approx(error)


@pytest.fixture
def asked(tmp_path, model, tokenizer):
    """Options of the step, with a task and a model in the folder of the test."""
    model.config.max_position_embeddings = 64
    rows = [question(n) | {"prompt": f"Which number follows {n}?\nAnswer:"} for n in range(4)]
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/numbers.yaml").write_text(TASK.format(data=tmp_path / "data.jsonl"))
    save_model(tmp_path / "model", model, tokenizer)
    return OPTIONS | {"include_path": str(tmp_path / "tasks")}


def test_what_its_library_would_go_on_with_is_refused(tmp_path, asked, model, tokenizer, offline):
    """Long prompts, scores that are no numbers, chats without a template of the model's own."""
    folder = tmp_path / "model"
    with pytest.raises(UserError, match=r"harness.chat: .* no chat template .* to false"):
        evaluate_harness(folder, asked | {"chat": True}, bos=True)
    model.config.max_position_embeddings = 12
    save_model(folder, model, tokenizer)
    with pytest.raises(UserError, match=r"task numbers, item \d: \d+ tokens do not fit .* 12 pos"):
        evaluate_harness(folder, asked, bos=True)
    model.config.max_position_embeddings = 64
    model.get_output_embeddings().weight.data[5] = float("nan")
    save_model(folder, model, tokenizer)
    with pytest.raises(UserError, match=r"task numbers, item \d: the model.s score is nan"):
        evaluate_harness(folder, asked, bos=True)


@pytest.mark.parametrize("bos", [True, False])
def test_in_a_chat_the_begin_token_is_as_the_config_says(
    tmp_path, asked, model, tokenizer, offline, monkeypatch, bos
):
    own = copy.deepcopy(tokenizer)
    own.chat_template = (
        "{{ bos_token }}{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}"
        "{% if strftime_now is defined %}{{ strftime_now('%Y') }}{% endif %}"
    )
    save_model(tmp_path / "model", model, own)
    fed = []
    real = HarnessModel._model_call

    def spy(self, ids, *args, **kwargs):
        fed.extend(ids.tolist())
        return real(self, ids, *args, **kwargs)

    monkeypatch.setattr(HarnessModel, "_model_call", spy)
    evaluate_harness(tmp_path / "model", asked | {"chat": True}, bos=bos)
    assert {(row[0] == own.bos_token_id, row.count(own.bos_token_id)) for row in fed} == {
        (bos, int(bos))
    }
    assert not any("20" in own.decode(row).split("</s>")[-1] for row in fed)


@pytest.mark.parametrize("bos", [True, False])
def test_a_begin_token_in_a_tasks_text_is_text(
    tmp_path, asked, tokenizer, offline, monkeypatch, bos
):
    """In what is scored and in what is answered, at the beginning and within."""
    fed = []
    real = HarnessModel._model_call, HarnessModel._model_generate

    def call(self, ids, *args, **kwargs):
        # The library fills rows up with 0, which is the begin token here.
        fed.extend(
            row[: 1 + max(n for n, token in enumerate(row) if token)] for row in ids.tolist()
        )
        return real[0](self, ids, *args, **kwargs)

    def write(self, context, *args, **kwargs):
        fed.extend(context.tolist())
        return real[1](self, context, *args, **kwargs)

    monkeypatch.setattr(HarnessModel, "_model_call", call)
    monkeypatch.setattr(HarnessModel, "_model_generate", write)
    rows = [question(n) | {"prompt": f"<s>What is <s> in {n}?"} for n in (1, 22)]
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    written = TASK.replace("multiple_choice", "generate_until").replace("numbers", "writing")
    written = written.replace("doc_to_choice: choices\n", "").replace("metric: acc", "metric: bleu")
    written += "generation_kwargs: {{max_gen_toks: 2, until: [x]}}\n"
    (tmp_path / "tasks/writing.yaml").write_text(written.format(data=tmp_path / "data.jsonl"))
    for task in ("numbers", "writing"):
        fed.clear()
        evaluate_harness(tmp_path / "model", asked | {"tasks": [task]}, bos=bos)
        assert fed
        assert {row.count(tokenizer.bos_token_id) for row in fed} == {int(bos)}


def test_an_unknown_task_is_named(tmp_path, offline):
    (tmp_path / "mine.yaml").write_text("task: no_such_task\n  output_type: [\n")
    options = OPTIONS | {"tasks": ["no_such_task"], "include_path": str(tmp_path)}
    expected = r"has no task 'no_such_task'; \S+/mine\.yaml holds no task that can be read"
    with pytest.raises(UserError, match=expected):
        evaluate_harness(tmp_path, options, bos=True)


def test_an_item_keeps_its_id_and_what_its_requests_share_is_its_prompt():
    """Also where contexts differ, where contents are twice, and where a filter reads again."""

    def logged(number, digest, arguments, answers, **more):
        base = {"doc_id": number, "doc_hash": digest * 20, "target": 1, "filter": "none"}
        metrics = {"metrics": ["acc"], "acc": 1}
        return {**base, **metrics, "arguments": arguments, "filtered_resps": answers, **more}

    options = [("Q: a", " x"), ("Q: b", " x"), ("", " x")]
    scored = [(-1.0, True), (-2.0, False), (-3.0, False)]
    written = {"metrics": ["bleu"], "bleu": ("t", "w"), "filter": "first"}
    found = list(
        item_rows(
            {
                "t": [
                    logged(0, "d", options, scored),
                    logged(1, "d", options, scored, acc=float("nan")),
                    logged(0, "d", [("say", {"until": []})], ["w"], **written),
                ]
            }
        )
    )
    HARNESS_ITEMS.build(found)
    first, again, wrote = found
    assert (first["prompt"], first["answers"]) == ("Q: ", ["a x", "b x", " x"])
    assert (first["scores"], first["value"]) == ([-1.0, -2.0, -3.0], 1.0)
    assert again["id"] == f"{first['id']}-2"
    assert again["value"] is None
    assert wrote["id"] == first["id"]
    assert (wrote["prompt"], wrote["answers"], wrote["scores"]) == ("say", ["w"], [])
    assert wrote["value"] is None
