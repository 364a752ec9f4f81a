"""How large a model is, told from the config, a table of known ones, or its config.json."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tuneatlas.errors import UserError
from tuneatlas.models.folder import cached_folder

# Families whose decoders reuse the input embeddings unless told otherwise.
TIED = ("gemma", "gpt2", "opt", "bloom", "falcon")


@dataclass(frozen=True)
class Shape:
    """The figures that memory and time depend on."""

    parameters: int
    layers: int
    hidden: int
    vocab: int


def shape_of(entry: Mapping[str, Any], root: Path) -> Shape:
    """The shape of a model's entry in the config.

    Raises:
        UserError: if nothing at hand says how large it is.
    """
    if entry["source"] == "scratch":
        return _scratch(entry)
    name: str = entry.get("id") or entry.get("package", "")
    if known := _table().get(name):
        return known
    path = _config_file(entry, root)
    if path is None or not path.is_file():
        # Replicates of one model are of one size.
        if known := _table().get(entry.get("family") or ""):
            return known
        raise UserError(
            f"its size is not known: fetch {name or 'it'} first, or add it to "
            "src/tuneatlas/models/shapes.yaml"
        )
    try:
        return _described(json.loads(path.read_text(encoding="utf-8")))
    except KeyError as error:
        raise UserError(
            f"{path}: no {error.args[0]}, so its size is not known; add {name or 'it'} to "
            "src/tuneatlas/models/shapes.yaml"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"{path}: not a model's JSON: {error}; fetch {name or 'the model'} again"
        ) from error


def known_shape(entry: Mapping[str, Any], root: Path) -> Shape | None:
    """`shape_of`, or None where nothing at hand says how large the model is."""
    try:
        return shape_of(entry, root)
    except UserError:
        return None  # `tuneatlas size` says what is missing


# Keys of a config.json that count something, and more than any model has of it.
COUNTS = (
    *("hidden_size", "d_model", "intermediate_size", "d_ff", "encoder_ffn_dim", "vocab_size"),
    *("num_hidden_layers", "num_layers", "encoder_layers"),
    *("num_attention_heads", "num_heads", "num_key_value_heads"),
)
MOST = 10**9


@cache
def _table() -> Mapping[str, Shape]:
    """Models whose size is known, by their name on the hub, their package or their family."""
    text = (files("tuneatlas.models") / "shapes.yaml").read_text("utf-8")
    return {name: Shape(**figures) for name, figures in YAML(typ="safe").load(text).items()}


def _config_file(entry: Mapping[str, Any], root: Path) -> Path | None:
    if "path" in entry:
        return root / str(entry["path"]) / "config.json"
    if "id" not in entry:
        return None
    folder = cached_folder(entry["id"], entry["revision"])
    return folder and folder / "config.json"


def _scratch(entry: Mapping[str, Any]) -> Shape:
    two = "kv_heads" not in entry  # an encoder-decoder: T5
    return _count(
        hidden=entry["hidden_size"],
        intermediate=entry["intermediate_size"],
        layers=entry["layers"] * (2 if two else 1),
        keys=entry.get("kv_heads", entry["heads"]) / entry["heads"],
        vocab=entry["vocab_size"],
        tied=entry.get("tie_embeddings", True),
        matrices=2 if two else 3,
        crossed=entry["layers"] if two else 0,
    )


def _described(data: Any) -> Shape:
    """The shape that a Hugging Face config.json describes."""
    if not isinstance(data, Mapping):
        raise ValueError(f"{data!s:.20} is not an object")
    # A key that is null is left to its family, as one that is not there.
    data = {name: value for name, value in data.items() if value is not None}
    for name in COUNTS:
        count = data.get(name)
        if count is not None and not (type(count) is int and 0 < count < MOST):
            raise ValueError(f"{name} is {str(count)[:20]!r}, which is no count")
    hidden = data.get("hidden_size") or data["d_model"]
    inside = data.get("intermediate_size") or data.get("d_ff") or data.get("encoder_ffn_dim")
    blocks = data.get("num_hidden_layers") or data.get("num_layers") or data["encoder_layers"]
    two = data.get("is_encoder_decoder", False)
    heads = data.get("num_attention_heads") or data.get("num_heads") or 1
    return _count(
        hidden=hidden,
        intermediate=inside or 4 * hidden,
        layers=blocks * (2 if two else 1),
        keys=data.get("num_key_value_heads", heads) / heads,
        vocab=data["vocab_size"],
        tied=data.get("tie_word_embeddings", _tied(data)),
        matrices=2 if two else 3,
        crossed=blocks if two else 0,
    )


def _tied(data: Mapping[str, Any]) -> bool:
    """Whether input and output share their matrix where a config.json leaves it to its family."""
    return bool(data.get("is_encoder_decoder")) or str(data.get("model_type", "")).startswith(TIED)


def _count(
    *,
    hidden: int,
    intermediate: int,
    layers: int,
    keys: float,
    vocab: int,
    tied: bool,
    matrices: int,
    crossed: int,
) -> Shape:
    attention = round(hidden * hidden * (2 + 2 * keys))
    block = attention + matrices * hidden * intermediate + 2 * hidden
    embeddings = vocab * hidden * (1 if tied else 2)
    parameters = embeddings + layers * block + crossed * attention + hidden
    return Shape(parameters, layers, hidden, vocab)
