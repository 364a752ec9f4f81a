"""Train a tiny model on two nodes and print the loss of each step: two_nodes.py FOLDER ZERO."""

import json
import sys
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.unit.training.recipes import (  # noqa: E402
    RECIPE,
    planned,
    setting,
)
from tuneatlas.models.build import train_tokenizer  # noqa: E402
from tuneatlas.training.processes import train  # noqa: E402


def main(folder: Path, zero: str) -> None:
    """In one process with ``alone``, else with a DeepSpeed config on two nodes."""
    tokenizer = train_tokenizer([(ROOT / "Makefile").read_text(encoding="utf-8")], 400)
    recipe = RECIPE
    if zero != "alone":
        path = str(ROOT / f"config/deepspeed/{zero}.json")
        recipe = replace(RECIPE, processes=2, nodes=2, rows_per_device=1, deepspeed=path)
    history = train(*planned(setting(folder, tokenizer), tokenizer, folder / "states", recipe))
    (folder / "losses.json").write_text(json.dumps([entry["loss"] for entry in history]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
