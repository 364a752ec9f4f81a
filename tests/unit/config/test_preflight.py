"""What the preflight finds in data, models and the machine before the first job."""

import json
import os
import re
import shutil
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from huggingface_hub.errors import GatedRepoError
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer, pre_tokenizers
from tokenizers.models import WordLevel
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from tests.examples import ROOT, TINY
from tests.unit.config.config_files import GOOD
from tuneatlas.config import machine_checks as module
from tuneatlas.config.load import load_config
from tuneatlas.config.machine_checks import disk_bytes
from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.preflight import preflight
from tuneatlas.errors import UserError
from tuneatlas.models.build import new_llama, train_tokenizer
from tuneatlas.models.folder import folder_problems, format_problems, tensors
from tuneatlas.models.save import save_model

MIB = 2**20
COMMIT = "0123456789abcdef" * 2 + "01234567"


def experiment_of(folder: Path, text: str) -> Experiment:
    (folder / "run.yaml").write_text(text)
    return load_config(folder / "run.yaml", root=ROOT)


def complaints(folder: Path, text: str) -> list[str]:
    experiment = experiment_of(folder, text)
    preflight(experiment, folder, "structure")
    with pytest.raises(UserError) as caught:
        preflight(experiment, folder)
    return [line.strip().replace(f"{folder}/", "") for line in str(caught.value).splitlines()]


def with_model(entry: str) -> str:
    head, tail = GOOD.split("  small:")
    return f"{head}  small: {entry}\ndomains:{tail.split('domains:')[1]}"


def question(number: int, **changes: object) -> str:
    row = {"question": f"Q{number}?", "choices": ["a", "b", "c", "d"], "answer": 0, **changes}
    return json.dumps(row)


def with_questions(folder: Path, lines: list[str], entry: str = "") -> str:
    (folder / "own.jsonl").write_text("\n".join(lines))
    text = GOOD.replace(
        "{source: facts}", f"{{source: file, path: own.jsonl, licence: MIT{entry}}}"
    )
    return f"{text}compare_groups: {{ood_roles: [home]}}\n"


def whole_file() -> list[str]:
    splits = ["dev"] * 5 + ["train", "test"]
    return [question(i, split=split) for i, split in enumerate(splits)]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    """With a token of its own for each letter of an option."""
    return train_tokenizer(["Answer: A Answer: B Answer: C Answer: D"] * 9, 300)


@pytest.fixture
def model(tmp_path: Path, tokenizer) -> Path:
    shutil.copytree(ROOT / "config/templates", tmp_path / "config/templates")
    folder = tmp_path / "model"
    folder.mkdir()
    save_model(folder, new_llama(tokenizer, TINY | {"max_length": 2048}, seed=1), tokenizer)
    return folder


def test_a_sound_experiment_passes_and_leaves_nothing_behind(tmp_path: Path, model: Path) -> None:
    text = with_questions(tmp_path, whole_file())
    preflight(experiment_of(tmp_path, text), tmp_path)
    preflight(experiment_of(tmp_path, with_model("{source: path, path: model}")), tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "config",
        "model",
        "own.jsonl",
        "run.yaml",
    ]


def test_missing_paths_name_the_line_that_states_them(tmp_path: Path) -> None:
    text = with_model("{source: path, path: nowhere}").replace(
        "{source: facts}", "{source: file, path: no.csv, licence: MIT}"
    )
    assert complaints(tmp_path, f"{text}fetch_source:\n  mirror: gone\n") == [
        "good: 3 problems before the first job:",
        "run.yaml:8: domains.elements.path: no.csv: there is no such file: put it there, or change "
        "the path",
        "run.yaml:3: models.small.path: there is no folder nowhere",
        "run.yaml:14: fetch_source.mirror: there is no folder gone",
    ]


def test_an_unsound_question_names_file_and_line(tmp_path: Path) -> None:
    bad = question(1, choices=["a", "b", "b", "d"])
    (found,) = complaints(tmp_path, with_questions(tmp_path, [question(0), bad]))
    assert found.startswith("run.yaml:12: domains.elements.path: own.jsonl, line 2: ")
    assert "'b' occurs more than once" in found


