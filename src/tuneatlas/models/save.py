"""The one saver: plain folders that transformers 4 and 5 open alike, whoever reads them.

A tokenizer that is its base's goes with the model file by file: saved anew, it would be of a class
that is only in transformers 5, and the model's own files are what others know it by.
"""

import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import other
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.engine.files import readable
from tuneatlas.models.folder import CONFIG, TOKENIZER_CONFIG
from tuneatlas.models.load import open_tokenizer

CHAT_TEMPLATE = "chat_template.jinja"
TOKENIZER_FILES = (
    "tokenizer.json",
    TOKENIZER_CONFIG,
    "special_tokens_map.json",
    "added_tokens.json",
    "tokenizer.model",
    "spiece.model",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    CHAT_TEMPLATE,
    "chat_template.json",
)
# How a tokenizer was found says nothing of what it is, and depends on the environment.
FOUND = ("local_files_only", "is_local", "trust_remote_code")


@contextmanager
def sparing_deepspeed() -> Iterator[None]:
    """Where DeepSpeed is not loaded, load it for nothing.

    Accelerate would, to see that a model is none of its own, and it would warn of what nobody asked
    for.
    """
    known = other.is_deepspeed_available
    if "deepspeed" not in sys.modules:
        other.is_deepspeed_available = lambda: False
    try:
        yield
    finally:
        other.is_deepspeed_available = known


def save_model(
    folder: Path,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase | None,
    weights: dict[str, torch.Tensor] | None = None,
    beside: Mapping[str, str] | None = None,
) -> None:
    """Write a plain Hugging Face folder that ``from_pretrained`` opens.

    Args:
        folder: written into; made if it is not there.
        model: the model.
        tokenizer: its tokenizer, if it is to have one.
        weights: the model's, gathered, where ``model`` itself holds a part of them only.
        beside: texts of further files by name: the chat template, the model card.
    """
    # Else the config says which steps trained it, and equal weights differ in their files.
    model.config._name_or_path = ""
    with sparing_deepspeed():
        model.save_pretrained(folder, state_dict=weights)
    _write_config(folder, model)
    if tokenizer is not None:
        write_tokenizer(folder, tokenizer)
    for name, text in (beside or {}).items():
        (folder / name).write_text(text, encoding="utf-8")
    readable(folder)


def _write_config(folder: Path, model: PreTrainedModel) -> None:
    """The config with the keys by which transformers 4 knows what 5 says otherwise."""
    said: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    rope = said.get("rope_parameters")
    if isinstance(rope, dict) and "rope_theta" in rope:
        # 4 would take its own default.
        said["rope_theta"] = rope["rope_theta"]
        other = {k: v for k, v in rope.items() if k != "rope_theta"}
        said["rope_scaling"] = None if rope.get("rope_type", "default") == "default" else other
    if "dtype" in said:
        said["torch_dtype"] = said["dtype"]
    text = json.dumps(said, indent=2, sort_keys=True) + "\n"
    (folder / CONFIG).write_text(text, encoding="utf-8")


def write_tokenizer(folder: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    """The files that the tokenizer was opened from, if it is unchanged; else its own."""
    source = Path(tokenizer.name_or_path) if tokenizer.name_or_path else None
    if source and (source / TOKENIZER_CONFIG).is_file() and _unchanged(tokenizer, source):
        for name in TOKENIZER_FILES:
            if (source / name).is_file():
                shutil.copyfile(source / name, folder / name)
        return
    for name in FOUND:
        tokenizer.init_kwargs.pop(name, None)
    tokenizer.save_pretrained(folder)
    path = folder / TOKENIZER_CONFIG
    said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if said.get("tokenizer_class") == "TokenizersBackend":
        # The name that both know.
        said["tokenizer_class"] = "PreTrainedTokenizerFast"
    if isinstance(said.get("extra_special_tokens"), list):
        said["additional_special_tokens"] = said.pop("extra_special_tokens")
    said.pop("backend", None)
    text = json.dumps(said, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8")


def _unchanged(tokenizer: PreTrainedTokenizerBase, source: Path) -> bool:
    return _content(tokenizer) == _content(open_tokenizer(source))


def _content(tokenizer: PreTrainedTokenizerBase) -> tuple[object, ...]:
    """What a tokenizer knows; not how it pads or cuts, which calls change."""
    added = {number: str(token) for number, token in tokenizer.added_tokens_decoder.items()}
    return tokenizer.get_vocab(), added, tokenizer.special_tokens_map, tokenizer.chat_template
