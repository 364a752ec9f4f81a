"""CPU-seconds that each step imports before it works: ``python -m bench.startup [STEP ...]``.

Every script's imports run in an interpreter of its own, in turns, so that a busy machine is busy
for all steps alike; medians of five.
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
IMPORTS = "import json, sys, time\n{}\nprint(json.dumps([time.process_time(), [*sys.modules]]))\n"


def imports_of(step: str) -> str:
    """The import statements of a step's script."""
    tree = ast.parse((SCRIPTS / f"{step}.py").read_text(encoding="utf-8"))
    kept = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return "\n".join(map(ast.unparse, kept))


def imported(code: str) -> tuple[float, frozenset[str]]:
    """CPU-seconds of an interpreter that only runs ``code``, imports, and the modules it loaded."""
    command = [sys.executable, "-c", IMPORTS.format(code)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    seconds, modules = json.loads(done.stdout.splitlines()[-1])
    return seconds, frozenset(modules)


def main(steps: list[str]) -> None:
    """Print a row for each of ``steps``, or of all."""
    steps = steps or sorted(path.stem for path in SCRIPTS.glob("*.py"))
    taken: dict[str, list[float]] = {step: [] for step in steps}
    for _ in range(ROUNDS):
        for step in steps:
            taken[step].append(imported(imports_of(step))[0])
    print("| step | CPU-s, median (lowest to highest) |\n|---|---|")
    for step, seconds in sorted(taken.items(), key=lambda item: -statistics.median(item[1])):
        middle = statistics.median(seconds)
        print(f"| {step} | {middle:.2f} ({min(seconds):.2f} to {max(seconds):.2f}) |")


if __name__ == "__main__":
    main(sys.argv[1:])
