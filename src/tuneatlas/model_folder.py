"""Is a folder a whole Hugging Face model? Told from names, sizes and headers, without loading."""

import json
import math
import struct
from pathlib import Path
from typing import Any

TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "spiece.model")
INDEX = "model.safetensors.index.json"


def folder_problems(folder: Path) -> list[str]:
    """What keeps ``folder`` from being opened as a model with its tokenizer; empty if nothing."""
    if not folder.is_dir():
        return [f"there is no folder {folder}"]
    problems = []
    if not (folder / "config.json").is_file():
        problems.append(f"{folder} has no config.json: it is not a Hugging Face model folder")
    if not any((folder / name).is_file() for name in TOKENIZERS):
        problems.append(
            f"{folder} has no tokenizer ({', '.join(TOKENIZERS)}): copy it beside the weights"
        )
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        problems.append(f"{folder} has no *.safetensors: save the model with safe serialization")
    problems += _missing_shards(folder)
    problems += [text for path in weights if (text := safetensors_problem(path))]
    return problems


def _missing_shards(folder: Path) -> list[str]:
    index = folder / INDEX
    if not index.is_file():
        return []
    try:
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (ValueError, KeyError, TypeError, AttributeError):
        return [f"{index} is damaged: fetch the model again"]
    missing = [name for name in sorted(names) if not (folder / name).is_file()]
    return [f"{folder} lacks {', '.join(missing)}, named in {INDEX}"] if missing else []


def safetensors_problem(path: Path) -> str:
    """Why the file is not a whole safetensors file; empty if it is."""
    size = path.stat().st_size
    try:
        start, header = _header(path)
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name[:2] != "__"]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, struct.error):
        return f"{path} is not a safetensors file, or cut within its header: fetch it again"
    expected = start + max(ends, default=0)
    if size == expected:
        return ""
    state = "truncated" if size < expected else "damaged"
    return f"{path} is {state}: {size} bytes, its header says {expected}; fetch it again"


def stored_formats(folder: Path) -> set[str]:
    """Number formats of the weights, as safetensors names them: F32, BF16, F8_E4M3 and so on."""
    headers = [_header(path)[1] for path in sorted(folder.glob("*.safetensors"))]
    return {e["dtype"] for h in headers for name, e in h.items() if name != "__metadata__"}


def is_quantised(folder: Path) -> bool:
    """Whether the folder's config says that its weights are quantised."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except ValueError:
        return False
    return isinstance(config, dict) and "quantization_config" in config


def _header(path: Path) -> tuple[int, dict[str, Any]]:
    """Where the tensors begin, and what the header says about them."""
    with path.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        if length > path.stat().st_size:
            raise ValueError("header longer than the file")
        return 8 + length, json.loads(stream.read(length))


def parameter_count(folder: Path) -> int:
    """Parameters in a model's weight files; shared ones are stored and counted once."""
    headers = [_header(path)[1] for path in sorted(folder.glob("*.safetensors"))]
    shapes = [e["shape"] for h in headers for name, e in h.items() if name != "__metadata__"]
    return sum(math.prod(shape) for shape in shapes)
