"""The model that is to be asked: whole, or as its outline where all was asked before.

Apart from the loader, so that training does not reach it.
"""

from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.engine.resume import Parts
from tuneatlas.models.load import load_model, open_network, open_tokenizer


def load_asked(
    folder: Path, dtype: str, parts: Parts | None
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Model and tokenizer of a folder, in evaluation mode; without weights if ``parts`` are given.

    Without them it is on the device ``meta``: it has its config and takes no memory.
    """
    if parts is not None and parts.is_given:
        return open_network(folder, dtype=dtype, device_map={"": "meta"}), open_tokenizer(folder)
    return load_model(folder, dtype=dtype)
