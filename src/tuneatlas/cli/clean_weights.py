"""``tuneatlas clean-weights``: let the weights of a run go that all that reads them has read."""

import argparse
from collections import defaultdict
from pathlib import Path

from tuneatlas.audit.lineage import read_results
from tuneatlas.cli.accept import refuse_a_run
from tuneatlas.config.load import DEFAULT_CONFIG, load_config, resolve
from tuneatlas.config.naming import working_folder
from tuneatlas.engine.jobs import Job, read_plan
from tuneatlas.engine.letting_go import are_measured, is_there, let_go
from tuneatlas.engine.operations import operations_of, split
from tuneatlas.sizing.storage import folders
from tuneatlas.terminal import say


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    parser.add_argument(
        "--config", type=Path, action="append", help="the experiment (default: config/config.yaml)"
    )
    parser.add_argument("--root", type=Path, default=Path(), help="the project's folder")


def run(options: argparse.Namespace) -> int:
    """Let go what can be, whatever ``keep`` says; say how much that was, and what stays."""
    configs = options.config or [options.root / DEFAULT_CONFIG]
    folder = working_folder(configs, options.root)
    refuse_a_run(folder)
    _, operations = split(resolve(load_config(*configs, root=options.root)))
    jobs = read_plan(options.root, configs, folder)
    results = read_results(folder / "results", folder)
    readers: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        for name in job.inputs:
            readers[name].append(job)
    gone, freed, unread = 0, 0, 0
    for job in jobs:
        weights = folders(job.outputs)
        places = [results.place(name) for name in weights]
        # Steps that make weights which may go say how long they stay.
        own = operations_of(operations, job.step, job.wildcards)
        if "keep" not in own or not any(map(is_there, places)):
            continue
        read = [reader for name in weights for reader in readers[name]]
        made = [results.place(name) for reader in read for name in reader.outputs]
        due = any(reader.due for reader in read)
        if not read or due or not are_measured(places, made, results.name):
            unread += len(places)
            continue
        for place in places:
            size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
            if let_go(place, str(own["keep"])):
                gone, freed = gone + 1, freed + size
    say(f"{gone} models were let go, {freed / 1e9:.2f} GB; what reads one again makes it again.")
    if unread:
        say(f"{unread} models stay, as not all that reads them stands.")
    return 0
