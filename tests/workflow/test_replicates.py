"""Public models that come in several pre-training seeds: two tiny ones in Pythia's place."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
import torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from tests.examples import ROOT, tiny_tokenizer
from tests.workflow.plans import planned
from tuneatlas.config.load import load_config
from tuneatlas.config.preflight import preflight
from tuneatlas.errors import UserError
from tuneatlas.models.save import save_model
from tuneatlas.sizing.estimates import DEVICES
from tuneatlas.sizing.sheet import lines_of, study_of

OTHERS = ("pythia-31m", "pythia-70m", "pythia-160m", "pythia-410m")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tiny GPT-NeoX folders, a text to restore with, and Pythia's experiment on them."""
    folder = tmp_path_factory.mktemp("project")
    tokenizer = tiny_tokenizer()
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    shape |= {"num_attention_heads": 4, "max_position_embeddings": 2048}
    for seed in (1, 2):
        torch.manual_seed(seed)
        model = GPTNeoXForCausalLM(
            GPTNeoXConfig(vocab_size=len(tokenizer), eos_token_id=tokenizer.eos_token_id, **shape)
        )
        save_model(folder / f"models/tiny-{seed}", model, tokenizer)
    (folder / "pile.jsonl").write_text(
        "".join(json.dumps({"text": f"A text of number {n}. " * 20}) + "\n" for n in range(200))
    )
    (folder / "tiny.yaml").write_text(
        f"include: {ROOT}/config/pythia.yaml\n"
        "models:\n"
        "  pythia-14m:\n"
        f"    path: {folder}/models/tiny-{{replicate}}\n"
        "    replicates: [1, 2]\n"
        + "".join(f"  {name}: null\n" for name in OTHERS)
        + f"prepare_restoration: {{corpus: {folder}/pile.jsonl}}\n"
    )
    return folder


def test_each_replicate_has_files_of_its_own_and_all_are_told_of_together(project: Path):
    jobs = planned(ROOT, [project / "tiny.yaml"])
    counts = Counter((job.step, job.wildcards.get("model")) for job in jobs)
    for step in ("prepare_base", "probe_knowledge", "finetune", "restore_base", "evaluate_stages"):
        assert counts[step, "pythia-14m-1"] == counts[step, "pythia-14m-2"] > 0
        assert counts[step, "pythia-14m"] == 0
    for step in ("compare_groups", "stage_forgetting", "report"):
        [job] = [job for job in jobs if job.step == step]
        assert job.wildcards["model"] == "pythia-14m"
        own = {m for m in (1, 2) if any(f"/pythia-14m-{m}" in name for name in job.inputs)}
        assert own == {1, 2}


def test_folders_are_looked_at_one_by_one(project: Path, tmp_path: Path):
    """What is wrong with one of them is said of it; nothing is wrong with these."""
    experiment = load_config(project / "tiny.yaml", root=ROOT)
    try:
        preflight(experiment, project)
    except UserError as error:
        # Data packages may not be fetched here.
        assert "models" not in str(error).replace(str(project), "")
    broken = tmp_path / "models/tiny-2"
    shutil.copytree(project / "models", tmp_path / "models")
    (broken / "config.json").unlink()
    text = (project / "tiny.yaml").read_text().replace(str(project), str(tmp_path))
    (tmp_path / "pile.jsonl").write_text((project / "pile.jsonl").read_text())
    (tmp_path / "tiny.yaml").write_text(text)
    with pytest.raises(UserError) as caught:
        preflight(load_config(tmp_path / "tiny.yaml", root=ROOT), tmp_path)
    said = [line for line in str(caught.value).splitlines() if "models.pythia" in line]
    assert len(said) == 1
    assert "models.pythia-14m-2.path" in said[0]
    assert "tiny.yaml:4" in said[0]


def test_a_sheet_has_a_line_for_all_replicates_of_a_step():
    path = ROOT / "config/pythia.yaml"
    study = study_of(load_config(path, root=ROOT), ROOT, DEVICES["a100-80"], look=False)
    lines = {(line.step, line.model): len(line.jobs) for line in lines_of(study, [path])}
    assert {model for step, model in lines if step == "finetune"} == {"pythia-14m", *OTHERS}
    assert lines["prepare_base", "pythia-14m"] == 9


def test_each_start_of_the_syntax_study_has_stages_and_tunings_of_its_own(tmp_path: Path):
    path = tmp_path / "starts.yaml"
    path.write_text(
        f"include: {ROOT}/config/syntax-smoke.yaml\n"
        "paraphrasers: {mini: {replicates: [0, 2]}}\n"
    )
    jobs = planned(ROOT, [path])
    counts = Counter((job.step, job.wildcards.get("paraphraser")) for job in jobs)
    for step in (
        *("prepare_paraphraser", "build_tasks", "pretrain_plain", "pretrain_structure"),
        *("pretrain_syntax", "evaluate_tasks", "finetune_paraphrase", "score_paraphrases"),
    ):
        assert counts[step, "mini-0"] == counts[step, "mini-2"] > 0
        assert counts[step, "mini"] == 0
    [job] = [job for job in jobs if job.step == "compare_paraphrases"]
    assert job.wildcards["paraphraser"] == "mini"
    scores = [name for name in job.inputs if name.endswith("/scores.parquet")]
    assert [name.split("/")[2] for name in scores] == ["mini-0", "mini-0", "mini-2", "mini-2"]
    for step in ("report", "audit"):
        [job] = [job for job in jobs if job.step == step]
        assert "results/compare_paraphrases/mini" in job.inputs


def test_fewer_seeds_may_be_followed_in_stages_than_are_tuned(tmp_path: Path):
    path = tmp_path / "one.yaml"
    more = "seeds: [0, 1]\nstage_forgetting: {seeds: [1]}\n"
    path.write_text(f"include: {ROOT}/config/smoke.yaml\n{more}")
    jobs = [(job.step, job.wildcards) for job in planned(ROOT, [path])]
    seeds = {step: {w.get("seed") for found, w in jobs if found == step} for step, _ in jobs}
    assert len(seeds["finetune"]) > 1
    followed = ("finetune_stages", "restore_stages", "evaluate_stages", "evaluate_base")
    assert all(seeds[step] == {"1"} for step in followed)
