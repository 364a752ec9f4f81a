"""What a model writes for the test pairs is the same whoever shares the work."""

import json
from pathlib import Path

import pytest

from tests.examples import ROOT
from tests.unit.steps import a_step, run_script, shards_by
from tuneatlas.errors import UserError
from tuneatlas.models.build import new_t5, train_tokenizer
from tuneatlas.models.save import save_model
from tuneatlas.studies.syntax.pretraining.vocabulary import add_structure_tokens
from tuneatlas.studies.syntax.tables import GENERATIONS, PARAPHRASES

SHAPE = {"hidden_size": 32, "intermediate_size": 64, "layers": 2, "heads": 2, "dropout": 0.0}
OPTIONS = {
    **{"beams": 3, "length_penalty": 1.0, "min_length": 0, "no_repeat_ngram_size": 0},
    **{"max_new_tokens": 8, "max_length": 100, "batch_rows": 2, "height": 5},
}
PAIRS = 15


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """A folder with a model and test pairs of several lengths."""
    tokenizer = train_tokenizer(["the cat sat on the mat, the end"], 300)
    model = new_t5(tokenizer, SHAPE, seed=5)
    add_structure_tokens(model, tokenizer)
    save_model(tmp_path / "model", model, tokenizer)
    rows = []
    for n in range(PAIRS + 3):
        words = " ".join("(NN cat)" for _ in range(1 + n % 5))
        tree = f"(S (NP (DT the) {words}) (VP (VBD sat)))"
        rows.append(
            {
                **{"id": f"p{n}", "split": "test" if n < PAIRS else "dev"},
                **{"source": tree, "target": tree, "exemplar": tree, "exemplar_id": "e"},
                **{"exemplar_ted": 0, "source_ted": 0, "hard": False, "long": False},
            }
        )
    PARAPHRASES.write(tmp_path / "paraphrases.parquet", rows)
    return tmp_path


def inputs(folder: Path, **more: object) -> dict:
    form = ROOT / "config/templates/paraphrases/triplet.yaml"
    given = {"model": folder / "model", "paraphrases": folder / "paraphrases.parquet"}
    return given | {"format": [form], **more}


def written(folder: Path, name: str, search: str, processes: int = 1, **more: object) -> bytes:
    options = OPTIONS | {"search": search, "processes": processes}
    outputs = {"generations": f"{name}.parquet"}
    step = a_step(folder, inputs(folder, **more), outputs, options, work=f".{name}")
    assert run_script("generate_paraphrases", step)["paraphrases"] == PAIRS
    return step.outputs["generations"].read_bytes()


@pytest.mark.parametrize("search", ["early", "full"])
def test_in_any_number_of_shards_and_processes_the_same_bytes_are_written(asked: Path, search: str):
    whole = written(asked, "whole", search)
    rows = GENERATIONS.read(asked / "whole.parquet")
    assert [row["id"] for row in rows] == [f"p{n}" for n in range(PAIRS)]
    assert len({row["output"] for row in rows}) > 1
    assert written(asked, "two", search, processes=2) == whole
    options = OPTIONS | {"search": search}
    for count in (2, 3, 7):
        found = shards_by("generate_shard", asked, inputs(asked), options, count)
        sizes = [sum(map(len, json.loads(path.read_text()).values())) for path in found]
        assert min(sizes) > 0 and sum(sizes) == -(-PAIRS // OPTIONS["batch_rows"])
        assert written(asked, f"of-{count}", search, shards=found) == whole


def test_what_puts_shards_together_needs_no_weights_and_all_of_them(asked: Path):
    whole = written(asked, "whole", "early")
    options = OPTIONS | {"search": "early"}
    found = shards_by("generate_shard", asked, inputs(asked), options, 3)
    weights = asked / "model/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-64] + b"\x7f" * 64)
    assert written(asked, "again", "early", shards=found) == whole
    with pytest.raises(UserError, match="none of the shards has batch"):
        written(asked, "lacking", "early", shards=found[1:])


def test_more_jobs_than_pairs_are_refused(asked: Path):
    with pytest.raises(UserError, match=r"generate_paraphrases\.shards: 16 jobs cannot share 15"):
        shards_by("generate_shard", asked, inputs(asked), OPTIONS, 16)