def test_a_file_with_fewer_questions_than_asked(tmp_path: Path) -> None:
    text = with_questions(tmp_path, whole_file(), ", limits: {test: 30}")
    assert complaints(tmp_path, text) == [
        "run.yaml:12: domains.elements.limits.test: own.jsonl has 1 such questions, 30 are asked "
        "for: lower this, or add some"
    ]


def test_nothing_out_of_the_domain(tmp_path: Path) -> None:
    text = with_questions(tmp_path, whole_file()).replace("[home]", "[related]")
    (found,) = complaints(tmp_path, text)
    assert found.startswith(
        "run.yaml:17: compare_groups.ood_roles: no domain but 'countries' has test questions of "
        "role related, so none are out of it"
    )
    # Published sets beside the file are such questions.
    preflight(experiment_of(tmp_path, text.replace("MIT", "MIT, related: [mmlu/law]")), tmp_path)
    (found,) = complaints(tmp_path, text.replace("MIT", "MIT, related: [medmcqa]"))
    assert found == (
        "run.yaml:12: domains.elements.limits.related_dev: own.jsonl has 0 questions of role "
        "related in split dev, too few for 5 shots, and its sets have none of their own: say how "
        "many"
    )


def test_a_file_of_training_questions_with_published_tests_beside_them(tmp_path: Path) -> None:
    """It was refused for having one split."""
    lines = [question(i, split="train") for i in range(3)]
    text = with_questions(tmp_path, lines).replace("MIT", "MIT, related: [mmlu/law]")
    text = text.replace("[home]", "[related]")
    (found,) = complaints(tmp_path, text)
    assert "has 0 questions of role home in split dev, too few for 5 shots" in found


def test_a_cut_file_of_a_model_in_the_cache(model: Path) -> None:
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    ((option, text),) = format_problems(model, "float32")
    assert option == ""
    assert "truncated" in text


def test_steps_after_the_end_of_a_run_on_a_file(tmp_path: Path) -> None:
    lines = [*whole_file(), *(question(50 + i, split="train") for i in range(9))]
    text = with_questions(tmp_path, lines, ", tune: true")
    text = text.replace("[home]", "[home, related]") + (
        "stage_forgetting: {groups: [incompatible], domains: [elements]}\n"
        "finetune_stages: {row_length: 512, batch: 2, epochs: 2, steps: [10, 11]}\n"
        "restore_stages: {row_length: 512}\nevaluate_stages: {window: 512}\n"
    )
    (found,) = complaints(tmp_path, text)
    assert found.startswith(
        "run.yaml:19: finetune_stages.steps: 11 are never reached: 2 epochs of at most 10 questions"
    )


def test_a_file_that_cannot_serve_its_domain(tmp_path: Path) -> None:
    lines = [question(i, split="dev") for i in range(3)] + [question(9, split="train")]
    assert complaints(tmp_path, with_questions(tmp_path, lines)) == [
        "good: 2 problems before the first job:",
        "run.yaml:12: domains.elements.path: own.jsonl has 3 questions of role home in split dev, "
        "too few for 5 shots: add some, or lower probe_knowledge.shots",
        "run.yaml:12: domains.elements.path: own.jsonl has no question in split test",
    ]


def test_a_file_that_states_no_splits(tmp_path: Path) -> None:
    lines = [question(i) for i in range(9)]
    assert complaints(tmp_path, with_questions(tmp_path, lines)) == [
        "run.yaml:12: domains.elements.path: own.jsonl has questions of split train only, as one "
        "has that states none: say in the column 'split' which are dev (the few-shot pool) and "
        "which are test, or by split: {dev: …, test: …} how many are drawn for each"
    ]


