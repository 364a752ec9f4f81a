"""Two tables of one kind, row beside row, without holding what the rows hold.

Of each row its key is held, and a hash of each of its values.
"""

from dataclasses import dataclass
from pathlib import Path

from tuneatlas.audit.query import TABLES, listed, reading, table
from tuneatlas.tables import schema_of, table_name

SHOWN = 8
# A table, its rows numbered, and so are those of one key, of which a damaged table has several.
SIDE = """
CREATE TEMP TABLE {side} AS
SELECT *, row_number() OVER (PARTITION BY {key} ORDER BY row) AS repeat
FROM (SELECT file_row_number AS row, {key}, {right} AS judged, [{hashes}]::UBIGINT[] AS hashes
    FROM {table})"""
# The rows that one side alone has, and those of both that differ: in the columns of which the
# hashes do, or in those that one side alone has.
BESIDE = """
CREATE TEMP TABLE beside AS
SELECT a.row AS in_a, b.row AS in_b, {keys}, a.judged AS was, b.judged AS now,
    list_filter($names, lambda name, place: a.hashes[place] <> b.hashes[place]) AS differ
FROM a FULL JOIN b ON a.repeat = b.repeat AND {same}
WHERE in_a IS NULL OR in_b IS NULL OR a.hashes <> b.hashes OR {lone}"""
BOTH = "in_a IS NOT NULL AND in_b IS NOT NULL"


@dataclass(frozen=True)
class Some:
    """How many rows there are of a kind, and the keys of the first."""

    number: int
    keys: list[str]


@dataclass(frozen=True)
class Difference:
    """What differs between two tables: how many rows they have, which differ, in which columns.

    ``lost`` are answers that only A says are right, ``won`` those that only B does.
    """

    rows: tuple[int, int]
    only_in_a: Some
    only_in_b: Some
    changed: Some
    columns: list[str]
    lost: Some
    won: Some


def difference(one: Path, other: Path, shown: int = SHOWN) -> Difference | None:
    """Put two tables beside each other; None if they are not two of one known kind.

    Raises:
        UnreadableTableError: one cannot be read.
    """
    if not all(path.suffix == ".parquet" and path.is_file() for path in (one, other)):
        return None
    with reading(one, other) as cursor:
        schemas = [schema_of(path) for path in (one, other)]
        kinds = {table_name(schema) for schema in schemas}
        before, after = (set(schema.names) for schema in schemas)
        kind = TABLES.get(kinds.pop())
        if kinds or kind is None or not before & after >= {*kind.key}:
            return None
        both, lone = sorted((before & after) - {*kind.key}), before ^ after
        key = listed(kind.key)
        right = '"correct"' if "correct" in both else "false"
        hashes = listed(both, 'hash("{0}"::VARCHAR)')
        for side, path in (("a", one), ("b", other)):
            asked = SIDE.format(side=side, key=key, right=right, hashes=hashes, table=table(path))
            cursor.execute(asked)
        keys = listed(kind.key, 'coalesce(a."{0}", b."{0}") AS "{0}"')
        same = " AND ".join(f'a."{name}" IS NOT DISTINCT FROM b."{name}"' for name in kind.key)
        cursor.execute(BESIDE.format(keys=keys, same=same, lone=bool(lone)), {"names": both})

        def some(which: str, row: str = "in_a") -> Some:
            asked = f"SELECT count(*) OVER (), {key} FROM beside WHERE {which} ORDER BY {row}"
            rows = cursor.execute(f"{asked} LIMIT {shown}").fetchall()
            return Some(rows[0][0] if rows else 0, [" ".join(map(str, own)) for _, *own in rows])

        cursor.execute("SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b)")
        (rows,) = cursor.fetchall()
        cursor.execute(f"SELECT DISTINCT unnest(differ) FROM beside WHERE {BOTH}")
        columns = [*lone, *(name for (name,) in cursor.fetchall())]
        return Difference(
            rows=rows,
            only_in_a=some("in_b IS NULL"),
            only_in_b=some("in_a IS NULL", "in_b"),
            changed=some(BOTH),
            columns=sorted(columns),
            lost=some(f"{BOTH} AND was AND NOT now"),
            won=some(f"{BOTH} AND now AND NOT was"),
        )
