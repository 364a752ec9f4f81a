"""Ask base and tuned models the same in several ways: lost, or out of this prompt's reach?"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.engine.step import Step, progress
from tuneatlas.engine.resume import Parts
from tuneatlas.errors import UserError
from tuneatlas.models.chat_templates import fit_chat
from tuneatlas.models.checkpoints import load_checkpoint
from tuneatlas.models.encode import begins
from tuneatlas.models.given import layout_of
from tuneatlas.models.probed import ANSWERED, read_prompts
from tuneatlas.models.prompts import ChatTemplate, QuestionTemplate
from tuneatlas.models.scoring import answer_row, score_prompts
from tuneatlas.studies.atlas.tables import BATTERY
from tuneatlas.studies.atlas.trainings import tuned_models
from tuneatlas.studies.atlas.ways import CHAT, FEW_SHOT, Layouts, Put, equal_ways, ways_of
from tuneatlas.tables import QUESTIONS, Row

Begin = bool | Mapping[str, bool]


class Battery(NamedTuple):
    """Test questions with the prompts of the probe, by id, and how else they are put.

    ``bos`` and ``chat_bos`` are as in `probe_base` and `evaluate_tuned`.
    """

    rows: Sequence[Row]
    prompts: Mapping[str, str]
    layouts: Layouts
    bos: Begin
    chat_bos: Begin


def ask_battery(step: Step, *, bos: Begin, chat_bos: Begin) -> None:
    """Ask a step's ``base``, ``finetuned`` and ``stages``, where there are; write ``answers``."""
    models = {"base": step.path("base"), **tuned_models(step)}
    layout = layout_of(models["base"], [*models.values()][-1])
    asked = [r for p in step.paths("questions") for r in QUESTIONS.read(p) if r["split"] == "test"]
    prompts = read_prompts(step.paths("answers"), asked, "atlas")
    layouts = Layouts(
        QuestionTemplate.load(step.path("template")),
        QuestionTemplate.load(step.path("chat_template")),
        fit_chat(ChatTemplate.load(step.path("chat")), layout),
        step.options["chat"]["option_tokens"] == "alone",
        *(step.options[name] for name in ("ways", "rewordings", "orders")),
    )
    battery = Battery(asked, prompts, layouts, bos, chat_bos)
    BATTERY.write(
        step.outputs["answers"], ask_all(models, battery, step.options, parts=step.parts())
    )


def ask_all(
    models: Mapping[str, Path],
    battery: Battery,
    options: Mapping[str, Any],
    *,
    parts: Parts | None = None,
) -> list[Row]:
    """Rows of BATTERY of every model, whose folders are by setting.

    ``options``: ``few_shot`` and ``chat`` say how answers are scored there; ``dtype`` and
    ``batch_tokens``. UserError names a question that two ways put in the same words.
    """
    kept = parts or Parts()
    rows: list[Row] = []
    for number, setting in enumerate(progress(models, len(models), "models asked")):

        def ask(folder: Path = models[setting]) -> list[Row]:
            model, tokenizer = load_checkpoint(folder, dtype=options["dtype"])
            return ask_model(model, tokenizer, battery, options)

        rows += [{"setting": setting} | row for row in kept.of(number, ask)]
    return rows


def ask_model(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    battery: Battery,
    options: Mapping[str, Any],
) -> list[Row]:
    """Answers of a model in memory, less the column ``setting``."""
    put = [ways_of(row, battery.prompts[row["id"]], battery.layouts) for row in battery.rows]
    for row, ways in zip(battery.rows, put, strict=True):
        if same := equal_ways(ways):
            raise UserError(
                f"atlas: question {row['id']!r} is put in the same words by {same[0]} and "
                f"{same[1]}: leave out one of them (ways, rewordings, orders)"
            )
    rows: list[Row] = []
    for way in put[0] if put else ():
        of_way = [ways[way] for ways in put]
        answers = _answers(model, tokenizer, battery, way, of_way, options)
        rows += [{"way": way} | row for row in answers]
    return rows


def _answers(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    battery: Battery,
    way: str,
    put: Sequence[Put],
    options: Mapping[str, Any],
) -> list[Row]:
    """Of one way, the options in the order of the question as it stands."""
    how = options[CHAT if way == CHAT else FEW_SHOT]
    bos = battery.chat_bos if way == CHAT else battery.bos
    scores = score_prompts(
        model,
        tokenizer,
        [(row["domain"], row["role"], row["topic"]) for row in battery.rows],
        [each.prompt for each in put],
        [each.options for each in put],
        {**how, "batch_tokens": options["batch_tokens"]},
        bos=[begins(bos, row["role"]) for row in battery.rows],
        names=[row["id"] for row in battery.rows],
    )
    found = (
        answer_row(row, np.roll(score, -each.turned), each.prompt, how["ties"])
        for row, score, each in zip(battery.rows, scores, put, strict=True)
    )
    return [{name: row[name] for name in ANSWERED} for row in found]
