"""The base model's own explanations of its own predictions (SELF-ALIGNING training text)."""

import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import (
    LogitsProcessorList,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    StoppingCriteria,
    StoppingCriteriaList,
)

from tuneatlas.engine.step import Step, derive_seed, progress
from tuneatlas.data.questions import by_id
from tuneatlas.engine.resume import Parts
from tuneatlas.engine.scatter import seed_of
from tuneatlas.errors import UserError
from tuneatlas.models.asked import load_asked
from tuneatlas.models.encode import encode
from tuneatlas.models.generation import Finite, set_generation
from tuneatlas.models.load import embedding_rows, pad_id
from tuneatlas.models.positions import most_positions
from tuneatlas.models.prompts import ExplainTemplate, Question, option_fields, options_text
from tuneatlas.studies.knowledge.probe import pick_demonstrations
from tuneatlas.tables import LABELS, QUESTIONS, Row


def explain_prompt(
    template: ExplainTemplate, demonstrations: Sequence[Row], question: Row, pred: int
) -> str:
    """Demonstrations with reference explanations, then the model's own answer to explain."""

    def filled(form: str, asked: Question, answer: int, explanation: str = "") -> str:
        return form.format(
            question=asked["question"],
            options=options_text(template.option, asked),
            explanation=explanation,
            **option_fields(asked, answer),
        )

    shown = (
        filled(template.demonstration, d, d["answer"], d["explanation"]) for d in demonstrations
    )
    return template.header + "".join(shown) + filled(template.query, question, pred)


def kept_text(template: ExplainTemplate, text: str) -> tuple[str, bool]:
    """What of a generated text is the explanation, and whether its closing fence came.

    Where the model writes an opening fence itself: what is between that and the next one; if none
    closes it, all of the text but an opening fence at its very start.
    """
    opening, fence = template.opening, template.fence
    if not opening:
        return text.split(fence)[0].strip(), fence in text
    _, opened, rest = text.partition(opening)
    inside, closed, _ = rest.partition(fence)
    if opened and closed:
        return inside.strip(), True
    return text.removeprefix(opening).strip(), False


def explained(step: Step, parts: Parts, *, bos: bool) -> list[Row]:
    """What a step's ``model`` says of its own ``labels``; no rows of a share of ``parts``."""
    return explain_predictions(
        step.path("model"),
        by_id(QUESTIONS.read(step.path("questions"))),
        LABELS.read(step.path("labels")),
        ExplainTemplate.load(step.path("template")),
        step.options,
        bos=bos,
        seed=seed_of(step),
        parts=parts,
    )


def explain_predictions(
    folder: Path,
    questions: Mapping[str, Row],
    labels: Sequence[Row],
    template: ExplainTemplate,
    options: Mapping[str, Any],
    *,
    bos: bool,
    seed: int,
    parts: Parts | None = None,
) -> list[Row]:
    """Sample an explanation for each self-aligning row; see Ren et al. 2024, section 3.2.

    ``options`` is the config section ``explain_predictions`` with the ``dtype`` of the model. With
    ``seeding`` of ``batch`` what is drawn depends on no batch before, so that others may have a
    share of ``parts``; then there are no rows here.

    Returns:
        Rows of the explanations table, in the order of ``labels``.
    """
    model, tokenizer = load_asked(folder, options["dtype"], parts)
    pool = [q for q in questions.values() if q["split"] == "dev" and q["role"] == "home"]
    shown = pick_demonstrations(pool, options["shots"], random.Random(seed))
    wanted = [r for r in labels if r["group"] == "self_aligning"]
    prompts = [explain_prompt(template, shown, questions[r["id"]], r["pred"]) for r in wanted]
    coded = [encode(tokenizer, p, bos) for p in prompts]
    owners = [f"question {row['id']!r}" for row in wanted]
    _refuse_overlong(model, coded, owners, options)
    order = sorted(range(len(wanted)), key=lambda i: len(coded[i]))
    size = options["batch_rows"]
    chunks = [order[i : i + size] for i in range(0, len(order), size)]
    texts: dict[int, tuple[str, str]] = {}
    torch.manual_seed(seed)
    kept = parts or Parts()
    several = enumerate(progress(chunks, len(chunks), "batches of explanations"))
    for number, chunk in kept.due(several):
        if options.get("seeding") == "batch":
            torch.manual_seed(derive_seed(seed, number))

        def write(chunk: list[int] = chunk) -> tuple[list[tuple[str, str]], list[str]]:
            prompted = [coded[i] for i in chunk]
            named = [owners[i] for i in chunk]
            texts = _generate(model, tokenizer, prompted, named, template, options)
            return list(texts), _dice()

        generated, dice = kept.of(number, write)
        # What follows a batch that was kept is drawn as if it had been written now.
        _set_dice(dice)
        texts.update(
            (i, (text, finish)) for i, (text, finish) in zip(chunk, generated, strict=True)
        )
    if kept.is_partial:
        return []
    return [
        {
            "id": row["id"],
            "pred": row["pred"],
            "explanation": texts[i][0],
            "finish": texts[i][1],
            "prompt": prompts[i],
        }
        for i, row in enumerate(wanted)
    ]


