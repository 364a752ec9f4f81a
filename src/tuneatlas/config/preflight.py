"""What can be known before the first job: files, models, disk. All problems in one message."""

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from itertools import chain, islice, product
from pathlib import Path
from typing import Literal

from tuneatlas.config.checks import lacks_dev, none_out, out_of_domain, unreached
from tuneatlas.config.model_checks import check_models
from tuneatlas.config.models.data import FileDomain
from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.models.language_models import ScratchModel
from tuneatlas.config.source import Key, Place, Problem, refuse
from tuneatlas.config.trainings import deepspeed_problems, trainings
from tuneatlas.errors import UserError
from tuneatlas.sizing.shapes import known_shape

# structure: what a dry-run needs; data: what a real run needs besides.
Level = Literal["structure", "data"]
Found = Iterator[tuple[Key, str]]
Check = Callable[[Experiment, Path], Found]

OUTPUTS = ("results", "logs", "benchmarks")
TABLES_BYTES = 200 * 2**20
# Weights, and the two moments of the optimizer, in single precision.
CHECKPOINT_BYTES = 12
TRAINED_BYTES = 4
# Of each file of a corpus, which may be as large as the disk.
DOCUMENTS_READ = 1000


def preflight(experiment: Experiment, root: Path, level: Level = "data") -> None:
    """Raise one UserError that lists all that would stop a run, with lines of the config.

    Args:
        experiment: a loaded experiment.
        root: the folder the workflow runs in; paths in the config are relative to it.
        level: ``structure`` for a dry-run (no data needed), ``data`` for a real run.
    """
    checks = STRUCTURE + (DATA if level == "data" else ())
    problems = [
        Problem(key, text, where(experiment, key))
        for key, text in chain.from_iterable(check(experiment, root) for check in checks)
    ]
    refuse(problems, f"{experiment.name}: {len(problems)} problems before the first job:")


def where(experiment: Experiment, key: Key) -> Place:
    """The place in the config that states ``key``, or the section it would stand in."""
    source = experiment._source
    return source.place_of(key) if source else Place(Path("experiment"), 1)


def _deepspeed(experiment: Experiment, root: Path) -> Found:
    for key, training in trainings(experiment).items():
        if training.deepspeed is not None:
            for text in deepspeed_problems(root / training.deepspeed, training):
                yield (*key, "deepspeed"), text


def _questions(experiment: Experiment, root: Path) -> Found:
    # Imported here, as a dry-run needs no tables.
    from tuneatlas.domains import prepare_own
    from tuneatlas.duplicates import Key, index
    from tuneatlas.questions import check_followed
    from tuneatlas.tables import ROLES, Row

    counted: dict[str, Counter[str]] = {}
    owners: dict[str, tuple[str, Path]] = {}
    others: dict[Key, Row] = {}
    # By name, as the steps take them: of two domains the later one has the repetition.
    for name, domain in sorted(experiment.domains.items()):
        if not isinstance(domain, FileDomain):
            continue
        at: tuple[str, ...] = ("domains", name)
        path = root / domain.path
        try:
            rows = prepare_own(name, path, domain.model_dump(mode="json"), others).rows
        except UserError as error:
            yield (*at, "path"), str(error)
            continue
        others = index(rows) | others
        counts = Counter((row["role"], row["split"]) for row in rows)
        for key, text in _too_few(experiment, domain, counts):
            yield (*at, *key), f"{path} {text}"
        repeated = [row["id"] for row in rows if row["id"] in owners]
        if repeated:
            other, file = owners[repeated[0]]
            text = f"{path} has {len(repeated)} ids that other domains have, such as "
            text += f"{repeated[0]!r} of {file} (domains.{other})"
            yield (*at, "path"), f"{text}: an id names one question, so change or leave out one"
        owners |= {row["id"]: (name, path) for row in rows}
        if experiment.stage_forgetting.groups:
            try:
                check_followed(row for row in rows if row["split"] == "test")
            except UserError as error:
                yield (*at, "path"), f"{path}: {error}"
        if experiment.stage_forgetting.groups and name in experiment.staged_domains:
            beyond = unreached(experiment.finetune_stages, name, counts["home", "train"])
            if beyond:
                yield ("finetune_stages", "steps"), beyond
        tests = Counter({role: counts[role, "test"] for role in ROLES})
        tests["related"] += len(domain.related)
        if any(tests.values()):
            counted[name] = tests
    yield from _none_out(experiment, counted)


