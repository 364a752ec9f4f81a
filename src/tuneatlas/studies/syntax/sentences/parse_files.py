"""Given parses, in files beside those of the pairs and sentences that they are of.

A file of parses goes line by line with the file beside it: where that has source, target and
template, it has their trees, in the same columns; beside plain sentences it has a tree a line.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from tuneatlas.data.text_files import read_lines
from tuneatlas.errors import UserError
from tuneatlas.studies.syntax.sentences.pair_files import NAMES, read_numbered, read_sentences
from tuneatlas.studies.syntax.trees.given import GIVEN, given_parse
from tuneatlas.studies.syntax.trees.parsing import Parsed
from tuneatlas.tables import Row

SPLITS = ("test", "dev", "train")


class Given(NamedTuple):
    """A sentence, the parse that is given of it, and where that stands."""

    sentence: str
    tree: str
    place: str


def read_given(
    files: Mapping[str, Any],
    sizes: Mapping[str, int],
    root: Path = Path(),
    names: Collection[str] = (*SPLITS, "sentences"),
) -> Iterator[Given]:
    """All sentences of the files that have parses beside them, as far as these are used.

    Args:
        files: the section ``prepare_sentences.files``.
        sizes: the pairs used of each split; of plain sentences all are read.
        root: the folder that paths are relative to.
        names: the splits that are read; ``sentences`` are the plain ones.

    Raises:
        UserError: a file cannot be read, or has another number of lines than the one beside it.
    """
    for split in SPLITS:
        if files["parses"][split] and split in names:
            paths = root / files[split], root / files["parses"][split]
            yield from beside_pairs(*paths, files.get("columns"), sizes[split])
    if files["parses"]["sentences"] and "sentences" in names:
        paths = root / files["sentences"], root / files["parses"]["sentences"]
        yield from beside_sentences(*paths)


def beside_pairs(
    path: Path, parses: Path, columns: Mapping[str, Any] | None = None, most: int | None = None
) -> Iterator[Given]:
    """The sentences of a file of pairs, each with its tree in the file of parses."""
    pairs, trees = read_numbered(path, columns), read_numbered(parses, columns)
    for pair, tree in islice(_in_step(pairs, trees, path, parses), most):
        place = f"{parses}, line {tree.line}"
        for name, sentence, text in zip(NAMES, pair.pair, tree.pair, strict=True):
            if sentence and not text:
                raise UserError(f"{place}: no parse of the {name}; write () where there is none")
            if text and not sentence:
                raise UserError(f"{place}: a parse of a {name} that {path} does not have")
            if sentence and text:
                yield Given(sentence, text, f"{place} ({name})")


def beside_sentences(path: Path, parses: Path) -> Iterator[Given]:
    """The sentences of a plain file, each with its tree in the file of parses."""
    trees = ((number, line) for number, line in read_lines(parses) if line.strip())
    for (_, sentence), (number, text) in _in_step(read_sentences(path), trees, path, parses):
        yield Given(sentence, text, f"{parses}, line {number}")


def _in_step(
    texts: Iterable[Any], trees: Iterable[Any], path: Path, parses: Path
) -> Iterator[tuple[Any, Any]]:
    for number, (text, tree) in enumerate(zip_longest(texts, trees), 1):
        if text is None or tree is None:
            shorter, longer = (path, parses) if text is None else (parses, path)
            raise UserError(
                f"{parses}: another number of lines than {path}: {shorter} ends after "
                f"{number - 1}, {longer} goes on; parses stand one a line, beside their sentences"
            )
        yield text, tree


def check_given(found: Iterable[Given], max_words: int) -> Iterator[Given]:
    """The same, each parse checked against its sentence; TreeError names file and line."""
    for given in found:
        given_parse(given.tree, given.sentence, max_words, given.place)
        yield given


def parses_of(
    sentences: Collection[str], found: Iterable[Given], max_words: int
) -> dict[str, Parsed]:
    """What the given parses say of these sentences; the first of several of a sentence counts."""
    wanted, kept = set(sentences), dict[str, Parsed]()
    for given in found:
        if given.sentence in wanted and given.sentence not in kept:
            kept[given.sentence] = given_parse(given.tree, given.sentence, max_words, given.place)
    return kept


def given_rows(rows: Sequence[Row], options: Mapping[str, Any]) -> dict[str, Row]:
    """Rows of PARSES, by id, for the rows of SENTENCES whose parses the options give, if any."""
    if "given" not in options:
        return {}
    found = read_given(options["given"]["files"], options["given"]["pairs"])
    parses = parses_of({row["sentence"] for row in rows}, found, options["max_words"])
    return {
        row["id"]: {**row, **parses[row["sentence"]]._asdict(), "parser": GIVEN}
        for row in rows
        if row["sentence"] in parses
    }
