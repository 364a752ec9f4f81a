"""``tuneatlas audit``: does every result still stand on what its record says?"""

import argparse
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from tuneatlas.audit.checks import Finding, has_workflow, run_checks
from tuneatlas.audit.lineage import Results, read_contents, read_results, trust_weights
from tuneatlas.engine.accepted import acceptances
from tuneatlas.engine.jobs import changed_options, read_plan
from tuneatlas.errors import UserError
from tuneatlas.terminal import one_line, reader_may_leave, say

SHOWN = 6


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    parser.add_argument("results", nargs="?", type=Path, default=Path("results"), metavar="RESULTS")
    parser.add_argument(
        "--config", type=Path, action="append", help="compare with this experiment, too"
    )
    parser.add_argument(
        "--root", type=Path, help="the project's folder (default: the one that holds RESULTS)"
    )
    parser.add_argument(
        "--without-weights", action="store_true", help="models need not be here, all else must"
    )
    parser.add_argument(
        "--jobs",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="files read at a time (default: as many as there are processors)",
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.add_argument("--all", action="store_true", help="name every tainted output")


def run(options: argparse.Namespace) -> int:
    """Audit; 0 if there is nothing to find, else 1."""
    if options.jobs < 1:
        raise UserError(f"audit: --jobs {options.jobs}: at least 1 file is read at a time")
    results = read_results(options.results, options.root)
    read_contents(results, options.jobs)
    if options.without_weights:
        trust_weights(results)
    found = run_checks(results)
    if options.config:
        found += list(configured(results, options.config))
    if options.json:
        listed = [
            {"kind": f.kind, "where": f.where, "why": f.why, "taints": f.taints(results)}
            for f in found
        ]
        text = json.dumps(listed, indent=1)
    else:
        text = "\n".join(map(one_line, told(results, found, options.all)))
    with reader_may_leave():
        say(text)
    return 1 if found else 0


def configured(results: Results, configs: list[Path]) -> Iterator[Finding]:
    """Every output was made with the config as it is now, and every job has its outputs."""
    changes: dict[str, list[str]] = defaultdict(list)
    for job in read_plan(results.project, configs, results.root):
        for name in job.outputs:
            if record := results.records.get(name):
                for change in changed_options(job, record):
                    changes[str(change)].append(name)
            elif name not in results.unreadable and not results.place(name).exists():
                yield Finding("not made", name, f"the experiment has {job}, which did not run")
    for text, outputs in changes.items():
        why = f"{text}: {len(outputs)} outputs are of other settings than the config has"
        yield Finding("old config", str(configs[0]), why, hit=tuple(outputs))


def told(results: Results, found: list[Finding], everything: bool) -> Iterator[str]:
    """The audit in words."""
    for finding in found:
        yield f"{finding.kind}: {finding.where}: {finding.why}"
        tainted = finding.taints(results)
        shown = tainted if everything else tainted[:SHOWN]
        if tainted:
            more = f" … (--all names all {len(tainted)})" if len(tainted) > len(shown) else ""
            yield f"    taints {len(tainted)}: {' '.join(shown)}{more}"
    if not has_workflow(results):
        yield f"(code not compared: no workflow/ in {results.project}; name its folder with --root)"
    yield from (f"(accepted: {line})" for line in acceptances(results.records.values()))
    if results.elsewhere:
        names = " ".join(sorted(results.elsewhere))
        yield f"(not here, and taken for what their records say: the weights of {names})"
    number = len(results.records)
    if results.let_go:
        kinds = Counter(record["step"] for record in results.let_go.values())
        steps = ", ".join(f"{step} {count}" for step, count in kinds.items())
        yield f"(let go once what reads them stood, and taken for what their records say: {steps})"
    if found:
        resting = {name for finding in found for name in finding.taints(results)}
        yield f"{len(found)} findings; {len(resting)} of {number} outputs rest on them."
    else:
        number -= len(results.elsewhere.union(results.let_go))
        yield f"{number} outputs verified: every one is what its record says. Nothing found."
    yield f"(sha256 of all records together: {results.digest()})"
