"""Span denoising of trees in brackets, in four kinds (Liu et al. 2024; sentinels as in T5).

What is masked are the pieces of a tokenizer, each by a draw of its own. ``intra`` masks pieces
between brackets, never a bracket alone; ``inter`` masks spans of Poisson(3) pieces anywhere,
some of them empty, and its target ends with no sentinel. ``low`` asks for 15 % of the pieces,
``high`` for 30 %; spans of ``inter`` overlap, which leaves 14 and 26 %.
"""

import math
import random
import re
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

from tuneatlas.studies.syntax.pretraining.tasks import SENTINELS, Setting, Task, Text, sentinel
from tuneatlas.studies.syntax.trees.linear import write_bracket
from tuneatlas.studies.syntax.trees.trees import Tree

MEAN_SPAN = 3.0
RATES = {"low": 0.15, "high": 0.30}
# From where to where, in pieces; an empty span is before the piece that it names.
Spans = list[tuple[int, int]]


def intra_spans(pieces: Sequence[str], rate: float, rng: random.Random) -> Spans:
    """Each piece but brackets is masked with probability ``rate``; neighbours make one span."""
    masked = [p.strip() not in ("(", ")") and rng.random() < rate for p in pieces]
    return _runs(masked)


def _runs(masked: Sequence[bool]) -> Spans:
    """The stretches of what is masked."""
    edges = [at for at, (a, b) in enumerate(pairwise([False, *masked, False])) if a != b]
    return list(zip(edges[::2], edges[1::2], strict=True))


def inter_spans(pieces: Sequence[str], rate: float, rng: random.Random) -> Spans:
    """Each piece begins a span with probability ``rate`` / 3, of a Poisson length.

    Later spans overwrite earlier ones, and those that touch are one. At an empty one a sentinel
    is put before the piece, which stays.
    """
    masked, put = [False] * len(pieces), [False] * len(pieces)
    for at in range(len(pieces)):
        if rng.random() >= rate / MEAN_SPAN:
            continue
        length = poisson(MEAN_SPAN, rng)
        if not length:
            masked[at], put[at] = False, True
        for under in range(at, min(at + length, len(pieces))):
            masked[under], put[under] = True, False
    return sorted([*_runs(masked), *((at, at) for at, empty in enumerate(put) if empty)])


def poisson(mean: float, rng: random.Random) -> int:
    """A Poisson number (Knuth's product of uniforms)."""
    draw = rng.random
    limit, product, number = math.exp(-mean), draw(), 0
    while product > limit:
        product *= draw()
        number += 1
    return number


KINDS: dict[str, Callable[[Sequence[str], float, random.Random], Spans]] = {
    "intra": intra_spans,
    "inter": inter_spans,
}


def mask(pieces: Sequence[str], spans: Spans, *, closed: bool) -> Text:
    """Pieces with a sentinel for each span; the target gives what each stands for.

    ``closed``: a last sentinel ends the target.
    """
    source, target = [], []
    at = 0
    for number, (start, end) in enumerate(spans):
        source += [*pieces[at:start], sentinel(number)]
        target += [sentinel(number), *pieces[start:end]]
        at = end
    source += pieces[at:]
    if closed:
        target.append(sentinel(len(spans)))
    return Text("".join(source), "".join(target))


def unmask(text: Text) -> str:
    """The text as it was, from the masked one and what the sentinels stand for."""
    parts = re.split(r"<extra_id_(\d+)>", text.target)
    fill = dict(zip(parts[1::2], parts[2::2], strict=True))
    return re.sub(r"<extra_id_(\d+)>", lambda m: fill.get(m[1], ""), text.input)


def denoise(kind: str, level: str, tree: Tree, rng: random.Random, setting: Setting) -> Text | None:
    """The tree with masked spans, and what was masked; None if there are too many for ``intra``.

    ``inter`` masks no more when the sentinels are used up.
    """
    pieces = setting.pieces(write_bracket(tree))
    spans = KINDS[kind](pieces, RATES[level], rng)
    closed = kind == "intra"
    if closed and len(spans) >= SENTINELS:
        return None
    text = mask(pieces, spans[:SENTINELS], closed=closed)
    return Text(f"{level} difficulty {kind} span: {text.input}", text.target)


def denoising_tasks(weight: int) -> dict[str, Task]:
    """The four tasks, each of ``weight``."""
    names = [(level, kind) for level in RATES for kind in KINDS]
    return {
        f"denoise_{level}_{kind}": Task(weight, partial(denoise, kind, level), "bleu")
        for level, kind in names
    }