def test_ids_of_one_domain_that_another_has(tmp_path: Path) -> None:
    """Each domain has default ids of its own, though both files bear the same name."""
    text = with_questions(tmp_path, whole_file())
    law = "domains:\n  law: {source: file, path: law/own.jsonl, licence: a, duplicates: allow}"
    text = text.replace("domains:", law).replace("licence: MIT", "licence: MIT, duplicates: allow")
    (tmp_path / "law").mkdir()
    shutil.copy(tmp_path / "own.jsonl", tmp_path / "law")
    preflight(experiment_of(tmp_path, text), tmp_path)
    lines = [*whole_file(), question(7, id="q1", split="test"), question(8, id="q2", split="test")]
    for name in ("own.jsonl", "law/own.jsonl"):
        (tmp_path / name).write_text("\n".join(lines))
    assert complaints(tmp_path, text) == [
        "run.yaml:9: domains.law.path: law/own.jsonl has 2 ids that other domains have, such as "
        "'q1' of own.jsonl (domains.elements): an id names one question, so change or leave out one"
    ]


def test_a_question_that_occurs_twice_stops_the_run_unless_the_config_says_so(
    tmp_path: Path,
) -> None:
    lines = [*whole_file(), question(6, split="dev"), question(5, split="test")]
    said = complaints(tmp_path, with_questions(tmp_path, lines))
    assert len(said) == 1 and said[0].startswith(
        "run.yaml:12: domains.elements.path: domain elements: 2 questions repeat others: "
        "1 are shown with their answer in their own few-shot prompt, such as "
    )
    assert "own.jsonl, line 8 (dev) and own.jsonl, line 7 (test): 'Q6?'" in said[0]
    assert "1 are both trained on and tested" in said[0] and "'Q5?'" in said[0]
    assert "domains.elements.duplicates: drop" in said[0]
    text = with_questions(tmp_path, lines, ", duplicates: allow")
    preflight(experiment_of(tmp_path, text), tmp_path)
    # One of the two that are left is the only question trained on.
    assert complaints(tmp_path, with_questions(tmp_path, lines, ", duplicates: drop, tune: true"))


def test_every_pair_sentence_and_text_of_a_run_is_read_before_it(tmp_path: Path) -> None:
    (tmp_path / "good.tsv").write_text("a b\tc d\n")
    (tmp_path / "bad.jsonl").write_text('\n{"source": "a", "target": "\\ud800"}\n')
    (tmp_path / "lines.txt").write_bytes(b"good\n\xff\n")
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards/1.jsonl.gz").write_bytes(b"\x1f\x8b\x08 damaged")
    os.mkfifo(tmp_path / "shards/2.txt")
    files = "train: bad.jsonl, dev: good.tsv, test: gone.tsv, sentences: lines.txt, licence: a"
    text = (
        f"{GOOD}paraphrasers: {{t5: {{source: scratch}}}}\n"
        f"prepare_sentences: {{files: {{{files}}}}}\n"
        "prepare_restoration: {corpus: shards, licence: a}\n"
        "stage_forgetting: {groups: [harmonious]}\n"
        "finetune_stages: {steps: [1]}\n"
    )
    said = "\n".join(complaints(tmp_path, text))
    for line in (
        r"files\.train: bad\.jsonl, line 2: 'target' holds \\ud800, half of a surrogate pair",
        r"files\.test: gone\.tsv: there is no such file",
        r"files\.sentences: lines\.txt, line 2, column 1: byte 0xff is not UTF-8",
        r"restoration\.corpus: shards/1\.jsonl\.gz: cannot be read",
        r"restoration\.corpus: shards/2\.txt: cannot be read: it is a named pipe",
    ):
        assert re.search(line, said), said


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("config.json", "has no config.json"),
        ("tokenizer.json", "has no tokenizer"),
        ("model.safetensors", "has no model.safetensors"),
    ],
)
def test_a_model_folder_that_lacks_a_file(
    tmp_path: Path, model: Path, name: str, expected: str
) -> None:
    (model / name).unlink()
    (found,) = complaints(tmp_path, with_model("{source: path, path: model}"))
    assert found.startswith(f"run.yaml:3: models.small.path: model {expected}")


@pytest.mark.parametrize("size", [0, 5, 8, 30, -1])
def test_weights_cut_anywhere(model: Path, size: int) -> None:
    path = model / "model.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    (found,) = folder_problems(model)
    assert f"{path} is " in found
    assert "fetch it again" in found


