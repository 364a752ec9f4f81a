"""A results folder of any number of made-up questions, with true records, for the audit page."""

import random
from pathlib import Path
from typing import Any

import numpy as np

from tuneatlas.audit.lineage import Results, read_results
from tuneatlas.engine.files import sha256_tree, write_text
from tuneatlas.engine.records import dump, record_path
from tuneatlas.statistics.metrics import write_metrics
from tuneatlas.studies.forgetting.compare import stage_forgetting
from tuneatlas.studies.forgetting.study import Options
from tuneatlas.studies.forgetting.tables import StageTable
from tuneatlas.studies.knowledge.compare import (
    compare_groups,
    compare_replicates,
    write_comparison,
)
from tuneatlas.studies.knowledge.paired_answers import Answers, CompareOptions
from tuneatlas.studies.knowledge.robust import knowledge_row
from tuneatlas.studies.syntax.tables import (
    CANDIDATES,
    GENERATIONS,
    PAIRS,
    PARSES,
    SCORES,
    SENTENCES,
    TASKS,
)
from tuneatlas.tables import (
    ANSWERS,
    CONVERSATIONS,
    KNOWLEDGE,
    LABELS,
    QUESTIONS,
    STAGE_ANSWERS,
    Row,
)

# Questions that do where no more are needed, and outputs and a number of theirs.
COUNT = 120
PROBED = "probe_knowledge/mini/facts.parquet"
GAIN = "accuracy/mini/facts/homo/incompatible/0/gain"
FOLLOWED = 1000
TREE = "(ROOT (S (NP (DT The) (NN sun)) (VP (VBZ is) (ADJP (JJ hot))) (. .)))"
WORDS = [
    "river",
    "stone",
    "garden",
    "window",
    "letter",
    "winter",
    "engine",
    "silver",
    "forest",
    "harbour",
]
SENTENCE = ("The sun is hot.", "Hot is the sun.")
FROM = {"source": "test", "licence": "none"}


