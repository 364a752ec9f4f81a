"""What can be known of the base models before the first job: access, weights, tokenizer.

Libraries and studies are imported where they are used: few experiments need them.
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from tuneatlas.config.load import resolve
from tuneatlas.config.models.data import FileDomain
from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.models.language_models import InFolder, OnHub, PackageModel
from tuneatlas.config.models.paraphrase import (
    EvaluateTasks,
    FinetuneParaphrase,
    GenerateParaphrases,
    PretrainTasks,
)
from tuneatlas.config.package_checks import FETCHED, whole
from tuneatlas.config.source import Found, Key
from tuneatlas.engine.operations import asking
from tuneatlas.errors import UserError
from tuneatlas.models.folder import (
    CONFIG,
    INDEX,
    WHOLE,
    cached_folder,
    folder_problems,
    format_problems,
)

# Questions of a file that are measured before the first job; the step looks at all.
MEASURED = 5_000
WEIGHTS = ("*.safetensors", "*.bin")
Generating = EvaluateTasks | GenerateParaphrases
Given = InFolder | OnHub


def check_models(experiment: Experiment, root: Path, due: Collection[str] | None = None) -> Found:
    """Problems with models that are folders or lie on the hub, each with its key.

    ``due``: the steps that will run; None: all. The hub is asked only for what will be fetched.
    """

    def fetches(step: str) -> bool:
        return due is None or step in due

    for name, paraphraser in experiment.paraphrasers.items():
        if isinstance(paraphraser, Given):
            at: Key = ("paraphrasers", name)
            problems = list(_given(at, paraphraser, root, fetches("prepare_paraphraser"), two=True))
            yield from problems
            if not problems and (folder := _at_hand(paraphraser, root)):
                yield from _paraphraser_lengths(experiment, root, name, folder)
    for name, model in experiment.models.items():
        if isinstance(model, PackageModel):
            yield from _packed(experiment, root, name, model)
        if not isinstance(model, Given):
            continue
        problems = list(_given(("models", name), model, root, fetches("prepare_base"), two=False))
        yield from problems
        if all(key[-1] == "dtype" for key, _ in problems) and (folder := _at_hand(model, root)):
            yield from _tokenizer(experiment, root, name, folder)


def models_to_fetch(experiment: Experiment, root: Path) -> Iterator[str]:
    """Models of the hub whose weights are not in the cache, each with the step that looks at it."""
    parts: dict[str, Mapping[str, object]] = {
        "models": experiment.models,
        "paraphrasers": experiment.paraphrasers,
    }
    for part, models in parts.items():
        for model in models.values():
            if isinstance(model, OnHub) and _at_hand(model, root) is None:
                step = "prepare_base" if part == "models" else "prepare_paraphraser"
                yield f"weights and tokenizer of {model.id} ({step} looks at them)"


def _paraphraser_lengths(experiment: Experiment, root: Path, name: str, folder: Path) -> Found:
    """Lengths of the syntax study beyond a model's positions; T5 has no such limit."""
    from tuneatlas.models.load import open_config
    from tuneatlas.models.positions import most_positions

    most = most_positions(open_config(folder))
    for section, values in experiment:
        if not isinstance(values, PretrainTasks | FinetuneParaphrase | Generating):
            continue
        for key in ("row_length", "max_length", "max_new_tokens"):
            length = getattr(values, key, 0)
            if length is None:
                length = _longest_paraphrase(experiment, root)
            if most is not None and length > most:
                text = f"{length} tokens are more than the {most} positions of paraphrasers.{name}"
                yield (section, key), f"{text} (its max_position_embeddings): lower this"


def _longest_paraphrase(experiment: Experiment, root: Path) -> int:
    """Tokens of the longest output that a format states."""
    from tuneatlas.studies.syntax.paraphrasing.formats import FOLDER, read_format

    names = experiment.finetune_paraphrase.formats
    return max((read_format(root / FOLDER / f"{name}.yaml").longest for name in names), default=0)


def _packed(experiment: Experiment, root: Path, name: str, model: PackageModel) -> Found:
    """The tokenizer and the lengths of a model in a package, if that is fetched."""
    path = root / FETCHED / model.package / model.file
    if not whole(root, resolve(experiment), model.package):
        return
    from tuneatlas.models.gguf import open_gguf_config, open_gguf_tokenizer
    from tuneatlas.models.positions import position_problems
    from tuneatlas.models.tokenizer_checks import tokenizer_problems

    asked = asking(experiment.model_dump(mode="json"))
    try:
        tokenizer, config = open_gguf_tokenizer(path), open_gguf_config(path)
    except UserError as error:
        yield ("models", name, "file"), str(error)
        return
    root = experiment._project
    yield from tokenizer_problems(name, tokenizer, asked, bos=model.bos, root=root)
    yield from position_problems(name, config, asked)


