"""A checkpoint is asked in its chat format by the script that asks our own tuned models."""

from tests.examples import TEMPLATES, question
from tests.unit.steps import a_step, run_script, shards_by
from tuneatlas.models.prompts import ChatTemplate, QuestionTemplate
from tuneatlas.studies.knowledge.evaluate import evaluate_tuned
from tuneatlas.tables import ANSWERS, QUESTIONS

OPTIONS = {"scoring": "cloze", "batch_tokens": 512, "dtype": "float32"}


def test_both_scripts_write_the_answers_to_the_tests_of_all_domains(tmp_path, base):
    rows = [question(n, split=split) for n, split in ((1, "train"), (2, "test"), (3, "test"))]
    QUESTIONS.write(tmp_path / "a.parquet", rows[:2])
    QUESTIONS.write(tmp_path / "b.parquet", rows[2:])
    template, chat = TEMPLATES / "questions/cloze.yaml", TEMPLATES / "chat/vicuna.yaml"
    inputs = {"model": base, "questions": [tmp_path / "a.parquet", tmp_path / "b.parquet"]}
    inputs |= {"template": template, "chat": chat}
    forms = QuestionTemplate.load(template), ChatTemplate.load(chat)
    wanted = evaluate_tuned(base, rows, *forms, OPTIONS, bos=True)
    assert len(wanted) == 2
    for name in ("evaluate_knowledge", "evaluate_checkpoint"):
        step = a_step(tmp_path, inputs, {"answers": f"{name}.parquet"}, OPTIONS, f"work-{name}")
        run_script(name, step, bos=True)
        found = ANSWERS.read(step.outputs["answers"])
        assert [row["scores"] for row in found] == [row["scores"] for row in wanted]


def test_an_evaluation_in_shards_writes_the_bytes_of_one_job(tmp_path, base):
    rows = [question(n, split="test") for n in range(9)]
    QUESTIONS.write(tmp_path / "a.parquet", rows)
    template, chat = TEMPLATES / "questions/cloze.yaml", TEMPLATES / "chat/vicuna.yaml"
    inputs = {"model": base, "questions": [tmp_path / "a.parquet"], "template": template}
    inputs |= {"chat": chat}
    options = OPTIONS | {"batch_tokens": 200}

    def answers(name: str, **more: object) -> bytes:
        outputs = {"answers": f"{name}.parquet"}
        step = a_step(tmp_path, inputs | more, outputs, dict(options), f"work-{name}")
        run_script("evaluate_knowledge", step, bos=True)
        return step.outputs["answers"].read_bytes()

    shards = shards_by("evaluate_shard", tmp_path, inputs, options, 3, bos=True)
    assert answers("shared", shards=shards) == answers("whole")
