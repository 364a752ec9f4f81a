"""Stage-2 examples of 10,000 parsed trees: the product beside the same tasks written with nltk."""

import random
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

from bench.harness import ROUNDS, Peer, Work
from bench.nltk_tasks import TASKS as NLTK_TASKS
from tuneatlas.studies.syntax.pretraining.syntax_tasks import SYNTAX_TASKS
from tuneatlas.studies.syntax.pretraining.tasks import draw_examples, prefix
from tuneatlas.studies.syntax.tables import PARSES
from tuneatlas.studies.syntax.trees.linear import FORMS

TREES = 10_000
Example = tuple[int, str, str, str]


def nltk_examples(texts: list[str], rng: random.Random) -> Iterator[Example]:
    """The plain formulation; a task that a tree has no example of waits for the next tree."""
    from nltk import Tree

    names, weights = zip(*((n, t.weight) for n, t in SYNTAX_TASKS.items()), strict=True)
    waiting = None
    for number, text in enumerate(texts):
        name = waiting or rng.choices(names, weights)[0]
        pair = NLTK_TASKS[name](Tree.fromstring(text), rng)
        waiting = None if pair else name
        if pair:
            yield number, name, prefix(name) + pair[0], pair[1]


def work(results: Path) -> Work:
    """From the written trees of the parses, in turns; each round another fifth of them."""
    shards = sorted((results / "parse_sentences").glob("*.parquet"))
    parsed = [row["tree"] for path in shards for row in PARSES.read(path) if row["tree"]]
    texts = list(islice(cycle(parsed), TREES))
    size = len(texts) // ROUNDS
    parts = [texts[i * size : (i + 1) * size] for i in range(ROUNDS)]

    def ours(number: int) -> list[Example]:
        drawn = draw_examples(parts[number], SYNTAX_TASKS, FORMS["bracket"], random.Random(number))
        return [(at, name, *text) for at, name, text in drawn]

    def same(found: list[Example], other: list[Example]) -> str:
        assert found == other, next(p for p in zip(found, other, strict=False) if p[0] != p[1])
        return f"{len(found)} examples of a round equal, letter by letter"

    return Work(
        f"stage-2 examples of {len(texts)} trees ({min(len(parsed), TREES)} different ones)",
        ours,
        [Peer("plain nltk", lambda i: list(nltk_examples(parts[i], random.Random(i))), 1)],
        same,
        ["nltk"],
    )