def test_weights_that_their_index_names_but_are_not_there(model: Path) -> None:
    index = model / "model.safetensors.index.json"
    names = dict.fromkeys(tensors(model), "model.safetensors")
    index.write_text(json.dumps({"weight_map": {**names, "v": "b.safetensors"}}))
    assert folder_problems(model) == [f"{model} lacks b.safetensors, named in {index.name}"]
    index.write_text("{")
    (found,) = folder_problems(model)
    assert found.startswith(f"{index} is damaged (")


def test_a_hub_model_without_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    found = complaints(
        tmp_path, with_model(f"{{source: hub, id: no-one/nothing, revision: {COMMIT}}}")
    )
    assert found == [
        "run.yaml:3: models.small.id: no-one/nothing is not in the hub's cache and HF_HUB_OFFLINE "
        "is set: fetch it first, or use source: path with a local folder"
    ]


PATH = "{source: path, path: model}"


@pytest.mark.parametrize(
    ("dtype", "asked", "config", "expected"),
    [
        ("F32", "bfloat16", {}, "models.small.dtype: bfloat16 would round weights that model"),
        ("F16", "bfloat16", {}, "stores as F16: say dtype: float32, or save the model in bfloat16"),
        ("F32", "float32", {"quantization_config": {}}, "models.small.path: model holds quantised"),
    ],
)
def test_a_checkpoint_in_another_number_format(
    tmp_path: Path, model: Path, dtype: str, asked: str, config: dict, expected: str
) -> None:
    stored_as(model, {"F32": torch.float32, "F16": torch.float16}[dtype])
    said = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(said | config))
    entry = f"{{source: path, path: model, dtype: {asked}}}"
    (found,) = complaints(tmp_path, with_model(entry))
    assert found.startswith("run.yaml:3: ") and expected in found


def test_rows_longer_than_a_models_positions(tmp_path: Path, model: Path, tokenizer) -> None:
    """Whether it has learnt them, or computes them and would go on without a word."""
    size = {"vocab_size": len(tokenizer), "n_positions": 256, "n_embd": 32, "n_layer": 1}
    learnt = GPT2LMHeadModel(GPT2Config(**size, n_head=2))
    for network in (learnt, new_llama(tokenizer, TINY | {"max_length": 256}, seed=1)):
        shutil.rmtree(model)
        save_model(model, network, tokenizer)
        said = [line for line in complaints(tmp_path, with_model(PATH)) if "positions" in line]
        (found,) = said
        assert found.startswith("run.yaml:") and "finetune.row_length: 512 tokens" in found
        assert "more than the 256 positions of models.small" in found


def stored_as(folder: Path, dtype: torch.dtype) -> None:
    weights = load_file(folder / "model.safetensors")
    weights = {name: value.to(dtype) for name, value in weights.items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def test_half_precision_is_asked_in_single_precision_without_loss(
    tmp_path: Path, model: Path
) -> None:
    stored_as(model, torch.float16)
    preflight(experiment_of(tmp_path, with_model(PATH)), tmp_path)


def test_a_tokenizer_whose_letters_are_not_single_tokens(tmp_path: Path, model: Path) -> None:
    characters = Tokenizer(WordLevel({chr(i): i - 32 for i in range(32, 127)}, unk_token=" "))
    characters.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    PreTrainedTokenizerFast(
        tokenizer_object=characters, bos_token="<s>", eos_token="</s>", unk_token=" "
    ).save_pretrained(model)
    found = complaints(tmp_path, with_model(PATH))
    assert len(found) == 3
    assert found[1] == (
        "run.yaml:1: probe_knowledge.scoring: models.small: scoring: letter cannot be used: option "
        "' A' after 'four\\nAnswer:' is 2 tokens; set scoring and question_template of "
        "probe_knowledge and evaluate_knowledge to cloze"
    )
    cloze = "probe_knowledge: {scoring: cloze, question_template: cloze}\n"
    cloze += cloze.replace("probe", "evaluate")
    preflight(experiment_of(tmp_path, with_model(PATH) + cloze), tmp_path)


def test_a_begin_token_that_the_tokenizer_does_not_have(
    tmp_path: Path, model: Path, tokenizer
) -> None:
    copy = deepcopy(tokenizer)
    copy.bos_token = None
    copy.save_pretrained(model)
    (found,) = complaints(tmp_path, with_model(PATH))
    assert found == (
        "run.yaml:3: models.small.bos: its tokenizer has no begin token: say bos: false"
    )


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (None, "the model's tokenizer has no chat template of its own"),
        (
            "{% for m in messages %}{{ m['content'] }}{% endfor %}",
            "the model's chat template drops the end token",
        ),
    ],
)
def test_a_chat_template_that_is_missing_or_drops_the_end_token(
    tmp_path: Path, model: Path, tokenizer, template: str | None, expected: str
) -> None:
    copy = deepcopy(tokenizer)
    copy.chat_template = template
    copy.save_pretrained(model)
    text = with_model(PATH).replace("row_length: 512", "row_length: 512\n  chat_template: own")
    (found,) = complaints(tmp_path, text)
    line = text.splitlines().index("  chat_template: own") + 1
    assert found.startswith(f"run.yaml:{line}: finetune.chat_template: models.small: {expected}")


