"""Combinations of values that the syntax study cannot have.

The study is imported where it is asked, as few experiments have it.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from tuneatlas.config.knowledge_checks import too_many
from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.models.paraphrase import STARTS
from tuneatlas.config.models.paraphrasers import ScratchParaphraser
from tuneatlas.config.shape import nearest
from tuneatlas.config.source import Conflict, Key
from tuneatlas.errors import UserError

FORMATS: Key = ("finetune_paraphrase", "formats")
MASKS: Key = ("pretrain_syntax", "masks")


def names(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Formats, starts and tasks that there are none of."""
    if not experiment.paraphrasers:
        return
    from tuneatlas.studies.syntax.paraphrasing.formats import FOLDER
    from tuneatlas.studies.syntax.pretraining.structure_tasks import STRUCTURE_TASKS
    from tuneatlas.studies.syntax.pretraining.syntax_tasks import SYNTAX_TASKS

    tuning, tasks = experiment.finetune_paraphrase, experiment.build_tasks
    left_out = experiment.pretrain_syntax.masks
    known_formats = sorted(path.stem for path in (root / FOLDER).glob("*.yaml"))
    named: list[tuple[Key, tuple[str, ...], Iterable[str]]] = [
        (FORMATS, tuning.formats, known_formats),
        (("finetune_paraphrase", "starts"), tuning.starts, (*STARTS, *left_out)),
        (("build_tasks", "structure_tasks"), tasks.structure_tasks, STRUCTURE_TASKS),
        (("build_tasks", "syntax_tasks"), tasks.syntax_tasks, SYNTAX_TASKS),
        *(((*MASKS, name), without, SYNTAX_TASKS) for name, without in left_out.items()),
        *(
            (("systems", name, "format"), (system.format,), known_formats)
            for name, system in experiment.systems.items()
            if system.format
        ),
    ]
    for at, given, known in named:
        for name in given:
            if name not in known:
                yield (at,), f"there is no {name!r}{nearest(name, list(known))}"


def formats(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Formats whose files cannot be read, or say what cannot be done."""
    if not experiment.paraphrasers:
        return
    from tuneatlas.studies.syntax.paraphrasing.formats import FOLDER, read_format

    named: list[tuple[Key, str | None]] = [
        *((FORMATS, name) for name in dict.fromkeys(experiment.finetune_paraphrase.formats)),
        *((("systems", k, "format"), system.format) for k, system in experiment.systems.items()),
    ]
    for key, name in named:
        path = root / FOLDER / f"{name}.yaml"
        if name and path.exists():
            try:
                read_format(path)
            except UserError as error:
                yield (key,), str(error)


def systems(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Outputs of other systems with nothing to stand beside."""
    if experiment.systems and not experiment.paraphrasers:
        text = "rows of a comparison that there is none of: name a paraphraser, or use "
        yield (("systems",), ("paraphrasers",)), f"{text}tuneatlas score"


def masks(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Starts without some tasks that are called as others are, or have none left."""
    if not experiment.paraphrasers:
        return
    from tuneatlas.studies.syntax.pretraining.syntax_tasks import SYNTAX_TASKS

    for name, without in experiment.pretrain_syntax.masks.items():
        if name in STARTS:
            yield ((*MASKS, name),), f"{name!r} is the name of another start: choose one"
        elif set(without) == set(SYNTAX_TASKS):
            yield ((*MASKS, name),), "no task of stage 2 is left: leave out fewer"


def chosen_epoch(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """An epoch to be chosen by pairs that there are none of."""
    tuning, asked = experiment.finetune_paraphrase, experiment.prepare_sentences.pairs
    if experiment.paraphrasers and tuning.choose == "dev" and not asked.dev and tuning.epochs > 1:
        text = "there are no pairs of dev to choose an epoch by: ask for some, or choose the last"
        yield (("prepare_sentences", "pairs", "dev"), ("finetune_paraphrase", "choose")), text


def idle_shards(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """More jobs to share the test pairs than there are; those of own files are counted later."""
    sentences = experiment.prepare_sentences
    if experiment.paraphrasers and not sentences.files.test:
        yield from too_many(
            experiment, "generate_paraphrases", [sentences.pairs.test], "test pairs"
        )


def own_pairs(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Own files of pairs, but not all of them, or without their licence."""
    if not experiment.paraphrasers:
        return
    files = experiment.prepare_sentences.files.model_dump(exclude={"columns", "parses"})
    missing = [name for name in ("train", "dev", "test", "licence") if not files[name]]
    if any(files.values()) and missing:
        yield (("prepare_sentences", "files", missing[0]),), "missing; your own files need it"


def given_parses(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Parses of a file that is not named."""
    files = experiment.prepare_sentences.files
    for name, path in files.parses.model_dump().items():
        if path and not getattr(files, name):
            key: Key = ("prepare_sentences", "files")
            yield ((*key, "parses", name), (*key, name)), f"parses of what? files.{name} is not set"


def heads(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Attention heads that do not divide the width of an encoder-decoder."""
    for name, model in experiment.paraphrasers.items():
        if isinstance(model, ScratchParaphraser) and model.hidden_size % model.heads:
            key: Key = ("paraphrasers", name)
            text = f"{model.heads} heads do not divide hidden_size {model.hidden_size}"
            yield ((*key, "heads"), (*key, "hidden_size")), text
