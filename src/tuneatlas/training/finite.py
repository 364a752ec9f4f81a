"""A training whose numbers are no numbers any more is ended, and nothing of it is written."""

import math
from collections.abc import Iterable

import torch

from tuneatlas.errors import UserError
from tuneatlas.training.recipe import Run

NOTHING = "no model is written"


def refuse_step(run: Run, step: int, loss: float, norm: float | None) -> None:
    """Raise UserError if loss or gradient norm of a step is not finite, before its update.

    Args:
        run: whose step it is.
        step: its number, from 1.
        loss: over all its labels, in nats.
        norm: of its gradient, before clipping; None where it is not known.
    """
    if math.isfinite(loss) and (norm is None or math.isfinite(norm)):
        return
    rate = f"learning rate {run.rate(step - 1):.3g}"
    what = f"the loss of step {step} of {run.length} is {loss:.6g}"
    what += "" if norm is None else f" and the norm of its gradient {norm:.6g}"
    if step == 1:
        raise UserError(
            f"{run.section}: {what}, before any update ({rate}): the weights of the model to be "
            f"tuned, or what it computes in {run.section}.precision {run.recipe.precision}, are "
            f"not finite; try fp32, or another model: {NOTHING}"
        )
    raise UserError(
        f"{run.section}: {what}, at {rate}: the training has diverged; lower "
        f"{run.section}.learning_rate (now {run.recipe.learning_rate:g}): {NOTHING}"
    )


def refuse_weights(run: Run, step: int, weights: Iterable[tuple[str, torch.Tensor]]) -> None:
    """Raise UserError if a weight is not finite after a step, as the last update may make it."""
    bad = [name for name, value in weights if not bool(torch.isfinite(value).all())]
    if bad:
        raise UserError(
            f"{run.section}: after step {step} of {run.length} (learning rate "
            f"{run.rate(step - 1):.3g}) {len(bad)} weights are not finite, such as {bad[0]}: the "
            f"training has diverged; lower {run.section}.learning_rate (now "
            f"{run.recipe.learning_rate:g}): {NOTHING}"
        )
