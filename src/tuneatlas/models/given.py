"""Checkpoints tuned elsewhere: brought as plain models, or refused if they are not of their base.

A folder that is given is only read. An adapter is merged into the base model, once, in single
precision.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.errors import Refusal, UserError
from tuneatlas.models.compatibility import refuse_unfit
from tuneatlas.models.folder import (
    ADAPTER,
    INDEX,
    TOKENIZERS,
    WHOLE,
    brought_folder,
    folder_problems,
    header,
    quantised_problem,
    read_object,
    stored_dtype,
)
from tuneatlas.models.load import (
    embedding_rows,
    load_model,
    open_config,
    open_network,
    open_tokenizer,
    vocabulary_problems,
)
from tuneatlas.models.save import CHAT_TEMPLATE, TOKENIZER_FILES, save_model

ADAPTER_WEIGHTS = "adapter_model.safetensors"
# What is to be done with a checkpoint that the atlas cannot measure.
LEFT_OUT = "leave it out of atlas.checkpoints"
# What makes another network of the same weights.
NETWORK = (
    *("model_type", "num_attention_heads", "num_key_value_heads", "head_dim"),
    *("hidden_act", "num_experts_per_tok"),
)
# What reads the same weights elsewhere, and may be meant: it is told.
STRETCHED = ("rope_parameters", "max_position_embeddings", "sliding_window")
# Parts of a tokenizer that say nothing of how a question is cut into tokens.
APART = ("added_tokens", "padding", "truncation", "post_processor", "decoder", "version")


def bring_checkpoint(
    folder: Path, base: Path, target: Path, beside: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Write a given checkpoint as a plain folder; figures and notes for the step's record.

    Args:
        folder: a model folder, or that of a LoRA or DoRA adapter; a tokenizer that it lacks is
            the base model's.
        base: the plain folder of its base model.
        target: the folder written.
        beside: further files of the target, by name.

    Raises:
        UserError: it cannot be opened, or is of another network or tokenizer than its base.
    """
    with whole_folder(folder, base) as source:
        if problem := next(given_problems(folder, source, base), None):
            raise UserError(problem)
        tokenizer = open_tokenizer(source)
        notes = list(_differences(source, base, tokenizer))
        if (folder / ADAPTER).exists():
            model = merge_adapter(folder, base, len(tokenizer))
            notes += _named_base(folder, base)
        else:
            model, _ = load_model(source, dtype=stored_dtype(source), place=False)
        refuse_unfit(model, tokenizer)
        save_model(target, model, tokenizer, beside=beside)
    return {"parameters": model.num_parameters(), "notes": notes}


def given_folder(options: Mapping[str, Any]) -> Path:
    """Where a checkpoint lies, from its entry: a folder, or fetched from the hub."""
    folder = brought_folder(options)
    if options["source"] == "hub" and (folder / ADAPTER).exists():
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

        # Of a repository without whole weights nothing but its descriptions was fetched.
        name, revision = options["id"], options["revision"]
        try:
            snapshot_download(name, revision=revision, allow_patterns=[ADAPTER_WEIGHTS])
        except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
            raise UserError(
                f"{name} at {revision} cannot be fetched from the hub: {error}"
            ) from error
    return folder


