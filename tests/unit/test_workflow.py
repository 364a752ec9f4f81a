"""Rules have one name for all that they call, and what has it is called by a rule."""

import re
from itertools import chain
from pathlib import Path

from tuneatlas import workflow

PROJECT = Path(__file__).parents[2]


def test_rules_call_what_is_imported_for_them_and_nothing_else():
    rules = chain([PROJECT / "workflow/Snakefile"], (PROJECT / "workflow/rules").rglob("*.smk"))
    text = "\n".join(path.read_text() for path in rules)
    # But for modules by their own names, of Python or of its -m.
    called = set(re.findall(r"(?<!from )(?<!-m )\btuneatlas\.(\w+)\b(?! import)", text))
    assert called == {name for name in vars(workflow) if not name.startswith("__")}
