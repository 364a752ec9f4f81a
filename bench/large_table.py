"""Audit and trace with a corpus of some gigabytes: python bench/large_table.py FOLDER [GIGABYTES]

Writes the table into FOLDER if it is not there yet, then prints seconds and memory of each answer.
"""

import json
import random
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

from tests.unit.audit.synthetic import make_synthetic  # noqa: E402
from tuneatlas.audit.checks import INTEGRITY, run_checks  # noqa: E402
from tuneatlas.audit.lineage import read_results  # noqa: E402
from tuneatlas.audit.page.cards import cards  # noqa: E402
from tuneatlas.audit.trace import trace  # noqa: E402
from tuneatlas.engine.files import sha256_file  # noqa: E402
from tuneatlas.engine.records import dump, record_path  # noqa: E402
from tuneatlas.errors import UserError  # noqa: E402
from tuneatlas.tables import DOCUMENTS  # noqa: E402

ROWS, LENGTH = 20_000, 4_000
NAME = "prepare_corpus/documents.parquet"


def make(folder: Path, gigabytes: float) -> None:
    """Results with a corpus of this size: documents in groups of rows, as a stream writes them."""
    made = make_synthetic(folder, 200)
    path = folder / NAME
    path.parent.mkdir()
    rng = random.Random(0)
    schema = DOCUMENTS.schema
    number = 0
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        while not path.is_file() or path.stat().st_size < gigabytes * 1e9:
            noise = rng.randbytes(ROWS + LENGTH).hex()
            rows = {
                "id": [f"pretrain/prose/{number + k:09}" for k in range(ROWS)],
                "split": ["pretrain"] * ROWS,
                "kind": ["prose"] * ROWS,
                "text": [noise[k : k + LENGTH] for k in range(ROWS)],
                "questions": [["facts/none"] if k == 7 else [] for k in range(ROWS)],
                "source": ["test"] * ROWS,
                "licence": ["none"] * ROWS,
            }
            writer.write_table(pa.table(rows, schema=schema))
            number += ROWS
    probed = made.records["results/probe_knowledge/mini/facts.parquet"]
    record = {k: v for k, v in probed.items() if k != "seal"}
    record |= {"output": f"results/{NAME}", "step": "prepare_corpus", "wildcards": {}}
    record |= {"sha256": sha256_file(path)}
    record_path(path).write_text(dump(record))
    (folder / "rows.json").write_text(json.dumps(number))


def timed(what: str, action: Callable[[], object]) -> None:
    """Run and tell; memory is the most of the process so far."""
    started, begun = time.process_time(), time.perf_counter()
    found = action()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    used, clock = time.process_time() - started, time.perf_counter() - begun
    print(f"| {what} | {used:.1f} | {clock:.1f} | {peak} | {found} |", flush=True)


def main() -> None:
    """Make, ask, print."""
    folder = Path(sys.argv[1]) / "results"
    if not (folder / "rows.json").is_file():
        make(folder, float(sys.argv[2]) if len(sys.argv) > 2 else 2.0)
        print("made; run again to measure, so that making it does not count")
        return
    rows = json.loads((folder / "rows.json").read_text())
    (folder / NAME).stat()
    results = read_results(folder)
    print(f"{(folder / NAME).stat().st_size / 1e9:.2f} GB, {rows} rows")
    print("| question | CPU-s | s | peak MB | answer |\n|---|---|---|---|---|")

    def unknown() -> str:
        try:
            trace(results, "pretrain/prose/x")
        except UserError as error:
            return str(error).split("; ")[-1][:60]
        return "found"

    timed("trace of a document", lambda: list(trace(results, f"pretrain/prose/{rows - 5:09}").rows))
    timed("an id that does not exist", unknown)
    timed("audit", lambda: [f.kind for f in run_checks(results, INTEGRITY) if NAME in f.where])
    timed("data card", lambda: max(card["rows"] for card in cards(results)))


if __name__ == "__main__":
    main()
