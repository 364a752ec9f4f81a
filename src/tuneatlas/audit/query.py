"""Tables asked in SQL, which reads the columns and groups of rows that an answer needs."""

import glob
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from tuneatlas.audit.lineage import Results
from tuneatlas.config.results_page import TABLES as TABLES
from tuneatlas.engine.files import open_file
from tuneatlas.errors import UserError
from tuneatlas.tables import open_parquet, schema_of, table_name

# Rows held at a time.
BATCH = 4096
SETTINGS: Mapping[str, Any] = {
    # Rows come in the order of the table, and memory does not grow with the machine.
    "threads": 1,
    # What was read of a file that was written anew is of no use, and nothing is fetched.
    "enable_external_file_cache": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,
}
# What the question marks of a query, or its names behind a dollar, stand for.
Values = Sequence[Any] | Mapping[str, Any]


class UnreadableTableError(UserError):
    """A table that is damaged, or not as this version writes it."""


@cache
def _database() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config=dict(SETTINGS))


@contextmanager
def reading(*paths: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to ask something of these tables.

    Raises:
        UnreadableTableError: one cannot be read, or is of a version that had other columns.
    """
    cursor = _database().cursor()
    try:
        yield cursor
    except duckdb.OutOfMemoryException:
        raise  # a fault of the machine, not of a table
    except (OSError, UnicodeDecodeError, pa.ArrowException, duckdb.Error) as error:
        lines = str(error).splitlines()
        raise UnreadableTableError(
            f"{' or '.join(map(str, paths))}: cannot be read as this version writes it "
            f"({lines[0] if lines else error}); run tuneatlas audit to see what is wrong"
        ) from None
    except RuntimeError as error:
        if "interrupted" in str(error):  # as DuckDB says that the user stopped it
            raise KeyboardInterrupt from None
        raise
    finally:
        cursor.close()


def table(path: Path) -> str:
    """What a query calls a table; OSError where there is no file, which is never waited for."""
    open_file(path).close()
    name = glob.escape(str(path.absolute())).replace("'", "''")
    return f"read_parquet('{name}', hive_partitioning = false)"


def listed(columns: Iterable[str], form: str = '"{0}"') -> str:
    """Columns as a query names them."""
    return ", ".join(form.format(name.replace('"', '""')) for name in columns)


def stream(
    path: Path, select: str, where: str = "true", values: Values = ()
) -> Iterator[tuple[Any, ...]]:
    """What is asked of the rows of a table, some thousands at a time; errors as of `reading`."""
    with reading(path) as cursor:
        found = cursor.execute(f"SELECT {select} FROM {table(path)} WHERE {where}", values)
        while rows := found.fetchmany(BATCH):
            yield from rows


def rows_of(results: Results, output: str, *columns: str) -> list[tuple[Any, ...]]:
    """Rows of some columns of an output's table; errors as of `reading`."""
    return list(stream(results.place(output), listed(columns)))


def batches(path: Path) -> Iterator[pa.RecordBatch]:
    """A whole table as Arrow has it, some thousands of rows at a time; errors as of `reading`."""
    # Nothing is read ahead, so that no more than a part is held.
    with reading(path), open_parquet(path, pre_buffer=False, buffer_size=1 << 20) as file:
        yield from file.iter_batches(BATCH)


def columns_of(path: Path) -> list[str]:
    """The names of a table's columns; errors as of `reading`."""
    with reading(path):
        return list(schema_of(path).names)


def declared(path: Path, columns: Iterable[str]) -> bool:
    """Whether a table has these columns, as those of its kind; errors as of `reading`."""
    with reading(path):
        schema = schema_of(path)
    kind = TABLES.get(table_name(schema))
    own = kind.schema if kind else ()
    return all(name in schema.names and schema.field(name) in own for name in columns)
