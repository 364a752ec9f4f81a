"""The user's own text: a file, or a folder of shards, as documents one after the other."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tuneatlas.data.text_files import open_input, read_json_lines, read_lines, suffix_of
from tuneatlas.errors import UserError

ENDINGS = (".jsonl", ".ndjson", ".txt", ".parquet")
# Compressed in ways that are not read here.
PACKED = (".zst", ".zstd", ".xz", ".bz2", ".lz4", ".zip")


def read_texts(path: Path) -> Iterator[str]:
    """The documents of a corpus, without empty ones, never all of them in memory.

    Args:
        path: a file: .jsonl (field text), .parquet (column text) or .txt (a document a line),
            the text ones also with .gz; or a folder with such files, taken in order of name.

    Raises:
        UserError: naming file and line (of .parquet: row) of what is no text.
    """
    found = False
    for shard in shards_of(path):
        for text in _read(shard):
            found = True
            yield text
    if not found:
        raise UserError(f"{path}: holds no text")


def shards_of(path: Path, endings: Sequence[str] = ENDINGS) -> list[Path]:
    """The files of a corpus with these endings; hidden and other ones are passed over."""
    if not path.is_dir():
        return [path]
    files = sorted(p for p in path.rglob("*") if not p.is_dir() and not _is_hidden(p, path))
    for file in files:
        if file.suffix.lower() in PACKED and suffix_of(file.with_suffix("")) in endings:
            raise UserError(
                f"{file}: cannot be read, and its text would be missing: compress it with gzip"
            )
    shards = [p for p in files if suffix_of(p) in endings]
    if twin := next((p for p in shards if p.with_name(f"{p.name}.gz") in shards), None):
        # Each of its documents would be there twice.
        raise UserError(f"{twin}: lies beside {twin.name}.gz: keep one of them")
    if not shards:
        raise UserError(f"{path}: no file in this folder ends in {', '.join(endings)}")
    return shards


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _read(path: Path) -> Iterator[str]:
    suffix = suffix_of(path)
    if suffix in (".jsonl", ".ndjson"):
        texts = _of_objects(path)
    elif suffix == ".txt":
        texts = (line for _, line in read_lines(path))
    elif path.suffix.lower() == ".parquet":
        texts = _of_table(path)
    else:
        raise UserError(f"{path}: a corpus ends in {', '.join(ENDINGS)} (text ones also with .gz)")
    return (text for text in texts if text.strip())


def _of_objects(path: Path) -> Iterator[str]:
    for record in read_json_lines(path):
        text = record.values.get("text")
        if not isinstance(text, str):
            raise UserError(f"{record.place}: not a JSON object with a 'text' in quotes")
        yield text


def _of_table(path: Path) -> Iterator[str]:
    row = 0
    try:
        with open_input(path) as stream:
            file = pq.ParquetFile(stream)
            schema = file.schema_arrow
            kind = schema.field("text").type if schema.names.count("text") == 1 else None
            if kind is None:
                found = repr(", ".join(schema.names))[:200]
                raise UserError(f"{path}: needs one column 'text', has {found}")
            if pa.types.is_dictionary(kind):
                kind = kind.value_type
            if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
                raise UserError(f"{path}: column 'text' is {kind}, but must be text")
            for batch in file.iter_batches(columns=["text"]):
                for value in batch.column("text"):
                    row += 1
                    text = value.as_py()
                    if text is None or "\0" in text:
                        what = "is missing" if text is None else "holds a NUL character"
                        raise UserError(f"{path}, row {row}: 'text' {what}")
                    yield text
    except (OSError, pa.ArrowException) as error:
        said = str(error).splitlines()[0]
        raise UserError(f"{path}: cannot be read as Parquet: {said}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}, row {row + 1}: 'text' is not UTF-8") from None
