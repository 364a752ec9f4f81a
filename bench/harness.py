"""Measure one row: ours and each peer in turn, in CPU-seconds of one thread, several rounds.

A row is a module of ``bench.rows`` with a function ``work(results)``, where ``results`` is the
folder of a finished run of the default experiment. In every round ours and all peers do the same
work one after the other, in turning order, and what they computed is compared: a ratio is a
quotient within a round, so that what else the machine does falls on both.
"""

import gc
import importlib
import json
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

MEASURED = Path(__file__).parent / "measured"
ROUNDS = 5


@dataclass(frozen=True)
class Peer:
    """Another way to do the work. ``wanted``: the ratio aimed at; None: shown beside the others."""

    name: str
    run: Callable[[int], Any]
    wanted: float | None = None


@dataclass(frozen=True)
class Work:
    """What a row measures.

    ``ours`` and the peers are given the number of the round. ``same`` compares what ours and a
    peer computed, raises AssertionError if they differ, and says in a few words what was equal.
    """

    what: str
    ours: Callable[[int], Any]
    peers: Sequence[Peer]
    same: Callable[[Any, Any], str]
    packages: Sequence[str] = ()


@dataclass(frozen=True)
class Measured:
    """Ours against one peer: seconds of each round, and their quotients."""

    row: str
    what: str
    peer: str
    wanted: float | None
    ours_s: list[float]
    peer_s: list[float]
    ratios: list[float]
    same: str
    machine: str
    date: str
    versions: dict[str, str]


def timed(run: Callable[[int], Any], number: int) -> tuple[float, Any]:
    """CPU-seconds of all threads of this process, and the result."""
    gc.collect()
    start = time.process_time()
    result = run(number)
    return time.process_time() - start, result


def measure(name: str, results: Path, rounds: int = ROUNDS) -> list[Measured]:
    """Run all rounds of a row and compare the results of each; kept after every round."""
    work: Work = importlib.import_module(f"bench.rows.{name}").work(results)
    runs = [("ours", work.ours), *((peer.name, peer.run) for peer in work.peers)]
    seconds: dict[str, list[float]] = {who: [] for who, _ in runs}
    measured: list[Measured] = []
    for number in range(rounds):
        turn = number % len(runs)
        found = {}
        for who, run in runs[turn:] + runs[:turn]:
            spent, found[who] = timed(run, number)
            seconds[who].append(round(spent, 4))
            print(f"{name}, round {number + 1}: {who} {spent:.3f} CPU-s", file=sys.stderr)
        said = {peer.name: work.same(found["ours"], found[peer.name]) for peer in work.peers}
        print(f"{name}, round {number + 1}: {said}", file=sys.stderr)
        measured = [_measured(name, work, peer, seconds, said) for peer in work.peers]
        save(name, measured)
    return measured


def _measured(
    name: str, work: Work, peer: Peer, seconds: dict[str, list[float]], said: dict[str, str]
) -> Measured:
    ours, theirs = list(seconds["ours"]), list(seconds[peer.name])
    return Measured(
        name,
        work.what,
        peer.name,
        peer.wanted,
        ours,
        theirs,
        [round(t / o, 3) for o, t in zip(ours, theirs, strict=True)],
        said[peer.name],
        machine(),
        date.today().isoformat(),
        {package: version(package) for package in work.packages},
    )


def machine() -> str:
    """The processor, as the system names it."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{models[0] if models else platform.processor()}, {len(models)} cores, no GPU used"


def save(name: str, found: Sequence[Measured]) -> None:
    """Keep a row's measurements for the table."""
    MEASURED.mkdir(exist_ok=True)
    text = json.dumps([asdict(one) for one in found], indent=1)
    (MEASURED / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    measure(sys.argv[1], Path(sys.argv[2]))
