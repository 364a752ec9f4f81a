"""The stage-2 tasks (Liu et al. 2024) written plainly with nltk trees: what the product replaces.

They draw random numbers in the product's order, so that both build the same examples.
"""

import math
import random
from collections.abc import Callable
from functools import partial

from nltk import Tree

HEIGHT = 5
SEP = " <sep> "
Pair = tuple[str, str]


def written(tree: Tree) -> str:
    """One line in brackets."""
    return tree.pformat(margin=10**9)


def sentence(tree: Tree) -> str:
    """The words."""
    return " ".join(tree.leaves())


def pos_tagging(tree: Tree, _: random.Random) -> Pair:
    """Sentence to tags."""
    return sentence(tree), " ".join(tag for _, tag in tree.pos())


def pruned(tree: Tree, depth: int = HEIGHT) -> Tree:
    """Cut at a depth, the words kept."""
    if depth == 1:
        return Tree(tree.label(), tree.leaves())
    return Tree(tree.label(), [c if isinstance(c, str) else pruned(c, depth - 1) for c in tree])


def tree_pruning(tree: Tree, _: random.Random) -> Pair:
    """Tree to pruned tree."""
    return written(tree), written(pruned(tree))


def pruned_tree_completion(tree: Tree, _: random.Random) -> Pair:
    """Pruned tree to tree."""
    return written(pruned(tree)), written(tree)


def pruned_tree_parse(tree: Tree, _: random.Random) -> Pair:
    """Sentence to pruned tree."""
    return sentence(tree), written(pruned(tree))


def lexical(tree: Tree) -> bool:
    """Whether words stand right beneath."""
    return any(isinstance(child, str) for child in tree)


def production_detection(tree: Tree, _: random.Random) -> Pair | None:
    """Sentence to the productions without words."""
    found = [p for p in tree.productions() if p.is_nonlexical()]
    texts = [" ".join(map(str, (p.lhs(), *p.rhs()))) for p in found]
    return (sentence(tree), SEP.join(texts)) if texts else None


def phrases(tree: Tree) -> list[Pair]:
    """Label and words of each inner node but the root."""
    inner = [t for t in tree.subtrees() if t is not tree and not lexical(t)]
    return [(t.label(), " ".join(t.leaves())) for t in inner]


def constituency_searching(tree: Tree, rng: random.Random) -> Pair | None:
    """Label and sentence to phrases."""
    found = phrases(tree)
    if not found:
        return None
    label = rng.choice(sorted({label for label, _ in found}))
    return f"{label}{SEP}{sentence(tree)}", SEP.join(p for other, p in found if other == label)


def constituency_discrimination(tree: Tree, rng: random.Random) -> Pair | None:
    """Label, phrase and sentence to True or False."""
    words = tree.leaves()
    true = set(phrases(tree))
    options = []
    first = {}
    for number in range(len(words)):
        position = tree.leaf_treeposition(number)
        for depth in range(len(position)):
            first.setdefault(position[:depth], number)
    for position in tree.treepositions():
        node = tree[position]
        if not position or isinstance(node, str) or lexical(node):
            continue
        start = first[position]
        end = start + len(node.leaves())
        shifted = [
            " ".join(words[start + by : end + by])
            for by in (-3, -2, -1, 1, 2, 3)
            if start + by >= 0 and end + by <= len(words)
        ]
        false = [phrase for phrase in shifted if (node.label(), phrase) not in true]
        if false:
            options.append((node.label(), " ".join(words[start:end]), false))
    if not options:
        return None
    label, phrase, false = rng.choice(options)
    answer = rng.random() < 0.5
    shown = phrase if answer else rng.choice(false)
    return f"{label}{SEP}{shown}{SEP}{' '.join(words)}", str(answer)


def symbols(tree: Tree) -> list[str]:
    """Brackets and names."""
    return written(tree).replace("(", "( ").replace(")", " )").split()


def joined(parts: list[str]) -> str:
    """The inverse of `symbols`."""
    return " ".join(parts).replace("( ", "(").replace(" )", ")")


def poisson(rng: random.Random, mean: float = 3.0) -> int:
    """Knuth's draw."""
    limit, product, number = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        number += 1
    return number


def intra(found: list[str], rate: float, rng: random.Random) -> list[Pair]:
    """Spans of names."""
    names = [i for i, symbol in enumerate(found) if symbol not in "()" and symbol[0] != "/"]
    chosen = sorted(rng.sample(names, max(1, round(rate * len(names)))))
    spans: list = []
    for at in chosen:
        if spans and spans[-1][1] == at:
            spans[-1] = (spans[-1][0], at + 1)
        else:
            spans.append((at, at + 1))
    return spans


def inter(found: list[str], rate: float, rng: random.Random) -> list[Pair]:
    """Spans of Poisson length anywhere."""
    budget = max(1, round(rate * len(found)))
    lengths: list[int] = []
    while sum(lengths) < budget:
        lengths.append(min(budget - sum(lengths), poisson(rng)))
    rng.shuffle(lengths)
    slots = sorted(rng.sample(range(len(found) - budget + len(lengths)), len(lengths)))
    spans, masked = [], 0
    for number, (slot, length) in enumerate(zip(slots, lengths, strict=True)):
        start = slot - number + masked
        spans.append((start, start + length))
        masked += length
    return spans


def denoise(kind: Callable, rate: float, tree: Tree, rng: random.Random) -> Pair | None:
    """Masked tree to what was masked."""
    found = symbols(tree)
    spans = kind(found, rate, rng)
    if len(spans) >= 100:
        return None
    source, target, at = [], [], 0
    for number, (start, end) in enumerate(spans):
        source += [*found[at:start], f"<extra_id_{number}>"]
        target += [f"<extra_id_{number}>", *found[start:end]]
        at = end
    return joined(source + found[at:]), joined([*target, f"<extra_id_{len(spans)}>"])


TASKS: dict[str, Callable[[Tree, random.Random], Pair | None]] = {
    "denoise_low_intra": partial(denoise, intra, 0.15),
    "denoise_low_inter": partial(denoise, inter, 0.15),
    "denoise_high_intra": partial(denoise, intra, 0.30),
    "denoise_high_inter": partial(denoise, inter, 0.30),
    "pos_tagging": pos_tagging,
    "tree_pruning": tree_pruning,
    "pruned_tree_completion": pruned_tree_completion,
    "pruned_tree_parse": pruned_tree_parse,
    "production_detection": production_detection,
    "constituency_searching": constituency_searching,
    "constituency_discrimination": constituency_discrimination,
}
