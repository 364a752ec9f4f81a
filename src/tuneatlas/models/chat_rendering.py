"""A tokenizer's own chat template, run: within limits, and without what changes from day to day.

A template is a program that comes with a model. It is run in a process of its own, which may use
so much time and memory, and finds no clock: a date in a prompt would change its results.
"""

import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from signal import SIGXCPU
from typing import Any

from transformers.utils.chat_template_utils import render_jinja_template

from tuneatlas.errors import Refusal, UserError

INSTEAD = "name another chat_template of config/templates/chat"
SECONDS, WAIT = 5, 120
MEMORY = 4 * 2**30
LONGEST = 1_000_000
# For a template that asks whether it has a clock, it has none.
CLOCKLESS = "{% set strftime_now = the_date_of_today %}\n"
DRAWN = re.compile(r"\|\s*random\b|\blipsum\b")

# Messages, and whether the assistant is asked to begin its reply.
Asked = tuple[Sequence[Mapping[str, str]], bool]


def clockless(template: str, instead: str = INSTEAD) -> str:
    """``template`` without a clock; UserError if it draws at random."""
    if found := DRAWN.search(template):
        raise UserError(
            f"the model's chat template draws at random ({found[0]!r}), so no two runs would ask "
            f"alike; {instead}"
        )
    return CLOCKLESS + template


def lay_out(
    template: str,
    special: Mapping[str, object],
    asked: Sequence[Asked],
    instead: str = INSTEAD,
) -> list[str]:
    """The text of each conversation by ``template``, whose variables for tokens are ``special``.

    UserError if it fails, or does not end within the limits; ``instead``: what to do then.
    """
    given = {"template": clockless(template, instead), "special": dict(special), "asked": asked}
    texts, problem = _rendered(json.dumps(given, default=str))
    if problem:
        raise UserError(f"the model's chat template {problem}; {instead}")
    return list(texts)


@lru_cache(maxsize=64)
def _rendered(given: str) -> tuple[tuple[str, ...], str]:
    """Texts, or why there are none; the same template is asked for by several sections."""
    paths = os.pathsep.join(filter(None, sys.path))
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tuneatlas.models.chat_rendering"],
            input=given,
            capture_output=True,
            encoding="utf-8",
            timeout=WAIT,
            check=False,
            env={**os.environ, "PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1"},
        )
    except subprocess.TimeoutExpired:
        return (), Refusal(f"does not end within {WAIT} seconds")
    if done.returncode == -SIGXCPU:
        return (), Refusal(f"does not end within {SECONDS} seconds of processor time")
    if done.returncode:
        kind, _, why = (done.stderr.strip().splitlines() or [""])[-1].partition(": ")
        if kind == "MemoryError":
            why = Refusal(f"it needs more than {MEMORY >> 30} GiB of memory")
        return (), Refusal(f"does not work: {why or kind or done.returncode}")
    return tuple(json.loads(done.stdout)), ""


def main() -> None:
    """In the process of its own: what is to be laid out from stdin, the texts to stdout."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    given = json.load(sys.stdin)
    texts = []
    for messages, prompt in given["asked"]:
        rendered: Any = render_jinja_template(
            conversations=[messages],
            chat_template=given["template"],
            add_generation_prompt=prompt,
            **given["special"],
        )
        [text], _ = rendered
        if len(text) > LONGEST:
            sys.exit(f"length: its text has {len(text):,} characters")
        texts.append(text)
    json.dump(texts, sys.stdout)


if __name__ == "__main__":
    main()
