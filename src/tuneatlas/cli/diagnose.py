"""``tuneatlas diagnose``: the config that measures what was tuned from a base model beside it."""

import argparse
import json
import os
from pathlib import Path

from tuneatlas.config.diagnosing import INCLUDED, Asked, diagnosis
from tuneatlas.config.load import load_config
from tuneatlas.engine.files import write_text
from tuneatlas.errors import UserError
from tuneatlas.terminal import say

WRITTEN = Path("config/diagnosed.yaml")
HEAD = f"# Written by 'make diagnose'; every key that is not here is as in {INCLUDED}.\n"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    where = "a folder, or owner/name@COMMIT of the hub"
    parser.add_argument("--base", required=True, help=f"{where}, or a config file: its first model")
    parser.add_argument(
        "--tuned", action="append", default=[], help=f"{where}; {{step}}: its steps"
    )
    parser.add_argument("--adapter", action="append", default=[], help="a LoRA or DoRA adapter")
    parser.add_argument("--questions", help="a question file, in place of MMLU")
    parser.add_argument("--text", help="text like that of pre-training; none: nothing is restored")
    parser.add_argument("--all", action="store_true", help="ask all questions: sample nothing")
    parser.add_argument("--atlas", action="store_true", help="take the atlas's measures, too")
    parser.add_argument("--output", type=Path, default=WRITTEN, help="the config that is written")
    parser.add_argument(
        "--root", type=Path, default=Path(), help="the project's folder (default: here)"
    )


def run(options: argparse.Namespace) -> int:
    """Write the config; return the exit code."""
    asked = Asked(
        base=options.base,
        tuned=tuple(filter(None, options.tuned)),
        adapters=tuple(filter(None, options.adapter)),
        questions=options.questions,
        text=options.text,
        whole=options.all,
        atlas=options.atlas,
    )
    if not asked.base:
        raise UserError("BASE: names no model: say which one TUNED was tuned from")
    place = options.output.absolute().parent
    included = os.path.relpath((options.root / INCLUDED).absolute(), place)
    config = {"include": included, **diagnosis(asked, options.root)}
    # JSON is YAML, in which no text is taken for a number.
    text = json.dumps(config, indent=2, ensure_ascii=False)
    write_text(options.output, f"{HEAD}{text}\n")
    load_config(options.output, root=options.root)
    say(f"wrote {options.output}; what is wrong with it is said before the first job")
    return 0