def _refuse_overlong(
    model: PreTrainedModel,
    coded: Sequence[list[int]],
    owners: Sequence[str],
    options: Mapping[str, Any],
) -> None:
    """Raise UserError naming the longest prompt if what follows it has no room in the model."""
    limit, more = most_positions(model.config), options["max_new_tokens"]
    size, owner = max(
        ((len(ids), owner) for ids, owner in zip(coded, owners, strict=True)), default=(0, "")
    )
    if coded and limit is not None and size + more > limit:
        fewer = " or shots" if options["shots"] else ""
        raise UserError(
            f"{owner}: its prompt of {size} tokens and an explanation of up to {more} do not fit "
            f"the model's {limit} positions; lower explain_predictions.max_new_tokens{fewer}, "
            "shorten or leave out the question, or use a model with more"
        )


def _dice() -> list[str]:
    """The states of torch's generators: of the processor, and of the GPU if there is one."""
    states = [torch.get_rng_state()]
    if torch.cuda.is_available():
        states.append(torch.cuda.get_rng_state())
    return [bytes(state.tolist()).hex() for state in states]


def _set_dice(states: Sequence[str]) -> None:
    first, *rest = (torch.tensor(list(bytes.fromhex(s)), dtype=torch.uint8) for s in states)
    torch.set_rng_state(first)
    if rest and torch.cuda.is_available():
        torch.cuda.set_rng_state(rest[0])


class _Fenced(StoppingCriteria):
    """Stop a row when its text holds the closing fence."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, start: int, template: ExplainTemplate
    ) -> None:
        self.tokenizer, self.start, self.template = tokenizer, start, template

    def __call__(
        self, input_ids: torch.Tensor, scores: torch.Tensor, **kwargs: object
    ) -> torch.BoolTensor:
        texts = self.tokenizer.batch_decode(
            input_ids[:, self.start :], clean_up_tokenization_spaces=False
        )
        closed = [kept_text(self.template, text)[1] for text in texts]
        done = torch.tensor(closed, device=input_ids.device)
        return done  # type: ignore[return-value]


def _generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    coded: Sequence[list[int]],
    owners: Sequence[str],
    template: ExplainTemplate,
    options: Mapping[str, Any],
) -> Iterator[tuple[str, str]]:
    """Text up to the fence, and why it ended, for each prompt. Prompts are padded on the left."""
    width = max(map(len, coded))
    pad = pad_id(tokenizer, embedding_rows(model))
    ids = torch.tensor([[pad] * (width - len(c)) + c for c in coded])
    mask = torch.tensor([[0] * (width - len(c)) + [1] * len(c) for c in coded])
    device = next(model.parameters()).device
    config = set_generation(
        model,
        tokenizer,
        do_sample=True,
        temperature=options["temperature"],
        top_p=options["top_p"],
        top_k=options.get("top_k", 0),
        max_new_tokens=options["max_new_tokens"],
    )
    network: Any = model
    with torch.inference_mode():
        out = network.generate(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            generation_config=config,
            logits_processor=LogitsProcessorList([Finite(owners, model.dtype)]),
            stopping_criteria=StoppingCriteriaList([_Fenced(tokenizer, width, template)]),
        )
    for line in out[:, width:].tolist():
        ended = tokenizer.eos_token_id in line
        written = line[: line.index(tokenizer.eos_token_id)] if ended else line
        text = str(tokenizer.decode(written, clean_up_tokenization_spaces=False))
        kept, closed = kept_text(template, text)
        yield kept, "fence" if closed else "end" if ended else "length"