@contextmanager
def naming(key: str) -> Iterator[None]:
    """Messages of what goes wrong within name the ``key`` of the config."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{key}: {error}") from error


@contextmanager
def whole_folder(folder: Path, base: Path) -> Iterator[Path]:
    """``folder``, or a folder of links to its files and to those of the base that it lacks.

    Of an adapter it is the base model, with the adapter's tokenizer if it has one.
    """
    adapter = (folder / ADAPTER).exists()
    own = any((folder / name).is_file() for name in TOKENIZERS)
    if not folder.is_dir() or (own and not adapter):
        yield folder
        return
    with TemporaryDirectory() as place:
        network, coder = (base if adapter else folder), (folder if own else base)
        found = {p.name: p for p in network.iterdir() if p.name not in TOKENIZER_FILES}
        found |= {p.name: p for p in coder.iterdir() if p.name in TOKENIZER_FILES}
        if (folder / CHAT_TEMPLATE).is_file():
            found[CHAT_TEMPLATE] = folder / CHAT_TEMPLATE
        for name, path in found.items():
            (Path(place) / name).symlink_to(path.absolute())
        yield Path(place)


def given_problems(folder: Path, source: Path, base: Path) -> Iterator[str]:
    """What keeps a checkpoint from being compared with its base; no weights are loaded.

    ``source`` is what `whole_folder` makes of it.
    """
    if problem := sharded_problem(folder):
        yield problem
        return
    problems = folder_problems(source)
    yield from (text.replace(str(source), str(folder)) for text in problems)
    if problems:
        return
    if problem := quantised_problem(source):
        yield problem
        return
    try:
        tokenizer, own = open_tokenizer(source), open_tokenizer(base)
        if (folder / ADAPTER).exists():
            yield from _adapter_problems(folder)
        else:
            yield from _network_problems(source, base)
            network = open_network(source, device_map={"": "meta"})
            yield from vocabulary_problems(tokenizer, embedding_rows(network))
        yield from tokenizer_differences(tokenizer, own)
    except UserError as error:
        yield Refusal(str(error).replace(str(source), str(folder)))


def between_problem(folder: Path, source: Path, base: Path) -> str | None:
    """Why the atlas cannot measure a checkpoint beside its base, which `given_problems` passed.

    Both are asked in its layout, and what lies between their weights is asked too.
    """
    if said := _beyond(open_tokenizer(base), open_tokenizer(source)):
        return said
    if (folder / ADAPTER).exists():
        return None
    after, before = (
        {n: tuple(w.shape) for n, w in open_network(p, device_map={"": "meta"}).named_parameters()}
        for p in (source, base)
    )
    if unlike := sorted(n for n in after.keys() | before if after.get(n) != before.get(n)):
        name = unlike[0]
        return (
            f"{name} is of shape {after.get(name, 'none')}, in its base of "
            f"{before.get(name, 'none')}, so that nothing lies between them: {LEFT_OUT}"
        )
    return None


def layout_of(base: Path, tuned: Path) -> PreTrainedTokenizerBase:
    """The tokenizer in whose chat template a base model and one tuned from it are both asked.

    It is that of the tuned model, as a base may have no template. Raises UserError if it has tokens
    that the base does not know.
    """
    tokenizer = open_tokenizer(tuned)
    if said := _beyond(open_tokenizer(base), tokenizer):
        raise UserError(f"{tuned}: {said}")
    return tokenizer


def _beyond(base: PreTrainedTokenizerBase, tokenizer: PreTrainedTokenizerBase) -> str | None:
    """Why a base model cannot be asked what another tokenizer makes of a text."""
    more = _added(base, tokenizer)
    if not more:
        return None
    count = "1 token" if len(more) == 1 else f"{len(more)} tokens"
    return (
        f"its tokenizer has {count} that its base's lacks, such as {more[0]!r}, so that its base "
        f"cannot be asked as it is: {LEFT_OUT}"
    )


def _added(base: PreTrainedTokenizerBase, tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """Tokens that a base's tokenizer lacks, in the order of their numbers."""
    known, own = base.get_vocab(), tokenizer.get_vocab()
    return sorted(own.keys() - known, key=lambda token: int(own[token]))


def sharded_problem(folder: Path) -> str | None:
    """How to consolidate a folder that holds the state of a training in place of a model."""
    if not folder.is_dir():
        return Refusal(f"there is no folder {folder}")
    names = (WHOLE, INDEX, ADAPTER)
    if any((folder / name).exists() for name in names):
        return None
    if (folder / "zero_to_fp32.py").exists() or any(folder.glob("global_step*/*zero_pp_rank*")):
        return Refusal(
            f"{folder} holds a DeepSpeed checkpoint, in parts: consolidate it with 'python "
            f"zero_to_fp32.py . consolidated --safe_serialization' in it, copy config.json and "
            "the tokenizer beside the weights, and name that folder"
        )
    parts = [path.parent for path in folder.rglob("*.distcp")]
    if parts:
        return Refusal(
            f"{folder} holds an FSDP checkpoint, in parts: consolidate it with 'accelerate "
            f"merge-weights {min(parts)} consolidated', copy config.json and the tokenizer beside "
            "the weights, and name that folder"
        )
    return None


def _adapter_problems(folder: Path) -> Iterator[str]:
    kind = read_object(folder / ADAPTER).get("peft_type")
    if kind != "LORA":
        yield Refusal(
            f"{folder / ADAPTER} is of type {kind}: LoRA and DoRA adapters are merged here; merge "
            "others with peft, and name the merged model"
        )
    elif not (folder / ADAPTER_WEIGHTS).is_file():
        yield Refusal(
            f"{folder} has no {ADAPTER_WEIGHTS}: save the adapter with safe_serialization=True "
            "(peft does by itself)"
        )


def _network_problems(source: Path, base: Path) -> Iterator[str]:
    """In what a checkpoint is another network than its base; the embedding may have more rows."""
    ours, theirs = open_config(source), open_config(base)
    for key in NETWORK:
        one, other = getattr(ours, key, None), getattr(theirs, key, None)
        if one != other:
            yield Refusal(f"it has {key} {one}, its base {other}: name the base it was tuned from")
            return
    shapes = [_shapes(open_network(path, device_map={"": "meta"})) for path in (source, base)]
    if differ := sorted(n for n in shapes[0].keys() | shapes[1] if _differ(n, *shapes)):
        sizes = [str(found.get(differ[0], "none")) for found in shapes]
        yield Refusal(
            f"{differ[0]} is of shape {sizes[0]}, in its base of {sizes[1]}: name the base that it "
            "was tuned from"
        )


