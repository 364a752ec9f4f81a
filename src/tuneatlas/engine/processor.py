"""The same arithmetic on any x86-64 processor with AVX2: which instructions libraries may use.

Where a processor has wider instructions, libraries take them, and sums are rounded in another
order: a model that is trained for minutes becomes another model. These variables hold every
library to what all such processors have. They are read when a library is loaded, so they are set
for the process that starts a step (workflow/rules/common.smk), on whichever machine that is.
"""

import os
import sys
from collections.abc import Container, MutableMapping
from typing import Any

INSTRUCTIONS = {
    # PyTorch's own kernels, and those of the libraries it is built with.
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_CBWR": "AVX2,STRICT",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    # NumPy's functions, and the linear algebra of NumPy and SciPy.
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "OPENBLAS_CORETYPE": "Haswell",
    # CTranslate2, which would take another library for products on Intel's processors.
    "CT2_FORCE_CPU_ISA": "AVX2",
    "CT2_USE_MKL": "0",
}


def hold(environment: MutableMapping[str, str] = os.environ) -> None:
    """Hold libraries that are loaded from now on, here and in processes that are started.

    What a user has set is left: the record says what was in force.
    """
    for name, value in INSTRUCTIONS.items():
        environment.setdefault(name, value)


def in_force(libraries: Container[str]) -> dict[str, str]:
    """What libraries were held to, and PyTorch's own word if a step, which uses these, uses it."""
    found = {name: os.environ[name] for name in INSTRUCTIONS if name in os.environ}
    torch: Any = sys.modules.get("torch") if "torch" in libraries else None
    return found | ({"torch": torch.backends.cpu.get_cpu_capability()} if torch else {})
