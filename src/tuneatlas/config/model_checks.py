"""What can be known of the base models before the first job: access, weights, tokenizer."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.models.language_models import HubModel, PathModel
from tuneatlas.config.models.paraphrase import HubParaphraser, PathParaphraser
from tuneatlas.config.source import Key
from tuneatlas.errors import UserError
from tuneatlas.model_folder import folder_problems, is_quantised, stored_formats
from tuneatlas.prompts import OWN_CHAT, ChatTemplate

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Found = Iterator[tuple[Key, str]]

CHATS = Path("config/templates/chat")
# Number formats of weights that the option dtype holds without loss.
LOSSLESS = {"float32": {"F32", "F16", "BF16"}, "float16": {"F16"}, "bfloat16": {"BF16"}}


def check_models(experiment: Experiment, root: Path) -> Found:
    """Problems with models that are folders or lie on the hub, each with its key."""
    for name, paraphraser in experiment.paraphrasers.items():
        if isinstance(paraphraser, PathParaphraser):
            for text in folder_problems(root / paraphraser.path):
                yield ("paraphrasers", name, "path"), text
        elif isinstance(paraphraser, HubParaphraser):
            for option, text in _hub_problems(paraphraser):
                yield ("paraphrasers", name, option), text
    for name, model in experiment.models.items():
        at: Key = ("models", name)
        folder: Path | None = None
        if isinstance(model, PathModel):
            folder = root / model.path
            problems = folder_problems(folder)
            yield from (((*at, "path"), text) for text in problems)
            if problems:
                continue
            yield from ((at + key, text) for key, text in _formats(folder, model.dtype))
        elif isinstance(model, HubModel):
            problems_of_hub = list(_hub_problems(model))
            yield from (((*at, option), text) for option, text in problems_of_hub)
            folder = _cached(model)
            if problems_of_hub:
                continue
        if folder is not None:
            yield from _tokenizer(experiment, root, name, folder)


def _formats(folder: Path, dtype: str) -> Iterator[tuple[Key, str]]:
    """Whether the weights fit the number format they are asked in."""
    # Masks and positions in old checkpoints are integers.
    stored = {name for name in stored_formats(folder) if name.startswith(("F", "BF"))}
    if is_quantised(folder) or (stored - LOSSLESS["float32"]):
        text = f"{folder} holds quantised weights ({', '.join(sorted(stored))}), which cannot be "
        yield ("path",), text + "tuned: save the model as float32 or bfloat16"
    elif lost := sorted(stored - LOSSLESS[dtype]):
        text = f"{dtype} would round weights that {folder} stores as {', '.join(lost)}"
        yield ("dtype",), f"{text}: say dtype: float32, or save the model in {dtype}"


def _cached(model: HubModel) -> Path | None:
    """The folder of a hub model in the local cache, if its tokenizer is there."""
    from huggingface_hub import try_to_load_from_cache

    for name in ("tokenizer.json", "tokenizer.model"):
        found = try_to_load_from_cache(model.id, name, revision=model.revision)
        if isinstance(found, str):
            return Path(found).parent
    return None


def _tokenizer(experiment: Experiment, root: Path, name: str, folder: Path) -> Found:
    """What the tokenizer must have: begin and end tokens, letters of one token, a chat template."""
    # Imported here, as few experiments need it and it takes its time.
    from transformers import AutoTokenizer

    at: Key = ("models", name)
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        yield at, f"the tokenizer in {folder} cannot be opened: {error}"
        return
    if tokenizer.eos_token_id is None:
        yield at, f"the tokenizer in {folder} has no end token, so replies would never end"
    if experiment.models[name].bos and tokenizer.bos_token_id is None:
        text = f"the tokenizer in {folder} has no begin token: say bos: false"
        yield (*at, "bos"), text
    yield from _letters(experiment, name, tokenizer)
    yield from _chats(experiment, root, name, tokenizer)


def _letters(experiment: Experiment, name: str, tokenizer: "PreTrainedTokenizerBase") -> Found:
    from tuneatlas.tokens import encode_pairs

    for section in ("probe_knowledge", "evaluate_knowledge"):
        if getattr(experiment, section).scoring != "letter":
            continue
        coded = encode_pairs(tokenizer, [("Answer:", f" {x}") for x in "ABCD"], False)
        long = {x: len(ids) for x, (_, ids) in zip("ABCD", coded, strict=True) if len(ids) != 1}
        if long:
            letter, count = next(iter(long.items()))
            text = (
                f"letter: the tokenizer of models.{name} writes option {letter!r} as {count} "
                "tokens, so its probability is not that of the answer; use scoring: cloze"
            )
            yield (section, "scoring"), text


def _chats(
    experiment: Experiment, root: Path, name: str, tokenizer: "PreTrainedTokenizerBase"
) -> Found:
    from tuneatlas.chat_templates import fit_chat

    sections = ["finetune", "evaluate_knowledge"]
    sections += ["finetune_stages"] if experiment.staged_domains else []
    for section in sections:
        chosen = getattr(experiment, section).chat_template
        if chosen != OWN_CHAT:
            continue
        try:
            fit_chat(ChatTemplate.load(root / CHATS / f"{chosen}.yaml"), tokenizer)
        except UserError as error:
            yield (section, "chat_template"), f"models.{name}: {error}"


def _hub_problems(model: HubModel | HubParaphraser) -> Iterator[tuple[str, str]]:
    # Imported here, as few experiments need them and they take their time.
    from httpx2 import HTTPError
    from huggingface_hub import (
        constants,
        get_hf_file_metadata,
        hf_hub_url,
        try_to_load_from_cache,
    )
    from huggingface_hub.errors import (
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    offline = constants.is_offline_mode()
    cached = try_to_load_from_cache(model.id, "config.json", revision=model.revision)
    if isinstance(cached, str):
        if offline:
            for text in folder_problems(Path(cached).parent):
                yield "id", f"{text} (HF_HUB_OFFLINE is set)"
        return
    absent = f"{model.id} is not in the hub's cache and"
    instead = "fetch it first, or use source: path with a local folder"
    if offline:
        yield "id", f"{absent} HF_HUB_OFFLINE is set: {instead}"
        return
    try:
        get_hf_file_metadata(hf_hub_url(model.id, "config.json", revision=model.revision))
    except GatedRepoError:
        yield "id", f"{model.id} is gated: ask for access on its page, then 'hf auth login'"
    except RevisionNotFoundError:
        yield "revision", f"{model.id} has no revision {model.revision}: correct the hash"
    except RepositoryNotFoundError:
        yield "id", f"the hub has no {model.id}, or keeps it private: correct it, or log in"
    except (HTTPError, OSError):
        yield "id", f"{absent} the hub cannot be reached: {instead}"
