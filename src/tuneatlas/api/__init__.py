"""The Python face: what ``import tuneatlas`` gives, thin layers over what the steps use.

Its modules import libraries when a function is called, so that one loads those that it needs.
"""

from tuneatlas.api.comparisons import Comparison, compare, find_transition, holm
from tuneatlas.api.models import evaluate, label, probe
from tuneatlas.api.paraphrases import ParaphraseScores, score_paraphrases, tree_edit_distance
from tuneatlas.api.runs import Run, open_run
from tuneatlas.errors import UserError

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
