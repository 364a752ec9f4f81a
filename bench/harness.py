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
import statistics
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

    @property
    def ratio(self) -> float:
        """The median quotient."""
        return statistics.median(self.ratios)


def timed(run: Callable[[int], Any], number: int) -> tuple[float, Any]:
    """CPU-seconds of all threads of this process, and the result."""
    gc.collect()
    start = time.process_time()
    result = run(number)
    return time.process_time() - start, result


def measure(name: str, results: Path, rounds: int = ROUNDS) -> list[Measured]:
    """Run all rounds of a row and compare the results of each."""
    work: Work = importlib.import_module(f"bench.rows.{name}").work(results)
    runs = [("ours", work.ours), *((peer.name, peer.run) for peer in work.peers)]
    seconds: dict[str, list[float]] = {who: [] for who, _ in runs}
    said: dict[str, str] = {}
    for number in range(rounds):
        turn = number % len(runs)
        found = {}
        for who, run in runs[turn:] + runs[:turn]:
            spent, found[who] = timed(run, number)
            seconds[who].append(spent)
            print(f"{name}, round {number + 1}: {who} {spent:.3f} CPU-s", file=sys.stderr)
        for peer in work.peers:
            said[peer.name] = work.same(found["ours"], found[peer.name])
    versions = {p: version(p) for p in work.packages}
    return [
        Measured(
            name,
            work.what,
            peer.name,
            peer.wanted,
            [round(s, 4) for s in seconds["ours"]],
            [round(s, 4) for s in seconds[peer.name]],
            [round(t / o, 3) for o, t in zip(seconds["ours"], seconds[peer.name], strict=True)],
            said[peer.name],
            machine(),
            date.today().isoformat(),
            versions,
        )
        for peer in work.peers
    ]


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
    save(sys.argv[1], measure(sys.argv[1], Path(sys.argv[2])))
