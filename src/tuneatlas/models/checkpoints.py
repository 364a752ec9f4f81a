"""Models that an earlier step kept: opened only if they are whole."""

from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.errors import UserError
from tuneatlas.models.folder import folder_problems
from tuneatlas.models.load import load_model


def load_checkpoint(
    folder: Path, *, dtype: str = "float32", place: bool = True
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A model kept by an earlier step; UserError if it is missing or not whole."""
    problems = folder_problems(folder)
    if problems:
        raise UserError(
            f"checkpoint {folder} cannot be used: {problems[0]}; delete the folder and run again: "
            "the step that writes it goes first"
        )
    return load_model(folder, dtype=dtype, place=place)
