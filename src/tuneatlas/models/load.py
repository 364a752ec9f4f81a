"""The one loader: a folder's weights are a model's, name by name and shape by shape, or refused.

transformers puts random numbers where weights are missing, drops those it has no place for, lays
an adapter over them, and runs code that a folder names; none of this happens here.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils.logging import disable_progress_bar

from tuneatlas.errors import Refusal, UserError
from tuneatlas.models.folder import (
    CONFIG,
    folder_problems,
    quantised_problem,
    read_object,
    tensors,
    weight_files,
)

# What libraries raise on files that are damaged or say what cannot be.
DAMAGED = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RecursionError,
    ImportError,
    SafetensorError,
    StrictDataclassError,
)
OPENING = {"trust_remote_code": False, "local_files_only": True}
SHOWN = 3  # names in a message
# Its table of what it did not find, and that a head is a model's own: raised or seen to here.
SAID = ("LOAD REPORT", "so we will NOT tie them")
logging.getLogger("transformers.modeling_utils").addFilter(
    lambda record: not any(text in record.getMessage() for text in SAID)
)


def open_config(folder: Path) -> PreTrainedConfig:
    """A model's config; UserError if the folder is not whole, or no config that can be."""
    if problems := folder_problems(folder):
        raise UserError("; ".join(problems))
    try:
        config: PreTrainedConfig = AutoConfig.from_pretrained(folder, **OPENING)
    except DAMAGED as error:
        raise UserError(f"{folder / CONFIG} does not describe a model: {_brief(error)}") from error
    _refuse_impossible(folder, config)
    return config


def _refuse_impossible(folder: Path, config: PreTrainedConfig) -> None:
    """Before a model of a size that the stored weights cannot have is made."""
    stored = tensors(folder)
    largest = max(max(tensor.shape, default=1) for tensor in stored.values())
    for key, most in (
        ("num_hidden_layers", len(stored)),
        ("vocab_size", largest),
        ("hidden_size", largest),
    ):
        said = getattr(config, key, 0)
        if isinstance(said, int) and said > most:
            raise UserError(
                f"{folder / CONFIG} says {key} {said}, but the {len(stored)} stored weights, none "
                f"larger than {largest}, cannot be of such a model"
            )


def open_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """A model's tokenizer; UserError if it cannot be opened, or tells no places of its tokens."""
    if (folder / "tokenizer.json").exists():
        refuse_damaged_tokenizer(folder / "tokenizer.json")
    elif not (folder / "vocab.json").exists() and not find_spec("sentencepiece"):
        raise UserError(
            f"the tokenizer in {folder} is a sentencepiece model alone, and sentencepiece is not "
            "installed: save the tokenizer as tokenizer.json (where transformers and "
            "sentencepiece are, load it and save it again), or install sentencepiece"
        )
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder, **OPENING)
    except DAMAGED as error:
        raise UserError(
            f"the tokenizer in {folder} cannot be opened: {_brief(error)}; take the model's own"
        ) from error
    if not isinstance(tokenizer.model_max_length, int | float):
        raise UserError(
            f"{folder / 'tokenizer_config.json'}: model_max_length is "
            f"{str(tokenizer.model_max_length)[:40]!r}, which is not a number of tokens"
        )
    if not tokenizer.is_fast:
        raise UserError(
            f"the tokenizer in {folder}, a {type(tokenizer).__name__}, does not tell which text "
            "its tokens are of: a fast tokenizer is needed (tokenizer.json)"
        )
    return tokenizer


def refuse_damaged_tokenizer(path: Path) -> None:
    """The library raises bare exceptions or panics, so it is asked apart from all else."""
    if not path.is_file():
        raise UserError(f"{path} is not a regular file, or is a broken link: fetch it again")
    try:
        Tokenizer.from_file(str(path))
    except BaseException as error:
        # What it raises on a panic is no Exception, and nothing that could be imported.
        if type(error) is not Exception and type(error).__name__ != "PanicException":
            raise
        raise UserError(f"{path} is damaged ({error}): fetch the model again") from error


