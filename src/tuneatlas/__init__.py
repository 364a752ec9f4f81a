"""tuneatlas: what tuning does to a language model.

What stands in ``__all__`` is for everybody's own programs, and is described in docs/api.md. It is
loaded when it is asked for, so that a step that imports the package loads nothing of it.
"""

import gc
from typing import TYPE_CHECKING

from tuneatlas.engine.lazy import lazily

if TYPE_CHECKING:
    from tuneatlas.api import (
        Comparison,
        ParaphraseScores,
        Run,
        UserError,
        compare,
        evaluate,
        find_transition,
        holm,
        label,
        open_run,
        probe,
        score_paraphrases,
        tree_edit_distance,
    )

__all__ = [
    "Comparison",
    "ParaphraseScores",
    "Run",
    "UserError",
    "compare",
    "evaluate",
    "find_transition",
    "holm",
    "label",
    "open_run",
    "probe",
    "score_paraphrases",
    "tree_edit_distance",
]

# What a job imports stays. Looking for garbage among it, as Python does with every 700 new
# objects, takes a sixth of the processor time of a short job's start. A step sets it lower again.
gc.set_threshold(1_000_000)

__getattr__ = lazily("tuneatlas", __all__, "tuneatlas.api")