def _shapes(network: PreTrainedModel) -> dict[str, tuple[int, ...]]:
    """The shape of every weight; of embeddings that of a row, as they may be resized."""
    tables = [network.get_input_embeddings(), network.get_output_embeddings()]
    rows = {id(getattr(table, "weight", None)) for table in tables if table is not None}
    return {
        name: tuple(value.shape[1:] if id(value) in rows else value.shape)
        for name, value in network.named_parameters()
    }


def _differ(name: str, one: Mapping[str, object], other: Mapping[str, object]) -> bool:
    # One of two may share its output matrix with its input, which has one name then.
    tied = name.endswith("lm_head.weight") and (name not in one or name not in other)
    return not tied and one.get(name) != other.get(name)


def tokenizer_differences(
    tokenizer: PreTrainedTokenizerBase, base: PreTrainedTokenizerBase
) -> Iterator[str]:
    """In what a tokenizer cuts texts otherwise than its base's; tokens may have been added."""
    own, known = tokenizer.get_vocab(), base.get_vocab()
    if other := sorted((n, t) for t, n in known.items() if own.get(t) != n):
        number, token = other[0]
        yield Refusal(
            f"its tokenizer is not its base's: {_differ_by(len(other))}, such as {token!r}, "
            f"number {number} in the base and {own.get(token, 'none')} here; name the base that it "
            "was tuned from, or give it its own tokenizer"
        )
        return
    added = tokenizer.get_added_vocab()
    if more := sorted((n, t) for t, n in own.items() if t not in known and t not in added):
        yield Refusal(
            f"its tokenizer has {len(more)} tokens that its base's lacks and that were not added "
            f"to it, such as {more[0][1]!r}: name the base that it was tuned from"
        )
        return
    one, two = (_cutting(found) for found in (tokenizer, base))
    if parts := sorted(key for key in one.keys() | two if one.get(key) != two.get(key)):
        yield Refusal(
            f"its tokenizer cuts texts otherwise than its base's ({', '.join(parts)} in "
            "tokenizer.json differ): take the base's"
        )


def _differ_by(tokens: int) -> str:
    return "1 token differs" if tokens == 1 else f"{tokens} tokens differ"


def _cutting(tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    backend: Any = tokenizer.backend_tokenizer
    said: dict[str, Any] = json.loads(backend.to_str())
    return {key: value for key, value in said.items() if key not in APART}


def _differences(source: Path, base: Path, tokenizer: PreTrainedTokenizerBase) -> Iterator[str]:
    """What is told of a checkpoint that differs from its base as it may."""
    if more := _added(open_tokenizer(base), tokenizer):
        yield f"its tokenizer has {len(more)} added tokens, such as {more[0]!r}"
    rows = [embedding_rows(open_network(p, device_map={"": "meta"})) for p in (source, base)]
    if rows[0] != rows[1]:
        yield f"its embedding has {rows[0]} rows, its base's {rows[1]}"
    yield from _stretched(open_config(source), open_config(base))


def _stretched(ours: PreTrainedConfig, theirs: PreTrainedConfig) -> Iterator[str]:
    for key in STRETCHED:
        one, other = getattr(ours, key, None), getattr(theirs, key, None)
        if one != other:
            yield f"its config says {key} {one}, its base's {other}"


def _named_base(folder: Path, base: Path) -> list[str]:
    named = str(read_object(folder / ADAPTER).get("base_model_name_or_path") or "no model")
    return [f"an adapter whose {ADAPTER} names {named} as its base; it was merged into {base.name}"]


def merge_adapter(folder: Path, base: Path, tokens: int) -> PreTrainedModel:
    """The base model with an adapter merged into it, in single precision.

    ``tokens``: of the tokenizer; the embedding is resized if it has fewer rows, as for training.

    Raises:
        UserError: the adapter is of another model.
    """
    # Imported here, as few experiments need it and it takes its time.
    from peft import PeftConfig, get_peft_model, set_peft_model_state_dict
    from safetensors.torch import load_file

    path = folder / ADAPTER_WEIGHTS
    header(path)
    other = f"{folder} is no adapter of its base model"
    model, _ = load_model(base, place=False)
    if tokens > embedding_rows(model):
        model.resize_token_embeddings(tokens)
    try:
        config = PeftConfig.from_pretrained(str(folder))
        config.inference_mode = True
        tuned = get_peft_model(model, config)
        found: Any = set_peft_model_state_dict(tuned, load_file(path))
    except (ValueError, RuntimeError, TypeError, KeyError) as error:
        text = " ".join(str(error).split())[:300]
        raise UserError(f"{other}: {text}") from error
    lacking = [name for name in found.missing_keys if "lora_" in name]
    if wrong := sorted([*lacking, *found.unexpected_keys]):
        raise UserError(f"{other}: {wrong[0]} is not in both; name the base that it was tuned from")
    merged: PreTrainedModel = tuned.merge_and_unload(safe_merge=True)
    merged.requires_grad_(True)
    merged.eval()
    return merged