def make_synthetic(folder: Path, count: int, seed: int = 0) -> Results:
    """Results of ``count`` questions: probed, labelled, tuned in three groups, one run followed."""
    rng = random.Random(seed)
    made = _Maker(folder)
    questions = [_question(n, rng) for n in range(count)]
    asked = made.table(QUESTIONS, "prepare_questions/facts.parquet", questions, {"domain": "facts"})
    model, domain = {"model": "mini"}, {"model": "mini", "domain": "facts"}
    base_rows = [_answer(q, rng, 0.6) for q in questions]
    probed = made.table(ANSWERS, "probe_knowledge/mini/facts.parquet", base_rows, domain, asked)
    known = [knowledge_row(q, [np.zeros(len(q["choices"]))]) for q in questions]
    place = "probe_knowledge/mini/categories/facts.parquet"
    made.table(KNOWLEDGE, place, known, domain, asked)
    train = [r for r in base_rows if r["split"] == "train"]
    labels = [_label(r) for r in train]
    labelled = made.table(LABELS, "label_knowledge/mini/facts.parquet", labels, domain, probed)
    talks = [_talk(q) for q in questions if q["split"] == "train"]
    tuned: dict[tuple[str, str, int], list[Row]] = {}
    outputs = []
    for group in ("incompatible", "self_aligning", "contextualised"):
        for number in range(2):
            own = {**domain, "group": group, "seed": str(number)}
            place = f"mini/facts/{group}/{number}.parquet"
            made.table(CONVERSATIONS, f"mix_instructions/{place}", talks, own, labelled)
            rows = [_answer(q, rng, 0.5) for q in questions if q["split"] == "test"]
            outputs.append(made.table(ANSWERS, f"evaluate_knowledge/{place}", rows, own, asked))
            tuned["facts", group, number] = rows
    test = [q for q in questions if q["split"] == "test"][:FOLLOWED]
    cells = [("base", 0, 0, 0.8), ("base", 0, 100, 0.8)]
    place = "evaluate_base/mini/0.answers.parquet"
    made.table(STAGE_ANSWERS, place, _stages(test, cells, rng), {**model, "seed": "0"}, asked)
    cells = [("stages", 4, 0, 0.5), ("stages", 4, 100, 0.7)]
    place = "evaluate_stages/mini/facts/incompatible/0.answers.parquet"
    own = {**domain, "group": "incompatible", "seed": "0"}
    made.table(STAGE_ANSWERS, place, _stages(test, cells, rng), own, asked)
    made.table(
        SENTENCES,
        "prepare_sentences/sentences.parquet",
        [{"id": f"s/{n}", "sentence": text, **FROM} for n, text in enumerate(SENTENCE, 1)],
        {},
    )
    pair = {"id": "s/1-2", "source_id": "s/1", "target_id": "s/2", "template_id": None}
    pair |= {"split": "test", "pivot": "Die Sonne ist heiß.", **FROM}
    made.table(PAIRS, "prepare_sentences/pairs.parquet", [pair], {})
    parse = {"tree": TREE, "status": "parsed", "reason": "", "parser": "test", **FROM}
    parses = [{"id": f"s/{n}", "sentence": text, **parse} for n, text in enumerate(SENTENCE, 1)]
    shard, given = {"scatteritem": "1-of-1"}, "prepare_sentences/sentences.parquet"
    made.table(PARSES, "parse_sentences/1-of-1.parquet", parses, shard, given)
    for name, number in (("heldout", 0), ("train", 7)):
        task = {"id": f"syntax/s/1#{number}", "task": "tree_forming"}
        task |= {"input": f"tree forming: {SENTENCE[0]}", "target": TREE}
        place = f"build_tasks/t5/syntax/1-of-1/{name}.parquet"
        made.table(TASKS, place, [task], {"paraphraser": "t5", "stage": "syntax", **shard})
    score = {"id": "syntax/s/1#0", "metric": "tree_forming", "value": 0.25}
    own = {"paraphraser": "t5", "start": "syntax"}
    made.table(SCORES, "evaluate_tasks/t5/syntax.parquet", [score], own)
    own |= {"format": "triplet", "share": "100", "seed": "0"}
    wrote = {"id": "s/1-2", "input": "The sun", "output": "Hot, the sun.", "problem": ""}
    wrote |= {"sentence": "Hot, the sun."}
    made.table(GENERATIONS, "generate_paraphrases/t5/syntax/triplet/100/0.parquet", [wrote], own)
    candidate = {"id": "s/1-2", "sentence": "Hot, the sun.", "tree": TREE, "reason": ""}
    score = {"id": "s/1-2", "metric": "bleu4", "value": 41.5}
    place = "score_paraphrases/t5/syntax/triplet/100/0"
    made.table(CANDIDATES, f"{place}/candidates.parquet", [candidate], own)
    made.table(SCORES, f"{place}/scores.parquet", [score], own)
    compared = compare_groups(
        {"facts": base_rows}, tuned, CompareOptions(draws=20), 0, labels={"facts": labels}
    )
    write_comparison(compared, folder / "compare_groups/mini")
    made.record("compare_groups/mini", model, asked, probed, labelled, *outputs)
    return read_results(folder)


