"""Everything that is measured on a GPU, in one command that goes on where it was stopped.

    PYTHONPATH=src python -m bench.gpu --all [--folder FOLDER] [--minutes 9] [PART ...]

Each part writes FOLDER/PART.json when it is done and is left out of a later call; no part is begun
after the given minutes. Peers need the environment of `make bench`; a part whose library is
absent says so. Without CUDA all parts run at toy sizes: a test keeps them from rotting.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from bench.gpu.table import tables
from bench.gpu.work import Work, device_name, real, toy

# In the order of their worth: module and function, and what each needs beside the product.
PARTS: dict[str, tuple[str, str, str | None]] = {
    "roofs": ("roofs", "roofs", None),
    "scores": ("equality", "scores", None),
    "losses": ("equality", "losses", None),
    "attention": ("attention", "attention", None),
    "training-135M": ("training", "smallest", None),
    "training-1B": ("training", "middle", None),
    "scoring": ("scoring", "scoring", None),
    "beams": ("scoring", "beams", None),
    "peer-harness": ("peers", "harness", "lm_eval"),
    "peer-trl": ("peers", "trl", "trl"),
    "zero-1B": ("training", "with_deepspeed", "deepspeed"),
    "training-7B": ("training", "largest", None),
}


def main(arguments: list[str]) -> int:
    """Measure what is asked for and not there yet; return 1 if a part failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], metavar="PART")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--folder", type=Path, default=Path("bench/measured/gpu"))
    parser.add_argument("--minutes", type=float, default=600)
    asked = parser.parse_args(arguments)
    if not asked.all and not asked.parts:
        parser.error("name parts, or say --all")
    work = real() if torch.cuda.is_available() else toy()
    asked.folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    for name in PARTS if asked.all else asked.parts:
        path = asked.folder / f"{name}.json"
        if path.exists():
            continue
        if time.monotonic() - started > 60 * asked.minutes:
            print(f"{name}: left for the next call")
            continue
        module, function, library = PARTS[name]
        if library and find_spec(library) is None:
            print(f"{name}: {library} is not installed")
            continue
        measure: Callable[[Work], Any] = getattr(import_module(f"bench.gpu.{module}"), function)
        begun = time.monotonic()
        found = {"device": device_name(), "torch": torch.__version__, "found": measure(work)}
        found["seconds"] = round(time.monotonic() - begun, 1)
        path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        print(name, json.dumps(found), flush=True)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    print(tables(asked.folder, list(PARTS)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
