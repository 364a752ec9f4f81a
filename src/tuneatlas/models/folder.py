"""Is a folder a whole Hugging Face model? Told from names, sizes and headers, without loading."""

import json
import logging
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open

from tuneatlas.errors import Refusal, UserError

log = logging.getLogger(__name__)

# Number formats of weights that each number format in which a model is asked holds without loss.
LOSSLESS = {"float32": {"F32", "F16", "BF16"}, "float16": {"F16"}, "bfloat16": {"BF16"}}
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "spiece.model")
CONFIG, TOKENIZER_CONFIG = "config.json", "tokenizer_config.json"
WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
# Files that are read as JSON objects, if they are there.
OBJECTS = (CONFIG, TOKENIZER_CONFIG, "generation_config.json", "special_tokens_map.json")
# transformers lays an adapter over the weights wherever it finds this.
ADAPTER = "adapter_config.json"
# What a config.json may say that makes transformers read other weights than the folder's own.
ELSEWHERE = ("transformers_weights", "fusion_config", "distributed_config")
MOST_JSON = 100 * 2**20  # bytes; the index of a model of 10,000 tensors has 1 MB
# How a model was trained here, beside its weights.
SUMMARY = "training_summary.json"
# What is fetched of a repository of the hub.
FETCHED = ("*.json", "*.model", "*.txt", "*.jinja", "README.md", "LICENSE*")


class Tensor(NamedTuple):
    """What a header says of one tensor; formats as safetensors names them: F32, BF16, F8_E4M3."""

    shape: tuple[int, ...]
    format: str


def folder_problems(folder: Path) -> list[str]:
    """What keeps ``folder`` from being opened as a model with its tokenizer; empty if nothing."""
    try:
        if not folder.is_dir():
            return [Refusal(f"there is no folder {folder}")]
        return list(_problems(folder))
    except OSError as error:
        return [Refusal(f"{error.filename or folder} cannot be read: {error.strerror}")]


def _problems(folder: Path) -> Iterator[str]:
    if not (folder / CONFIG).is_file():
        yield Refusal(f"{folder} has no config.json: it is not a Hugging Face model folder")
    if not any((folder / name).is_file() for name in TOKENIZERS):
        yield Refusal(
            f"{folder} has no tokenizer ({', '.join(TOKENIZERS)}): copy it beside the weights"
        )
    for name in OBJECTS:
        try:
            _of_config(folder / name)
        except UserError as error:
            yield Refusal(error)
    if (folder / ADAPTER).exists():
        yield Refusal(
            f"{folder} has an {ADAPTER}, which transformers lays over the weights: merge the "
            "adapter into its base model (merge_and_unload of peft), or take the file out"
        )
    try:
        stored = tensors(folder)
    except UserError as error:
        yield Refusal(error)
        return
    if not stored:
        yield Refusal(f"{folder} holds no weights: save the model again")


def _of_config(path: Path) -> None:
    """Refuse a file that is no JSON object, or that asks for code or weights from elsewhere."""
    if not path.exists() and not path.is_symlink():
        return
    values = read_object(path)
    if "auto_map" in values:
        raise UserError(
            f"{path} needs code of its own (auto_map), and no code that comes with a model is run "
            "here: use a family that transformers knows; if this is one, take auto_map out of the "
            "file"
        )
    if path.name == CONFIG and (found := [key for key in ELSEWHERE if values.get(key)]):
        raise UserError(f"{path} says {found[0]}, which is not supported: take it out of the file")


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file; UserError names the file, whatever it is instead."""
    if not path.is_file():
        raise UserError(f"{path} is missing, or is not a regular file: put it back")
    if path.stat().st_size > MOST_JSON:
        raise UserError(f"{path} is too large to be what its name says: fetch the model again")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged ({error}): fetch the model again") from error
    if not isinstance(values, dict):
        raise UserError(f"{path} is damaged (not a JSON object): fetch the model again")
    return values


def cached_folder(model: str, revision: str, *names: str) -> Path | None:
    """The folder of a hub model in the local cache, if one of the named files is there."""
    # Imported here, as few experiments need it and it takes its time.
    from huggingface_hub import try_to_load_from_cache

    for name in names or (CONFIG,):
        found = try_to_load_from_cache(model, name, revision=revision)
        if isinstance(found, str):
            return Path(found).parent
    return None


def fetched_folder(model: str, revision: str) -> Path:
    """The folder of a hub model in the local cache, fetched if need be: that commit, no other.

    A folder of that name beside the workflow, or weights in another form, are never taken for it.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(model, revision=revision, allow_patterns=[*FETCHED]))
        index = folder / INDEX
        names = shards_of(index) if index.exists() else [WHOLE]
        if not all((folder / name).exists() for name in names):
            folder = Path(snapshot_download(model, revision=revision, allow_patterns=names))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise UserError(f"{model} at {revision} cannot be fetched from the hub: {error}") from error
    return folder


def brought_folder(options: Mapping[str, Any]) -> Path:
    """Where a model lies that comes from a folder or the hub; ``options``: its entry."""
    if options["source"] == "path":
        return Path(options["path"])
    return fetched_folder(options["id"], options["revision"])


