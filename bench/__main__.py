"""Run rows, each in its own process, and print the table: python -m bench RESULTS [ROW ...]."""

import os
import subprocess
import sys
from pathlib import Path

from bench.table import markdown, read

ROWS = ("mcq_letter", "mcq_cloze", "tuning", "ted", "beam_search")
# One thread each: what is compared is the work, not how it is spread.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
}


def main(results: str, rows: list[str]) -> int:
    """Measure ``rows``, or all; return 1 if one of them failed."""
    unknown = [row for row in rows if row not in ROWS]
    if unknown:
        print(f"no row {unknown[0]!r}; there are: {', '.join(ROWS)}")
        return 1
    failed = 0
    for row in rows or ROWS:
        command = [sys.executable, "-m", "bench.harness", row, results]
        failed |= subprocess.run(command, env=os.environ | ENVIRONMENT, check=False).returncode
    print(markdown(read(Path(__file__).parent / "measured")))
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