def _none_out(experiment: Experiment, counted: Mapping[str, Counter[str]]) -> Found:
    """A tuned domain without tests out of it; ``counted`` are those of question files, by role."""
    for tuned in experiment.tuned_domains:
        out = [
            counted[name][role] if name in counted else 1
            for name, roles in out_of_domain(experiment, tuned).items()
            for role in roles
        ]
        if out and not any(out):
            yield ("compare_groups", "ood_roles"), none_out(experiment, tuned)
            return


def _too_few(experiment: Experiment, domain: FileDomain, counts: Counter[tuple[str, str]]) -> Found:
    if {split for _, split in counts} == {"train"} and not domain.related:
        text = "has questions of split train only, as one has that states none: say in the column "
        yield ("path",), f"{text}'split' which are dev (the few-shot pool) and which are test"
        return
    for limit, asked in domain.limits:
        split = limit.removeprefix("related_")
        if split != limit and domain.related:
            continue  # sets have them
        have = counts["home" if limit == split else "related", split]
        if asked is not None and have < asked:
            text = f"has {have} such questions, {asked} are asked for: lower this, or add some"
            yield ("limits", limit), text
    steps = {"probe_knowledge": experiment.probe_knowledge.shots}
    own, shots = counts["related", "dev"], experiment.probe_knowledge.shots
    if domain.limits.related_dev is None and lacks_dev(domain) and own < shots:
        text = f"has {own} questions of role related in split dev, too few for {shots} shots, and "
        yield ("limits", "related_dev"), f"{text}its sets have none of their own: say how many"
    if domain.tune:
        steps["explain_predictions"] = experiment.explain_predictions.shots
    for role, step in product(("home", "related"), steps):
        if role == "related" and domain.related:
            continue  # sets have them
        have, shots = counts[role, "dev"], steps[step]
        # Predictions are explained for the questions trained on, of role home.
        asked = counts[role, "train"] + (counts[role, "test"] if step == "probe_knowledge" else 0)
        if asked and have < shots:
            text = f"has {have} questions of role {role} in split dev, too few for {shots} shots"
            yield ("path",), f"{text}: add some, or lower {step}.shots"
    if domain.tune and not counts["home", "train"]:
        yield ("path",), "has no question of role home in split train, but the domain is tuned"
    if not counts["home", "test"] + counts["related", "test"] + len(domain.related):
        yield ("path",), "has no question in split test"


def _pair_files(experiment: Experiment, root: Path) -> Found:
    """All pairs and sentences that the run will use, read as it will read them."""
    # Imported here, as few experiments have this study.
    from tuneatlas.syntax.pair_files import read_numbered, read_sentences

    options = experiment.prepare_sentences
    if not experiment.paraphrasers:
        return
    columns = options.files.columns.model_dump()
    for split in ("train", "dev", "test"):
        path: str | None = getattr(options.files, split)
        if path:
            pairs = partial(read_numbered, root / path, columns)
            yield from _read(
                ("prepare_sentences", "files", split), pairs, getattr(options.pairs, split)
            )
    if options.files.sentences:
        sentences = partial(read_sentences, root / options.files.sentences)
        yield from _read(("prepare_sentences", "files", "sentences"), sentences, options.sentences)


def _read(key: Key, reader: Callable[[], Iterable[object]], most: int) -> Found:
    """What a reader says of the first ``most`` of what it reads."""
    try:
        for _ in islice(reader(), most):
            pass
    except UserError as error:
        yield key, str(error)