def open_network(
    folder: Path, *, dtype: str = "float32", device_map: str | Mapping[str, str] | None = None
) -> PreTrainedModel:
    """The model in a folder, of whichever kind, in evaluation mode.

    Raises:
        UserError: if the stored weights are not, one by one, those that its config asks for.
    """
    config = open_config(folder)
    # Of the family's own code, not an architecture's that the folder names.
    kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    return opened(kind, folder, dtype=dtype, device_map=device_map)


def opened(kind: Any, where: Path, what: Path | None = None, **options: Any) -> PreTrainedModel:
    """``kind.from_pretrained``, strictly; ``what`` is the file or folder named in messages."""
    what = what or where
    try:
        # Sizes that differ are told with all else.
        model, info = kind.from_pretrained(
            where,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            use_safetensors=True,
            **OPENING,
            **options,
        )
    except DAMAGED as error:
        raise UserError(f"{what} cannot be opened as a model: {_brief(error)}") from error
    if problems := list(loading_problems(info)):
        raise UserError(f"{what} is not the model that it says it is: {'; '.join(problems)}")
    if has_own_head(model):
        # A T5 is said to be tied whatever its file says, and would be once tokens are added.
        model.config.tie_word_embeddings = False
    found: PreTrainedModel = model.eval()
    return found


def has_own_head(model: PreTrainedModel) -> bool:
    """Whether the output matrix is another than the input's."""
    inputs: Any = model.get_input_embeddings()
    outputs: Any = model.get_output_embeddings()
    return outputs is not None and outputs.weight is not inputs.weight


def loading_problems(info: Mapping[str, Any]) -> Iterator[str]:
    """What ``output_loading_info`` of transformers tells, by name."""
    if missing := sorted(info["missing_keys"]):
        yield Refusal(f"{_names(missing)} missing among its weights")
    if unexpected := sorted(info["unexpected_keys"]):
        yield Refusal(f"{_names(unexpected)} stored, but no part of a model of its config")
    for name, stored, wanted in sorted(info["mismatched_keys"])[:SHOWN]:
        yield Refusal(f"{name} is stored as {tuple(stored)}, its config says {tuple(wanted)}")
    yield from info["error_msgs"]


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more} {'is' if len(names) == 1 else 'are'}"


def weight_problems(folder: Path, *, two: bool) -> Iterator[str]:
    """What keeps a whole folder from being used, told from its headers; no weights are loaded.

    ``two``: an encoder-decoder is wanted, else a causal model.
    """
    try:
        config = open_config(folder)
        if config.is_encoder_decoder != two:
            yield Refusal(
                f"{folder} is {'no' if two else 'an'} encoder-decoder ({config.model_type}): "
                "paraphrasers are, models are not"
            )
            return
        if problem := quantised_problem(folder):
            yield problem
            return
        network = open_network(folder, device_map={"": "meta"})
        tokenizer = open_tokenizer(folder)
    except UserError as error:
        yield Refusal(error)
        return
    if two:
        yield from _decoder_problems(folder, network)
    yield from _head_problems(folder, network)
    yield from vocabulary_problems(tokenizer, embedding_rows(network))


def _decoder_problems(folder: Path, network: PreTrainedModel) -> Iterator[str]:
    """Whether it is known how what the decoder writes begins."""
    if not hasattr(network, "prepare_decoder_input_ids_from_labels"):
        yield Refusal(
            f"{folder} is a {network.config.model_type}, of which transformers does not say how "
            "its decoder is trained: use another encoder-decoder, such as a T5"
        )
    elif getattr(network.config, "decoder_start_token_id", None) is None:
        yield Refusal(
            f"{folder / CONFIG} lacks decoder_start_token_id, the token that what is written "
            "begins with: add it (in a T5 it is pad_token_id)"
        )