def weight_files(folder: Path) -> list[Path]:
    """The files that hold a model's weights: one, or those that the index names.

    Others that lie beside them, such as the same weights in the form of another program, are none.
    """
    whole, index = folder / WHOLE, folder / INDEX
    if not index.exists() and not index.is_symlink():
        if not whole.exists() and not whole.is_symlink():
            raise UserError(
                f"{folder} has no {WHOLE}: save the model with safe serialization (transformers "
                "does by itself); weights in .bin files are not read, as they may run code"
            )
        return [whole]
    names = shards_of(index)
    if whole.exists() and WHOLE not in names:
        raise UserError(
            f"{folder} has weights twice, as {WHOLE} and as {INDEX} names them: take out those "
            "that are not the model's"
        )
    missing = [name for name in names if not (folder / name).exists()]
    if missing:
        raise UserError(f"{folder} lacks {', '.join(missing)}, named in {INDEX}")
    return [folder / name for name in names]


def shards_of(index: Path) -> list[str]:
    """Names of the files that an index lists; UserError if one leads out of its folder."""
    names = {str(name) for name in _weight_map(index).values()}
    outside = [n for n in sorted(names) if Path(n).name != n or not n.endswith(".safetensors")]
    if outside:
        raise UserError(
            f"{index} names {outside[0]!r}, which is not a *.safetensors file in its folder: save "
            "the model again"
        )
    return sorted(names)


def _weight_map(index: Path) -> Mapping[str, Any]:
    found = read_object(index).get("weight_map")
    if not isinstance(found, dict) or not found:
        raise UserError(f"{index} is damaged: fetch the model again")
    return found


def tensors(folder: Path) -> dict[str, Tensor]:
    """Shape and format of each tensor that is stored; UserError if a file is not whole."""
    found: dict[str, Tensor] = {}
    files: dict[str, str] = {}
    for path in weight_files(folder):
        for name, tensor in header(path).items():
            if name in found:
                raise UserError(
                    f"{name} stands in {files[name]} and in {path.name} of {folder}: take out one"
                )
            found[name], files[name] = tensor, path.name
    if (folder / INDEX).exists():
        for name, file in _weight_map(folder / INDEX).items():
            if files.get(name) != file:
                raise UserError(f"{folder / INDEX} says that {file} holds {name}, but it does not")
    return found


def header(path: Path) -> dict[str, Tensor]:
    """What a safetensors file says of its tensors; UserError if it is not whole."""
    if not path.is_file():
        raise UserError(f"{path} is not a regular file, or is a broken link: fetch it again")
    try:
        with safe_open(path, framework="np") as file:
            views = ((name, file.get_slice(name)) for name in file.keys())  # noqa: SIM118
            return {n: Tensor(tuple(v.get_shape()), str(v.get_dtype())) for n, v in views}
    except (SafetensorError, ValueError, MemoryError) as error:
        raise UserError(f"{path} is truncated or damaged ({error}): fetch it again") from error


def stored_formats(folder: Path) -> set[str]:
    """Number formats of the weights; masks and positions in old checkpoints are integers."""
    return {
        tensor.format
        for name, tensor in tensors(folder).items()
        if tensor.format.startswith(("F", "BF")) or name.endswith("weight")
    }


def quantised_problem(folder: Path) -> str | None:
    """What is wrong with a folder whose numbers stand for others; UserError if it is damaged."""
    stored = stored_formats(folder)
    if is_quantised(folder) or (stored - LOSSLESS["float32"]):
        text = f"{folder} holds quantised weights ({', '.join(sorted(stored))}), which cannot be "
        return Refusal(text + "tuned: save the model as float32 or bfloat16")
    return None


def stored_dtype(folder: Path) -> str:
    """The number format, as torch names it, that holds all weights as they are stored."""
    stored = stored_formats(folder)
    return next((d for d in ("bfloat16", "float16") if stored <= LOSSLESS[d]), "float32")


def format_problems(
    folder: Path, dtype: str, *, rounded: bool = False
) -> Iterator[tuple[str, str]]:
    """Why the weights do not fit the number format they are to be asked in.

    With each the option of the model to change: ``dtype``, or none if the model itself is at fault.
    ``rounded``: they may lose precision by it.
    """
    try:
        stored, problem = stored_formats(folder), quantised_problem(folder)
    except UserError as error:
        yield "", Refusal(error)
        return
    if problem:
        yield "", problem
    elif not rounded and (lost := sorted(stored - LOSSLESS[dtype])):
        yield (
            "dtype",
            Refusal(
                f"{dtype} would round weights that {folder} stores as {', '.join(lost)}: say "
                f"dtype: float32, or save the model in {dtype}, or say rounded: true"
            ),
        )


def tell_rounding(folder: Path, dtype: str) -> None:
    """Say in the log what asking a tuned model in ``dtype`` loses of its tuning, if that is known.

    `tuneatlas.training.rounding` told it at the end of training.
    """
    path = folder / SUMMARY
    kept = read_object(path).get("update_kept", {}).get(dtype) if path.is_file() else None
    if kept is not None:
        log.warning(
            "%s: asked in %s, in which %.0f%% of what tuning changed is left; tuned_dtype: float32 "
            "keeps all",
            *(folder, dtype, 100 * kept),
        )


def is_quantised(folder: Path) -> bool:
    """Whether the folder's config says that its weights are quantised."""
    try:
        return "quantization_config" in read_object(folder / CONFIG)
    except UserError:
        return False  # `folder_problems` says what is wrong with it


def parameter_count(folder: Path) -> int:
    """Parameters in a model's weight files; shared ones are stored and counted once."""
    return _count(tensors(folder).values())


def _count(stored: Iterable[Tensor]) -> int:
    return sum(math.prod(tensor.shape) for tensor in stored)
