"""CPU-seconds that each step imports before it works: ``python -m bench.startup [STEP ...]``.

Every script's imports run in an interpreter of its own, by itself and in a copy of the warm process
(tuneatlas.engine.warm), in turns, so that a busy machine is busy for all alike; medians of five.
"""

import ast
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(__file__).parent.parent / "workflow" / "scripts"
ROUNDS = 5
COLD = "import json, sys, time\n{}\nprint(json.dumps([time.process_time(), [*sys.modules]]))\n"
WARM = """
import json, os, sys, time
from tuneatlas.engine import warm, warm_parent
warm_parent.load(warm.LIBRARIES)
if not os.fork():
{}
    print(json.dumps([time.process_time(), [*sys.modules]]))
"""
# The process that waits for its copy, which every job starts with.
WAITING = "import snakemake.script, tuneatlas.engine.step"


def imports_of(step: str) -> str:
    """The import statements of a step's script."""
    tree = ast.parse((SCRIPTS / f"{step}.py").read_text(encoding="utf-8"))
    kept = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return "\n".join(map(ast.unparse, kept))


def imported(code: str, form: str = COLD) -> tuple[float, frozenset[str]]:
    """CPU-seconds of a process that only runs ``code``, imports, and the modules it then has."""
    indented = code if form == COLD else "\n".join(f"    {line}" for line in code.splitlines())
    command = [sys.executable, "-c", form.format(indented)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    seconds, modules = json.loads(done.stdout.splitlines()[-1])
    return seconds, frozenset(modules)


def told(seconds: list[float]) -> str:
    """The median, and the range."""
    return f"{statistics.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f})"


def main(steps: list[str]) -> None:
    """Print a row for each of ``steps``, or of all."""
    steps = steps or sorted(path.stem for path in SCRIPTS.glob("*.py"))
    cold: dict[str, list[float]] = {step: [] for step in steps}
    warm: dict[str, list[float]] = {step: [] for step in steps}
    waiting: list[float] = []
    for _ in range(ROUNDS):
        waiting.append(imported(WAITING)[0])
        for step in steps:
            cold[step].append(imported(imports_of(step))[0])
            warm[step].append(imported(imports_of(step), WARM)[0])
    print("| step | CPU-s by itself, median (lowest to highest) | in a copy |\n|---|---|---|")
    for step in sorted(steps, key=lambda step: -statistics.median(cold[step])):
        print(f"| {step} | {told(cold[step])} | {told(warm[step])} |")
    print(f"\nThe process that waits for its copy: {told(waiting)}")


if __name__ == "__main__":
    main(sys.argv[1:])
