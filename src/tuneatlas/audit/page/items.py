"""The items of the audit page: a catalogue to search, and each item's life in small files."""

import json
import sqlite3
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuneatlas.audit.behind import read_items
from tuneatlas.audit.columns import Column
from tuneatlas.audit.lineage import Results, is_labels
from tuneatlas.audit.query import batches, columns_of, rows_of, stream
from tuneatlas.audit.trace import POINTERS, TRAINED, Seen, masks_of, tables
from tuneatlas.studies.forgetting.fates import FATES
from tuneatlas.tables import Row

PER_SHARD = 100
DOCUMENTS = 12
# Letters of a prompt of lm-evaluation-harness that stand for its item.
TAIL = 200
PER_INDEX = 10_000
# Columns that an item's other rows say already.
KNOWN = {"id", "domain", "relation", "role", "split", "answer", "correct", "gold_prob", "pred_prob"}
LONG = ("prompt", "input", "output")
ATTRIBUTES = (
    "kind",
    "domain",
    "relation",
    "role",
    "split",
    "facts",
    "pair",
    "length",
    "group",
    "base",
)
Write = Callable[[Path, str, Any], None]


@dataclass
class Catalogue:
    """All items by number: id, text to search, attributes to filter by."""

    ids: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    attributes: list[dict[str, str]] = field(default_factory=list)
    number: dict[str, int] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)
    per_shard: int = PER_SHARD

    @classmethod
    def read(cls, results: Results) -> "Catalogue":
        """Questions, texts measured, sentences, pairs and held-out examples of a results folder."""
        found = cls(outputs=sorted(results.records))
        known = read_items(results).attributes
        right = _probed(results)
        groups = _groups(results)
        names = ("id", "question", "domain", "relation", "role", "split")
        for output in results.of_step("prepare_questions"):
            for i, text, domain, relation, role, split in rows_of(results, output, *names):
                own = {"kind": "question", "domain": domain, "relation": relation, "role": role}
                own |= {"split": split, "base": right.get(i, ""), "group": groups.get(i, "")}
                found.add(i, text, own | {"facts": known[i].get("facts", "")})
        for output in results.of_step("prepare_restoration"):
            rows = rows_of(results, f"{output}/documents.parquet", "id", "split", "kind", "text")
            for i, split, kind, text in rows:
                if split == "heldout":
                    found.add(i, text[:200], {"kind": "text", "relation": kind, "split": split})
        found.add_pairs(results, known)
        for output in results.of_step("build_tasks"):
            if not output.endswith(TRAINED):
                for i, task, text in rows_of(results, output, "id", "task", "input"):
                    found.add(i, text, {"kind": "example", "relation": task, "split": "heldout"})
        found.add_task_items(results)
        return found

    def add_task_items(self, results: Results) -> None:
        """Items of tasks of lm-evaluation-harness; of a prompt the end, which is the item's own."""
        for output in results.of_step("evaluate_harness"):
            if output.endswith(".parquet"):
                for i, task, prompt in rows_of(results, output, "id", "task", "prompt"):
                    self.add(i, prompt[-TAIL:], {"kind": "task item", "relation": task})

    def add_pairs(self, results: Results, known: Mapping[str, Mapping[str, str]]) -> None:
        """Pairs of sentences, and these; other sentences, by the million, are only trained on."""
        paths = map(results.place, results.of_step("prepare_sentences"))
        of_step = {path: columns_of(path) for path in paths}
        select = "id, source_id, target_id, split"
        pairs = [row for p in of_step if "pivot" in of_step[p] for row in stream(p, select)]
        used = list({side for _, source, target, _ in pairs for side in (source, target)})
        for path in [path for path in of_step if "sentence" in of_step[path]]:
            for i, text in stream(path, "id, sentence", "id IN ?", [used]):
                self.add(i, text, {"kind": "sentence"})
        for i, source, target, split in pairs:
            text = " → ".join(self.texts[self.number[n]] for n in (source, target) if n in self)
            more = {name: known.get(i, {}).get(name, "") for name in ("pair", "length")}
            self.add(i, text, {"kind": "pair", "split": split, **more})

    def __contains__(self, item: str) -> bool:
        return item in self.number

    def add(self, item: str, text: str, attributes: dict[str, str]) -> None:
        """Append an item that is not there yet."""
        if item not in self.number:
            self.number[item] = len(self.ids)
            self.ids.append(item)
            self.texts.append(text)
            self.attributes.append(attributes)

    @property
    def shards(self) -> int:
        """How many files the index has."""
        return -(-len(self.ids) // PER_INDEX)

    def attribute_values(self) -> dict[str, list[str]]:
        """The values of each attribute, in order of first appearance."""
        found: dict[str, dict[str, None]] = {name: {"": None} for name in ATTRIBUTES}
        for own in self.attributes:
            for name, values in found.items():
                values[own.get(name, "")] = None
        return {name: list(values) for name, values in found.items()}

    def kinds(self) -> dict[str, int]:
        """How many items there are of each kind."""
        found: dict[str, int] = defaultdict(int)
        for own in self.attributes:
            found[own["kind"]] += 1
        return dict(found)

    def index_shards(self) -> Iterator[dict[str, Any]]:
        """Ids, texts and attributes (by the place of their value), some thousands at a time."""
        values = self.attribute_values()
        place = {name: {v: n for n, v in enumerate(found)} for name, found in values.items()}
        for start in range(0, len(self.ids), PER_INDEX):
            part = slice(start, start + PER_INDEX)
            yield {
                "ids": self.ids[part],
                "texts": self.texts[part],
                **{n: [at[a.get(n, "")] for a in self.attributes[part]] for n, at in place.items()},
            }

    def paths(
        self, run: Mapping[str, str], columns: Mapping[str, Column]
    ) -> Iterator[dict[str, Any]]:
        """Of each model followed: what became of each question, as a place in the list of fates."""
        names = list(FATES)
        for stage in dict.fromkeys(c.rpartition(":")[0] for c in columns if c.endswith(":kept")):
            own: dict[str, int] = {}
            for fate in names:
                own |= {i: names.index(fate) for i, v in columns[f"{stage}:{fate}"].items() if v}
            chosen = [i for i in own if i in self]
            yield {
                "run": run,
                "stage": stage,
                "items": [self.number[i] for i in chosen],
                "fates": "".join(str(own[i]) for i in chosen),
            }


def _probed(results: Results) -> dict[str, str]:
    """Whether the base models answer a question rightly; ``mixed`` where they differ."""
    found: dict[str, str] = {}
    for output in results.probes():
        for i, correct in rows_of(results, output, "id", "correct"):
            said = "right" if correct else "wrong"
            found[i] = said if found.get(i, said) == said else "mixed"
    return found


def _groups(results: Results) -> dict[str, str]:
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for output in filter(is_labels, results.records):
        for i, group in rows_of(results, output, "id", "group"):
            found[i][group] = None
    return {i: " + ".join(sorted(groups)) for i, groups in found.items()}


def write_items(results: Results, catalogue: Catalogue, data: Path, write: Write) -> int:
    """Write every item's rows, ``per_shard`` items a file; return the number of files.

    Tables are read once, in batches; rows wait in a file until all are there.
    """
    place = {name: number for number, name in enumerate(catalogue.outputs)}
    masked = masks_of(results)
    with tempfile.NamedTemporaryFile(dir=data.parent) as file:
        waiting = sqlite3.connect(file.name)
        waiting.execute("CREATE TABLE rows (shard INTEGER, row TEXT)")
        for kind, output, _ in tables(results):
            found = _rows(results.place(output), kind, catalogue)
            waiting.executemany(
                "INSERT INTO rows VALUES (?, ?)",
                (
                    (number // catalogue.per_shard, json.dumps([number, kind, place[output], row]))
                    for number, row in found
                ),
            )
        waiting.execute("CREATE INDEX by_shard ON rows (shard)")
        count = -(-len(catalogue.ids) // catalogue.per_shard)
        for shard in range(count):
            lives: dict[int, dict[str, Any]] = {}
            first = shard * catalogue.per_shard
            for number in range(first, min(first + catalogue.per_shard, len(catalogue.ids))):
                lives[number] = {"id": catalogue.ids[number], "texts": [], "rows": {}}
            asked = "SELECT row FROM rows WHERE shard = ? ORDER BY rowid"
            for (text,) in waiting.execute(asked, [shard]):
                number, step, at, row = json.loads(text)
                record = results.records[catalogue.outputs[at]]
                if step == "mix_instructions":
                    seen = Seen(step, catalogue.outputs[at], record["wildcards"], row)
                    pieces = masked(seen)
                    row["masked"] = pieces is not None
                    row["messages"] = pieces or [
                        (f"{m['role']}: {m['content']}\n", False) for m in row["messages"]
                    ]
                _join(lives[number], step, at, row)
            write(data, f"items-{shard}", list(lives.values()))
        waiting.close()
    return count


def _join(life: dict[str, Any], step: str, output: int, row: Row) -> None:
    """Add a row to an item; texts that occur again are told once, documents only counted."""
    if step == "prepare_corpus" and "text" in row:
        life["documents"] = life.get("documents", 0) + 1
        if life["documents"] > DOCUMENTS:
            return
    texts: list[Any] = life["texts"]
    for name in (*LONG, "messages"):
        if row.get(name):
            if row[name] not in texts:
                texts.append(row[name])
            row[name] = texts.index(row[name])
    life["rows"].setdefault(step, []).append([output, row])


def _rows(path: Path, step: str, catalogue: Catalogue) -> Iterator[tuple[int, Row]]:
    """What a table says of items, each by its number."""
    pointers = [name for name in POINTERS if name in columns_of(path)]
    for batch in batches(path):
        for row in batch.to_pylist():
            if step == "prepare_corpus" and "text" in row:
                for i in row["questions"]:
                    if i in catalogue:
                        short = {"id": row["id"], "split": row["split"], "text": row["text"][:300]}
                        yield catalogue.number[i], short
                continue
            for name in pointers:
                if row[name] in catalogue:
                    keep = {k: _plain(v) for k, v in row.items() if k not in KNOWN}
                    if step == "prepare_questions":
                        keep = row
                    elif name != "id":
                        keep = {"pair": row["id"], "as": name.removesuffix("_id")}
                    yield catalogue.number[row[name]], keep


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return value
