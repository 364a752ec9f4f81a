"""Any x86-64 processor with AVX2 gives the same bytes: two trainings and NumPy's functions."""

import hashlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tuneatlas.engine import processor

# Seen on AMD EPYC of family 26; the first of family 25, too. Another digest is a finding: say
# which processor, and which of the three.
SEEN = {"causal": "4bd0e8e0c27a038c", "t5": "3ccb760c46da17c0", "numpy": "c87aa832dfed9599"}
VERSIONS = {"torch": "2.13.0", "numpy": "2.4.6"}


def avx2() -> bool:
    info = Path("/proc/cpuinfo")
    return platform.machine() == "x86_64" and info.is_file() and " avx2 " in info.read_text()


def digests() -> dict[str, str]:
    """Digests of what this process computes."""
    import numpy as np
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, T5Config, T5ForConditionalGeneration

    def trained(model, feed) -> str:
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
        for ids in text:
            model(**feed(ids)).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
        whole = hashlib.sha256()
        for _, tensor in sorted(model.state_dict().items()):
            whole.update(tensor.numpy().tobytes())
        return whole.hexdigest()[:16]

    torch.set_num_threads(1)
    text = torch.randint(0, 512, (30, 4, 128), generator=torch.Generator().manual_seed(1))
    torch.manual_seed(0)
    llama = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=512,
            hidden_size=128,
            intermediate_size=384,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=256,
        )
    )
    torch.manual_seed(0)
    t5 = T5ForConditionalGeneration(
        T5Config(
            vocab_size=512,
            d_model=128,
            d_kv=32,
            d_ff=256,
            num_layers=2,
            num_heads=4,
            dropout_rate=0.0,
            decoder_start_token_id=0,
        )
    )
    points = np.linspace(1e-6, 30, 100_001)
    functions = (np.exp, np.log, np.log1p, np.tanh, np.sqrt, np.sin)
    matrix = np.random.default_rng(0).normal(size=(257, 257))
    numbers = [f(points) for f in functions] + [matrix @ matrix, matrix.sum(axis=0)]
    return {
        "causal": trained(llama, lambda ids: {"input_ids": ids, "labels": ids}),
        "t5": trained(t5, lambda ids: {"input_ids": ids, "labels": ids.flip(1)}),
        "numpy": hashlib.sha256(b"".join(n.tobytes() for n in numbers)).hexdigest()[:16],
    }


def computed(environment: dict[str, str]) -> dict[str, str]:
    """The digests of a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__], env=environment, capture_output=True, text=True, check=True
    )
    return dict(json.loads(done.stdout))


@pytest.mark.skipif(not avx2(), reason="the digests are those of x86-64 processors with AVX2")
def test_two_trainings_and_numpy_give_the_bytes_seen_on_other_processors():
    import numpy as np
    import torch

    versions = {"torch": torch.__version__.split("+")[0], "numpy": np.__version__}
    assert versions == VERSIONS, "with new versions, take the digests anew on two processors"
    environment = {k: v for k, v in os.environ.items() if k not in processor.INSTRUCTIONS}
    processor.hold(environment)
    # NumPy's linear algebra sums in another order with one thread than with several.
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "2")
    assert computed(environment | threads) == SEEN


def test_what_a_user_has_set_is_left():
    environment = {"ATEN_CPU_CAPABILITY": "default"}
    processor.hold(environment)
    assert environment == processor.INSTRUCTIONS | {"ATEN_CPU_CAPABILITY": "default"}


def test_the_record_says_what_was_in_force(monkeypatch: pytest.MonkeyPatch):
    import torch

    monkeypatch.setenv("OPENBLAS_CORETYPE", "Zen")
    monkeypatch.delenv("MKL_CBWR", raising=False)
    found = processor.in_force({"torch"})
    assert found["OPENBLAS_CORETYPE"] == "Zen" and "MKL_CBWR" not in found
    assert found["torch"] == torch.backends.cpu.get_cpu_capability()
    assert "torch" not in processor.in_force({"numpy"}), "loaded by chance, and not used"


if __name__ == "__main__":
    print(json.dumps(digests()))