def _given(at: Key, model: Given, root: Path, fetched: bool, *, two: bool) -> Found:
    """What is wrong with a model that is at hand, or how it cannot be had."""
    given = "path" if isinstance(model, InFolder) else "id"
    if isinstance(model, OnHub):
        absent = list(_hub_problems(model)) if fetched else []
        yield from (((*at, option), text) for option, text in absent)
        if absent:
            return
    folder = _at_hand(model, root)
    if folder is None:
        return
    problems = folder_problems(folder)
    if not problems and not two:
        rounded = bool(getattr(model, "rounded", False))
        dtype = getattr(model, "dtype", "float32")
        formats = list(format_problems(folder, dtype, rounded=rounded))
        yield from (((*at, option or given), text) for option, text in formats)
        if any(not option for option, _ in formats):
            return
    if not problems:
        from tuneatlas.models.load import weight_problems

        problems = list(weight_problems(folder, two=two))
    yield from (((*at, given), text) for text in problems)


def _at_hand(model: Given, root: Path) -> Path | None:
    """The folder of a model: a local one, or that of a hub model whose weights are in the cache."""
    if isinstance(model, InFolder):
        return root / model.path
    from huggingface_hub import constants

    folder = cached_folder(model.id, model.revision)
    if folder and (constants.is_offline_mode() or any(folder.glob("*.safetensors"))):
        return folder
    # Nothing but weights in a form that is not read here.
    return folder if folder and any(folder.glob("*.bin")) else None


def _tokenizer(experiment: Experiment, root: Path, name: str, folder: Path) -> Found:
    """What the tokenizer must have: begin and end tokens, letters of one token, a chat template."""
    from tuneatlas.models.load import open_tokenizer
    from tuneatlas.models.tokenizer_checks import tokenizer_problems

    tokenizer = open_tokenizer(folder)
    asked = asking(experiment.model_dump(mode="json"))
    bos = experiment.models[name].bos
    problems = list(tokenizer_problems(name, tokenizer, asked, bos=bos, root=experiment._project))
    yield from problems
    if not problems:
        yield from _lengths(experiment, root, name, folder, tokenizer)


def _lengths(experiment: Experiment, root: Path, name: str, folder: Path, tokenizer: Any) -> Found:
    """Rows, windows and questions of own files that are longer than the model's positions."""
    from tuneatlas.data.questions import read_question_file
    from tuneatlas.models.load import open_config
    from tuneatlas.models.positions import most_positions, position_problems
    from tuneatlas.models.tokenizer_checks import overlong_question

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


def _hub_problems(model: OnHub) -> Iterator[tuple[str, str]]:
    from httpx2 import HTTPError
    from huggingface_hub import (
        constants,
        get_hf_file_metadata,
        hf_hub_url,
    )
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    offline = constants.is_offline_mode()
    folder = cached_folder(model.id, model.revision)
    if folder is not None and (offline or _holds_weights(folder)):
        return
    absent = f"{model.id} is not {'whole ' if folder else ''}in the hub's cache and"
    instead = "fetch it first, or use source: path with a local folder"
    if offline:
        yield "id", f"{absent} HF_HUB_OFFLINE is set: {instead}"
        return
    lacking = []
    try:
        for name in (CONFIG, WHOLE, INDEX):
            try:
                get_hf_file_metadata(hf_hub_url(model.id, name, revision=model.revision))
            except EntryNotFoundError:
                lacking.append(name)
    except GatedRepoError:
        yield "id", f"{model.id} is gated: ask for access on its page, then 'hf auth login'"
    except RevisionNotFoundError:
        yield "revision", f"{model.id} has no revision {model.revision}: correct the hash"
    except RepositoryNotFoundError:
        yield "id", f"the hub has no {model.id}, or keeps it private: correct it, or log in"
    except (HTTPError, OSError):
        yield "id", f"{absent} the hub cannot be reached: {instead}"
    if CONFIG in lacking or {WHOLE, INDEX} <= set(lacking):
        what = CONFIG if CONFIG in lacking else "*.safetensors weights, and others are not read"
        yield "id", f"{model.id} has no {what} at this revision: name another, or convert it"


def _holds_weights(folder: Path) -> bool:
    """Whether weights are there, in whatever form: what is wrong with them is said of them."""
    return any(True for ending in WEIGHTS for _ in folder.glob(ending))
