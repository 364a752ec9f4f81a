"""Ask a model what it knows: few-shot, as often and in as many orders as the config says."""

import random
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.engine.step import Step
from tuneatlas.engine.resume import Parts
from tuneatlas.engine.scatter import refuse_needless
from tuneatlas.errors import UserError
from tuneatlas.models.asked import load_asked
from tuneatlas.models.encode import begins
from tuneatlas.models.likelihoods import Floats
from tuneatlas.models.prompts import QuestionTemplate, continuations, few_shot_head, few_shot_prompt
from tuneatlas.models.scoring import answer_rows, score_prompts
from tuneatlas.studies.knowledge.robust import knowledge_row, merge_scores, restore_order, rotate
from tuneatlas.tables import QUESTIONS, Row


def probe_domain(
    step: Step,
    parts: Parts,
    *,
    bos: bool | Mapping[str, bool],
    splits: Collection[str],
) -> "Probed":
    """What a step asks the base ``model`` of its ``questions``, or one's part of it."""
    questions = QUESTIONS.read(step.path("questions"))
    if shard := step.wildcards.get("scatteritem"):
        asked = sum(question["split"] in splits for question in questions)
        refuse_needless(shard, asked, "questions", "probe_knowledge.shards")
    return probe_base(
        step.path("model"),
        questions,
        QuestionTemplate.load(step.path("template")),
        step.options,
        bos=bos,
        splits=splits,
        parts=parts,
    )


class Probed(NamedTuple):
    """Rows of tables ANSWERS and KNOWLEDGE, in the order asked."""

    answers: list[Row]
    knowledge: list[Row]


def probe_base(
    folder: Path,
    questions: Sequence[Row],
    template: QuestionTemplate,
    options: Mapping[str, Any],
    *,
    bos: bool | Mapping[str, bool],
    splits: Collection[str] = ("train", "test"),
    parts: Parts | None = None,
) -> Probed:
    """Answers of a base model to a domain's train and test questions, few-shot.

    Demonstrations come from the dev questions of the same role and topic, as each MMLU subject
    has its own; a topic that has too few takes those of the role. ``options`` is the config
    section ``probe_knowledge`` with the ``dtype`` of the model; ``bos``: whether prompts begin with
    the begin token, for all questions or by role; ``splits``: those asked. With several ``draws``
    or ``rotations`` a question is asked in several ways; its answer is that of the mean
    probabilities, and its prompt the first. Where others have a share of ``parts``, there are no
    rows.
    """
    model, tokenizer = load_asked(folder, options["dtype"], parts)
    return probe_model(
        model, tokenizer, questions, template, options, bos=bos, splits=splits, parts=parts
    )


def probe_model(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    questions: Sequence[Row],
    template: QuestionTemplate,
    options: Mapping[str, Any],
    *,
    bos: bool | Mapping[str, bool],
    splits: Collection[str] = ("train", "test"),
    parts: Parts | None = None,
) -> Probed:
    """As `probe_base`, of a model in memory, in evaluation mode."""
    asked = [q for q in questions if q["split"] in splits]
    with_bos = [begins(bos, q["role"]) for q in asked]
    ways: list[list[Floats]] = []
    first: list[str] = []
    names = [q["id"] for q in asked]
    for draw in range(options["draws"]):
        shown = _demonstrations(questions, asked, options, draw)
        for places in range(options["rotations"]):
            turned = [rotate(q, places) for q in asked]
            prompts = [few_shot_prompt(template, shown[_kind(q)], q) for q in turned]
            scored = [continuations(template, q) for q in turned]
            heads = [few_shot_head(template, shown[_kind(q)], q) for q in turned]
            kept = parts.within(f"{draw}-{places}") if parts else None
            found = score_prompts(
                model,
                tokenizer,
                heads,
                prompts,
                scored,
                options,
                bos=with_bos,
                parts=kept,
                names=names,
            )
            ways.append([restore_order(scores, places) for scores in found])
            first = first or prompts
    if parts and parts.is_partial:
        return Probed([], [])
    each = list(zip(*ways, strict=True))
    merged = [merge_scores(several) for several in each]
    return Probed(
        answer_rows(asked, merged, first, options.get("ties", "wrong")),
        [knowledge_row(q, several) for q, several in zip(asked, each, strict=True)],
    )


def probe_tests(
    folder: Path,
    questions: Mapping[str, Sequence[Row]],
    template: QuestionTemplate,
    options: Mapping[str, Any],
    *,
    bos: bool | Mapping[str, bool],
    splits: Mapping[str, Sequence[str]],
    parts: Parts | None = None,
) -> list[Row]:
    """Answers of another model to the test questions of every domain, with its base's prompts.

    ``questions`` and ``splits``, those that the base was asked, are by domain; the rest is as in
    ``probe_base``.
    """
    model, tokenizer = load_asked(folder, options["dtype"], parts)
    rows: list[Row] = []
    for domain, own in questions.items():
        # Demonstrations are drawn for each kind of question asked, one after the other: so one of
        # each kind is asked that the base model was asked.
        kinds = {_kind(q): q["id"] for q in reversed(own) if q["split"] == "train"}
        first = set(kinds.values())
        asked = [q for q in own if q["split"] != "train" or q["id"] in first]
        probed = probe_model(
            model,
            tokenizer,
            asked,
            template,
            options,
            bos=bos,
            splits=splits[domain],
            parts=parts.within(domain) if parts else None,
        )
        rows += [row for row in probed.answers if row["split"] == "test"]
    return rows


def _kind(question: Row) -> tuple[str, str]:
    return question["role"], question["topic"]


def _demonstrations(
    questions: Sequence[Row], asked: Sequence[Row], options: Mapping[str, Any], draw: int
) -> dict[tuple[str, str], list[Row]]:
    """The questions shown for each role and topic; the first draw is the paper's."""
    seed, shots = options["demonstration_seed"], options["shots"]
    first = f"{seed}/{draw}" if draw else seed
    rng = random.Random(first)
    shown: dict[tuple[str, str], list[Row]] = {}
    of_role: dict[str, list[Row]] = {}
    for role, topic in sorted({_kind(q) for q in asked}):
        if options.get("reseed"):
            rng.seed(first)
        dev = [q for q in questions if q["split"] == "dev" and q["role"] == role]
        own = [q for q in dev if q["topic"] == topic]
        if len(own) >= shots:
            shown[role, topic] = pick_demonstrations(own, shots, rng)
            continue
        if role not in of_role:
            of_role[role] = pick_demonstrations(dev, shots, rng)
        shown[role, topic] = of_role[role]
    return shown


def pick_demonstrations(pool: Sequence[Row], shots: int, rng: random.Random) -> list[Row]:
    """``shots`` demonstrations: the pool in its order, shuffled, cut (Ren et al. 2024, 3.1)."""
    if len(pool) < shots:
        domain = pool[0]["domain"] if pool else "?"
        raise UserError(
            f"domain {domain}: {shots} shots asked for, but only {len(pool)} dev questions; "
            "lower probe_knowledge.shots or raise the domain's dev limit"
        )
    order = list(pool)
    rng.shuffle(order)
    return order[:shots]