def _restoration(experiment: Experiment, root: Path) -> Found:
    """The beginning of each file of the corpus; the step reads all of it."""
    corpus = experiment.prepare_restoration.corpus
    if not experiment.stage_forgetting.groups or not corpus:
        return
    # Imported here, as few experiments have a corpus of their own.
    from tuneatlas.corpus_files import read_texts, shards_of

    key: Key = ("prepare_restoration", "corpus")
    try:
        shards = shards_of(root / corpus)
    except UserError as error:
        yield key, str(error)
        return
    for shard in shards:
        yield from _read(key, partial(read_texts, shard), DOCUMENTS_READ)


def _mirror(experiment: Experiment, root: Path) -> Found:
    mirror = experiment.fetch_source.mirror
    if mirror is not None and not (root / mirror).is_dir():
        yield ("fetch_source", "mirror"), f"there is no folder {root / mirror}"


def _outputs(experiment: Experiment, root: Path) -> Found:
    for name in OUTPUTS:
        lost = [p for p in _with_steps(root / name) if p.is_symlink() and not p.exists()]
        for path in lost:
            text = f"{path} is a link to {path.readlink()}, which is not there: make that folder"
            yield (), f"{text}, or remove the link"
        if lost:
            continue
        folder = _existing(root / name)
        try:
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            text = f"cannot write to {root / name}: {error.strerror}; make it writable"
            yield (), f"{text} or run in another folder"


def _with_steps(folder: Path) -> list[Path]:
    """A folder of outputs and those of the steps in it, any of which may be a link."""
    try:
        return [folder, *sorted(folder.iterdir())]
    except OSError:
        return [folder]


def _disk(experiment: Experiment, root: Path) -> Found:
    needed = disk_bytes(experiment, root)
    try:
        disk = shutil.disk_usage(_existing(root / "results"))
    except OSError:
        return  # _outputs says that the folder cannot be used
    # Some file systems do not tell their size. What a run before left is kept or replaced.
    if not disk.total or disk.free >= needed:
        return
    held = _held(root / "results")
    if disk.free + held < needed:
        text = f"{root / 'results'} has {_gib(disk.free)} free and holds {_gib(held)}, "
        text += f"this experiment needs about {_gib(needed)}"
        yield (), f"{text}: free some space, or run fewer models, groups or seeds"


def _held(folder: Path) -> int:
    """Bytes of the files in a folder; jobs of another driver may take files away meanwhile."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += Path(parent, name).lstat().st_size
    return total


def disk_bytes(experiment: Experiment, root: Path) -> int:
    """Disk that an experiment needs, roughly: tables, tuned models, one run's checkpoints.

    Models of which nothing at hand says the size count as nothing.
    """
    runs = len(experiment.tuned_domains) * len(experiment.groups) * len(experiment.seeds)
    runs += _staged_models(experiment)
    total, checkpoints = TABLES_BYTES, 0
    for model in experiment.models.values():
        shape = known_shape(model.model_dump(mode="json"), root)
        parameters = shape.parameters if shape else 0
        kept = model.training.keep_checkpoints if isinstance(model, ScratchModel) else 0
        kept = max(kept, experiment.finetune.keep_checkpoints) + 1
        total += parameters * TRAINED_BYTES * (runs + 1)
        checkpoints = max(checkpoints, parameters * CHECKPOINT_BYTES * kept)
    return total + checkpoints


def _staged_models(experiment: Experiment) -> int:
    """Models that the study of forgetting keeps: at each step, and along each restoration."""
    steps, points = len(experiment.finetune_stages.steps), len(experiment.restore_stages.curve) + 1
    study = experiment.stage_forgetting
    followed = len(experiment.staged_domains) * len(study.groups)
    per_seed = followed * (steps + (steps + 1) * points) + (points if followed else 0)
    return per_seed * len(experiment.seeds)


def _existing(path: Path) -> Path:
    """The path, or its nearest parent that is there."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"


STRUCTURE: tuple[Check, ...] = (_deepspeed,)
DATA: tuple[Check, ...] = (
    _questions,
    check_models,
    _pair_files,
    _restoration,
    _mirror,
    _outputs,
    _disk,
)
