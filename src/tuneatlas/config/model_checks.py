"""What can be known of the base models before the first job: access, weights, tokenizer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tuneatlas.config.models.data import FileDomain
from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.models.language_models import HubModel, PathModel
from tuneatlas.config.models.paraphrase import HubParaphraser, PathParaphraser
from tuneatlas.config.source import Key
from tuneatlas.errors import UserError
from tuneatlas.model_folder import cached_folder, folder_problems, format_problems
from tuneatlas.sections import asking

# Questions of a file that are measured before the first job; the step looks at all.
MEASURED = 5_000

Found = Iterator[tuple[Key, str]]


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
        elif isinstance(model, HubModel):
            problems_of_hub = list(_hub_problems(model))
            yield from (((*at, option), text) for option, text in problems_of_hub)
            folder = cached_folder(model.id, model.revision, "tokenizer.json", "tokenizer.model")
            if problems_of_hub:
                continue
        if folder is not None:
            given = "path" if isinstance(model, PathModel) else "id"
            for option, text in format_problems(folder, model.dtype):
                yield (*at, option or given), text
            yield from _tokenizer(experiment, root, name, folder)


def _tokenizer(experiment: Experiment, root: Path, name: str, folder: Path) -> Found:
    """What the tokenizer must have: begin and end tokens, letters of one token, a chat template."""
    # Imported here, as few experiments need them and they take their time.
    from transformers import AutoTokenizer

    from tuneatlas.tokenizer_checks import tokenizer_problems

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        yield ("models", name), f"the tokenizer in {folder} cannot be opened: {error}"
        return
    asked = asking(experiment.model_dump(mode="json"))
    bos = experiment.models[name].bos
    problems = list(tokenizer_problems(name, tokenizer, asked, bos=bos, root=root))
    yield from problems
    if not problems:
        yield from _lengths(experiment, root, name, folder, tokenizer)


def _lengths(experiment: Experiment, root: Path, name: str, folder: Path, tokenizer: Any) -> Found:
    """Questions of own files that are longer than the model; the first ones of each file."""
    # Imported here, as few experiments need them and they take their time.
    from transformers import AutoConfig

    from tuneatlas.positions import positions
    from tuneatlas.questions import read_question_file
    from tuneatlas.tokenizer_checks import overlong_question

    try:
        limit = positions(AutoConfig.from_pretrained(str(folder), local_files_only=True))
    except (OSError, ValueError, KeyError):
        return  # said where the model itself is opened
    if limit is None:
        return
    asked = asking(experiment.model_dump(mode="json"))
    for domain, options in experiment.domains.items():
        if not isinstance(options, FileDomain):
            continue
        try:
            rows = read_question_file(root / options.path, domain)[:MEASURED]
        except (UserError, OSError):
            continue  # said of the file
        if text := overlong_question(tokenizer, limit, rows, asked, root):
            yield ("domains", domain, "path"), f"{options.path}, models.{name}: {text}"


def _hub_problems(model: HubModel | HubParaphraser) -> Iterator[tuple[str, str]]:
    # Imported here, as few experiments need them and they take their time.
    from httpx2 import HTTPError
    from huggingface_hub import (
        constants,
        get_hf_file_metadata,
        hf_hub_url,
    )
    from huggingface_hub.errors import (
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    offline = constants.is_offline_mode()
    cached = cached_folder(model.id, model.revision)
    if cached is not None:
        if offline:
            for text in folder_problems(cached):
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
