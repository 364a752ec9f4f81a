"""What an audit looks at: each check is a function from results to findings."""

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pyarrow as pa

from tuneatlas import tables
from tuneatlas.audit.counts import COUNTS, UncountableError
from tuneatlas.audit.lineage import RESULTS, Results, walk
from tuneatlas.audit.query import TABLES, UnreadableTableError
from tuneatlas.engine.accepted import changes_since
from tuneatlas.engine.digest import code_of
from tuneatlas.engine.files import FOLDER_MARK, PARTIAL
from tuneatlas.engine.records import SUFFIX, record_path
from tuneatlas.errors import UserError
from tuneatlas.models.folder import folder_problems

# Larger tables are checked by their columns and their hash alone.
READ_WHOLE_BYTES = 200_000_000
# How the folder is called in which a step keeps its progress; see `tuneatlas.engine.step`.
PROGRESS = re.compile(r"\..+\.[0-9a-f]{12}$")


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be: its kind, the file, why, and the causes to taint.

    ``causes`` are the files whose users are tainted; ``hit`` are outputs tainted themselves.
    """

    kind: str
    where: str
    why: str
    causes: tuple[str, ...] = ()
    hit: tuple[str, ...] = ()

    def taints(self, results: Results) -> list[str]:
        """The outputs that rest on it."""
        return sorted({*self.hit, *results.downstream((*self.causes, *self.hit))})


def records(results: Results) -> Iterator[Finding]:
    """Every sidecar can be read and is that of the output beside it."""
    for name, problem in sorted({**results.unreadable, **results.unsealed}.items()):
        yield Finding("damaged record", name + SUFFIX, problem, (name,))
    for name, problem in results.closed.items():
        users = [n for n in results.users if n.startswith(name + "/")]
        yield Finding("unreadable", name, problem, tuple(users))


def circles(results: Results) -> Iterator[Finding]:
    """No output was made from itself."""
    needs = {name: list(record["inputs"]) for name, record in results.records.items()}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        names = list(dict.fromkeys(error.args[1]))
        why = f"each of {', '.join(names)} is recorded as made from another of these"
        yield Finding("damaged record", names[0] + SUFFIX, why, tuple(names))


def contents(results: Results) -> Iterator[Finding]:
    """Every output is there and holds what its record says."""
    for name, record in results.records.items():
        content = results.content(name)
        if content is None:
            why = "its record is here, but the output is gone"
            yield Finding("missing output", name, why, (name,))
        elif content.problem:
            yield Finding("unreadable", name, content.problem, (name,))
        elif content.others or not content.is_(record["sha256"]):
            yield Finding("changed", name, _what_changed(results, name), (name,))


def _what_changed(results: Results, name: str) -> str:
    """Which file of a folder changed, or what the table says against its schema."""
    content, recorded = results.content(name), results.records[name].get("files") or {}
    assert content is not None
    kinds = {
        "added": content.files.keys() - recorded.keys(),
        "gone": recorded.keys() - content.files.keys(),
        "changed": {f for f in content.files if recorded.get(f, "") not in ("", content.files[f])},
    }
    if content.others:
        other = ", ".join(n for n in content.others if n != ".") or "it"
        why = f"not what the step wrote: {other} is a pipe, a broken link or a link to a folder"
    elif recorded:
        parts = [f"{kind}: {', '.join(sorted(files))}" for kind, files in kinds.items() if files]
        why = "not what the step wrote; " + "; ".join(parts)
    else:
        why = "not what the step wrote: its content has another hash than its record says"
    twins = [
        other
        for other, record in results.records.items()
        if other != name and content.is_(record["sha256"])
    ]
    if twins:
        why += f"; it is the content of {twins[0]}"
    return why


def sidecars(results: Results) -> Iterator[Finding]:
    """Every file in the folder is an output with its record, or inside one."""
    known = {*results.records, *results.unreadable}

    def whole(path: Path) -> bool:
        # An output that is a folder bears the engine's mark; in any other the files are named.
        name = results.name(path)
        return bool(
            name in known
            or name in results.users
            or os.path.lexists(path / FOLDER_MARK)
            or _is_left_over(path)
        )

    for path, problem in walk(results.folder, whole):
        name = results.name(path)
        if problem or name in known or name.endswith(SUFFIX) or path.name == FOLDER_MARK:
            continue
        if _is_left_over(path):
            continue
        users = results.users.get(name, [])
        if path.is_dir() and not whole(path):
            continue
        if users:
            why = f"{record_path(Path(name)).name} is gone, so nothing says where this comes from"
            yield Finding("missing sidecar", name, why, (name,))
        else:
            why = (
                "no step is known to have made this: a foreign file, or one whose "
                f"{record_path(Path(name)).name} is gone"
            )
            yield Finding("no record", name, why, (name,))


def _is_left_over(path: Path) -> bool:
    """Whether an interrupted or a running job made this; the next run takes it up or removes it."""
    return path.name.startswith(PARTIAL) or bool(PROGRESS.match(path.name) and path.is_dir())


def inputs(results: Results) -> Iterator[Finding]:
    """Every output was made from what its inputs hold now."""
    for name, uses in sorted(results.users.items()):
        record = results.records.get(name)
        content = results.content(name)
        if content is None:
            if not record and (name.startswith(RESULTS) or results.place(name).parent.is_dir()):
                why = f"gone, with its record; {len(uses)} outputs were made from it"
                yield Finding("missing input", name, why, (name,))
            continue
        if record and not content.is_(record["sha256"]):
            continue  # changed since, or unreadable: found at its source
        if content.problem:
            yield Finding("unreadable", name, content.problem, (name,))
            continue
        older = [u for u in uses if not content.is_(results.records[u]["inputs"][name])]
        if older and record:
            why = f"made from another version of {name} than the one here"
            yield from (Finding("stale", use, why, hit=(use,)) for use in older)
        elif older:
            why = f"not what {', '.join(older[:3])}{' …' if older[3:] else ''} was made from"
            yield Finding("changed input", name, why, hit=tuple(older))


def schemas(results: Results) -> Iterator[Finding]:
    """Every table has its declared columns, types, values and keys."""
    for name in _readable(results):
        path = results.place(name)
        paths = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
        for found in paths:
            if found.suffix == ".parquet" and found.is_file():
                problem = table_problem(found)
                if problem:
                    yield Finding("broken table", results.name(found), problem, (name,))


def table_problem(path: Path) -> str:
    """What is wrong with a table; empty if nothing."""
    try:
        schema = tables.schema_of(path)
        named = tables.table_name(schema)
        if named not in TABLES:
            return f"the table says it is {named!r}, which this version does not know"
        if path.stat().st_size <= READ_WHOLE_BYTES:
            TABLES[named].check(tables.open_parquet(path).read(), str(path))
        elif not schema.equals(TABLES[named].schema):
            return f"its columns are not those of a table {named!r}"
    except UserError as error:
        return str(error).removeprefix(f"{path}: ")
    except (OSError, ValueError, pa.ArrowException) as error:
        return f"not a readable parquet file: {error}".splitlines()[0]
    return ""


def counts(results: Results) -> Iterator[Finding]:
    """Rows in are rows out and rows set aside."""
    for name in _readable(results):
        record = results.records[name]
        if record["step"] in COUNTS:
            try:
                for why in COUNTS[record["step"]](results, record):
                    yield Finding("rows", name, why, (name,))
            except UnreadableTableError:
                continue  # another check says why
            except UncountableError as error:
                yield Finding("rows", name, f"its rows cannot be counted: {error}", (name,))


def _readable(results: Results) -> list[str]:
    """The outputs that are here and could be read."""
    found = {n: results.content(n) for n in results.records if n not in results.let_go}
    return [name for name, content in found.items() if content and not content.problem]


def weights(results: Results) -> Iterator[Finding]:
    """Every model folder is whole."""
    for name in _readable(results):
        if name in results.elsewhere:
            continue
        path = results.place(name)
        # A model is told by its record where its files are known, else by what is there.
        files = results.records[name].get("files") or {p: "" for p in _names(path)}
        if any(f.endswith(".safetensors") and "/" not in f for f in files):
            for problem in folder_problems(path):
                why = problem.replace(str(path) + "/", "").replace(str(path) + " ", "")
                yield Finding("model", name, why, (name,))


def _names(path: Path) -> list[str]:
    return [p.name for p in path.iterdir()] if path.is_dir() else []


def has_workflow(results: Results) -> bool:
    """Whether the project's code is at hand; a results folder may stand alone elsewhere."""
    return (results.project / "workflow" / "scripts").is_dir()


def code(results: Results) -> Iterator[Finding]:
    """Every output was made by the code and the libraries that are here now."""
    changes: dict[tuple[str, str], set[str]] = defaultdict(set)
    for name, record in results.records.items() if has_workflow(results) else ():
        script = results.project / "workflow" / "scripts" / f"{record['step']}.py"
        if not script.is_file():
            changes["script", f"{record['step']} is not a step of the workflow here"].add(name)
            continue
        now = code_of(script)
        for change in changes_since(record, now):
            changes[change].add(name)
    for (kind, text), outputs in sorted(changes.items()):
        why = f"{text}: {len(outputs)} outputs are of other code than is here"
        yield Finding("old code", kind, why, hit=tuple(sorted(outputs)))


Check = Callable[[Results], Iterator[Finding]]
INTEGRITY: tuple[Check, ...] = (
    records,
    circles,
    contents,
    sidecars,
    inputs,
    schemas,
    counts,
    weights,
)
CHECKS: tuple[Check, ...] = (*INTEGRITY, code)


def run_checks(results: Results, checks: tuple[Check, ...] = CHECKS) -> list[Finding]:
    """All findings, in the order of the checks."""
    return [finding for check in checks for finding in check(results)]
