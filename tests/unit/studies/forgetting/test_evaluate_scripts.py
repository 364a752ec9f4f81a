"""The base, our own runs and checkpoints are measured alike: the scripts differ in the models."""

import shutil
from pathlib import Path

import pytest

from tests.examples import PROBE, TEMPLATES, question
from tests.unit.steps import a_step, document, run_script, shards_by
from tuneatlas.models.prompts import QuestionTemplate
from tuneatlas.studies.knowledge.probe import probe_base
from tuneatlas.tables import ANSWERS, DOCUMENTS, QUESTIONS, STAGE_ANSWERS, STAGE_TEXTS

MEASURED = PROBE | {"conversations": 2, "window": 64, "heldout_bytes": 1000}


@pytest.fixture
def material(tmp_path: Path, base: Path) -> dict:
    """What models are measured on, as inputs of a step."""
    rows = [question(n, split="dev") for n in range(3)]
    rows += [question(n, split="test") for n in range(20, 23)]
    template = TEMPLATES / "questions/cloze.yaml"
    asked = probe_base(base, rows, QuestionTemplate.load(template), PROBE, bos=True).answers
    ANSWERS.write(tmp_path / "answers.parquet", asked)
    QUESTIONS.write(tmp_path / "material/questions.parquet", rows[3:])
    held = [document(1, "After 7 comes 8.", "heldout")]
    DOCUMENTS.write(tmp_path / "material/documents.parquet", held)
    return {
        **{"material": tmp_path / "material", "answers": [tmp_path / "answers.parquet"]},
        **{"template": template, "instruction": template},
        "chat": TEMPLATES / "chat/vicuna.yaml",
    }


def test_the_same_weights_give_the_same_rows_as_base_and_as_checkpoint(tmp_path, base, material):
    (tmp_path / "restored").mkdir()
    (tmp_path / "restored/100").symlink_to(base)
    inputs = {
        **{"base": base, "tuned": base, "restored": tmp_path / "restored"},
        **material,
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


def test_a_run_measured_in_shards_gives_the_bytes_of_one_job(tmp_path, base, material):
    tuned = tmp_path / "tuned"
    shutil.copytree(base, tuned)
    (tuned / "training_summary.json").write_text('{"steps": 9}')
    kept = [tmp_path / f"kept/{n}" for n in (1, 5)]
    restored = [tmp_path / f"restored/{name}" for name in (1, 5, "finetune")]
    for path in kept:
        shutil.copytree(base, path)
    for path in restored:
        shutil.copytree(base, path / "100")
    inputs = material | {"kept": kept, "restored": restored, "finetuned": tuned}

    def rows(name: str, **more: object) -> bytes:
        outputs = {part: f"{name}.{part}.parquet" for part in ("answers", "texts")}
        step = a_step(tmp_path, inputs | more, outputs, dict(MEASURED), f"work-{name}")
        run_script("evaluate_stages", step, bos=True)
        return b"".join(path.read_bytes() for path in step.outputs.values())

    shards = shards_by("measure_shard", tmp_path, inputs, MEASURED, 4, bos=True)
    assert [path.stat().st_size > 2 for path in shards] == [True] * 4
    for path in (*kept, tuned, *restored):
        # Nobody needs the models to put together what was measured.
        for weights in path.rglob("model.safetensors"):
            weights.unlink()
    shared = rows("shared", shards=shards)
    for path in (*kept, tuned, *(one / "100" for one in restored)):
        shutil.copy(base / "model.safetensors", path)
    assert shared == rows("whole")
