"""Whether a model can be trained on what a run holds, told before the run starts."""

import numpy as np
from transformers import PreTrainedModel

from tuneatlas.errors import UserError
from tuneatlas.models.load import embedding_rows
from tuneatlas.models.positions import most_positions
from tuneatlas.training.recipe import Run
from tuneatlas.training.seq2seq import LikeLengths


def refuse_beyond(model: PreTrainedModel, run: Run) -> None:
    """Raise UserError if ids are beyond the embedding, or rows beyond the model's positions."""
    rows = embedding_rows(model)
    largest = int(np.max(run.tokens.tokens, initial=0))
    if largest >= rows:
        raise UserError(
            f"{run.section}: the texts hold token {largest} "
            f"({run.tokenizer.convert_ids_to_tokens(largest)!r}), but the embedding of the model "
            f"has {rows} rows, tokens 0 to {rows - 1}: resize it, or take the model's own tokenizer"
        )
    most, longest = most_positions(model.config), _longest(run)
    if most is not None and longest > most:
        raise UserError(
            f"{run.section}.row_length {run.recipe.row_length}: there are rows of {longest} "
            f"tokens, more than the model's {most} positions (max_position_embeddings); lower it"
        )


def _longest(run: Run) -> int:
    """Positions that the run needs."""
    if isinstance(run.steps, LikeLengths):
        return min(run.recipe.row_length, int(run.tokens.lengths.max(initial=0)))
    over = max if run.recipe.isolate else sum
    return max(over(piece.length for piece in row) for rows in run.steps for row in rows)
