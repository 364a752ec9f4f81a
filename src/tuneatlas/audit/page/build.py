"""Write the audit page: a folder that opens from disk, without a server and without a network.

A page on disk may not fetch files, but it may add scripts. Its data are therefore scripts, each
one call with JSON, and are loaded when they are looked at: ``data/{name}.js``.
"""

import json
import shutil
from collections.abc import Iterable, Mapping
from importlib.resources import as_file, files
from itertools import chain
from pathlib import Path
from typing import Any

from tuneatlas.audit.columns import Column, Columns
from tuneatlas.audit.lineage import Results
from tuneatlas.audit.numbers import TITLES, numbers
from tuneatlas.audit.page.cards import cards
from tuneatlas.audit.page.graph import layered, step_data
from tuneatlas.audit.page.items import Catalogue, write_items
from tuneatlas.audit.terms import Number
from tuneatlas.theme import BASE_STYLE

PLACES = 6


def build_page(results: Results, folder: Path) -> dict[str, int]:
    """Write the page of ``results`` to ``folder``; return how much it holds.

    Memory holds the ids and texts of all items and one table's batch at a time.
    """
    folder.mkdir(parents=True)
    with as_file(files("tuneatlas.audit.page") / "assets") as assets:
        for path in sorted(assets.iterdir()):
            shutil.copy(path, folder / path.name)
    (folder / "base.css").write_text(BASE_STYLE, encoding="utf-8")
    data = folder / "data"
    data.mkdir()
    catalogue = Catalogue.read(results)
    found = list(numbers(results))
    outputs = sorted({o for n in found for t in n.all_terms() for o in t.outputs})
    steps = step_data(results)
    for name, jobs in steps.items():
        write(data, f"step-{name}", jobs)
    write(data, "cards", list(cards(results)))
    for number, shard in enumerate(catalogue.index_shards()):
        write(data, f"index-{number}", shard)
    item_shards = write_items(results, catalogue, data, write)
    columns, place = Columns(results), {output: n for n, output in enumerate(outputs)}
    paths: list[dict[str, Any]] = []
    followed = (results.of_step(step) for step in ("evaluate_stages", "measure_checkpoint"))
    for output in sorted({*outputs, *chain.from_iterable(followed)}):
        own = columns.of(output)
        paths += catalogue.paths(results.records[output]["wildcards"], own)
        if output in place:
            write(data, f"columns-{place[output]}", _columns(own, output, catalogue))
    write(data, "numbers", _numbers(found, outputs))
    write(data, "paths", paths)
    overview = {
        "graph": layered(results, steps),
        "attributes": catalogue.attribute_values(),
        "indexShards": catalogue.shards,
        "itemShard": catalogue.per_shard,
        "items": len(catalogue.ids),
        "kinds": catalogue.kinds(),
        "outputs": catalogue.outputs,
    }
    write(data, "overview", overview)
    return {"items": len(catalogue.ids), "numbers": len(found), "item_shards": item_shards}


def write(data: Path, name: str, value: Any) -> None:
    """One data file of the page."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=False)
    # A string may end a line in JSON where it must not in older scripts.
    text = text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    # Half characters, which UTF-8 has no word for, are written as JSON writes them.
    (data / f"{name}.js").write_text(
        f"tuneatlas({json.dumps(name)},{text});\n", encoding="utf-8", errors="backslashreplace"
    )


def _columns(own: Mapping[str, Column], output: str, catalogue: Catalogue) -> dict[str, Any]:
    """The columns of an output; those over the same items share the list of these."""
    lists: dict[tuple[int, ...], int] = {}
    found = {}
    for name, column in own.items():
        known = [(catalogue.number[i], v) for i, v in column.items() if i in catalogue.number]
        place = lists.setdefault(tuple(n for n, _ in known), len(lists))
        found[name] = [place, [_short(v) for _, v in known]]
    return {"output": output, "items": [list(items) for items in lists], "columns": found}


def _short(value: float) -> float | int:
    return int(value) if value == int(value) else round(value, PLACES)


def _numbers(found: Iterable[Number], outputs: list[str]) -> dict[str, Any]:
    """Numbers by address: value and terms, or the addresses of a correlation's points.

    Terms say outputs and selections by their place in a list.
    """
    place = {name: number for number, name in enumerate(outputs)}
    wheres: dict[str, int] = {}
    rows: list[Any] = []
    for number in found:
        terms = [
            [
                round(t.weight, 12),
                [place[o] for o in t.outputs],
                t.column,
                wheres.setdefault(json.dumps(t.where), len(wheres)),
                t.over,
            ]
            for t in number.terms
        ]
        points = [[n.address for n in point] for own in number.points for point in own]
        rows.append([number.address, number.value, terms, points])
    return {
        "outputs": outputs,
        "where": [json.loads(w) for w in wheres],
        "numbers": rows,
        "titles": TITLES,
    }
