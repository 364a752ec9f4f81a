"""Relearning: how many updates bring a lost fact back, beside facts that were never known.

What was learnt once and is out of reach comes back faster than what is new is learnt: savings, as
Ebbinghaus called it. After Zheng et al. 2025, "Spurious Forgetting" (arXiv 2501.13453): a tuned
model trains on text that states the facts followed, and on text that states none of them.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from tuneatlas.engine.step import Step, derive_seed
from tuneatlas.engine.files import write_text
from tuneatlas.errors import UserError
from tuneatlas.models.card import CARD, trained_card
from tuneatlas.models.checkpoints import load_checkpoint
from tuneatlas.models.encode import encode
from tuneatlas.models.probed import ask_again, read_prompts
from tuneatlas.models.prompts import QuestionTemplate
from tuneatlas.models.token_files import Example
from tuneatlas.studies.atlas.tables import LOST, NEVER, OTHER, RELEARNED, STATED
from tuneatlas.studies.atlas.trainings import tuned_models
from tuneatlas.tables import ANSWERS, DOCUMENTS, MENTIONS, QUESTIONS, Row
from tuneatlas.training.keeping import train_keeping
from tuneatlas.training.recipe import plan_run
from tuneatlas.training.runs import training_section


def relearn_facts(step: Step, *, bos: bool | Mapping[str, bool], text_bos: bool) -> dict[str, Any]:
    """Train a tuned model on either text, and ask the facts along the way.

    It is the last of a step's ``stages``, or ``finetuned`` where it has none.
    ``bos`` is as in `probe_base`, ``text_bos`` whether texts begin with the begin token;
    ``answers`` is written. Returns figures for the step's record.
    """
    torch.set_num_threads(step.threads)
    options = step.options
    rows = [row for path in step.paths("questions") for row in QUESTIONS.read(path)]
    asked = [row for row in rows if row["split"] == "test"]
    prompts = read_prompts(step.paths("answers"), asked, "relearn_facts")
    template = QuestionTemplate.load(step.path("template"))
    setting, tuned = [*tuned_models(step).items()][-1]
    parts = step.parts()

    def ask(folder: Path, questions: Sequence[Row]) -> list[Row]:
        model = load_checkpoint(folder, dtype=options["dtype"])
        return ask_again(*model, questions, prompts, template, options, bos=bos)

    before = parts.of(0, partial(ask, tuned, asked))
    kinds = followed(step, asked, before)
    chosen = [row for row in asked if row["id"] in kinds]
    answers = {row["id"]: row for row in before}
    found = [
        {"setting": setting, "text": text, "update": 0, "examples": 0, "kind": kinds[row["id"]]}
        | answers[row["id"]]
        for text in (STATED, OTHER)
        for row in chosen
    ]
    facts: dict[str, Any] = {"facts": len(chosen)}
    if not chosen:
        RELEARNED.write(step.outputs["answers"], found)
        return facts
    texts = {STATED: [statement(row) for row in chosen]}
    texts[OTHER] = other_lines(step, texts[STATED])
    for number, (text, lines) in enumerate(texts.items()):
        facts[text] = _train(step, tuned, step.checkpoints / text, lines, text_bos)
        for place, update in enumerate(options["updates"]):
            folder = step.checkpoints / text / "kept" / str(update)
            part = 1 + place + number * len(options["updates"])
            after = parts.of(part, partial(ask, folder, chosen))
            key = {
                "setting": setting,
                "text": text,
                "update": update,
                "examples": update * options["batch"],
            }
            found += [key | {"kind": kinds[row["id"]]} | row for row in after]
    RELEARNED.write(step.outputs["answers"], found)
    return facts


def followed(step: Step, asked: Sequence[Row], before: Sequence[Row]) -> dict[str, str]:
    """The facts followed, by question: so many that were lost, and that were never known.

    Lost are those that the restoration text is known not to state. Never known are facts that the
    corpus never states, where there is one; else those that the base model was wrong on.
    """
    wrong = {row["id"] for row in before if not row["correct"]}
    base = {
        row["id"]: row["correct"]
        for path in step.paths("answers")
        for row in ANSWERS.stream(path, columns=("id", "correct"))
    }
    apart = {row["id"] for row in QUESTIONS.read(step.path("material") / "questions.parquet")}
    mentions = {r["id"]: r["mentions"] for p in step.paths("mentions") for r in MENTIONS.read(p)}
    lost = [row["id"] for row in asked if row["id"] in apart & wrong and base[row["id"]]]
    new = [
        row["id"]
        for row in asked
        if row["id"] in wrong and not base[row["id"]]
        and (mentions[row["id"]] == 0 if row["id"] in mentions else row["id"] in apart)
    ]  # fmt: skip
    most = step.options["facts"]
    rng = Random(step.seed)
    return {
        name: kind
        for kind, ids in ((LOST, lost), (NEVER, new))
        for name in rng.sample(sorted(ids), min(most, len(ids)))
    }


def statement(question: Row) -> str:
    """Text that states the fact of a question: it and its answer, and what explains it."""
    said = f"{question['question']} {question['choices'][question['answer']]}"
    return f"{said}\n{question['explanation']}".strip()


def other_lines(step: Step, stated: Sequence[str]) -> list[str]:
    """As many lines of the restoration text, none longer than the longest of those ``stated``."""
    longest = max(map(len, stated))
    documents = DOCUMENTS.stream(step.path("material") / "documents.parquet")
    lines = sorted(
        {
            line.strip()
            for document in documents
            if document["split"] == "restore"
            for line in document["text"].splitlines()
            if 0 < len(line.strip()) <= longest
        }
    )
    if not lines:
        raise UserError(
            f"relearn_facts: the restoration text has no line of at most {longest} characters; "
            "give more text (prepare_restoration.corpus)"
        )
    rng = Random(step.seed)
    few = len(lines) < len(stated)
    return rng.choices(lines, k=len(stated)) if few else rng.sample(lines, len(stated))


def _train(step: Step, tuned: Path, work: Path, lines: Sequence[str], bos: bool) -> dict[str, Any]:
    """Train on ``lines``, pass after pass, and keep the model after each of ``updates``."""
    done = work / "done"
    if done.exists():
        return dict(json.loads(done.read_text(encoding="utf-8")))
    updates, batch = step.options["updates"], step.options["batch"]
    passes = -(-max(updates) * batch // len(lines)) + 1
    model, tokenizer = load_checkpoint(tuned, place=False)
    seed = derive_seed(step.base_seed, "relearn", *sorted(step.wildcards.items()))
    run = plan_run(
        work,
        _examples(lines, tokenizer, bos),
        step.options | {"epochs": passes},
        "split",
        tokenizer,
        seed,
        section=training_section(step),
    )
    kept = {update: [work / "kept" / str(update)] for update in updates}
    card = {CARD: trained_card(step, tuned)}
    facts = train_keeping(model, replace(run, last=max(updates), kept=kept, beside=card))
    write_text(done, json.dumps(facts))
    return facts


def _examples(
    lines: Sequence[str], tokenizer: PreTrainedTokenizerBase, bos: bool
) -> Iterator[Example]:
    """Each line with its end token; all of it is trained on."""
    for line in lines:
        ids = [*encode(tokenizer, line, bos), int(tokenizer.eos_token_id)]
        yield Example(ids, [True] * len(ids))
