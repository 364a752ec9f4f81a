"""Measure every model of a fine-tuning run: what it knows, and how well it knows the text.

Knowledge is asked as it was asked of the base model: with the very prompts of the probe, and
by the same scorer. Text pattern is the likelihood of held-out text and of conversations.
"""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.engine.step import Step, progress
from tuneatlas.engine.resume import Parts
from tuneatlas.engine.scatter import refuse_needless, shared
from tuneatlas.errors import UserError
from tuneatlas.models.chat_templates import fit_chat
from tuneatlas.models.checkpoints import load_checkpoint
from tuneatlas.models.encode import begin, coder_of, encode_segments
from tuneatlas.models.likelihoods import Floats, refuse_not_finite
from tuneatlas.models.lm_head import exact_logits
from tuneatlas.models.positions import most_positions
from tuneatlas.models.probed import ask_again, read_prompts
from tuneatlas.models.prompts import (
    ChatTemplate,
    QuestionTemplate,
    render,
    reply_text,
    user_text,
)
from tuneatlas.models.token_files import Example
from tuneatlas.studies.forgetting.prepare import limit_bytes
from tuneatlas.tables import DOCUMENTS, QUESTIONS, STAGE_ANSWERS, STAGE_TEXTS, Row

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stage:
    """A model to measure: where it is, and what it is."""

    folder: Path
    setting: str
    step: int
    restored: int

    @property
    def key(self) -> Row:
        """The columns that identify it."""
        return {"setting": self.setting, "step": self.step, "restored": self.restored}


@dataclass(frozen=True)
class Material:
    """What every model is measured on: questions with the probe's prompts, texts, layouts."""

    questions: Sequence[Row]
    prompts: Mapping[str, str]
    heldout: Sequence[Row]
    probe_template: QuestionTemplate
    instruction_template: QuestionTemplate
    chat: ChatTemplate


def load_material(step: Step) -> Material:
    """The material of a step: inputs ``material``, ``answers`` (of the probe) and templates."""
    folder = step.path("material")
    questions = QUESTIONS.read(folder / "questions.parquet")
    return Material(
        questions=questions,
        prompts=read_prompts(step.paths("answers"), questions, "evaluate_stages"),
        heldout=limit_bytes(
            DOCUMENTS.stream(folder / "documents.parquet"),
            step.options["heldout_bytes"],
            step.base_seed,
        ),
        probe_template=QuestionTemplate.load(step.path("template")),
        instruction_template=QuestionTemplate.load(step.path("instruction")),
        chat=ChatTemplate.load(step.path("chat")),
    )


def stages_of(kept: Sequence[Path], restored: Sequence[Path], finetuned: Path) -> list[Stage]:
    """The models of a run: as kept, as restored, and those of the paper's setting.

    Args:
        kept: folders named after the steps done.
        restored: folders named after what they start from, with a folder per percentage.
        finetuned: the model tuned as the config section ``finetune`` says.
    """
    done = trained_steps(finetuned)
    stages = [Stage(path, "stages", int(path.name), 0) for path in kept]
    stages.append(Stage(finetuned, "finetune", done, 0))
    for path in restored:
        paper = path.name == "finetune"
        start = ("finetune", done) if paper else ("stages", int(path.name))
        stages += [Stage(folder, *start, percent) for percent, folder in restored_points(path)]
    return stages


def base_stages(base: Path, restored: Path) -> list[Stage]:
    """The base model, and the control: the base model restored."""
    return [
        Stage(base, "base", 0, 0),
        *(Stage(folder, "base", 0, percent) for percent, folder in restored_points(restored)),
    ]


def checkpoint_stages(tuned: Path, restored: Path, step: int) -> list[Stage]:
    """A checkpoint as it was given, and restored; ``step`` of its tuning, 0 if that is not said."""
    return [
        Stage(tuned, "stages", step, 0),
        *(Stage(folder, "stages", step, percent) for percent, folder in restored_points(restored)),
    ]


def restored_points(folder: Path) -> list[tuple[int, Path]]:
    """Percentage of the budget and model folder of each point of a restoration."""
    points = sorted((int(p.name), p) for p in folder.iterdir() if p.name.isdigit())
    if not points:
        raise UserError(f"{folder} has no restored models; delete it and run again")
    return points


def trained_steps(folder: Path) -> int:
    """Steps that a tuned model was trained for."""
    try:
        text = (folder / "training_summary.json").read_text(encoding="utf-8")
        return int(json.loads(text)["steps"])
    except (OSError, ValueError, KeyError):
        raise UserError(
            f"{folder} does not say how long it was trained; delete it and run again"
        ) from None


def measure_models(step: Step, stages: Sequence[Stage], *, bos: bool) -> None:
    """Measure models on the material of a step; write its ``answers`` and ``texts``."""
    answers, texts = shared(step, lambda parts: measured(step, stages, parts, bos=bos))
    STAGE_ANSWERS.write(step.outputs["answers"], answers)
    STAGE_TEXTS.write(step.outputs["texts"], texts)


def measured(
    step: Step, stages: Sequence[Stage], parts: Parts, *, bos: bool
) -> tuple[list[Row], list[Row]]:
    """The rows that `measure_models` writes; of one's own models where others have a share."""
    if shard := step.wildcards.get("scatteritem"):
        refuse_needless(shard, len(stages), "models of a run", "evaluate_stages.shards")
    return measure_stages(stages, load_material(step), step.options, bos=bos, parts=parts)


