"""The base, our own runs and checkpoints are measured alike: the scripts differ in the models."""

from tests.examples import PROBE, TEMPLATES, question
from tests.unit.steps import a_step, document, run_script
from tuneatlas.models.prompts import QuestionTemplate
from tuneatlas.studies.knowledge.probe import probe_base
from tuneatlas.tables import ANSWERS, DOCUMENTS, QUESTIONS, STAGE_ANSWERS, STAGE_TEXTS

MEASURED = PROBE | {"conversations": 2, "window": 64, "heldout_bytes": 1000}


def test_the_same_weights_give_the_same_rows_as_base_and_as_checkpoint(tmp_path, base):
    rows = [question(n, split="dev") for n in range(3)]
    rows += [question(n, split="test") for n in range(20, 23)]
    template = TEMPLATES / "questions/cloze.yaml"
    asked = probe_base(base, rows, QuestionTemplate.load(template), PROBE, bos=True).answers
    ANSWERS.write(tmp_path / "answers.parquet", asked)
    QUESTIONS.write(tmp_path / "material/questions.parquet", rows[3:])
    held = [document(1, "After 7 comes 8.", "heldout")]
    DOCUMENTS.write(tmp_path / "material/documents.parquet", held)
    (tmp_path / "restored").mkdir()
    (tmp_path / "restored/100").symlink_to(base)
    inputs = {
        **{"base": base, "tuned": base, "restored": tmp_path / "restored"},
        **{"material": tmp_path / "material", "answers": [tmp_path / "answers.parquet"]},
        **{"template": template, "instruction": template},
        "chat": TEMPLATES / "chat/vicuna.yaml",
    }
    found = {}
    for name, params in (("evaluate_base", {}), ("measure_checkpoint", {"step": 7})):
        outputs = {part: f"{name}.{part}.parquet" for part in ("answers", "texts")}
        step = a_step(tmp_path, inputs, outputs, MEASURED, f"work-{name}")
        run_script(name, step, bos=True, **params)
        tables = (
            STAGE_ANSWERS.read(step.outputs["answers"]),
            STAGE_TEXTS.read(step.outputs["texts"]),
        )
        keys = ("setting", "step", "restored")
        found[name] = [[{k: v for k, v in r.items() if k not in keys} for r in t] for t in tables]
        cells = dict.fromkeys(tuple(row[k] for k in keys) for row in tables[0])
        where = ("stages", 7) if params else ("base", 0)
        assert list(cells) == [(*where, 0), (*where, 100)]
    assert found["evaluate_base"] == found["measure_checkpoint"]
    assert len(found["evaluate_base"][0]) == 2 * 3
