"""The life of one item, read back from every table that holds it."""

import difflib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from tuneatlas.audit.lineage import Results, is_categories
from tuneatlas.audit.query import columns_of, listed, stream
from tuneatlas.errors import UserError
from tuneatlas.tables import Row

# Tables that are looked through, in the order of an item's life; their step names.
STEPS = (
    "prepare_questions",
    "prepare_corpus",
    "prepare_sentences",
    "parse_sentences",
    "prepare_paraphrases",
    "build_tasks",
    "probe_knowledge",
    "label_knowledge",
    "explain_predictions",
    "read_groups",
    "explain_treatment",
    "mix_instructions",
    "mix_treatment",
    "reinforce_treatment",
    "evaluate_knowledge",
    "evaluate_base",
    "evaluate_stages",
    "probe_checkpoint",
    "evaluate_checkpoint",
    "measure_checkpoint",
    "interpolate_weights",
    "measure_distance",
    "relearn_facts",
    "ask_battery",
    "measure_changes",
    "probe_states",
    "evaluate_tasks",
    "generate_paraphrases",
    "score_paraphrases",
    "score_systems",
    "evaluate_harness",
)
# What the rows of the second table of probe_knowledge are called beside those of the first.
CATEGORIES = "category of knowledge"
# Where ids come from: the first tables that hold them.
ORIGINS = (
    *("prepare_questions", "prepare_corpus", "prepare_sentences", "build_tasks"),
    "evaluate_harness",
)
# Examples that are only trained on, by the million: read for the sentence that they are made of.
TRAINED = "train.parquet"
# Ids compared letter by letter with one that does not exist; more would take minutes.
COMPARED = 50_000
# Columns that name another item, beside `id`.
POINTERS = ("id", "source_id", "target_id", "template_id", "exemplar_id")


class Seen(NamedTuple):
    """A row about the item, with the output that holds it and the output's wildcards."""

    step: str
    output: str
    wildcards: dict[str, str]
    row: Row


# The text of a conversation, as the model of this output saw it; None if there is no such model.
Pieces = list[tuple[str, bool]]
Masked = Callable[[Seen], Pieces | None]


@dataclass(frozen=True)
class Life:
    """All rows about an item, by step, and the split and id of the documents that state it."""

    id: str
    rows: dict[str, list[Seen]]
    documents: list[tuple[str, str]]

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
    documents: list[tuple[str, str]] = []
    # What is no text is in no table.
    names = {item.encode(errors="replace").decode()}
    for step, output, record in tables(results, trained=True):
        path, wildcards, start = results.place(output), record["wildcards"], ""
        if path.name == "documents.parquet":
            # Those that state the fact of a question.
            documents += stream(path, "split, id", "list_contains(questions, ?)", [item])
        if step == "build_tasks":
            # An example is called by its stage, the sentence that it is made of, and a number.
            stage = f"{wildcards.get('stage')}/"
            start = f"{stage}{item}#"
            if path.name == TRAINED and not ("parse_sentences" in rows or item.startswith(stage)):
                continue
        for row in rows_about(path, names, start):
            rows.setdefault(step, []).append(Seen(step, output, wildcards, row))
            # What is said of its pairs, and of the examples made of it, is said of a sentence.
            if step == "build_tasks" or item in (row.get("source_id"), row.get("target_id")):
                names.add(row["id"])
    if not rows:
        raise UserError(
            f"{item}: no table in {results.folder} holds this id{_nearest(results, item)}"
        )
    return Life(item, rows, documents)


def tables(results: Results, trained: bool = False) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The tables that are looked through: what they are (mostly the step), output and record.

    Those of examples that are only trained on are left out unless asked for.
    """
    for step in STEPS:
        of_step = results.of_step(step)
        for output in sorted(of_step, key=is_categories):
            path = results.place(output)
            if path.suffix == ".parquet" and path.is_file() and (trained or path.name != TRAINED):
                yield CATEGORIES if is_categories(output) else step, output, of_step[output]


def rows_about(path: Path, ids: Iterable[str], start: str = "") -> list[Row]:
    """Rows of a table that name one of ``ids``, or whose own id begins with ``start``, if given."""
    columns = columns_of(path)
    pointers = [name for name in POINTERS if name in columns]
    naming = [f'"{name}" IN $ids' for name in pointers] + ["starts_with(id, $start)"] * bool(start)
    values = {"ids": list(ids)} | ({"start": start} if start else {})
    found = stream(path, listed(columns), " OR ".join(naming), values) if pointers else ()
    return [dict(zip(columns, row, strict=True)) for row in found]


def masks_of(results: Results) -> Masked:
    """The text of a conversation as its tuned model saw it, where that model's record is here."""

    @cache
    def reader(output: str) -> Callable[[Row], Pieces] | None:
        users = (results.records[name] for name in results.users.get(output, ()))
        tuned = (
            r for r in users if r["step"] in ("finetune", "finetune_treatment", "finetune_stages")
        )
        record = next(tuned, None)
        if record is None or not all(results.place(name).exists() for name in record["inputs"]):
            return None
        # Loading a tokenizer takes seconds: only where there is something to mark.
        from tuneatlas.audit.masks import text_reader

        return text_reader(results, record)

    def masked(seen: Seen) -> Pieces | None:
        read = reader(seen.output)
        return read(seen.row) if read else None

    return masked


def ids_where(results: Results, where: str, value: str, most: int) -> list[str]:
    """Ids of items for which this holds: questions, documents, sentences, pairs, examples."""
    found = dict[str, None]()
    for step, output, _ in tables(results):
        if step in ORIGINS:
            for (name,) in stream(results.place(output), "id", where, [value]):
                found[name] = None
                if len(found) == most:
                    return list(found)
    return list(found)


def _nearest(results: Results, item: str) -> str:
    """Ids that contain ``item``, or else that are spelt alike, of those that begin alike."""
    near = ids_where(results, "contains(lower(id), lower(?))", item, 5)
    if not near:
        alike = ids_where(results, "starts_with(lower(id), lower(?))", item[:2], COMPARED)
        near = difflib.get_close_matches(item, alike, n=5, cutoff=0.5)
    return f"; the nearest: {', '.join(near)}" if near else ""
