"""Models made several times, from other pre-training seeds: one entry stands for all of them.

``mini`` with ``replicates: [0, 1]`` is read as the models ``mini-0`` and ``mini-1`` of the family
``mini``: ordinary models, each with files of its own, that are compared together. So are
paraphrasers, whose stages of pre-training are made here whatever they start from: all replicates
may start from the same weights.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tuneatlas.config.source import Key, Node, Problem

# What stands for the seed in an address.
SEED = "{replicate}"
# The key that tells the weights of a source apart, where others than the workflow made them.
ADDRESS = {"hub": "id", "path": "path"}
# The parts of the config whose entries may come in replicates.
PARTS = ("models", "paraphrasers")
# By part and name of a replicate: the family that it is written as.
Families = dict[tuple[str, str], str]


def expand(tree: Node, problems: list[Problem]) -> tuple[Node, Families]:
    """The tree with one model for each replicate, and the family that each is written as.

    ``problems`` gets what is wrong.
    """
    families: Families = {}
    for part in PARTS:
        models = tree.value.get(part)
        if models is not None and isinstance(models.value, dict):
            found = _expanded(part, models, families, problems)
            tree = Node({**tree.value, part: Node(found, models.place)}, tree.place)
    return tree, families


def _expanded(
    part: str, models: Node, families: Families, problems: list[Problem]
) -> dict[str, Node]:
    """The entries of a part, one for each replicate."""
    found: dict[str, Node] = {}
    for name, node in models.value.items():
        if not (isinstance(node.value, dict) and _lists_seeds(node.value)):
            found[name] = node
            continue
        known = len(problems)
        seeds = _seeds((part, name), node, problems)
        for seed in seeds:
            made = f"{name}-{seed}"
            if made in models.value:
                key: Key = (part, name, "replicates")
                text = f"replicate {seed} would be called {made}, as another model is: rename one"
                problems.append(Problem(key, text, node.place_of(("replicates",))))
            found[made] = _member((part, name), node, seed, problems)
            families[part, made] = name
        if len(problems) > known:
            # One complaint for all: the first alone is read further.
            found = {k: v for k, v in found.items() if k not in {f"{name}-{s}" for s in seeds[1:]}}
    return found


def _lists_seeds(values: Mapping[str, Node]) -> bool:
    """Whether an entry is still to be read as several; a member of a family is one already."""
    named = values.get("family")
    return (
        "replicates" in values
        and values["replicates"].value is not None
        and (named is None or named.value is None)
    )


def _seeds(at: Key, node: Node, problems: list[Problem]) -> list[int]:
    """The seeds listed, each once; one that stands for them where the list is no such list."""
    said = node.value["replicates"]
    values = said.plain()
    source = node.value["source"].plain() if "source" in node.value else None
    address = ADDRESS.get(source, "") if isinstance(source, str) else ""
    given = node.value[address].plain() if address in node.value else ""
    # Of these the stages are made here, from whatever weights.
    same = at[0] == "paraphrasers"
    text, key = "", "replicates"
    if not isinstance(values, list) or not all(type(v) is int and v >= 0 for v in values):
        text = f"should be a list of pre-training seeds, such as [0, 1, 2], not {values!r}"
    elif not values:
        text = "names no pre-training seed: list some, or leave the key out for one model"
    elif repeated := [v for v, count in Counter(values).items() if count > 1]:
        text = f"{repeated[0]} is listed {values.count(repeated[0])} times; each is one model"
    elif source == "package" and not same:
        text = "a package holds one model: replicates are trained here, or lie in repositories or "
        text += "folders of their own (source: scratch, hub or path)"
    elif address and isinstance(given, str) and SEED not in given and not same:
        text = f"{given!r} holds no {SEED}: all replicates would be the same weights"
        key = address
    if text:
        problems.append(Problem((*at, key), text, node.place_of((key,))))
    ints = [v for v in values if type(v) is int and v >= 0] if isinstance(values, list) else []
    return list(dict.fromkeys(ints)) or [0]


def _member(at: Key, node: Node, seed: int, problems: list[Problem]) -> Node:
    """One replicate as a model of its own, of the entry at ``at``."""
    place = node.place_of(("replicates",))
    own = dict(node.value)
    own["family"] = Node(str(at[1]), place)
    own["replicates"] = Node([Node(seed, place)], place)
    several = False
    for key in ADDRESS.values():
        if key in own and isinstance(own[key].value, str):
            several |= SEED in own[key].value
            own[key] = Node(own[key].value.replace(SEED, str(seed)), own[key].place)
    if "revision" in own and (several or at[0] == "models"):
        own["revision"] = _revision(at, own["revision"], seed, problems)
    return Node(own, node.place)


def _revision(at: Key, said: Node, seed: int, problems: list[Problem]) -> Node:
    """The commit of one replicate: each repository has commits of its own."""
    if isinstance(said.value, dict) and str(seed) in said.value:
        chosen: Node = said.value[str(seed)]
        return chosen
    text = f"no commit for replicate {seed}: name one for each, such as {{0: …, 1: …}}"
    problems.append(Problem((*at, "revision"), text, said.place))
    return Node("0" * 40, said.place)


def as_written(problem: Problem, families: Families) -> Problem:
    """A problem of a replicate in the words of the file, where it is the model of a family."""

    def family(found: re.Match[str]) -> str:
        return f"{found[1]}.{families.get((found[1], found[2]), found[2])}"

    key = problem.key
    if len(key) > 1 and key[0] in PARTS:
        key = (key[0], families.get((str(key[0]), str(key[1])), key[1]), *key[2:])
    text = re.sub(rf"\b({'|'.join(PARTS)})\.([\w-]+)", family, problem.text)
    return replace(problem, key=key, text=text)


def members(models: Mapping[str, Any]) -> dict[str, list[str]]:
    """What is compared, and the models that it is made of: a family's, or one alone.

    ``models`` are entries of the resolved config, by name.
    """
    found: dict[str, list[str]] = {}
    for name, entry in models.items():
        found.setdefault(entry.get("family") or name, []).append(name)
    return {
        name: sorted(own, key=lambda m: (tuple(models[m].get("replicates") or ()), m))
        for name, own in found.items()
    }
