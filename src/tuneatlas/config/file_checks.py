"""The user's own pairs, sentences and texts, read as the steps that need them do.

Libraries and studies are imported where they are used: few experiments need them.
"""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from pathlib import Path

from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.source import Found, Key
from tuneatlas.errors import UserError

# Of each file of a corpus, which may be as large as the disk.
DOCUMENTS_READ = 1000


def check_pairs(experiment: Experiment, root: Path) -> Found:
    """All pairs and sentences that the run will use, read as it will read them."""
    from tuneatlas.studies.syntax.sentences.pair_files import read_numbered, read_sentences

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


def check_instructions(experiment: Experiment, root: Path) -> Found:
    """The general instructions that are mixed in, all of them."""
    path = experiment.mix_instructions.general.path
    if path is None:
        return
    # Imported here, as few experiments have them.
    from tuneatlas.data.instructions import read_instructions

    key: Key = ("mix_instructions", "general", "path")
    try:
        read_instructions(root / path)
    except UserError as error:
        yield key, f"{error} (or say null: none are mixed in, and the report says so)"


def check_corpus(experiment: Experiment, root: Path) -> Found:
    """The beginning of each file of the corpus; the step reads all of it."""
    corpus = experiment.prepare_restoration.corpus
    if not experiment.restores or not corpus:
        return
    from tuneatlas.data.corpus_files import read_texts, shards_of

    key: Key = ("prepare_restoration", "corpus")
    try:
        shards = shards_of(root / corpus)
    except UserError as error:
        yield key, str(error)
        return
    for shard in shards:
        yield from _read(key, partial(read_texts, shard), DOCUMENTS_READ)
