"""What a job pays before it asks a model anything: ``python -m bench.loading [GB]``.

Random weights of so many gigabytes (1), in single precision: libraries, the digest of the folder,
which every input has, and loading in the two formats that models are asked in. Each is done in a
process of its own, five times; medians of CPU-seconds, with the files in the page cache.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

ROUNDS = 5
WIDTH, VOCABULARY = 1024, 32_000


def make(folder: Path, gigabytes: float) -> None:
    """A Llama of about this size."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    layer = 12.5 * WIDTH**2
    layers = max(1, round((gigabytes * 1e9 / 4 - 2 * VOCABULARY * WIDTH) / layer))
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=WIDTH,
        intermediate_size=2816,
        num_hidden_layers=layers,
        num_attention_heads=16,
        tie_word_embeddings=False,
    )
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)


def timed(folder: Path) -> dict[str, float]:
    """CPU-seconds of each part, in this process."""
    found = {}
    for name, part in _parts(folder):
        began = time.process_time()
        part()
        found[name] = time.process_time() - began
    return found


def _parts(folder: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    def libraries() -> None:
        import torch
        from transformers import LlamaForCausalLM  # noqa: F401

        torch.set_num_threads(1)

    yield "libraries", libraries
    import torch
    from transformers import AutoModelForCausalLM

    from tuneatlas.engine.files import sha256_tree

    yield "digest", partial(sha256_tree, folder)
    load = partial(AutoModelForCausalLM.from_pretrained, folder)
    yield "loading, float32", partial(load, dtype=torch.float32)
    yield "loading, bfloat16", partial(load, dtype=torch.bfloat16)


def main(words: list[str]) -> None:
    """Print a row for each part."""
    if words[:1] == ["--here"]:
        print(json.dumps(timed(Path(words[1]))))
        return
    gigabytes = float(words[0]) if words else 1.0
    with tempfile.TemporaryDirectory() as name:
        make(Path(name), gigabytes)
        size = sum(path.stat().st_size for path in Path(name).iterdir()) / 1e9
        command = [sys.executable, "-m", "bench.loading", "--here", name]
        rounds = [
            json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
            for _ in range(ROUNDS)
        ]
    print(f"| CPU-seconds of a job, {size:.2f} GB of weights | median (range) |\n|---|---|")
    for part in rounds[0]:
        values = [found[part] for found in rounds]
        median, low, high = statistics.median(values), min(values), max(values)
        print(f"| {part} | {median:.2f} ({low:.2f} to {high:.2f}) |")


if __name__ == "__main__":
    main(sys.argv[1:])
