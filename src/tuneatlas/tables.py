"""Tables with a declared schema: every parquet file of the workflow is one of these.

A column states its type, unit, allowed values and meaning. They are checked when a
table is written and when it is read, and travel inside the parquet file.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tuneatlas.engine.files import atomic, open_file
from tuneatlas.errors import UserError

Row = dict[str, Any]
# Rows in memory when a table is streamed.
STREAMED = 16_384


@dataclass(frozen=True)
class Column:
    """One column: Arrow type, what it means, its unit, and its allowed values if few."""

    name: str
    type: pa.DataType
    description: str
    unit: str = ""
    allowed: tuple[str | int, ...] = ()
    nullable: bool = False

    def field(self) -> pa.Field:
        """The Arrow field, with meaning and unit as metadata."""
        metadata = {"description": self.description, "unit": self.unit}
        return pa.field(self.name, self.type, self.nullable, metadata)


@dataclass(frozen=True)
class Table:
    """A named schema. ``key`` columns together identify a row; rows are unique by them."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ("id",)

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema."""
        return pa.schema([c.field() for c in self.columns], metadata={"table": self.name})

    def build(self, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
        """An Arrow table of ``rows``, checked."""
        rows = list(rows)
        names = {c.name for c in self.columns}
        for number, row in enumerate(rows):
            if set(row) != names:
                wrong = sorted(set(row) ^ names)
                raise UserError(f"table {self.name}, row {number}: columns differ: {wrong}")
        table = pa.Table.from_pylist(rows, schema=self.schema)
        self.check(table, f"new table {self.name}")
        return table

    def check(self, table: pa.Table, where: str) -> None:
        """Raise UserError naming ``where``, column and row if ``table`` breaks the schema."""
        self._check_schema(table.schema, where)
        for column in self.columns:
            values = table.column(column.name)
            if not column.nullable and values.null_count:
                raise UserError(f"{where}: column '{column.name}' has {values.null_count} nulls")
            numbers = pc.list_flatten(values) if pa.types.is_list(column.type) else values
            if pa.types.is_floating(numbers.type) and _some_not_finite(numbers):
                raise UserError(
                    f"{where}: column '{column.name}' has values that are not numbers (NaN or "
                    "infinite); run the step that wrote it again"
                )
            if column.allowed:
                for number, value in enumerate(values.to_pylist()):
                    if value is not None and value not in column.allowed:
                        raise UserError(
                            f"{where}: row {number}, column '{column.name}': {value!r} is not "
                            f"one of {list(column.allowed)}"
                        )
        keys = list(zip(*(table.column(k).to_pylist() for k in self.key), strict=True))
        if len(set(keys)) != len(keys):
            seen: set[tuple[Any, ...]] = set()
            twice = next(k for k in keys if k in seen or seen.add(k))  # type: ignore[func-returns-value]
            raise UserError(f"{where}: {', '.join(self.key)} {twice} occurs more than once")

    def _check_schema(self, schema: pa.Schema, where: str) -> None:
        if not schema.equals(self.schema):
            raise UserError(
                f"{where}: not a '{self.name}' table: expected columns "
                f"{self.schema.names}, found {schema.names} (or their types differ)"
            )

    def _only(self, columns: Collection[str]) -> "Table":
        """The table of some of its columns, or of all if none are named."""
        chosen = tuple(c for c in self.columns if c.name in columns or not columns)
        names = {c.name for c in chosen}
        return replace(self, columns=chosen, key=self.key if names.issuperset(self.key) else ())

    def write(self, path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
        """Check ``rows`` and write them whole, with bytes that depend on the rows alone."""
        table = self.build(rows)
        with atomic(path) as partial:
            pq.write_table(table, partial, compression="zstd")

    def write_stream(self, path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
        """As `write`, with a part of the rows in memory at a time; return how many there were.

        Rows are unique within a part only.
        """
        remaining, count = iter(rows), 0
        with (
            atomic(path) as partial,
            pq.ParquetWriter(partial, self.schema, compression="zstd") as writer,
        ):
            while part := list(islice(remaining, STREAMED)):
                writer.write_table(self.build(part))
                count += len(part)
        return count

    def read(self, path: Path, columns: Collection[str] = ()) -> list[Row]:
        """Rows of a parquet file that must have exactly this schema.

        ``columns``: only these are read, and their values checked; none named: all.
        """
        part = self._only(columns)
        try:
            with open_parquet(path) as file:
                self._check_schema(file.schema_arrow, str(path))
                table = file.read(columns=part.schema.names)
        except (pa.ArrowInvalid, OSError) as error:
            raise UserError(f"{path}: not a readable parquet file: {error}") from error
        part.check(table, str(path))
        rows: list[Row] = table.to_pylist()
        return rows

    def stream(
        self,
        path: Path,
        start: int = 0,
        stop: int | None = None,
        columns: Collection[str] = (),
    ) -> Iterator[Row]:
        """Rows ``start`` to ``stop`` of a file, of which only a part is in memory at a time.

        Each part is checked as by `read`; that no row occurs in two parts is not.
        """
        chosen = self._only(columns)
        try:
            file = open_parquet(path)
            self._check_schema(file.schema_arrow, str(path))
            at = 0
            for batch in file.iter_batches(batch_size=STREAMED, columns=chosen.schema.names):
                table = pa.Table.from_batches([batch])
                chosen.check(table, str(path))
                first, last = max(start - at, 0), len(batch) if stop is None else stop - at
                at += len(batch)
                yield from table.slice(first, max(last - first, 0)).to_pylist()
                if stop is not None and at >= stop:
                    return
        except (pa.ArrowInvalid, OSError) as error:
            raise UserError(f"{path}: not a readable parquet file: {error}") from error

    def count(self, path: Path) -> int:
        """Number of rows of a file, without reading them."""
        try:
            with open_parquet(path) as file:
                return int(file.metadata.num_rows)
        except (pa.ArrowInvalid, OSError) as error:
            raise UserError(f"{path}: not a readable parquet file: {error}") from error


def open_parquet(path: Path, **how: Any) -> pq.ParquetFile:
    """A parquet file to be read; what is no file in its place is refused, and never waited for.

    Raises:
        OSError, pyarrow.ArrowException: it cannot be read.
    """
    open_file(path).close()
    # Of a relative path it would take a tilde for a home.
    return pq.ParquetFile(path.absolute(), **how)


def schema_of(path: Path) -> pa.Schema:
    """The columns of a parquet file; errors as in `open_parquet`."""
    with open_parquet(path) as file:
        return file.schema_arrow


def table_name(schema: pa.Schema) -> str:
    """Which table a parquet file says that it is, by its schema; empty if it does not say."""
    return str((schema.metadata or {}).get(b"table", b"").decode(errors="replace"))


def shard_bounds(count: int, shard: str) -> tuple[int, int]:
    """Where a shard such as ``2-of-3`` of ``count`` rows starts and ends; all are nearly equal."""
    number, shards = map(int, shard.split("-of-"))
    return count * (number - 1) // shards, count * number // shards


TEXT = pa.string()
SPLITS = ("dev", "train", "test")
ROLES = ("home", "related")

QUESTIONS = Table(
    "questions",
    (
        Column("id", TEXT, "stable id: domain/relation/subject"),
        Column("domain", TEXT, "domain of knowledge"),
        Column("topic", TEXT, "what prompts say it is about: a subject of MMLU, or the domain"),
        Column("relation", TEXT, "relation or school subject that the question asks for"),
        Column("role", TEXT, "home: asked in training; related: asked in tests only", "", ROLES),
        Column("split", TEXT, "dev is the few-shot pool", "", SPLITS),
        Column("subject", TEXT, "the entity asked about"),
        Column("question", TEXT, "question text, without options"),
        Column("choices", pa.list_(TEXT), "option texts, in the order shown"),
        Column("answer", pa.int8(), "index of the right option", "index from 0"),
        Column("explanation", TEXT, "reference explanation of the right answer"),
        Column("source", TEXT, "package, version and file that the row comes from"),
        Column("licence", TEXT, "licence of the source"),
    ),
)

CONTEXTS = Table(
    "contexts",
    (
        Column("id", TEXT, "question id"),
        Column("context", TEXT, "what stands before the question in group contextualised"),
    ),
)

MENTIONS = Table(
    "mentions",
    (
        Column("id", TEXT, "question id"),
        Column("mentions", pa.int32(), "times the corpus states the fact", "statements"),
    ),
)

# What a document of the corpus is; each is also a kind of text that is measured.
DOCUMENT_KINDS = ("facts", "quiz", "dialogue", "prose")
DOCUMENTS = Table(
    "documents",
    (
        Column("id", TEXT, "stable document id"),
        Column(
            "split",
            TEXT,
            "pretrain: seen by the base model; restore: for restoration; heldout: measured only",
            "",
            ("pretrain", "restore", "heldout"),
        ),
        Column("kind", TEXT, "what the document is", "", DOCUMENT_KINDS),
        Column("text", TEXT, "document text"),
        Column("questions", pa.list_(TEXT), "ids of the questions whose fact it states"),
        Column("source", TEXT, "package, version and file that the text comes from"),
        Column("licence", TEXT, "licence of the source"),
    ),
)

ANSWERS = Table(
    "answers",
    (
        Column("id", TEXT, "question id"),
        Column("domain", TEXT, "domain of knowledge"),
        Column("relation", TEXT, "relation or school subject"),
        Column("role", TEXT, "home or related", "", ROLES),
        Column("split", TEXT, "dev, train or test", "", SPLITS),
        Column("answer", pa.int8(), "index of the right option", "index from 0"),
        Column("scores", pa.list_(pa.float64()), "score of each option", "nat"),
        Column("probs", pa.list_(pa.float64()), "softmax of the scores", "1"),
        Column(
            "pred",
            pa.int8(),
            "index of the most probable option; of several, the first wrong one",
            "index from 0",
        ),
        Column("correct", pa.bool_(), "pred equals answer"),
        Column("tied", pa.int8(), "options as probable as that, with which it ties", "options"),
        Column("gold_prob", pa.float64(), "probability of the right option", "1"),
        Column("pred_prob", pa.float64(), "probability of the predicted option", "1"),
        Column("prompt", TEXT, "the prompt exactly as sent, before the scored continuation"),
    ),
)

CATEGORIES = ("HighlyKnown", "MaybeKnown", "WeaklyKnown", "Unknown")

KNOWLEDGE = Table(
    "knowledge",
    (
        Column("id", TEXT, "question id"),
        Column("ways", pa.int16(), "ways in which the question was asked", "count"),
        Column("right_share", pa.float64(), "share of them answered rightly", "1"),
        Column("agreement", pa.float64(), "share of them with the most frequent answer", "1"),
        Column("gold_prob", pa.float64(), "mean probability of the right option", "1"),
        Column("category", TEXT, "after SliCK (Gekhman et al. 2024)", "", CATEGORIES),
    ),
)

GROUPS = ("harmonious", "incompatible", "self_aligning")

LABELS = Table(
    "labels",
    (
        Column("id", TEXT, "question id"),
        Column("group", TEXT, "knowledge group, after Ren et al. 2024", "", GROUPS),
        Column("label", pa.int8(), "index of the option trained on", "index from 0"),
        Column("answer", pa.int8(), "index of the right option", "index from 0"),
        Column("pred", pa.int8(), "index the base model chose", "index from 0"),
        Column("correct", pa.bool_(), "the base model was right"),
    ),
    key=("id", "group"),
)

EXPLANATIONS = Table(
    "explanations",
    (
        Column("id", TEXT, "question id"),
        Column("pred", pa.int8(), "index of the option explained", "index from 0"),
        Column("explanation", TEXT, "the base model's own explanation of its prediction"),
        Column("finish", TEXT, "why generation ended", "", ("fence", "end", "length")),
        Column("prompt", TEXT, "the prompt exactly as sent"),
    ),
)

GENERAL = "general"
ORIGINS = (*GROUPS, GENERAL)
MESSAGE = pa.struct([pa.field("role", TEXT, False), pa.field("content", TEXT, False)])

CONVERSATIONS = Table(
    "conversations",
    (
        Column("id", TEXT, "question id"),
        # general: an instruction of any kind, whose label is -1.
        Column("origin", TEXT, "knowledge group the training label comes from", "", ORIGINS),
        Column("label", pa.int8(), "index of the option trained on", "index from 0"),
        Column("messages", pa.list_(MESSAGE), "the conversation, user first"),
        Column("weight", pa.float64(), "weight of its loss in training"),
    ),
)

SETTINGS = ("base", "stages", "finetune")
# What identifies a model of the forgetting study.
STAGE = (
    Column("setting", TEXT, "base: not tuned; stages, finetune: by that step", "", SETTINGS),
    Column("step", pa.int32(), "fine-tuning steps done", "steps"),
    Column("restored", pa.int8(), "share of the restoration budget trained on; 0: none", "%"),
)

STAGE_ANSWERS = Table(
    "stage_answers",
    (
        *STAGE,
        Column("id", TEXT, "question id"),
        Column("domain", TEXT, "domain of knowledge"),
        Column("role", TEXT, "home or related", "", ROLES),
        Column("answer", pa.int8(), "index of the right option", "index from 0"),
        Column("scores", pa.list_(pa.float64()), "score of each option", "nat"),
        Column(
            "pred",
            pa.int8(),
            "index of the most probable option; of several, the first wrong one",
            "index from 0",
        ),
        Column("correct", pa.bool_(), "pred equals answer"),
        Column("tied", pa.int8(), "options as probable as that, with which it ties", "options"),
        Column("gold_prob", pa.float64(), "probability of the right option", "1"),
    ),
    key=("setting", "step", "restored", "id"),
)

STAGE_TEXTS = Table(
    "stage_texts",
    (
        *STAGE,
        Column("id", TEXT, "document or question id"),
        Column(
            "kind",
            TEXT,
            "what the document is; instruction: the assistant's reply in a conversation",
            "",
            (*DOCUMENT_KINDS, "instruction"),
        ),
        Column("nats", pa.float64(), "summed negative log-likelihood of the scored text", "nat"),
        Column("bytes", pa.int32(), "length of the scored text in UTF-8", "bytes"),
    ),
    key=("setting", "step", "restored", "kind", "id"),
)


def _some_not_finite(numbers: pa.ChunkedArray) -> bool:
    return bool(pc.any(pc.invert(pc.is_finite(numbers))).as_py())