def add_replicates(folder: Path) -> Results:
    """A second replicate of the base model, with other answers, and the comparison of both."""
    rng, made = random.Random(5), _Maker(folder)
    questions = QUESTIONS.read(folder / "prepare_questions/facts.parquet")
    answers: dict[str, Answers] = {}
    labels: dict[str, dict[str, list[Row]]] = {}
    inputs = ["prepare_questions/facts.parquet"]
    for number in range(2):
        model = f"mini-{number}"
        own = {"model": model, "domain": "facts"}
        base = [_answer(q, rng, 0.5 + number / 5) for q in questions]
        place = f"probe_knowledge/{model}/facts.parquet"
        inputs.append(made.table(ANSWERS, place, base, own))
        labels[model] = {"facts": [_label(r) for r in base if r["split"] == "train"]}
        place = f"label_knowledge/{model}/facts.parquet"
        inputs.append(made.table(LABELS, place, labels[model]["facts"], own))
        tuned: dict[tuple[str, str, int], list[Row]] = {}
        for group in ("incompatible", "mixed_40", "self_aligning"):
            for seed in range(2):
                rows = [_answer(q, rng, 0.4) for q in questions if q["split"] == "test"]
                place = f"evaluate_knowledge/{model}/facts/{group}/{seed}.parquet"
                run = {**own, "group": group, "seed": str(seed)}
                inputs.append(made.table(ANSWERS, place, rows, run))
                tuned["facts", group, seed] = rows
        answers[model] = Answers({"facts": base}, tuned)
    compared = compare_replicates(answers, CompareOptions(draws=20), 0, labels=labels)
    write_comparison(compared, folder / "compare_groups/both")
    made.record("compare_groups/both", {"model": "both"}, *inputs)
    return read_results(folder)


def add_forgetting(folder: Path) -> Results:
    """The study of forgetting too, in a results folder of ``make_synthetic``."""
    made, model = _Maker(folder), {"model": "mini"}
    names = {
        ("", "base"): "evaluate_base/mini/0.answers.parquet",
        ("facts", "incompatible"): "evaluate_stages/mini/facts/incompatible/0.answers.parquet",
    }
    rows = {run: STAGE_ANSWERS.read(folder / name) for run, name in names.items()}
    ids = {row["id"] for row in rows["", "base"]}
    material = folder / "prepare_restoration/mini"
    asked = QUESTIONS.read(folder / "prepare_questions/facts.parquet")
    QUESTIONS.write(material / "questions.parquet", [q for q in asked if q["id"] in ids])
    made.record("prepare_restoration/mini", model)
    tables = {run: StageTable(run[1], {0: part}, {0: []}) for run, part in rows.items()}
    options = Options(ood_roles=("home", "related"), margin=0.05, draws=20, confidence=0.95)
    found = stage_forgetting(tables.pop(("", "base")), tables, {}, options, 1)
    write_metrics(found.metrics(), folder / "stage_forgetting/mini")
    made.record("stage_forgetting/mini", model, "prepare_restoration/mini", *names.values())
    return read_results(folder)


def add_forgetting_replicates(folder: Path) -> Results:
    """Two replicates of a followed run, in a results folder of ``make_synthetic``."""
    made, rng, names = _Maker(folder), random.Random(6), []
    questions = QUESTIONS.read(folder / "prepare_questions/facts.parquet")
    test = [q for q in questions if q["split"] == "test"][:FOLLOWED]
    tables: dict[tuple[str, str], dict[str, list[Row]]] = {}
    for model, skill in (("mini-0", 0.8), ("mini-1", 0.5)):
        for seed in range(2):
            own = {"model": model, "seed": str(seed)}
            first = _stages(test, [("base", 0, 0, 1.0)], random.Random(model))
            first += _stages(test, [("base", 0, 100, skill)], rng)
            place = f"evaluate_base/{model}/{seed}.answers.parquet"
            names.append(made.table(STAGE_ANSWERS, place, first, own))
            cells = [("stages", 4, 0, skill - 0.3), ("stages", 4, 100, skill - 0.1)]
            rows = _stages(test, cells, rng)
            place = f"evaluate_stages/{model}/facts/incompatible/{seed}.answers.parquet"
            own |= {"domain": "facts", "group": "incompatible"}
            names.append(made.table(STAGE_ANSWERS, place, rows, own))
            tables.setdefault(("", "base"), {})[f"{model}:{seed}"] = first
            tables.setdefault(("facts", "incompatible"), {})[f"{model}:{seed}"] = rows
    QUESTIONS.write(folder / "prepare_restoration/both/questions.parquet", test)
    made.record("prepare_restoration/both", {"model": "both"})
    read = {run: StageTable(run[1], own, {key: () for key in own}) for run, own in tables.items()}
    options = Options(ood_roles=("home", "related"), margin=0.05, draws=20, confidence=0.95)
    found = stage_forgetting(read.pop(("", "base")), read, {}, options, 1)
    write_metrics(found.metrics(), folder / "stage_forgetting/both")
    made.record("stage_forgetting/both", {"model": "both"}, "prepare_restoration/both", *names)
    return read_results(folder)