def test_a_gated_model_without_access(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(url: str) -> None:
        response = SimpleNamespace(headers={}, request=None, status_code=403)
        raise GatedRepoError("403 Client Error", response=response)

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", refuse)
    found = complaints(
        tmp_path, with_model(f"{{source: hub, id: meta/closed, revision: {COMMIT}}}")
    )
    assert found == [
        "run.yaml:3: models.small.id: meta/closed is gated: ask for access on its page, then "
        "'hf auth login'"
    ]


def test_results_that_cannot_be_written(tmp_path: Path) -> None:
    # Not even root can make files in /proc.
    (tmp_path / "results").symlink_to("/proc")
    found = complaints(tmp_path, GOOD)
    assert found[0].startswith("run.yaml:1: cannot write to results: ")
    assert found[0].endswith("make it writable or run in another folder")


@pytest.mark.parametrize("name", ["results", "logs", "results/finetune"])
def test_outputs_linked_to_what_is_not_there(tmp_path: Path, name: str) -> None:
    """As to a disk that is not mounted."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).symlink_to(tmp_path / "disk")
    (found,) = complaints(tmp_path, GOOD)
    assert f"{name} is a link to " in found and "which is not there: make that folder" in found


def test_too_little_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = SimpleNamespace(total=MIB, free=MIB)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: usage)
    (found,) = complaints(tmp_path, GOOD)
    text = "results has 0.0 GiB free and holds 0.0 GiB, this experiment needs about 0.4 GiB"
    assert text in found
    # What is there already needs no more room: a finished run may be run again.
    (tmp_path / "results").mkdir()
    with (tmp_path / "results/weights").open("wb") as file:
        file.truncate(2**30)
    preflight(experiment_of(tmp_path, GOOD), tmp_path)


def test_the_disk_that_is_needed_grows_with_runs_and_parameters(tmp_path: Path) -> None:
    small = disk_bytes(experiment_of(tmp_path, GOOD), tmp_path)
    runs = disk_bytes(experiment_of(tmp_path, f"{GOOD}seeds: [0, 1, 2, 3, 4, 5]\n"), tmp_path)
    # A 4 x 192 network with 4096 tokens has 2.56 million parameters of 4 bytes; 15 runs more.
    assert runs - small == pytest.approx(15 * 2.56e6 * 4, rel=0.01)


def test_a_deepspeed_config_is_needed_even_for_a_dry_run(tmp_path: Path) -> None:
    text = GOOD.replace("finetune:\n", "finetune:\n  deepspeed: zero.json\n")
    experiment = experiment_of(tmp_path, text)
    with pytest.raises(UserError, match=r"run\.yaml:14: finetune\.deepspeed: there is no file"):
        preflight(experiment, tmp_path, "structure")
    (tmp_path / "zero.json").write_text("{]")
    with pytest.raises(UserError, match=r"zero\.json is not JSON"):
        preflight(experiment, tmp_path, "structure")
