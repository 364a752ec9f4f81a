"""Which questions a text repeats: one that models are restored with, or were tuned on."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tuneatlas.data.corpus_files import ENDINGS, shards_of
from tuneatlas.data.text_files import load_json, open_input, read_json_lines, read_lines, suffix_of
from tuneatlas.errors import UserError
from tuneatlas.tables import Row

WORD = re.compile(r"\w+")
BETWEEN = frozenset({"answer", "assistant"})
Gram = tuple[str, ...]


class GramIndex:
    """Finds the questions whose words a text repeats."""

    def __init__(self, questions: Iterable[Row], size: int, share: float) -> None:
        self.sizes: set[int] = set()
        self.share = share
        self.users: dict[Gram, list[str]] = defaultdict(list)
        self.totals: dict[str, int] = {}
        for row in questions:
            words = words_of(f"{row['question']} {row['choices'][row['answer']]}")
            # A question shorter than an n-gram is one n-gram of its own length.
            width = min(size, len(words))
            grams = set(grams_of(words, width))
            self.sizes.add(width)
            self.totals[row["id"]] = len(grams)
            for gram in grams:
                self.users[gram].append(row["id"])

    def overlapping(self, text: str) -> set[str]:
        """Ids of questions of whose n-grams ``text`` has at least the share asked for."""
        words = words_of(text)
        grams = {gram for size in self.sizes for gram in grams_of(words, size)}
        hits = Counter(name for gram in grams & self.users.keys() for name in self.users[gram])
        return {name for name, count in hits.items() if count >= self.share * self.totals[name]}


def words_of(text: str) -> list[str]:
    """Words in lower case, without those that stand between a question and its answer."""
    return [word for word in WORD.findall(text.casefold()) if word not in BETWEEN]


def grams_of(words: Sequence[str], size: int) -> Iterator[Gram]:
    """All runs of ``size`` words."""
    return (tuple(words[i : i + size]) for i in range(len(words) - size + 1))


def trained_texts(path: Path) -> Iterator[str]:
    """The texts of a training file, or of those in a folder: all strings of each example.

    Of ``.jsonl``, ``.json`` (a list) and ``.parquet`` whatever fields there are, as trainers have
    many formats; of other files the lines.

    Raises:
        UserError: naming file and line of what cannot be read.
    """
    for file in shards_of(path, (*ENDINGS, ".json")):
        suffix = suffix_of(file)
        if suffix in (".jsonl", ".ndjson"):
            yield from (_joined(record.values) for record in read_json_lines(file))
        elif suffix == ".json":
            whole = load_json("\n".join(line for _, line in read_lines(file)), str(file))
            yield from map(_joined, whole if isinstance(whole, list) else [whole])
        elif suffix == ".parquet":
            yield from map(_joined, _rows(file))
        else:
            yield from (line for _, line in read_lines(file))


def _rows(path: Path) -> Iterator[Row]:
    try:
        with open_input(path) as stream:
            for batch in pq.ParquetFile(stream).iter_batches():
                yield from batch.to_pylist()
    except (OSError, pa.ArrowException) as error:
        said = str(error).splitlines()[0]
        raise UserError(f"{path}: cannot be read as Parquet: {said}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: holds text that is not UTF-8") from None


def _joined(value: Any) -> str:
    """All strings of a value, however deep, one after the other."""
    if isinstance(value, str):
        return value
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return "\n".join(filter(None, map(_joined, parts)))


def repeated(questions: Iterable[Row], path: Path, size: int, share: float) -> list[str]:
    """Ids of the questions that a training file repeats with their right answer, in order.

    ``size`` and ``share``: of the n-grams, as the sections ``prepare_restoration`` has them.
    """
    index = GramIndex(questions, size, share)
    found: set[str] = set()
    for text in trained_texts(path):
        found |= index.overlapping(text)
    return sorted(found)
