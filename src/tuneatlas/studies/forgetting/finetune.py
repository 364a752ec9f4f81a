"""Fine-tuning that keeps the model at chosen steps."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from tuneatlas.engine.step import Step, derive_seed
from tuneatlas.errors import UserError
from tuneatlas.models.load import load_model
from tuneatlas.training.conversations import chat_beside, plan_conversations
from tuneatlas.training.keeping import link_tree, train_keeping
from tuneatlas.training.recipe import Run


def finetune_stages(step: Step, *, bos: bool) -> dict[str, Any]:
    """Tune the base model and keep it after each of ``options["steps"]`` steps.

    Writes a plain model folder to each output: ``step_8`` is the model after 8 steps. Where the
    schedule ends with the epochs, it is the model that ``finetune`` with the same options has
    then: order of the data and schedule are the same. Returns figures for the step's record.
    """
    torch.set_num_threads(step.threads)
    model, tokenizer = load_model(step.path("model"), place=False)
    whole = step.options["schedule_end"] == "epochs"
    of_finetune = derive_seed(step.base_seed, "finetune", *sorted(step.wildcards.items()))
    seed = of_finetune if whole else step.seed
    run = plan_conversations(step, tokenizer, bos, seed)
    wanted = step.options["steps"]
    refuse_unreached(wanted, run)
    last = max(wanted)
    kept = {n: [step.checkpoints / "kept" / str(n)] for n in wanted}
    run = replace(run, last=last) if whole else replace(run, steps=run.steps[:last])
    run = replace(run, kept=kept, beside=chat_beside(step, tokenizer, bos))
    facts = train_keeping(model, run)
    for n in wanted:
        name = f"step_{n}"
        link_tree(step.checkpoints / "kept" / str(n), step.outputs[name])
        step.own[name] = {"steps": n, "losses": facts["losses"][:n]}
    return facts


def refuse_unreached(wanted: Sequence[int], run: Run) -> None:
    """Refuse steps beyond the end of the run, by name, before it starts."""
    beyond = [n for n in wanted if n > len(run.steps)]
    if beyond:
        kept = len(run.labels.kept) if run.labels else len(run.tokens)
        raise UserError(
            f"finetune_stages.steps: {', '.join(map(str, beyond))} are never reached: "
            f"{run.recipe.epochs} epochs of {kept} conversations in batches of "
            f"{run.recipe.batch} are {len(run.steps)} steps; raise finetune_stages.epochs or "
            "leave these steps out"
        )
