"""The lineage of a run by step: what each step's jobs were, and where the drawing puts them."""

from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from tuneatlas.audit.lineage import RESULTS, Results, reached
from tuneatlas.engine.accepted import acceptances

TOTALS = ("wall_s", "cpu_s")


def step_data(results: Results) -> dict[str, dict[str, Any]]:
    """By step in the order of work: its jobs, with code and libraries told once where equal."""
    found: dict[str, dict[str, Any]] = {}
    for step in TopologicalSorter(_needs(results)).static_order():
        codes: list[dict[str, str]] = []
        libraries: list[dict[str, str]] = []
        jobs = []
        for name, record in sorted(results.of_step(step).items()):
            path = results.place(name)
            jobs.append(
                {
                    "output": name,
                    "wildcards": record["wildcards"],
                    "sha256": record["sha256"],
                    "files": sorted(record.get("files") or {}),
                    "inputs": record["inputs"],
                    "options": record["options"],
                    "params": record.get("params", {}),
                    "seed": str(record.get("seed", "")),
                    "code": _place(codes, record["code"]),
                    "libraries": _place(libraries, record["libraries"]),
                    "accepted": list(acceptances([record])),
                    "host": record.get("host", {}),
                    "log": record.get("log", ""),
                    "bytes": _size(path),
                    **{k: record.get(k) for k in (*TOTALS, "peak_mb")},
                }
            )
        found[step] = {"jobs": jobs, "codes": codes, "libraries": libraries}
    return found


def layered(results: Results, steps: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Each step with its place (layer, column), what it needs, and what it cost in all."""
    needs = _needs(results)
    layer: dict[str, int] = {}
    for step in steps:
        layer[step] = 1 + max((layer[n] for n in needs[step] if n in layer), default=-1)
    rows: dict[int, list[str]] = defaultdict(list)
    for step in steps:
        rows[layer[step]].append(step)
    column: dict[str, float] = {}
    for number in sorted(rows):
        # Each step below the mean of what it needs.
        rows[number].sort(key=lambda s: _mean([column[n] for n in needs[s] if n in column]))
        width = len(rows[number])
        column |= {s: i - (width - 1) / 2 for i, s in enumerate(rows[number])}
    return [
        {
            "step": step,
            "layer": layer[step],
            "column": column[step],
            "needs": needs[step],
            "drawn": [n for n in needs[step] if not _by_others(n, step, needs)],
            "jobs": len(_runs(steps[step]["jobs"])),
            "outputs": len(steps[step]["jobs"]),
            "bytes": sum(job["bytes"] for job in steps[step]["jobs"]),
            **{k: round(sum(job[k] or 0 for job in _runs(steps[step]["jobs"])), 1) for k in TOTALS},
        }
        for step in steps
    ]


def _runs(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One output of each job: several outputs of one have one log."""
    return list({job["log"] or job["output"]: job for job in jobs}.values())


def _needs(results: Results) -> dict[str, list[str]]:
    """The other steps that each step needs."""
    found: dict[str, dict[str, None]] = {r["step"]: {} for r in results.records.values()}
    for record in results.records.values():
        makers = (results.records[n]["step"] for n in record["inputs"] if n in results.records)
        found[record["step"]] |= dict.fromkeys(m for m in makers if m != record["step"])
    return {step: list(found[step]) for step in sorted(found)}


def _by_others(before: str, step: str, needs: dict[str, list[str]]) -> bool:
    """Whether ``step`` needs ``before`` by way of another step, too."""
    others = [n for n in needs[step] if n != before]
    return before in reached(others, lambda name: needs.get(name, ()))


def _place(known: list[dict[str, str]], value: dict[str, str]) -> int:
    if value not in known:
        known.append(value)
    return known.index(value)


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    return path.stat().st_size if path.exists() else 0


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def restricted(results: Results, names: list[str]) -> Results:
    """The results that outputs ``names`` rest on, and themselves."""
    kept = set(names)
    for name in names:
        kept |= {n for n in results.upstream(name) if n.startswith(RESULTS)}
    records = {n: r for n, r in results.records.items() if n in kept}
    return Results(results.folder, results.root, records)