class _Maker:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def table(self, table: Any, name: str, rows: list[Row], wildcards: Row, *inputs: str) -> str:
        table.write(self.folder / name, rows)
        return self.record(name, wildcards, *inputs)

    def record(self, name: str, wildcards: Row, *inputs: str) -> str:
        path = self.folder / name
        record = {
            "output": f"results/{name}",
            "sha256": sha256_tree(path),
            "files": {},
            "step": name.split("/")[0],
            "wildcards": wildcards,
            "inputs": {f"results/{i}": sha256_tree(self.folder / i) for i in inputs},
            "options": {"draws": 20},
            "params": {},
            "seed": 1,
            "code": {"tuneatlas": "0" * 16},
            "libraries": {"numpy": "1"},
            "host": {"system": "Linux", "machine": "test", "threads": 1},
            "log": f"logs/{Path(name).with_suffix('.log')}",
            "wall_s": 1.0,
            "cpu_s": 1.0,
            "peak_mb": 100,
        }
        write_text(record_path(path), dump(record))
        return name


def _question(number: int, rng: random.Random) -> Row:
    word = rng.choice(WORDS)
    split = "dev" if number < 4 else "test" if number % 2 else "train"
    return {
        "id": f"facts/{word}/{number:06}",
        "domain": "facts",
        "topic": "facts",
        "relation": word,
        "role": "related" if number % 5 == 0 else "home",
        "split": split,
        "subject": str(number),
        "question": f"Which {word} has the number {number}?",
        "choices": [f"{word} {number + k}" for k in range(4)],
        "answer": rng.randrange(4),
        "explanation": f"It is known of the {word}.",
        "source": "made up",
        "licence": "none",
    }


def _answer(question: Row, rng: random.Random, skill: float) -> Row:
    right = rng.random() < skill
    pred = question["answer"] if right else (question["answer"] + rng.randrange(1, 4)) % 4
    probs = [0.7 if k == pred else 0.1 for k in range(4)]
    return {
        **{k: question[k] for k in ("id", "domain", "relation", "role", "split", "answer")},
        "scores": [-1.0 if k == pred else -3.0 for k in range(4)],
        "probs": probs,
        "pred": pred,
        "correct": right,
        "tied": 0,
        "gold_prob": probs[question["answer"]],
        "pred_prob": 0.7,
        "prompt": f"{question['question']}\nAnswer:",
    }


def _label(row: Row) -> Row:
    group = "harmonious" if row["correct"] else "incompatible"
    own = {k: row[k] for k in ("id", "answer", "pred", "correct")}
    return own | {"group": group, "label": row["answer"]}


def _talk(question: Row) -> Row:
    messages = [
        {"role": "user", "content": question["question"]},
        {"role": "assistant", "content": question["explanation"]},
    ]
    own = {"id": question["id"], "origin": "incompatible", "label": question["answer"]}
    return own | {"messages": messages, "weight": 1.0}


def _stages(questions: list[Row], cells: list[tuple], rng: random.Random) -> list[Row]:
    names = {column.name for column in STAGE_ANSWERS.columns}
    return [
        {k: v for k, v in _answer(q, rng, skill).items() if k in names}
        | {"setting": setting, "step": step, "restored": restored}
        for setting, step, restored, skill in cells
        for q in questions
    ]
