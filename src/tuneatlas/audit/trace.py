"""The life of one item, read back from every table that holds it."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tuneatlas.audit.lineage import Results
from tuneatlas.errors import UserError
from tuneatlas.tables import Row

# Tables that are looked through, in the order of an item's life; their step names.
STEPS = (
    "prepare_questions",
    "prepare_corpus",
    "prepare_sentences",
    "parse_sentences",
    "prepare_paraphrases",
    "probe_knowledge",
    "label_knowledge",
    "explain_predictions",
    "mix_instructions",
    "evaluate_knowledge",
    "evaluate_base",
    "evaluate_stages",
    "generate_paraphrases",
    "score_paraphrases",
)
# Where ids come from: the first tables that hold them.
ORIGINS = ("prepare_questions", "prepare_corpus", "prepare_sentences")
# Columns that name another item, beside `id`.
POINTERS = ("id", "source_id", "target_id", "template_id")


class Seen(NamedTuple):
    """A row about the item, with the output that holds it and the output's wildcards."""

    step: str
    output: str
    wildcards: dict[str, str]
    row: Row


@dataclass(frozen=True)
class Life:
    """All rows about an item, by step, and how many documents of the corpus state it."""

    id: str
    rows: dict[str, list[Seen]]
    documents: list[Row]

    def of(self, step: str, **wildcards: str) -> list[Seen]:
        """The rows of a step whose wildcards are as given."""
        return [s for s in self.rows.get(step, []) if wildcards.items() <= s.wildcards.items()]

    @property
    def question(self) -> Row | None:
        """The question, if the item is one."""
        found = self.of("prepare_questions")
        return found[0].row if found else None


def trace(results: Results, item: str) -> Life:
    """Everything that the tables hold about ``item``.

    Raises:
        UserError: no table holds it; the nearest ids are named.
    """
    rows: dict[str, list[Seen]] = {}
    documents: list[Row] = []
    for step, output, record in _tables(results):
        if Path(output).name == "documents.parquet":
            documents += _stating(results.place(output), item)
        for row in rows_about(results.place(output), item):
            rows.setdefault(step, []).append(Seen(step, output, record["wildcards"], row))
    if not rows:
        raise UserError(
            f"{item}: no table in {results.folder} holds this id{_nearest(results, item)}"
        )
    return Life(item, rows, documents)


def _tables(results: Results) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for step in STEPS:
        for output, record in results.of_step(step).items():
            if output.endswith(".parquet") and results.place(output).is_file():
                yield step, output, record


def rows_about(path: Path, item: str) -> list[Row]:
    """Rows of a table that are about ``item``; the table is not held in memory."""
    try:
        names = [name for name in POINTERS if name in pq.read_schema(path).names]
        if not names:
            return []
        wanted = pc.field(names[0]) == item
        for name in names[1:]:
            wanted = wanted | (pc.field(name) == item)
        rows: list[Row] = pq.read_table(path, filters=wanted).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: not a readable table: {error}; run tuneatlas audit") from None
    return rows


def _stating(path: Path, item: str) -> list[Row]:
    """Documents that state the fact of a question."""
    found = []
    for batch in pq.ParquetFile(path).iter_batches(columns=["id", "split", "kind", "questions"]):
        found += [row for row in batch.to_pylist() if item in row["questions"]]
    return found


def all_ids(results: Results) -> list[str]:
    """Ids of all items: questions, documents, sentences, pairs."""
    found: dict[str, None] = {}
    for step, output, _ in _tables(results):
        if step in ORIGINS:
            column = pq.read_table(results.place(output), columns=["id"]).column("id")
            found |= dict.fromkeys(column.to_pylist())
    return list(found)


def _nearest(results: Results, item: str) -> str:
    ids = all_ids(results)
    part = item.casefold()
    near = [i for i in ids if part in i.casefold()][:5]
    near = near or difflib.get_close_matches(item, ids, n=5, cutoff=0.5)
    return f"; the nearest: {', '.join(near)}" if near else ""
