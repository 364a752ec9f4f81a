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
# Base models are asked as they are; a paraphraser is in single precision throughout.
Given = PathModel | HubModel | PathParaphraser | HubParaphraser


def check_models(experiment: Experiment, root: Path) -> Found:
    """Problems with models that are folders or lie on the hub, each with its key."""
    for name, paraphraser in experiment.paraphrasers.items():
        if isinstance(paraphraser, PathParaphraser | HubParaphraser):
            yield from _given(("paraphrasers", name), paraphraser, root, two=True)
    for name, model in experiment.models.items():
        if not isinstance(model, PathModel | HubModel):
            continue
        problems = list(_given(("models", name), model, root, two=False))
        yield from problems
        if all(key[-1] == "dtype" for key, _ in problems) and (folder := _at_hand(model, root)):
            yield from _tokenizer(experiment, root, name, folder)


def _given(at: Key, model: Given, root: Path, *, two: bool) -> Found:
    """What is wrong with a model that is at hand, or how it cannot be had."""
    given = "path" if isinstance(model, PathModel | PathParaphraser) else "id"
    if isinstance(model, HubModel | HubParaphraser):
        absent = list(_hub_problems(model))
        yield from (((*at, option), text) for option, text in absent)
        if absent:
            return
    folder = _at_hand(model, root)
    if folder is None:
        return
    problems = folder_problems(folder)
    if not problems and not two:
        formats = list(format_problems(folder, getattr(model, "dtype", "float32")))
        yield from (((*at, option or given), text) for option, text in formats)
        if any(not option for option, _ in formats):
            return
    if not problems:
        # Imported here, as few experiments need it and it takes its time.
        from tuneatlas.loading import weight_problems

        problems = list(weight_problems(folder, two=two))
    yield from (((*at, given), text) for text in problems)


def _at_hand(model: Given, root: Path) -> Path | None:
    """The folder of a model: a local one, or that of a hub model whose weights are in the cache."""
    if isinstance(model, PathModel | PathParaphraser):
        return root / model.path
    from huggingface_hub import constants

    folder = cached_folder(model.id, model.revision)
    if folder and (constants.is_offline_mode() or any(folder.glob("*.safetensors"))):
        return folder
    # Nothing but weights in a form that is not read here.
    return folder if folder and any(folder.glob("*.bin")) else None


def _tokenizer(experiment: Experiment, root: Path, name: str, folder: Path) -> Found:
    """What the tokenizer must have: begin and end tokens, letters of one token, a chat template."""
    # Imported here, as few experiments need them and they take their time.
    from tuneatlas.loading import open_tokenizer
    from tuneatlas.tokenizer_checks import tokenizer_problems

    tokenizer = open_tokenizer(folder)
    asked = asking(experiment.model_dump(mode="json"))
    bos = experiment.models[name].bos
    problems = list(tokenizer_problems(name, tokenizer, asked, bos=bos, root=experiment._project))
    yield from problems
    if not problems:
        yield from _lengths(experiment, root, name, folder, tokenizer)


def _lengths(experiment: Experiment, root: Path, name: str, folder: Path, tokenizer: Any) -> Found:
    """Rows, windows and questions of own files that are longer than the model's positions."""
    # Imported here, as few experiments need them and they take their time.
    from tuneatlas.loading import open_config
    from tuneatlas.positions import most_positions, position_problems
    from tuneatlas.questions import read_question_file
    from tuneatlas.tokenizer_checks import overlong_question

    config = open_config(folder)
    asked = asking(experiment.model_dump(mode="json"))
    yield from position_problems(name, config, asked)
    limit = most_positions(config)
    if limit is None:
        return
    for domain, options in experiment.domains.items():
        if not isinstance(options, FileDomain):
            continue
        try:
            said = options.model_dump(mode="json")
            rows = read_question_file(root / options.path, domain, said)[:MEASURED]
        except (UserError, OSError):
            continue  # said of the file
        if text := overlong_question(tokenizer, limit, rows, asked, experiment._project):
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
    if cached_folder(model.id, model.revision) is not None:
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
