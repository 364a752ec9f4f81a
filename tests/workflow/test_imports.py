"""A step imports what it uses: no kind of step loads the libraries of another."""

import subprocess
import sys

import pytest

from bench.startup import imported, imports_of
from tests.examples import ROOT

TRAINER = {"transformers.trainer", "datasets", "pandas", "peft", "deepspeed", "pyarrow.dataset"}
DRAWING = {"matplotlib"}
NETWORKS = {"torch", "transformers", "accelerate", "peft", "deepspeed", "triton"}
# Of each kind of step: those whose imports are tried together, and what none of them may load.
KINDS = {
    "of tables": (
        "label_knowledge mix_instructions mix_treatment prepare_questions prepare_corpus "
        "prepare_sentences parse_sentences collect_labels fetch_source",
        NETWORKS | TRAINER | DRAWING | {"scipy"},
    ),
    "comparing": (
        "compare_groups stage_forgetting compare_paraphrases compare_checkpoints stage_checkpoints "
        "map_treatments compare_harness report report_map report_syntax audit",
        NETWORKS,
    ),
    "asking a model": (
        "probe_knowledge evaluate_knowledge evaluate_base evaluate_stages explain_predictions "
        "explain_treatment read_groups evaluate_tasks generate_paraphrases build_tasks "
        "probe_checkpoint evaluate_checkpoint measure_checkpoint interpolate_weights "
        "measure_distance ask_battery measure_changes probe_states",
        TRAINER | DRAWING,
    ),
    "training": (
        "finetune finetune_treatment reinforce_treatment finetune_stages restore_stages "
        "restore_checkpoint prepare_base finetune_paraphrase relearn_facts",
        DRAWING | {"deepspeed", "triton"},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_imports_what_it_uses(kind: str):
    names, forbidden = KINDS[kind]
    steps = names.split()
    _, modules = imported("\n".join(map(imports_of, steps)))
    assert not forbidden & modules, "python -X importtime says who imports it"


TRAINED = """
import sys
from pathlib import Path
from tests.examples import tiny_tokenizer
from tests.unit.training.recipes import planned, setting
from tuneatlas.training.processes import train
folder, tokenizer = Path(sys.argv[1]), tiny_tokenizer()
train(*planned(setting(folder, tokenizer), tokenizer, folder / "c"))
print(*sys.modules)
"""


SAVED = """
import sys
from pathlib import Path
from tests.examples import tiny_tokenizer
from tuneatlas.models.build import new_t5
from tuneatlas.models.save import save_model
tokenizer = tiny_tokenizer()
shape = {"hidden_size": 8, "intermediate_size": 8, "layers": 1, "heads": 2, "dropout": 0.0}
save_model(Path(sys.argv[1]), new_t5(tokenizer, shape, 1), tokenizer)
print(*sys.modules)
"""


@pytest.mark.parametrize("does", [TRAINED, SAVED], ids=["training", "saving"])
def test_what_asks_for_no_deepspeed_loads_none(tmp_path, does: str):
    """Which takes a while, and warns of what nobody asked for."""
    command = [sys.executable, "-c", does, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "deepspeed" not in done.stdout.split(), done.stderr
