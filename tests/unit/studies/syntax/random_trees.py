"""Random trees for tests: of any names (hypothesis), and like a treebank's (fast)."""

import random

from hypothesis import strategies as st

from tuneatlas.studies.syntax.trees.trees import Tree

PHRASES = ("S", "NP", "VP", "PP", "SBAR", "ADJP", "ADVP")
TAGS = ("DT", "NN", "VBD", "IN", "JJ", "PRP", "RB", ".")
WORDS = ("the", "a", "cat", "sat", "on", "mat", "it", "not", ".", "(", ")", "-LRB-", "1/2", "NN")

# Names that could be mistaken for structure come up often.
TRICKY = (
    "",
    " ",
    "(",
    ")",
    "-LRB-",
    "-",
    "LRB-",
    "\\",
    "\\.",
    "/",
    "/NP",
    "</a>",
    "<a>",
    "<sep>",
    "</s>",
    "NP",
)
names = st.one_of(st.sampled_from((*TRICKY, "0:", "1=", "1.2:", "\u00a0", "\n", "\x1f")), st.text())
any_tree = st.recursive(
    st.builds(lambda label, below: Tree(label, tuple(below)), names, st.lists(names, max_size=2)),
    lambda below: st.builds(
        lambda label, children: Tree(label, tuple(children)),
        names,
        st.lists(st.one_of(names, below), max_size=4),
    ),
    max_leaves=12,
)
# As a parser's: every branch ends in a word.
any_parse = st.recursive(
    st.builds(lambda label, word: Tree(label, (word,)), names, names),
    lambda below: st.builds(
        lambda label, children: Tree(label, tuple(children)),
        names,
        st.lists(below, min_size=1, max_size=4),
    ),
    max_leaves=12,
)


def random_tree(rng: random.Random, depth: int = 6) -> Tree:
    """A tree like a parser's: ROOT on top, a tag above each word."""
    return Tree("ROOT", (_phrase(rng, depth),))


def _phrase(rng: random.Random, depth: int) -> Tree:
    children: list[Tree | str] = []
    for _ in range(rng.choice((1, 2, 2, 3))):
        if depth <= 1 or rng.random() < 0.45:
            children.append(Tree(rng.choice(TAGS), (rng.choice(WORDS),)))
        else:
            children.append(_phrase(rng, depth - 1))
    return Tree(rng.choice(PHRASES), tuple(children))


# Words that are stemmed, and told from others by their case.
LETTERS = [w for w in WORDS if w.isalpha()] + ["running", "runs", "Cats", "cats"]


def sentences(seed: int, count: int = 60) -> list[tuple[str, str]]:
    """Candidates and references that are alike."""
    rng = random.Random(seed)
    pairs = []
    for _ in range(count):
        reference = [rng.choice(LETTERS) for _ in range(rng.randint(5, 12))]
        candidate = [w if rng.random() < 0.7 else rng.choice(LETTERS) for w in reference]
        pairs.append((" ".join(candidate[: rng.randint(4, 12)]), " ".join(reference)))
    return pairs
