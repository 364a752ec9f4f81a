"""The user's own pairs, sentences and texts, read as the steps that need them do.

Libraries and studies are imported where they are used: few experiments need them.
"""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from pathlib import Path

from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.source import Found, Key
from tuneatlas.data.text_files import suffix_of
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


def check_parses(experiment: Experiment, root: Path) -> Found:
    """All given parses that the run will use, each against its sentence."""
    options = experiment.prepare_sentences
    files = options.files.model_dump()
    if not experiment.paraphrasers or not any(files["parses"].values()):
        return
    from tuneatlas.studies.syntax.sentences.parse_files import check_given, read_given

    for name, path in files["parses"].items():
        if path:
            found = read_given(files, options.pairs.model_dump(), root, [name])
            checked = partial(check_given, found, experiment.parse_sentences.max_words)
            # A pair has three sentences at most.
            most = options.sentences if name == "sentences" else 3 * getattr(options.pairs, name)
            yield from _read(("prepare_sentences", "files", "parses", name), checked, most)


def check_systems(experiment: Experiment, root: Path) -> Found:
    """All outputs of other systems, and their parses, against the test pairs of own files."""
    if not experiment.systems:
        return
    from tuneatlas.studies.syntax.paraphrasing.outputs import (
        generations_of,
        read_outputs,
        read_trees,
        texts_of,
    )
    from tuneatlas.studies.syntax.sentences.pair_files import read_numbered

    files, most = experiment.prepare_sentences.files, experiment.prepare_sentences.pairs.test
    ids, whose = list[str](), f"test pairs (prepare_sentences.pairs.test is {most})"
    if files.test:
        try:
            pairs = read_numbered(root / files.test, files.columns.model_dump())
            ids = [f"test/{found.line}" for found in islice(pairs, most)]
        except UserError:
            return  # said of the pairs
    for name, system in experiment.systems.items():
        key: Key = ("systems", name, "outputs")
        try:
            if not ids:  # of pairs that are chosen by a step
                if suffix_of(root / system.outputs) != ".parquet":
                    read_outputs(root / system.outputs)
                continue
            rows = generations_of(root / system.outputs, ids, whose=whose)
            if system.trees and not system.format:
                key = ("systems", name, "trees")
                longest = experiment.parse_sentences.max_words
                read_trees(root / system.trees, ids, texts_of(rows), longest)
        except UserError as error:
            yield key, str(error)


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
    replays = any(treatment.replay for treatment in experiment.treatments.values())
    if not (experiment.restores or replays) or not corpus:
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
