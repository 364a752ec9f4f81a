"""Is a folder a whole Hugging Face model? Told from names, sizes and headers, without loading."""

import json
import math
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

# Number formats of weights that each number format in which a model is asked holds without loss.
LOSSLESS = {"float32": {"F32", "F16", "BF16"}, "float16": {"F16"}, "bfloat16": {"BF16"}}
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "spiece.model")
INDEX = "model.safetensors.index.json"
# How a model was trained here, beside its weights.
SUMMARY = "training_summary.json"


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
    return problems + _damaged(weights)


def _damaged(weights: Iterable[Path]) -> list[str]:
    return [text for path in weights if (text := safetensors_problem(path))]


def cached_folder(model: str, revision: str, *names: str) -> Path | None:
    """The folder of a hub model in the local cache, if one of the named files is there."""
    # Imported here, as few experiments need it and it takes its time.
    from huggingface_hub import try_to_load_from_cache

    for name in names or ("config.json",):
        found = try_to_load_from_cache(model, name, revision=revision)
        if isinstance(found, str):
            return Path(found).parent
    return None


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


def format_problems(folder: Path, dtype: str) -> Iterator[tuple[str, str]]:
    """Why the weights do not fit the number format they are to be asked in.

    With each the option of the model to change: ``dtype``, or none if the model itself is at fault.
    """
    if damaged := _damaged(sorted(folder.glob("*.safetensors"))):
        yield "", damaged[0]
        return
    # Masks and positions in old checkpoints are integers.
    stored = {name for name in stored_formats(folder) if name.startswith(("F", "BF"))}
    if is_quantised(folder) or (stored - LOSSLESS["float32"]):
        text = f"{folder} holds quantised weights ({', '.join(sorted(stored))}), which cannot be "
        yield "", text + "tuned: save the model as float32 or bfloat16"
    elif lost := sorted(stored - LOSSLESS[dtype]):
        text = f"{dtype} would round weights that {folder} stores as {', '.join(lost)}"
        yield "dtype", f"{text}: say dtype: float32, or save the model in {dtype}"


def is_quantised(folder: Path) -> bool:
    """Whether the folder's config says that its weights are quantised."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (ValueError, FileNotFoundError):
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