def _head_problems(folder: Path, network: PreTrainedModel) -> Iterator[str]:
    """Whether what the config says of a shared output matrix is so in the weights.

    A T5 is always tied by transformers 5, which then takes a head of its own, if there is one.
    """
    said = read_object(folder / CONFIG)
    tied = said.get("tie_word_embeddings", True) is not False
    stored = tensors(folder)
    for target, source in network.all_tied_weights_keys.items():
        head = target.endswith("lm_head.weight")
        if head and not tied and target not in stored:
            yield Refusal(
                f"{folder} lacks {target}, though {CONFIG} says tie_word_embeddings: false: save "
                "the model again, or say true if its output matrix is that of its input"
            )
        apart = not tied or said.get("scale_decoder_outputs") is False
        both = target in stored and source in stored
        if both and not (head and apart) and not _same(folder, target, source):
            yield Refusal(
                f"{folder} stores {target} and {source} with different values, though {CONFIG} "
                "says that they are one (tie_word_embeddings): say false there, or take out one"
            )


def _same(folder: Path, one: str, other: str) -> bool:
    found: dict[str, torch.Tensor] = {}
    for path in weight_files(folder):
        with safe_open(path, framework="pt") as file:
            found |= {name: file.get_tensor(name) for name in {one, other} & {*file.keys()}}
    return torch.equal(found[one], found[other])


def embedding_rows(network: PreTrainedModel) -> int:
    """How many tokens the model has embeddings for."""
    table: Any = network.get_input_embeddings()
    # With ZeRO-3 each process holds a part, and the shape of the whole stands beside it.
    return int(getattr(table.weight, "ds_shape", table.weight.shape)[0])


def vocabulary_problems(tokenizer: PreTrainedTokenizerBase, rows: int) -> Iterator[str]:
    """Tokens without an embedding that a text may hold.

    Padding is never looked at, and a token that was added for another use of the model (images)
    is in no text of ours.
    """
    added = set(tokenizer.get_added_vocab())
    used = {tokenizer.bos_token, tokenizer.eos_token}
    template = str(tokenizer.chat_template or "")
    beyond = [
        (number, token)
        for token, number in tokenizer.get_vocab().items()
        if number >= rows and token != tokenizer.pad_token
    ]
    if wrong := [b for b in beyond if b[1] not in added or b[1] in used or b[1] in template]:
        number, token = min(wrong)
        yield Refusal(
            f"the tokenizer has {len(tokenizer)} tokens, the embedding {rows} rows ({token!r} is "
            f"number {number}): resize it, or take the model's own tokenizer"
        )


def refuse_not_finite(model: PreTrainedModel) -> None:
    """Raise UserError if weights are NaN or infinite, by name."""
    wrong = [n for n, value in model.named_parameters() if not bool(torch.isfinite(value).all())]
    if wrong:
        raise UserError(f"{_names(wrong)} not finite (NaN or infinite): fetch the model again")


def _brief(error: BaseException) -> str:
    """The first lines of what a library says; some list all that they know."""
    text = str(error) or type(error).__name__
    if isinstance(error, KeyError):
        text = f"no {text}"
    return " ".join(text.split())[:300]


def load_model(
    folder: Path, *, dtype: str = "float32", place: bool = True
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Model and tokenizer of a folder, in evaluation mode.

    Args:
        folder: a plain Hugging Face folder; its weights are the model's to the last, or UserError.
        dtype: number format of the weights.
        place: put it on the accelerator that is this process's, over several if there are
            several. Training leaves that to the trainer.
    """
    devices = torch.cuda.device_count() if place else 0
    model = open_network(folder, dtype=dtype, device_map="auto" if devices > 1 else None)
    if devices == 1:
        torch.nn.Module.to(model, "cuda")
    return model, open_tokenizer(folder)


def pad_id(tokenizer: PreTrainedTokenizerBase, rows: int) -> int:
    """The id to fill rows with; padding is never attended to, so any of ``rows`` tokens will do."""
    for token in (tokenizer.pad_token_id, tokenizer.eos_token_id):
        if token is not None and token < rows:
            return int(token)
    return 0


disable_progress_bar()
