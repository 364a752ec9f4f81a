"""tuneatlas: what tuning does to a language model.

What stands in ``__all__`` is for everybody's own programs, and is described in docs/api.md. It is
loaded when it is asked for, so that a step that imports the package loads nothing of it.
"""

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

__getattr__ = lazily("tuneatlas", __all__, "tuneatlas.api")