def measure_stages(
    stages: Sequence[Stage],
    material: Material,
    options: Mapping[str, Any],
    *,
    bos: bool,
    parts: Parts | None = None,
) -> tuple[list[Row], list[Row]]:
    """Rows of tables STAGE_ANSWERS and STAGE_TEXTS for every model.

    ``options`` is the config section ``evaluate_stages`` with the ``scoring`` of the probe
    and the ``dtype`` of the model;
    ``bos``: whether prompts and documents begin with the begin-of-text token.
    """
    answers: list[Row] = []
    texts: list[Row] = []
    kept = parts or Parts()
    for number, stage in kept.due(enumerate(progress(stages, len(stages), "models measured"))):

        def measure(stage: Stage = stage) -> tuple[list[Row], list[Row]]:
            model, tokenizer = load_checkpoint(stage.folder, dtype=options["dtype"])
            prompted = material.questions, material.prompts, material.probe_template
            answered = ask_again(model, tokenizer, *prompted, options, bos=bos)
            return answered, list(read(model, tokenizer, material, options, bos))

        answered, likelihoods = kept.of(number, measure)
        answers += [stage.key | row for row in answered]
        texts += [stage.key | row for row in likelihoods]
    return answers, texts


def read(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    material: Material,
    options: Mapping[str, Any],
    bos: bool,
) -> Iterator[Row]:
    """Likelihood of held-out documents and of replies, less the columns for the model.

    Bytes are those of the text that is scored: without a begin token the first token of a
    document has nothing before it, and its bytes do not count either.
    """
    window = min(options["window"], most_positions(model.config) or options["window"])
    if window < options["window"]:
        log.warning("texts are read in windows of the model's %d positions", window)
    names: list[tuple[str, str, int]] = []
    examples: list[Example] = []
    owners: list[int] = []
    for document in material.heldout:
        text = document["text"]
        coded = coder_of(tokenizer).encode_starts(text)
        unscored = 0 if bos or len(coded.ids) > 1 else len(text)
        if not bos and len(coded.ids) > 1:
            unscored = coded.starts[1]
        if unscored == len(text):
            continue
        for piece in windows(begin(tokenizer, bos) + coded.ids, window):
            examples.append(piece)
            owners.append(len(names))
        names.append((document["kind"], document["id"], len(text[unscored:].encode())))
    end = str(tokenizer.eos_token)
    chat = fit_chat(material.chat, tokenizer)
    for question in material.questions[: options["conversations"]]:
        reply = reply_text(
            material.instruction_template, question, question["answer"], question["explanation"]
        )
        messages = [
            {"role": "user", "content": user_text(material.instruction_template, question)},
            {"role": "assistant", "content": reply},
        ]
        segments = render(chat, messages, end)
        for piece in last_windows(encode_segments(tokenizer, segments, bos), window):
            examples.append(piece)
            owners.append(len(names))
        size = sum(len(s.text.encode()) for s in segments if s.supervised)
        names.append(("instruction", question["id"], size))
    nats = [0.0] * len(names)
    scored = negative_log_likelihoods(model, examples, options["batch_tokens"])
    refuse_not_finite(model, scored, [f"text {names[owner][1]!r}" for owner in owners])
    for owner, value in zip(owners, scored, strict=True):
        nats[owner] += float(value)
    for (kind, name, size), value in zip(names, nats, strict=True):
        yield {"id": name, "kind": kind, "nats": value, "bytes": size}


def windows(ids: list[int], window: int) -> Iterator[Example]:
    """A document in pieces of at most a window; every token but the first is scored.

    A later piece begins with the last token of the piece before it, which is not scored again.
    """
    step = window - 1
    for start in range(0, max(1, len(ids) - 1), step):
        piece = ids[start : start + step + 1]
        yield Example(piece, [True] * len(piece))


def last_windows(example: Example, window: int) -> Iterator[Example]:
    """A conversation in pieces of at most a window, its last tokens in the first of them.

    Each token of the reply is scored once, behind as much of the question as there is room for.
    """
    end = len(example.tokens)
    while any(example.supervised[:end]):
        start = max(0, end - window)
        yield Example(example.tokens[start:end], example.supervised[start:end])
        # The first token of a piece has nothing before it: the next piece scores it.
        end = start + 1 if start else 0


def negative_log_likelihoods(
    model: PreTrainedModel, examples: Sequence[Example], batch_tokens: int
) -> Floats:
    """Summed negative log-likelihood of each example's supervised tokens, in nats.

    Shape (examples,). The first token of an example has nothing before it and is not scored.
    """
    order = sorted(range(len(examples)), key=lambda i: -len(examples[i].tokens))
    sums = torch.zeros(len(examples), dtype=torch.float64)
    start = 0
    with torch.inference_mode():
        while start < len(order):
            width = len(examples[order[start]].tokens)
            batch = order[start : start + max(1, batch_tokens // max(width, 1))]
            start += len(batch)
            ids = torch.zeros((len(batch), width), dtype=torch.long)
            seen = torch.zeros((len(batch), width), dtype=torch.long)
            scored = torch.zeros((len(batch), width), dtype=torch.bool)
            for line, index in enumerate(batch):
                tokens, marks, _ = examples[index]
                ids[line, : len(tokens)] = torch.tensor(tokens, dtype=torch.long)
                seen[line, : len(tokens)] = 1
                scored[line, : len(tokens)] = torch.tensor(marks, dtype=torch.bool)
            hidden = model.base_model(
                ids.to(model.device), attention_mask=seen.to(model.device), use_cache=False
            ).last_hidden_state
            lines, points = scored[:, 1:].nonzero(as_tuple=True)
            log_probs = torch.log_softmax(exact_logits(model, hidden[lines, points]), dim=-1)
            following = ids[lines, points + 1].to(log_probs.device)
            picked = log_probs.gather(1, following[:, None])[:, 0].double().cpu()
            sums.index_add_(0, torch.tensor(batch)[lines], -picked)
    return sums.numpy()
