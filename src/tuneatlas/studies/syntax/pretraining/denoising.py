"""Span denoising of written trees, in four kinds (Liu et al. 2024; sentinels as in T5).

``intra`` masks names only, never a bracket or what stands for it in another form; ``inter``
masks spans of Poisson(3) symbols anywhere, some of them empty. ``low`` masks 15 % of the
symbols, ``high`` 30 %.
"""

import math
import random
import re
from collections.abc import Callable, Sequence
from functools import partial

from tuneatlas.studies.syntax.pretraining.tasks import Task, Text
from tuneatlas.studies.syntax.trees.linear import Form, escape, join_symbols, split_symbols
from tuneatlas.studies.syntax.trees.trees import Tree, words

SENTINELS = 100
_SENTINELS = [f"<extra_id_{number}>" for number in range(SENTINELS)]
MEAN_SPAN = 3.0
RATES = {"low": 0.15, "high": 0.30}
Spans = list[tuple[int, int]]


def intra_spans(symbols: Sequence[str], rate: float, rng: random.Random, form: Form) -> Spans:
    """Names drawn one by one; those side by side make one span."""
    names = [at for at, around in enumerate(map(form.is_structure, symbols)) if not around]
    chosen = sorted(rng.sample(names, max(1, round(rate * len(names)))))
    spans: Spans = []
    for at in chosen:
        if spans and spans[-1][1] == at:
            spans[-1] = (spans[-1][0], at + 1)
        else:
            spans.append((at, at + 1))
    return spans


def inter_spans(symbols: Sequence[str], rate: float, rng: random.Random) -> Spans:
    """Spans of Poisson length until ``rate`` of the symbols is masked, then placed at random."""
    budget = max(1, round(rate * len(symbols)))
    lengths: list[int] = []
    left = budget
    while left > 0:
        lengths.append(min(left, poisson(MEAN_SPAN, rng)))
        left -= lengths[-1]
    rng.shuffle(lengths)
    slots = sorted(rng.sample(range(len(symbols) - budget + len(lengths)), len(lengths)))
    spans: Spans = []
    masked = 0
    for number, (slot, length) in enumerate(zip(slots, lengths, strict=True)):
        start = slot - number + masked
        spans.append((start, start + length))
        masked += length
    return spans


def poisson(mean: float, rng: random.Random) -> int:
    """A Poisson number (Knuth's product of uniforms)."""
    draw = rng.random
    limit, product, number = math.exp(-mean), draw(), 0
    while product > limit:
        product *= draw()
        number += 1
    return number


KINDS: dict[str, Callable[[Sequence[str], float, random.Random, Form], Spans]] = {
    "intra": intra_spans,
    "inter": lambda symbols, rate, rng, _: inter_spans(symbols, rate, rng),
}


def mask(symbols: Sequence[str], spans: Spans) -> Text:
    """Symbols with a sentinel for each span; the target gives what each stands for."""
    source, target = list(symbols), []
    gone = 0
    for (start, end), sentinel in zip(spans, _SENTINELS, strict=False):
        source[start - gone : end - gone] = (sentinel,)
        gone += end - start - 1
        target.append(sentinel)
        target += symbols[start:end]
    target.append(_SENTINELS[len(spans)])
    return Text(join_symbols(source), join_symbols(target))


def unmask(text: Text) -> str:
    """The tree as it was written, from the masked one and what the sentinels stand for."""
    parts = re.split(r"<extra_id_(\d+)>", text.target)
    fill = dict(zip(parts[1::2], parts[2::2], strict=True))
    filled = re.sub(r"<extra_id_(\d+)>", lambda m: f" {fill.get(m[1], '')} ", text.input)
    return join_symbols(split_symbols(filled))


def denoise(kind: str, level: str, tree: Tree, rng: random.Random, form: Form) -> Text | None:
    """The written tree with masked spans, and what was masked."""
    symbols = split_symbols(form.write(tree))
    spans = KINDS[kind](symbols, RATES[level], rng, form)
    return mask(symbols, spans) if len(spans) < SENTINELS else None


def check_denoising(tree: Tree, text: Text, form: Form) -> bool:
    """Filling in gives the tree back."""
    return unmask(text) == form.write(tree)


def _task(kind: str, level: str, weight: int) -> Task:
    return Task(weight, partial(denoise, kind, level), check_denoising, "exact_match")


def denoise_words(level: str, tree: Tree, rng: random.Random, form: Form) -> Text | None:
    """The sentence alone with masked spans, to the whole sentence: the same noise without a tree.

    One of the objectives that Raffel et al. 2020 compare for T5 (section 3.3). With the masked
    words alone as the target a small model takes long to learn to copy.
    """
    symbols = [escape(word) for word in words(tree)]
    if not symbols:
        return None
    spans = inter_spans(symbols, RATES[level], rng)
    if len(spans) >= SENTINELS:
        return None
    return Text(mask(symbols, spans).input, join_symbols(symbols))


def check_words(tree: Tree, text: Text, _: Form) -> bool:
    """The target is the sentence, and what is left of it in the input stands in it in order."""
    whole = [escape(word) for word in words(tree)]
    left = iter(whole)
    shown = [s for s in split_symbols(text.input) if not s.startswith("<extra_id_")]
    return text.target == join_symbols(whole) and all(symbol in left for symbol in shown)


# What a model is trained on that is to see the same sentences, but no trees.
PLAIN_TASKS = {
    f"plain_{level}": Task(1, partial(denoise_words, level), check_words, "exact_match")
    for level in RATES
}


def denoising_tasks(weight: int) -> dict[str, Task]:
    """The four tasks, each of ``weight``."""
    names = [(level, kind) for level in RATES for kind in KINDS]
    return {f"denoise_{level}_{kind}": _task(kind, level, weight) for level, kind in names}
