"""What a T5 is made with, and trained on with as a control: noise in sentences, without trees.

The target is the whole sentence, one of the objectives that Raffel et al. 2020 compare for T5
(section 3.3): with the masked words alone as the target a small model takes long to learn to copy.
"""

import random
from functools import partial

from tuneatlas.studies.syntax.pretraining.denoising import MEAN_SPAN, RATES, Spans, poisson
from tuneatlas.studies.syntax.pretraining.tasks import SENTINELS, Setting, Task, Text, sentinel
from tuneatlas.studies.syntax.trees.linear import escape
from tuneatlas.studies.syntax.trees.trees import Tree, words


def word_spans(count: int, rate: float, rng: random.Random) -> Spans:
    """Spans of Poisson length until ``rate`` of the words is masked, then placed at random."""
    budget = max(1, round(rate * count))
    lengths: list[int] = []
    left = budget
    while left > 0:
        lengths.append(min(left, poisson(MEAN_SPAN, rng)))
        left -= lengths[-1]
    rng.shuffle(lengths)
    slots = sorted(rng.sample(range(count - budget + len(lengths)), len(lengths)))
    spans: Spans = []
    masked = 0
    for number, (slot, length) in enumerate(zip(slots, lengths, strict=True)):
        start = slot - number + masked
        spans.append((start, start + length))
        masked += length
    return spans


def denoise_words(level: str, tree: Tree, rng: random.Random, _: Setting) -> Text | None:
    """The sentence with masked spans of words, to the whole sentence."""
    said = [escape(word) for word in words(tree)]
    if not said:
        return None
    spans = word_spans(len(said), RATES[level], rng)
    if len(spans) >= SENTINELS:
        return None
    shown, at = [], 0
    for number, (start, end) in enumerate(spans):
        shown += [*said[at:start], sentinel(number)]
        at = end
    return Text(f"plain {level}: {' '.join([*shown, *said[at:]])}", " ".join(said))


PLAIN_TASKS = {f"plain_{level}": Task(1, partial(denoise_words, level), "bleu") for level in RATES}
